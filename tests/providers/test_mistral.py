"""Mistral's dialect of chat completions: content in parts, ids of nine characters, and no field too many."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.providers import (
    ChatQuirks,
    Citation,
    ConfigError,
    Context,
    Media,
    Message,
    Metadata,
    Options,
    OutputSpec,
    RedactedThinking,
    Refusal,
    ServerError,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
    fold,
    resolve,
)
from streamd.providers._mistral_messages import mistral_id
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.decoding import decode, single_bytes, sse

WIRE = "openai-chat"
MISTRAL = resolve(("mistral", {"api_key": "zz-key"}), environ={})
ASK = Context((Message.user("hi"),))
PLAIN = Options("m")


def body(context: Context, options: Options = PLAIN) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(MISTRAL.request(context, options).body)


def turn_of(*parts: Any) -> list[dict[str, Any]]:
    """What becomes of an assistant's turn behind a question, and before the next one."""
    return body(Context((Message.user("hi"), Message("assistant", parts), Message.user("go"))))["messages"][
        1:-1
    ]


def event(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """An event of the first choice."""
    return {"id": "r", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def thinking(*parts: Any) -> dict[str, Any]:
    """A part of thinking, itself made of parts."""
    return {"type": "thinking", "thinking": list(parts)}


def text(said: str) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": said}


def test_a_turn_in_parts() -> None:
    """Thinking in parts, text as a part and as itself, sources and images; what is unknown is passed over."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}}
    source = {
        "type": "tool_reference",
        "tool": "web_search",
        "title": "T",
        "url": "https://x.test",
        "favicon": "f",
    }
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    stream = sse(
        event(role="assistant", content=""),
        event(content=[thinking(text("Hm"), text(". "))]),
        event(content=[thinking(source | {"description": "D"}, {"type": "new"})]),
        event(content=[text("Two"), {"type": "reference", "reference_ids": [3, "d", None]}]),
        event(content=[picture, {"type": "image_url", "image_url": "https://x.test/a.png"}, source]),
        event(
            content=[
                {"type": "new", "x": 1},
                7,
                {"type": "reference"},
                {"type": "tool_reference", "title": 7},
            ]
        ),
        event(content=" towns."),
        event("stop", content="") | {"usage": usage},
        "[DONE]",
    )
    counted = Usage(5, 3, raw=usage)
    for parts in ([stream], single_bytes(stream)):
        chunks, error = decode(WIRE, parts)
        assert error is None
        assert chunks == [
            Metadata("r", "m"),
            Thinking("Hm"),
            Thinking(". "),
            Citation("https://x.test", "T", "D"),
            Text("Two"),
            Citation(None, "3"),
            Citation(None, "d"),
            Media("image/png", data=b"\x00\x01\x02"),
            Media("image/png", url="https://x.test/a.png"),
            Citation("https://x.test", "T"),
            Text(" towns."),
            counted,
            Stop("stop", counted, "stop"),
        ]


@pytest.mark.parametrize(
    ("raw", "reason"), [("model_length", "length"), ("length", "length"), ("tool_calls", "incomplete")]
)
def test_finish_reasons(raw: str, reason: StopReason) -> None:
    """Its own word for a full context is a length; calls that never came leave the turn incomplete."""
    assert decode(WIRE, sse(event(raw, content="a"), "[DONE]"))[0][-1] == Stop(reason, None, raw)


def test_a_finish_reason_that_is_a_failure() -> None:
    """The turn fails, and what came before is delivered."""
    chunks, error = decode(WIRE, sse(event(content="a"), event("error", content=""), "[DONE]"))
    assert chunks[1:] == [Text("a")]
    assert type(error) is ServerError


def test_a_call_cut_before_its_arguments() -> None:
    """It may have had arguments: nothing is run."""
    call = {"index": 0, "id": "abc123def", "function": {"name": "f", "arguments": ""}}
    chunks, error = decode(WIRE, sse(event("length", tool_calls=[call]), "[DONE]"))
    assert error is None
    assert fold(chunks).tool_calls == ()
    assert chunks[-1] == Stop("length", None, "length")


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the dialect's own words, in order."""
    first, second = mistral_id("call_1"), mistral_id("call_2")
    messages = (*RICH.messages, Message("assistant", (Thinking("Tomorrow. "), Text("It"))))
    assert body(msgspec.structs.replace(RICH, messages=messages), EVERYTHING) == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    text("Which towns are these?"),
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I will look.",
                "tool_calls": [
                    {
                        "id": first,
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"town":"Ulm","days":2}'},
                    },
                    {"id": second, "type": "function", "function": {"name": "now", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": first, "content": "rain, 8 °C"},
            {"role": "tool", "tool_call_id": second, "content": "the clock is broken"},
            {"role": "user", "content": "Thank you. And tomorrow?"},
            {"role": "assistant", "content": [thinking(text("Tomorrow. ")), text("It")], "prefix": True},
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
        "tool_choice": "any",
        "max_tokens": 100,
        "temperature": 0.25,
        "top_p": 0.9,
        "stop": ["END", "STOP"],
        "seed": 7,
    }


def test_what_was_decoded_can_be_sent_back() -> None:
    """Thinking, text and calls with the server's own ids, in their places."""
    call = {"index": 0, "id": "abc123DEF", "function": {"name": "f", "arguments": '{"x":1}'}}
    stream = sse(
        event(content=[thinking(text("Hm"))]),
        event(content=[thinking(text("m."))]),
        event(content="a"),
        event(content=[{"type": "reference", "reference_ids": [1]}]),
        event(content="b"),
        event("tool_calls", tool_calls=[call]),
        "[DONE]",
    )
    message = fold(decode(WIRE, stream)[0])
    sent = {"id": "abc123DEF", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    assert turn_of(*message.content) == [
        {"role": "assistant", "content": [thinking(text("Hmm.")), text("ab")], "tool_calls": [sent]}
    ]


def test_parts_of_other_providers() -> None:
    """Signed and encrypted thinking is left out, a refusal is text, a turn of thinking alone is none."""
    foreign = (Thinking("signed", "c2ln"), RedactedThinking("x"))
    assert turn_of(*foreign, Refusal("No.")) == [{"role": "assistant", "content": "No."}]
    assert turn_of(*foreign, Thinking("mine")) == []
    assert turn_of(*foreign, Thinking(""), Text(""), ToolCall(0, "abc123DEF", "f", {}))[0]["content"] is None


@given(st.text(max_size=40))
def test_ids_are_of_nine_letters_and_digits(id_: str) -> None:
    """Whatever another provider called a call; the same each time."""
    mapped = mistral_id(id_)
    assert re.fullmatch("[A-Za-z0-9]{9}", mapped)
    assert mistral_id(id_) == mapped
    assert mistral_id(mapped) == mapped


@pytest.mark.parametrize("id_", ["abc123DEF", "000000000"])
def test_ids_of_its_own_stay(id_: str) -> None:
    """They are of the form already."""
    assert mistral_id(id_) == id_


def test_ids_of_many_calls_differ() -> None:
    """Also where they differ in one character, or only in how they end."""
    ids = [f"call_{number}" for number in range(2000)] + ["abc123DEF\n", "abc123DEé", ""]
    assert len({mistral_id(id_) for id_ in ids}) == len(ids)


def test_a_last_turn_of_the_assistant() -> None:
    """It is the beginning of the answer, which the server must be told; one that calls tools cannot be."""
    begun = body(Context((Message.user("hi"), Message.assistant("It"))))["messages"]
    assert begun[-1] == {"role": "assistant", "content": "It", "prefix": True}
    called = Message("assistant", (ToolCall(0, "abc123DEF", "f", {}),))
    assert "prefix" not in body(Context((Message.user("hi"), called)))["messages"][-1]
    answered = (Message.user("hi"), called, Message.tool(ToolResult("abc123DEF", "f", "x")))
    assert all("prefix" not in turn for turn in body(Context(answered))["messages"])


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "any"),
        ("now", {"type": "function", "function": {"name": "now"}}),
    ],
)
def test_tool_choices(choice: str, sent: Any) -> None:
    """A call that must be made is `any`."""
    assert body(Context(ASK.messages, tools=TOOLS), Options("m", tool_choice=choice))["tool_choice"] == sent


def test_an_output_beside_tools() -> None:
    """It is one more tool, and a call is forced."""
    output = OutputSpec("answer", {"type": "object", "properties": {}})
    asked = body(Context(ASK.messages, tools=TOOLS), Options("m", output=output))
    assert asked["tool_choice"] == "any"
    assert "response_format" not in asked


def test_what_it_does_not_give() -> None:
    """Log probabilities are refused before anything is sent."""
    with pytest.raises(ConfigError, match="mistral: this server gives no logprobs"):
        body(ASK, Options("m", logprobs=0))


def test_the_dialect_is_a_quirk() -> None:
    """A server of one's own that speaks it is told so."""
    quirks = ChatQuirks(stream_options=False, dialect="mistral")
    mine = resolve(("openai-compatible", {"base_url": "http://127.0.0.1:1/v1", "quirks": quirks}), environ={})
    context = Context((Message.user("hi"), Message.assistant("It")))
    assert msgspec.json.decode(mine.request(context, PLAIN).body)["messages"][-1]["prefix"] is True
