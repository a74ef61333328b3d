"""A conversation written down for Ollama."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from streamd.providers import (
    CachePoint,
    ConfigError,
    Context,
    File,
    Image,
    Media,
    Message,
    Options,
    OutputSpec,
    Part,
    RedactedThinking,
    Refusal,
    Secret,
    ServerToolCall,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    fold,
    resolve,
)
from streamd.providers._ollama_request import ollama_body
from tests.providers.test_request_properties import CONTEXTS
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.decoding import decode
from tests.support.ollama import last, lines, said

ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OUTPUT = OutputSpec("answer", SCHEMA)


def body(context: Context, options: Options = PLAIN) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(ollama_body("here", context, options))


def turn_of(*parts: Any, role: Any = "assistant") -> list[dict[str, Any]]:
    """What becomes of a message behind a question."""
    return body(Context((Message.user("hi"), Message(role, parts))))["messages"][1:]


def with_data(message: Message) -> Message:
    """The message with its images as data alone."""
    kept = (part for part in message.content if not isinstance(part, Image) or part.data)
    return msgspec.structs.replace(message, content=tuple(kept))


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, in order."""
    context = msgspec.structs.replace(RICH, messages=tuple(map(with_data, RICH.messages)))
    options = msgspec.structs.replace(
        EVERYTHING,
        tool_choice="auto",
        logprobs=3,
        extra_body={"think": True, "keep_alive": "10m", "options": {"num_ctx": 8192, "temperature": 0.25}},
    )
    assert body(context, options) == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": "Which towns are these?",
                "images": [base64.b64encode(b"\xff\xd8\xff").decode()],
            },
            {
                "role": "assistant",
                "content": "I will look.",
                "thinking": "Two towns. Both at once.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "function": {"name": "weather", "arguments": {"town": "Ulm", "days": 2}},
                    },
                    {"id": "call_2", "function": {"name": "now", "arguments": {}}},
                ],
            },
            {"role": "tool", "content": "rain, 8 °C", "tool_name": "weather", "tool_call_id": "call_1"},
            {"role": "tool", "content": "the clock is broken", "tool_name": "now", "tool_call_id": "call_2"},
            {"role": "user", "content": "Thank you. And tomorrow?"},
        ],
        "stream": True,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather of a town.",
                    "parameters": TOOLS[0].input_schema,
                },
            },
            {"type": "function", "function": {"name": "now", "parameters": TOOLS[1].input_schema}},
        ],
        "logprobs": True,
        "top_logprobs": 3,
        "options": {
            "num_predict": 100,
            "temperature": 0.25,
            "top_p": 0.9,
            "stop": ["END", "STOP"],
            "num_ctx": 8192,
        },
        "think": True,
        "keep_alive": "10m",
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    """The server's own defaults stay."""
    assert body(ASK) == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/api/chat"),
        ("https://ollama.com/api", "https://ollama.com/api/chat"),
        ("https://x.test/ollama/", "https://x.test/ollama/api/chat"),
    ],
)
def test_where_it_is_asked(base_url: str, url: str) -> None:
    """Below the base URL; the cloud's key is a bearer token, and lines are what is accepted."""
    provider = resolve(("ollama", {"base_url": base_url, "api_key": "zz-key"}), environ={})
    request = provider.request(ASK, PLAIN)
    fields = {name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers}
    assert request.url == url
    assert fields["authorization"] == "Bearer zz-key"
    assert fields["accept"] == "application/x-ndjson"


def test_the_other_api_is_still_there() -> None:
    """Chat completions, below `/v1`, by a base URL."""
    provider = resolve(("openai-compatible", {"base_url": "http://127.0.0.1:11434/v1"}), environ={})
    assert provider.request(ASK, PLAIN).url == "http://127.0.0.1:11434/v1/chat/completions"


def test_what_was_decoded_can_be_sent_back() -> None:
    """Thinking, text, an image and calls; ids that were made up here are not sent, a server's are."""
    calls: list[dict[str, Any]] = [
        {"function": {"name": "weather", "arguments": {"town": "Ulm"}}},
        {"id": "c9", "function": {"name": "now", "arguments": {}}},
    ]
    stream = lines(
        said(thinking="Hm. "), said(content="Two", images=["AAEC"]), said(tool_calls=calls), last()
    )
    message = fold(decode("ollama-chat", stream)[0])
    results = tuple(ToolResult(call.id, call.name, "ok") for call in message.tool_calls)
    sent = body(Context((Message.user("hi"), message, Message("tool", results))))["messages"][1:]
    assert sent == [
        {
            "role": "assistant",
            "content": "Two",
            "images": ["AAEC"],
            "thinking": "Hm. ",
            "tool_calls": [calls[0], calls[1]],
        },
        {"role": "tool", "content": "ok", "tool_name": "weather"},
        {"role": "tool", "content": "ok", "tool_name": "now", "tool_call_id": "c9"},
    ]


def test_what_is_left_out() -> None:
    """What other providers encrypted, ran or marked, and a turn that says nothing; a refusal is text."""
    foreign: list[Part] = [
        RedactedThinking("x"),
        CachePoint(),
        ServerToolCall("1", "search", {}, "anthropic-messages", {}),
    ]
    assert turn_of(*foreign, Thinking("hm")) == []
    assert turn_of(*foreign, Text("a")) == [{"role": "assistant", "content": "a"}]
    assert turn_of(Text("a"), Refusal("b")) == [{"role": "assistant", "content": "ab"}]


def test_texts_are_joined() -> None:
    """A message is one text: what the user said apart stays apart, blank texts are nothing."""
    assert turn_of(Text("a"), Text(" "), Text("b"), role="user") == [{"role": "user", "content": "a\n\nb"}]
    assert turn_of(Text("  a "), role="user") == [{"role": "user", "content": "  a "}]
    assert turn_of(Text("a"), Text("b")) == [{"role": "assistant", "content": "ab"}]


def test_images_are_data() -> None:
    """A `data:` URL is read; one that would have to be fetched is refused, with the place."""
    assert turn_of(Image(url="data:image/png;base64,AAEC"), role="user") == [
        {"role": "user", "content": "", "images": ["AAEC"]}
    ]
    for part in (Image(url="https://x.test/a.png"), Image(url="data:image/png;base64,#")):
        with pytest.raises(ConfigError, match=r"here: message 1 \(user\): an image is given as `data`"):
            turn_of(part, role="user")
    with pytest.raises(ConfigError, match=r"message 1 \(assistant\): an image is given as `data`"):
        turn_of(Media("image/png", url="https://x.test/a.png"))
    with pytest.raises(ConfigError, match="'file'"):
        turn_of(File(data=b"x"), role="user")


def test_tool_choices() -> None:
    """Nothing can be forced on this wire; `none` leaves the tools out."""
    context = Context(ASK.messages, tools=TOOLS)
    assert "tools" not in body(context, Options("m", tool_choice="none"))
    assert [
        tool["function"]["name"] for tool in body(context, Options("m", tool_choice="auto"))["tools"]
    ] == [
        "weather",
        "now",
    ]
    for choice in ("required", "weather"):
        with pytest.raises(ConfigError, match=f"here: the tool choice '{choice}' cannot be asked for"):
            body(context, Options("m", tool_choice=choice))


def test_an_output() -> None:
    """A schema that the model is told too; beside tools, one more of them."""
    asked = body(Context(ASK.messages, "Be brief."), Options("m", output=OUTPUT))
    assert asked["format"] == SCHEMA
    system = asked["messages"][0]["content"]
    assert system.startswith("Be brief.\n\nAnswer with JSON alone")
    assert '"integer"' in system
    with_tools = body(Context(ASK.messages, tools=TOOLS), Options("m", output=OUTPUT))
    assert "format" not in with_tools
    assert [tool["function"]["name"] for tool in with_tools["tools"]] == ["weather", "now", "answer"]
    without = body(Context(ASK.messages, tools=TOOLS), Options("m", output=OUTPUT, tool_choice="none"))
    assert (without["format"], "tools" in without) == (SCHEMA, False)


def test_log_probabilities() -> None:
    """With the most likely tokens, or without; more than there are is refused."""
    assert body(ASK, Options("m", logprobs=0)) == {**body(ASK), "logprobs": True}
    for count in (-1, 21):
        with pytest.raises(ConfigError, match="0 to 20"):
            body(ASK, Options("m", logprobs=count))


def test_extra_fields_lie_over_the_rest() -> None:
    """The options one by one, everything else whole."""
    extra = {"options": {"seed": 1}, "stream": False, "format": "json"}
    asked = body(ASK, Options("m", temperature=0.5, extra_body=extra))
    assert asked["options"] == {"temperature": 0.5, "seed": 1}
    assert (asked["stream"], asked["format"]) == (False, "json")


def test_no_tools_of_the_server() -> None:
    """They are another wire's."""
    with pytest.raises(ConfigError, match="no tools that the provider runs"):
        body(Context(ASK.messages, server_tools=({"type": "web_search"},)))


@settings(deadline=None, max_examples=100)
@given(context=CONTEXTS)
def test_every_call_and_every_result_is_sent(context: Context) -> None:
    """Whatever the conversation, roles keep their order, and calls and results are those that were given."""
    messages = tuple(map(with_data, context.messages))
    sent = body(msgspec.structs.replace(context, messages=messages))["messages"][1 if context.system else 0 :]
    calls = [call["function"]["arguments"] for turn in sent for call in turn.get("tool_calls", ())]
    assert calls == [call.arguments for message in messages for call in message.tool_calls]
    results = [turn["tool_name"] for turn in sent if turn["role"] == "tool"]
    assert results == [result.name for message in messages for result in message.tool_results]
    assert all(turn["content"] for turn in sent if turn["role"] == "user")
    assert all(len(turn) > 2 or turn["content"] for turn in sent if turn["role"] == "assistant")


def test_a_call_of_another_provider() -> None:
    """Its id goes along with its result, as it is."""
    call, result = ToolCall(0, "toolu_1", "f", {}), ToolResult("toolu_1", "f", "half \ud800")
    sent = body(Context((Message.user("hi"), Message("assistant", (call,)), Message.tool(result))))[
        "messages"
    ]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"] == "toolu_1"
    assert sent[2]["content"] == "half ?"
