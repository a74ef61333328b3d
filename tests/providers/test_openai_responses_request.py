"""A conversation written down for the Responses API."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import (
    CachePoint,
    ConfigError,
    Context,
    File,
    Image,
    Media,
    Message,
    Metadata,
    Options,
    OutputSpec,
    RedactedThinking,
    Refusal,
    ResponsesQuirks,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    fold,
)
from streamd.providers._openai_responses_request import (
    openai_responses_body,
    responses_state,
)
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.decoding import decode
from tests.support.responses import ITEMS, ended, sent
from tests.support.responses import body as stream

WIRE = "openai-responses"
ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
PLAIN_QUIRKS = ResponsesQuirks()
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
SEARCHED: dict[str, Any] = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"query": "q"},
}


def body(
    context: Context, options: Options = PLAIN, quirks: ResponsesQuirks = PLAIN_QUIRKS
) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(openai_responses_body("here", context, options, quirks), type=dict[str, Any])


def items(*messages: Message, quirks: ResponsesQuirks = PLAIN_QUIRKS, **more: Any) -> list[dict[str, Any]]:
    """The input items of these messages."""
    found: list[dict[str, Any]] = body(Context(messages, **more), quirks=quirks)["input"]
    return found


def turn(*parts: Any, quirks: ResponsesQuirks = PLAIN_QUIRKS, **more: Any) -> list[dict[str, Any]]:
    """The items of an assistant's turn."""
    return items(Message("assistant", parts), Message.user("go"), quirks=quirks, **more)[:-1]


def said(text: str) -> dict[str, Any]:
    """What an assistant's text becomes."""
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, in order."""
    turn_of_model = Message(
        "assistant",
        (
            Thinking("Two towns.", None, "rs_1"),
            Thinking("Both at once.", "c2VhbA==", "rs_1"),
            ServerToolCall("ws_1", "web_search", {"query": "q"}, WIRE, SEARCHED),
            *RICH.messages[1].content,
        ),
    )
    context = Context(
        messages=(Message.system("In German."), RICH.messages[0], turn_of_model, *RICH.messages[2:]),
        system="Be brief.",
        tools=TOOLS,
        server_tools=({"type": "web_search", "search_context_size": "low"},),
    )
    options = msgspec.structs.replace(
        EVERYTHING, stop=(), output=OutputSpec("answer", SCHEMA), logprobs=3, cache="5m"
    )
    assert body(context, options) == {
        "model": "m-1",
        "input": [
            {"type": "message", "role": "system", "content": "In German."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Which towns are these?"},
                    {"type": "input_image", "detail": "auto", "image_url": "data:image/jpeg;base64,/9j/"},
                    {"type": "input_image", "detail": "auto", "image_url": "https://x.test/a.png"},
                ],
            },
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [
                    {"type": "summary_text", "text": "Two towns."},
                    {"type": "summary_text", "text": "Both at once."},
                ],
                "encrypted_content": "c2VhbA==",
            },
            SEARCHED,
            said("I will look."),
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"town":"Ulm","days":2}',
            },
            {"type": "function_call", "call_id": "call_2", "name": "now", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "rain, 8 °C"},
            {"type": "function_call_output", "call_id": "call_2", "output": "the clock is broken"},
            {"type": "message", "role": "user", "content": "Thank you. And tomorrow?"},
        ],
        "stream": True,
        "store": False,
        "instructions": "Be brief.",
        "text": {
            "format": {
                "type": "json_schema",
                "name": "answer",
                "schema": SCHEMA | {"additionalProperties": False},
                "strict": True,
            }
        },
        "tools": [
            {
                "type": "function",
                "name": "weather",
                "description": "The weather of a town.",
                "parameters": TOOLS[0].input_schema,
                "strict": False,
            },
            {"type": "function", "name": "now", "parameters": TOOLS[1].input_schema, "strict": False},
            {"type": "web_search", "search_context_size": "low"},
        ],
        "tool_choice": "required",
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "top_logprobs": 3,
        "max_output_tokens": 100,
        "temperature": 0.25,
        "top_p": 0.9,
        "seed": 7,
    }


def test_a_plain_question() -> None:
    """Nothing is sent that was not asked for, but that nothing is kept."""
    assert body(ASK) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    quirks = ResponsesQuirks(store=None, encrypted_reasoning=False)
    assert body(ASK, quirks=quirks).keys() == {"model", "input", "stream"}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            File("application/pdf", b"%PDF", name="a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
        (
            File("text/csv", b"a"),
            {"type": "input_file", "filename": "file.csv", "file_data": "data:text/csv;base64,YQ=="},
        ),
        (File(url="https://x.test/a.pdf"), {"type": "input_file", "file_url": "https://x.test/a.pdf"}),
        (File(file_id="file-1"), {"type": "input_file", "file_id": "file-1"}),
        (File("image/png", file_id="file-1"), {"type": "input_image", "detail": "auto", "file_id": "file-1"}),
        (
            File("image/png", b"a"),
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,YQ=="},
        ),
        (
            File("Audio/MPEG; x=1", b"a"),
            {"type": "input_audio", "input_audio": {"data": "YQ==", "format": "mp3"}},
        ),
        (
            Image("image/png", b"a"),
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,YQ=="},
        ),
    ],
)
def test_what_a_user_gives(part: Image | File, expected: dict[str, Any]) -> None:
    """Images, documents and sounds; a blank text and a cache point beside them are left out."""
    (item,) = items(Message.user(" ", part, CachePoint()))
    assert item["content"] == [expected]


@pytest.mark.parametrize("file", [File("audio/ogg", b"a"), File("audio/wav", url="https://x.test/a.wav")])
def test_a_sound_that_cannot_be_sent(file: File) -> None:
    """The message names the provider and the kind."""
    with pytest.raises(ConfigError, match=r"here .* audio/(ogg|wav)"):
        body(Context((Message.user(file),)))


def test_reasoning_goes_back_where_it_came_from() -> None:
    """With its id and proof; what another provider thought, what has no proof and what nothing follows does not."""
    signed = Thinking("a", "c2VhbA==", "rs_1")
    item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}],
        "encrypted_content": "c2VhbA==",
    }
    assert turn(signed, Text("b")) == [item, said("b")]
    assert turn(Thinking("", "c2VhbA==", "rs_1"), Text("b")) == [item | {"summary": []}, said("b")]
    assert turn(Thinking("a", "c2VhbA=="), RedactedThinking("x"), Text("b")) == [said("b")]
    assert turn(Thinking("a", None, "rs_1"), Text("b")) == [said("b")]
    assert turn(Text("b"), signed) == [said("b")]
    assert turn(signed) == []


def test_reasoning_that_came_in_turns_is_one_item() -> None:
    """The blocks of one id go back together, where the first of them stood."""
    parts = (Thinking("a", None, "rs_1"), Text("b"), Thinking("", "c2VhbA==", "rs_1"), Text("c"))
    reasoning, text = turn(*parts)
    assert reasoning["encrypted_content"] == "c2VhbA=="
    assert text == said("bc")


@pytest.mark.parametrize(
    ("wanted", "signature", "field"),
    [
        ("content", None, "content"),
        ("content", "c2VhbA==", "content"),
        ("either", None, "content"),
        ("either", "c2VhbA==", "summary"),
    ],
)
def test_servers_of_open_models_are_given_the_thoughts(
    wanted: Any, signature: str | None, field: str
) -> None:
    """All of them as one content, or as a summary where there is a proof and the server takes either."""
    parts = (Thinking("a", None, "rs_1"), Thinking("b", signature, "rs_1"), Text("c"))
    item = turn(*parts, quirks=ResponsesQuirks(reasoning=wanted))[0]
    told = {
        "content": {"summary": [], "content": [{"type": "reasoning_text", "text": "ab"}]},
        "summary": {"summary": [{"type": "summary_text", "text": text} for text in "ab"]},
    }
    proof = {"encrypted_content": signature} if signature else {}
    assert item == {"type": "reasoning", "id": "rs_1", **told[field], **proof}


def test_what_the_provider_ran_goes_back_once() -> None:
    """A call and the result that its item holds are one item; what came by another wire is left out."""
    item = {"type": "mcp_call", "id": "mcp_1", "output": "yes"}
    call = ServerToolCall("mcp_1", "ask", {}, WIRE, item)
    result = ServerToolResult("mcp_1", "ask", "yes", WIRE, item)
    approval = {"type": "mcp_approval_response", "approval_request_id": "r", "approve": True}
    answer = ServerToolResult("r", "mcp_approval", True, WIRE, approval)
    other = ServerToolCall("x", "web_search", {}, "anthropic-messages", {"type": "server_tool_use"})
    parts = (call, result, other, answer, Media("image/png", data=b"a"), Text("b"))
    assert turn(*parts) == [item, approval, said("b")]


def test_a_refusal_goes_back() -> None:
    """In the same message as the text beside it."""
    (item,) = turn(Text("a"), Refusal("b"), Text(""))
    assert item["content"] == [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "b"}]


def test_a_custom_tool_takes_text() -> None:
    """It is declared in its own form alone, and its calls, results and choice are in that form."""
    custom = {"type": "custom", "name": "patch"}
    context = Context(
        (
            Message.user("hi"),
            Message(
                "assistant",
                (ToolCall(0, "call_1", "patch", {"input": "a"}), ToolCall(1, "call_2", "patch", {"b": 1})),
            ),
            Message.tool(ToolResult("call_1", "patch", "done")),
        ),
        tools=(ToolSpec("patch", "", {"type": "object"}),),
        server_tools=(custom,),
    )
    made = body(context, Options("m", tool_choice="patch"))
    assert made["tools"] == [custom]
    assert made["tool_choice"] == custom
    assert made["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "a"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": '{"b":1}'},
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
    ]
    function = body(Context(context.messages, tools=context.tools), Options("m", tool_choice="patch"))
    assert function["tool_choice"] == {"type": "function", "name": "patch"}


KEPT = Context(
    (
        Message.user("hi"),
        Message("assistant", (Thinking("a", None, "rs_1"), ToolCall(0, "call_1", "f", {}))),
        Message.tool(ToolResult("call_1", "f", "1")),
    ),
    system="Be brief.",
    provider_state={"previous_response_id": "resp_1"},
)


@pytest.mark.parametrize(
    ("extra", "quirks"),
    [
        ({"store": True}, PLAIN_QUIRKS),
        ({"background": True}, PLAIN_QUIRKS),
        ({}, ResponsesQuirks(store=True)),
    ],
)
def test_a_provider_that_keeps_responses(extra: dict[str, Any], quirks: ResponsesQuirks) -> None:
    """It is sent what follows the response it has, and the instruction, which it does not keep."""
    made = body(KEPT, Options("m", extra_body=extra), quirks)
    assert made == {
        "model": "m",
        "input": [{"type": "function_call_output", "call_id": "call_1", "output": "1"}],
        "stream": True,
        "store": True,
        "previous_response_id": "resp_1",
        "instructions": "Be brief.",
        **extra,
    }


def test_a_provider_that_keeps_nothing_is_sent_everything() -> None:
    """A response's name does not count then; and where there is none yet, the whole is sent too."""
    made = body(KEPT, quirks=ResponsesQuirks(store=False))
    assert "previous_response_id" not in made
    assert len(made["input"]) == 3
    assert (
        len(body(KEPT, Options("m", extra_body={"store": False}), ResponsesQuirks(store=True))["input"]) == 3
    )
    first = Context(KEPT.messages)
    made = body(first, quirks=ResponsesQuirks(store=True))
    assert [item["type"] for item in made["input"]] == [
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert made["input"][1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}],
    }


def test_a_response_that_nothing_follows() -> None:
    """There is nothing to be answered."""
    context = Context(KEPT.messages[:2], provider_state=KEPT.provider_state)
    with pytest.raises(ConfigError, match="here: no message follows"):
        body(context, quirks=ResponsesQuirks(store=True))


def test_a_response_that_was_not_kept() -> None:
    """Without it and without the turn it was, the conversation would lose its beginning unseen."""
    context = Context((Message.user("go on"),), provider_state=KEPT.provider_state)
    with pytest.raises(ConfigError, match="here: `previous_response_id` needs `store`"):
        body(context)
    assert body(context, Options("m", extra_body={"store": True}))["previous_response_id"] == "resp_1"


def test_the_state_that_is_kept() -> None:
    """It is the response's name, where it has one."""
    assert responses_state(Metadata("resp_1", "m")) == {"previous_response_id": "resp_1"}
    assert responses_state(Metadata(None, "m")) == {}


def test_an_output_of_any_schema() -> None:
    """A schema that strict mode cannot express is sent as it is; other servers are told it in words too."""
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    asked = Options("m", output=OutputSpec("answer", free))
    made = body(ASK, asked)
    assert made["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": free}}
    assert "instructions" not in made
    told = body(ASK, asked, ResponsesQuirks(output="json_schema"))
    assert told["text"] == made["text"]
    assert '"additionalProperties"' in told["instructions"]


def test_what_the_wire_has_not() -> None:
    """Stop sequences are refused by name; so are parts that no role takes."""
    with pytest.raises(ConfigError, match="here: this API has no stop sequences"):
        body(ASK, Options("m", stop=("END",)))
    with pytest.raises(ConfigError, match=r"here: message 0 \(user\) cannot hold a part of kind 'media'"):
        body(Context((Message("user", (Media("image/png", data=b"a"),)),)))


def test_log_probabilities_alone() -> None:
    """None of the likely tokens may be asked for."""
    made = body(ASK, Options("m", logprobs=0))
    assert made["top_logprobs"] == 0
    assert made["include"][-1] == "message.output_text.logprobs"


def test_what_was_decoded_can_be_sent_back() -> None:
    """Every item of a response goes back as it came, but for names of its own that mean nothing when sent."""
    events = [event for index, item in enumerate(ITEMS) for event in sent(item, index)]
    chunks, error = decode(WIRE, stream(*events, ended(output=ITEMS)))
    assert error is None
    answered = fold(chunks)
    results = Message.tool(*(ToolResult(call.id, call.name, "1") for call in answered.tool_calls))
    back = items(Message.user("hi"), answered, results)[1 : 1 + len(ITEMS)]
    assert back[:2] == ITEMS[:2]
    assert back[2] == said("Ulm, Köln.")
    assert back[3:] == [
        {key: value for key, value in item.items() if key not in ("id", "status")} for item in ITEMS[3:]
    ]


_WORDS = st.sampled_from(["", " ", "a", "b\n", "ü", "\U0001f642", "\u2028", "\0"])
_ASSISTANT = st.one_of(
    st.builds(Text, _WORDS),
    st.builds(Refusal, _WORDS),
    st.builds(Thinking, _WORDS, st.sampled_from([None, "s"]), st.sampled_from([None, "rs_1", "rs_2"])),
    st.builds(ToolCall, st.just(0), st.just("c"), st.just("t"), st.dictionaries(_WORDS, _WORDS, max_size=2)),
    st.just(ServerToolCall("ws_1", "web_search", {}, WIRE, SEARCHED)),
    st.just(RedactedThinking("r")),
)
_TURNS = st.lists(
    st.lists(_ASSISTANT, max_size=5).map(lambda parts: Message("assistant", tuple(parts))), max_size=3
)


@settings(deadline=None, max_examples=200)
@given(turns=_TURNS, quirks=st.sampled_from([PLAIN_QUIRKS, ResponsesQuirks(reasoning="content")]))
def test_no_text_and_no_call_is_lost(turns: list[Message], quirks: ResponsesQuirks) -> None:
    """All that a turn says and calls goes back in order; reasoning stands before something, and under its id once."""
    for message in turns:
        made = items(message, Message.user("go"), quirks=quirks)[:-1]
        spoken = [part for item in made if item["type"] == "message" for part in item["content"]]
        assert "".join(part.get("text", "") for part in spoken) == message.text
        assert "".join(part.get("refusal", "") for part in spoken) == message.refusal
        calls = [msgspec.json.decode(item["arguments"]) for item in made if item["type"] == "function_call"]
        assert calls == [call.arguments for call in message.tool_calls]
        assert not made or made[-1]["type"] != "reasoning"
        ids = [item["id"] for item in made if item["type"] == "reasoning"]
        assert len(ids) == len(set(ids))
