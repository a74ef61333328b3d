"""Bedrock's InvokeModelWithResponseStream, decoded: the events of many makers in one stream's frames."""

import json
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    Chunk,
    MalformedEvent,
    Metadata,
    NotAStream,
    OverloadedError,
    ServerError,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
    fold,
)
from tests.support.bedrock import chunk, event, exception, nova
from tests.support.decoding import decode

_WIRE = "bedrock-invoke"
_COUNTS = {"inputTokenCount": 3, "outputTokenCount": 2, "invocationLatency": 9, "firstByteLatency": 1}
_METRICS = {"amazon-bedrock-invocationMetrics": _COUNTS}
_USAGE = Usage(3, 2, raw=_COUNTS)
_BLOCKED = {"amazon-bedrock-guardrailAction": "INTERVENED"}


def decoded(*inner: Any) -> list[Chunk]:
    """The chunks of a body that holds these events, without an error."""
    chunks, error = decode(_WIRE, b"".join(map(chunk, inner)))
    assert error is None
    return chunks


def claude(*, reason: str = "tool_use") -> list[dict[str, Any]]:
    """A turn of Anthropic's with a text and a call, without its last event."""
    block: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
    piece = {"type": "input_json_delta", "partial_json": '{"x":1}'}
    return [
        {"type": "message_start", "message": {"id": "m", "model": "c", "usage": {"input_tokens": 7}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": block},
        {"type": "content_block_delta", "index": 1, "delta": piece},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}},
    ]


def test_anthropics_events() -> None:
    """They are read as on their own wire, and their own counts stand against Bedrock's."""
    chunks = decoded(*claude(), {"type": "message_stop", **_METRICS})
    usage = Usage(7, 5, raw={"input_tokens": 7, "output_tokens": 5})
    assert chunks == [
        Metadata("m", "c"),
        Usage(7, 0, raw={"input_tokens": 7}),
        Text("Hi."),
        ToolCallDelta(0, "t1", "f", ""),
        ToolCallDelta(0, None, None, '{"x":1}'),
        usage,
        ToolCall(0, "t1", "f", {"x": 1}),
        Stop("tool_calls", usage, "tool_use"),
    ]


def test_a_turn_with_calls_needs_its_last_event() -> None:
    """A guardrail may still void them; a turn of text alone is complete with its reason to stop."""
    chunks, error = decode(_WIRE, b"".join(map(chunk, claude())))
    assert type(error) is Truncated
    assert not any(isinstance(each, ToolCall | Stop) for each in chunks)
    text = [each for each in claude(reason="end_turn") if each.get("index") != 1]
    assert decoded(*text)[-1].__class__ is Stop


def test_novas_events() -> None:
    """They are Converse's, each under its name."""
    body = [
        nova("messageStart", role="assistant"),
        nova("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "Hm."}}),
        nova("contentBlockDelta", contentBlockIndex=1, delta={"text": "Hi."}),
        nova("contentBlockStop", contentBlockIndex=1),
        nova("contentBlockStart", contentBlockIndex=2, start={"toolUse": {"toolUseId": "t", "name": "f"}}),
        nova("contentBlockDelta", contentBlockIndex=2, delta={"toolUse": {"input": "{}"}}),
        nova("contentBlockStop", contentBlockIndex=2),
        nova("messageStop", stopReason="tool_use"),
        chunk(
            {
                "metadata": {"usage": {"inputTokens": 1, "cacheReadInputTokenCount": 4, "outputTokens": 2}},
                **_METRICS,
            }
        ),
    ]
    chunks, error = decode(_WIRE, b"".join(body))
    usage = Usage(5, 2, 4, raw={"inputTokens": 1, "cacheReadInputTokenCount": 4, "outputTokens": 2})
    assert error is None
    assert chunks == [
        Thinking("Hm."),
        Text("Hi."),
        ToolCallDelta(0, "t", "f", ""),
        ToolCallDelta(0, None, None, "{}"),
        usage,
        ToolCall(0, "t", "f", {}),
        Stop("tool_calls", usage, "tool_use"),
    ]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([{"generation": "a", "stop_reason": None}, {"generation": "b", "stop_reason": "length"}], "length"),
        ([{"outputText": "a"}, {"outputText": "b", "completionReason": "FINISH"}], "stop"),
        ([{"outputs": [{"text": "a"}]}, {"outputs": [{"text": "b", "stop_reason": "stop"}]}], "stop"),
        ([{"completion": "a"}, {"completion": "b", "stop_reason": "stop_sequence"}], "stop"),
        (
            [{"text": "ab", "is_finished": False}, {"is_finished": True, "finish_reason": "MAX_TOKENS"}],
            "length",
        ),
        ([{"generations": [{"text": "ab", "finish_reason": "ERROR_TOXIC"}]}], "content_filter"),
        (
            [
                {"event_type": "stream-start"},
                {"event_type": "text-generation", "text": "ab"},
                {"event_type": "stream-end", "finish_reason": "COMPLETE"},
            ],
            "stop",
        ),
        (
            [{"choices": [{"text": "ab", "stop_reason": None}]}, {"choices": [{"stop_reason": "length"}]}],
            "length",
        ),
        (
            [
                {"choices": [{"message": {"content": "ab"}}]},
                {"choices": [{"index": 0, "stop_reason": "stop"}]},
            ],
            "stop",
        ),
        ([{"choices": [{"delta": {"content": "ab"}, "finish_reason": "stop"}]}], "stop"),
    ],
)
def test_models_that_send_text_alone(events: list[dict[str, Any]], reason: StopReason) -> None:
    """Bedrock's metrics are their usage, whether they come with the last piece or not at all."""
    told = decoded(*events[:-1], {**events[-1], **_METRICS})
    assert "".join(each.text for each in told if isinstance(each, Text)) == "ab"
    assert (fold(told).stop_reason, fold(told).usage) == (reason, _USAGE)
    assert told.count(_USAGE) == 1
    bare = fold(decoded(*events))
    assert (bare.text, bare.stop_reason, bare.usage) == ("ab", reason, None)


def test_calls_of_models_that_speak_as_openais_do() -> None:
    """Older ones have whole calls in a `message`; a second choice is not read."""
    function = {"name": "f", "arguments": '{"x":1}'}
    call = {"id": "t", "function": function}
    body = [
        {"choices": [{"index": 0, "message": {"content": "", "tool_calls": [call]}, "stop_reason": None}]},
        {"choices": [{"index": 1, "message": {"content": "other"}}]},
        {"choices": [{"index": 0, "message": {"content": ""}, "stop_reason": "tool_calls"}], **_METRICS},
    ]
    assert decoded(*body) == [
        ToolCallDelta(0, "t", "f", '{"x":1}'),
        _USAGE,
        ToolCall(0, "t", "f", {"x": 1}),
        Stop("tool_calls", _USAGE, "tool_calls"),
    ]


def test_what_a_guardrail_stopped() -> None:
    """It ends with its own reason and without calls, whatever the model had said."""
    chunks = decoded(*claude(), {"type": "message_stop", **_METRICS, **_BLOCKED})
    assert chunks[-1] == Stop("content_filter", fold(chunks).usage, "guardrail_intervened")
    assert fold(chunks).tool_calls == ()
    cut = decoded({"generation": "a", **_BLOCKED}, {"generation": "", **_METRICS})
    assert cut == [Text("a"), _USAGE, Stop("content_filter", _USAGE, "guardrail_intervened")]


def test_what_is_unknown_is_ignored() -> None:
    """Events of other names, empty ones, and events before the first that tells whose they are."""
    body = event("notice", x=1) + event("chunk") + event("chunk", bytes="") + chunk({"new": 1})
    chunks, error = decode(_WIRE, body + chunk({"generation": "a", "stop_reason": "stop"}))
    assert (chunks, error) == ([Text("a"), Stop("stop", None, "stop")], None)


def test_a_model_that_nobody_knows() -> None:
    """The stream ended, and none of it could be read: that is said."""
    _, error = decode(_WIRE, chunk({"new": 1}) + chunk({"new": 2, **_METRICS}))
    assert isinstance(error, MalformedEvent)
    assert "no model that is known" in str(error)


def test_failures() -> None:
    """Bedrock's own, Anthropic's inside their event, and an object that is one."""
    text = chunk({"generation": "a"})
    for body, kind in (
        (text + exception("modelTimeoutException"), ServerError),
        (chunk({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), OverloadedError),
        (chunk({"error": {"message": "x"}}), ServerError),
        (text + chunk({"error": {"message": "x"}}), ServerError),
        (chunk({"choices": [], "error": {"message": "x"}}), ServerError),
    ):
        assert type(decode(_WIRE, body)[1]) is kind
    assert decode(_WIRE, text + exception("modelTimeoutException"))[0] == [Text("a")]


@pytest.mark.parametrize(
    "bad", [event("chunk", bytes="%"), event("chunk", bytes="é"), chunk("{"), chunk("[" * 5000)]
)
def test_an_event_that_cannot_be_read(bad: bytes) -> None:
    """Base64 that is none, and JSON that is none, after what could be read."""
    chunks, error = decode(_WIRE, chunk({"generation": "a"}) + bad)
    assert chunks == [Text("a")]
    assert type(error) is MalformedEvent


@pytest.mark.parametrize("bad", ["null", "[1, 2]", '"text"'])
def test_a_first_event_that_is_no_object(bad: str) -> None:
    """It is not passed over as if it were of a model that is yet to tell whose it is."""
    chunks, error = decode(_WIRE, chunk(bad) + chunk({"generation": "a", "stop_reason": "stop"}))
    assert chunks == []
    assert type(error) is MalformedEvent


def test_what_came_before_a_failure_in_the_same_event_is_kept() -> None:
    """The chunks of an event that fails half-way are delivered."""
    body = chunk({"choices": [{"delta": {"content": "a"}}], "error": {"code": 503, "message": "x"}})
    assert decode(_WIRE, body)[0] == [Text("a")]


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"type": "message", "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}, "a"),
        ({"output": {"message": {"content": [{"text": "a"}]}}, "stopReason": "end_turn"}, "a"),
        ({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}, "a"),
        ({"generation": "a", "stop_reason": "stop"}, "a"),
    ],
)
def test_answers_that_are_not_streamed(document: dict[str, Any], text: str) -> None:
    """Each as on its own wire."""
    chunks, error = decode(_WIRE, json.dumps(document).encode())
    assert error is None
    assert (fold(chunks).text, fold(chunks).stop_reason) == (text, "stop")


@pytest.mark.parametrize("document", [{"generation": "a"}, {"a": 1}, [1]])
def test_documents_that_are_no_answers(document: Any) -> None:
    """Nothing is made up of them."""
    assert type(decode(_WIRE, json.dumps(document).encode())[1]) is NotAStream


def test_the_turn_is_done_with_the_metrics() -> None:
    """What follows them is not read."""
    decoder = WIRES[_WIRE]()
    decoder.feed(chunk({"generation": "a", "stop_reason": "stop"}))
    assert (decoder.terminal, decoder.done) == (True, False)
    decoder.feed(chunk({"generation": "", **_METRICS}))
    assert decoder.done
    assert decoder.feed(chunk({"generation": "b"})) == decoder.close() == []
