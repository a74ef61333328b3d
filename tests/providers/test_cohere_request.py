"""A conversation written down for Cohere."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from streamd.providers import (
    CachePoint,
    Citation,
    ConfigError,
    Context,
    File,
    Image,
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
from streamd.providers._cohere_request import cohere_body
from tests.providers.test_request_properties import CONTEXTS
from tests.support.cohere import START, adds, called, last
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.decoding import decode, named

ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OUTPUT = OutputSpec("answer", SCHEMA)
FREE = OutputSpec("answer", {"type": "object", "additionalProperties": {"type": "integer"}})


def body(context: Context, options: Options = PLAIN) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(cohere_body("here", context, options))


def turn_of(*parts: Any, role: Any = "assistant") -> list[dict[str, Any]]:
    """What becomes of a message behind a question."""
    return body(Context((Message.user("hi"), Message(role, parts))))["messages"][1:]


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, in order."""
    options = msgspec.structs.replace(EVERYTHING, logprobs=0)
    picture = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff").decode()
    results = [
        ("call_1", {"output": "rain, 8 °C"}),
        ("call_2", {"error": "the clock is broken"}),
    ]
    assert body(RICH, options) == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which towns are these?"},
                    {"type": "image_url", "image_url": {"url": picture}},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I will look.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"town":"Ulm","days":2}'},
                    },
                    {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
                ],
            },
            *(
                {
                    "role": "tool",
                    "tool_call_id": id_,
                    "content": [{"type": "document", "document": {"data": data}}],
                }
                for id_, data in results
            ),
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
        "tool_choice": "REQUIRED",
        "max_tokens": 100,
        "temperature": 0.25,
        "p": 0.9,
        "stop_sequences": ["END", "STOP"],
        "logprobs": True,
        "seed": 7,
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    """The provider's own defaults stay."""
    assert body(ASK) == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def test_where_it_is_asked() -> None:
    """At its own address, with the key as a bearer token."""
    request = resolve("cohere", environ={"CO_API_KEY": "zz-key"}).request(ASK, PLAIN)
    fields = {name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers}
    assert request.url == "https://api.cohere.com/v2/chat"
    assert (fields["authorization"], fields["accept"]) == ("Bearer zz-key", "text/event-stream")


def test_what_was_decoded_can_be_sent_back() -> None:
    """A plan in its own field beside the calls; thinking in its place before the text."""
    planned = [adds("tool-plan-delta", tool_plan="I look."), *called(0, "weather", '{"town":"Ulm"}')]
    thought = [adds("content-delta", 0, content={"thinking": "Hm."}), *called(0, "weather", '{"town":"Ulm"}')]
    calls = [
        {
            "id": "weather_0",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"town":"Ulm"}'},
        }
    ]
    hm = {"type": "thinking", "thinking": "Hm."}
    for events, sent in (
        (planned, {"tool_calls": calls, "tool_plan": "I look."}),
        (thought, {"tool_calls": calls, "content": [hm]}),
        (
            [thought[0], adds("content-delta", 1, content={"text": "a"})],
            {"content": [hm, {"type": "text", "text": "a"}]},
        ),
    ):
        message = fold(decode("cohere-v2", named(START, *events, last("COMPLETE")))[0])
        assert turn_of(*message.content) == [{"role": "assistant", **sent}]


def test_what_is_left_out() -> None:
    """What other providers signed, named, encrypted, ran or marked, plans without calls, turns with nothing left."""
    foreign: list[Part] = [
        Thinking("signed", "c2ln"),
        Thinking("named", None, "rs_1"),
        Thinking("planned", None, "tool_plan"),
        RedactedThinking("x"),
        CachePoint(),
        ServerToolCall("1", "search", {}, "anthropic-messages", {}),
        Text(" "),
    ]
    assert turn_of(*foreign) == []
    assert turn_of(*foreign, Thinking("cut off")) == []
    assert turn_of(*foreign, Refusal("No.")) == [{"role": "assistant", "content": " No."}]


def test_texts() -> None:
    """What a model said in pieces is one text; what a user said apart stays apart."""
    cited = (Text("a"), Citation("https://x.test"), Text(" "), Citation("https://x.test"), Text("b"))
    assert turn_of(*cited) == [{"role": "assistant", "content": "a b"}]
    assert turn_of(Text("a"), Text(" "), Text("b"), role="user") == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    ]


def test_system_messages_stay_in_their_place() -> None:
    """The instruction comes first; a blank one is none."""
    said = body(
        Context((Message.user("a"), Message.system("b"), Message.system(" "), Message.user("c")), " ")
    )
    assert [(turn["role"], turn["content"]) for turn in said["messages"]] == [
        ("user", "a"),
        ("system", "b"),
        ("user", "c"),
    ]


@pytest.mark.parametrize(
    ("choice", "sent"), [(None, None), ("auto", None), ("none", "NONE"), ("required", "REQUIRED")]
)
def test_tool_choices(choice: str | None, sent: str | None) -> None:
    """Sent only beside tools."""
    assert (
        body(Context(ASK.messages, tools=TOOLS), Options("m", tool_choice=choice)).get("tool_choice") == sent
    )
    if choice != "required":
        assert "tool_choice" not in body(ASK, Options("m", tool_choice=choice))


def test_no_call_is_forced_by_name() -> None:
    """The wire has no word for it."""
    with pytest.raises(ConfigError, match="here: the tool choice 'weather' cannot be asked for"):
        body(Context(ASK.messages, tools=TOOLS), Options("m", tool_choice="weather"))


def test_an_output() -> None:
    """A schema the model is told too, where the wire can express it and there are no tools."""
    asked = body(Context(ASK.messages, "Be brief."), Options("m", output=OUTPUT))
    assert asked["response_format"] == {
        "type": "json_object",
        "json_schema": {**SCHEMA, "additionalProperties": False},
    }
    assert asked["messages"][0]["content"].startswith("Be brief.\n\nAnswer with JSON alone")
    assert "tools" not in asked
    without = body(Context(ASK.messages, tools=TOOLS), Options("m", output=OUTPUT, tool_choice="none"))
    assert (without["response_format"], "tools" in without) == (asked["response_format"], False)


@pytest.mark.parametrize(
    ("context", "options", "names"),
    [
        (Context(ASK.messages, tools=TOOLS), Options("m", output=OUTPUT), ["weather", "now", "answer"]),
        (ASK, Options("m", output=FREE), ["answer"]),
        (Context(ASK.messages, tools=TOOLS), Options("m", output=FREE, tool_choice="none"), ["answer"]),
    ],
)
def test_an_output_that_is_a_call(context: Context, options: Options, names: list[str]) -> None:
    """One more tool, and a call is forced."""
    asked = body(context, options)
    assert [tool["function"]["name"] for tool in asked["tools"]] == names
    assert asked["tool_choice"] == "REQUIRED"
    assert "response_format" not in asked


def test_what_cannot_be_sent() -> None:
    """It is named before anything is sent."""
    for context, options, told in (
        (ASK, Options("m", logprobs=2), "logprobs must be 0, not 2"),
        (Context(ASK.messages, server_tools=({"type": "search"},)), PLAIN, "no tools that the provider runs"),
        (Context((Message("user", (File(data=b"x"),)),)), PLAIN, "cannot hold a part of kind 'file'"),
    ):
        with pytest.raises(ConfigError, match=told):
            body(context, options)


def test_extra_fields_lie_over_the_rest() -> None:
    """Documents and the like, and whatever was written already."""
    extra = {"documents": [{"data": {"text": "a"}}], "thinking": {"type": "disabled"}, "stream": False}
    asked = body(ASK, Options("m", extra_body=extra))
    assert {name: asked[name] for name in extra} == extra


@settings(deadline=None, max_examples=100)
@given(context=CONTEXTS)
def test_messages_have_the_shape_the_wire_takes(context: Context) -> None:
    """Nothing is empty, and calls and results are those that were given."""
    sent = body(context)["messages"]
    calls = [call for turn in sent for call in turn.get("tool_calls", ())]
    given_calls = [call for message in context.messages for call in message.tool_calls]
    assert [msgspec.json.decode(call["function"]["arguments"]) for call in calls] == [
        call.arguments for call in given_calls
    ]
    results = [result for message in context.messages for result in message.tool_results]
    assert len([turn for turn in sent if turn["role"] == "tool"]) == len(results)
    assert all(turn.get("content") or turn.get("tool_calls") for turn in sent)
    blocks = [block for turn in sent if isinstance(turn.get("content"), list) for block in turn["content"]]
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")


def test_a_result_that_no_encoding_holds() -> None:
    """Half a surrogate pair in a tool's answer becomes a question mark."""
    call, result = ToolCall(0, "c", "f", {}), ToolResult("c", "f", "half \ud800")
    sent = body(Context((Message.user("hi"), Message("assistant", (call,)), Message.tool(result))))[
        "messages"
    ]
    assert sent[1] == {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert sent[2]["content"][0]["document"]["data"] == {"output": "half ?"}


def test_an_image_is_given_by_its_url_or_its_bytes() -> None:
    """One alone is still a list."""
    assert turn_of(Image(url="https://x.test/a.png"), role="user") == [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]}
    ]
