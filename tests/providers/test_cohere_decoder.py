"""Cohere's chat: what the events mean."""

import json
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    APIError,
    AuthenticationError,
    Chunk,
    Citation,
    EventTooLarge,
    LogProbs,
    MalformedEvent,
    Metadata,
    NotAStream,
    RateLimitError,
    ScoredToken,
    ServerError,
    Stop,
    StopReason,
    StreamdError,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
    fold,
    resolve,
)
from tests.support.cohere import START, adds, called, ended, last
from tests.support.decoding import decode, named, single_bytes, sse

WIRE = "cohere-v2"
RAW = last()["delta"]["usage"]
COUNTED = Usage(5, 3, raw=RAW)


def turn(*events: dict[str, Any]) -> tuple[list[Chunk], StreamdError | None]:
    """What a turn of these events, begun as every turn is, decodes to, without what its beginning says."""
    chunks, error = decode(WIRE, named(START, *events))
    assert chunks[:1] == [Metadata("r", None)]
    return chunks[1:], error


def said(text: str) -> dict[str, Any]:
    """An event that adds to the text."""
    return adds("content-delta", 0, content={"text": text})


def test_a_turn() -> None:
    """The response's id, thinking, text, usage, the end; blocks begin with a text of their own."""
    events = [
        START,
        adds("content-start", 0, content={"type": "thinking", "thinking": "Hm"}),
        adds("content-delta", 0, content={"thinking": ". "}),
        ended("content-end", 0),
        adds("content-start", 1, content={"type": "text", "text": ""}),
        adds("content-delta", 1, content={"text": "Hé"}),
        adds("content-delta", 1, content={"text": "llo"}),
        ended("content-end", 1),
        last(),
    ]
    for body in (named(*events) + b"data: [DONE]\n\n", named(*events)[:-1], sse(*events, end="\r\n")):
        for parts in ([body], single_bytes(body)):
            chunks, error = decode(WIRE, parts)
            assert error is None
            assert chunks == [
                Metadata("r", None),
                Thinking("Hm"),
                Thinking(". "),
                Text("Hé"),
                Text("llo"),
                COUNTED,
                Stop("stop", COUNTED, "COMPLETE"),
            ]


def test_when_the_turn_is_done() -> None:
    """At the message's end: the mark that follows is not waited for."""
    decoder = WIRES[WIRE]()
    decoder.feed(named(START, said("a")))
    assert (decoder.terminal, decoder.done) == (False, False)
    assert decoder.feed(named(last(), said("b")))[-1] == Stop("stop", COUNTED, "COMPLETE")
    assert (decoder.terminal, decoder.done) == (True, True)
    assert decoder.feed(b"data: [DONE]\n\n") == decoder.close() == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("complete", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("ERROR_LIMIT", "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("USER_CANCEL", "incomplete"),
        ("TOOL_CALL", "incomplete"),
        ("SOMETHING_NEW", "unknown"),
        (None, "unknown"),
    ],
)
def test_finish_reasons(raw: str | None, reason: StopReason) -> None:
    """In one vocabulary; a turn that was to end in calls and has none is incomplete."""
    chunks, error = turn(said("a"), last(raw))
    assert error is None
    assert chunks[-1] == Stop(reason, COUNTED, raw)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (last("ERROR", error="the \x1b[1mmodel failed"), "the [1mmodel failed"),
        (last("ERROR"), "the generation failed"),
        (last("TIMEOUT"), "the generation failed"),
        (last(None, error="boo"), "boo"),
    ],
)
def test_ends_that_are_failures(end: dict[str, Any], told: str) -> None:
    """What came before is delivered, usage too, and no call."""
    chunks, error = turn(said("a"), *called(0, "f", "{}"), end)
    assert chunks[-1] == COUNTED
    assert fold(chunks).tool_calls == ()
    assert isinstance(error, ServerError)
    assert (error.message, error.in_stream, error.retryable) == (told, True, True)


def test_calls_and_their_plan() -> None:
    """A plan is thinking under a name of its own; a call is closed by its end, and comes with that of the turn."""
    events = [
        adds("tool-plan-delta", tool_plan="I will "),
        adds("tool-plan-delta", tool_plan="look."),
        *called(0, "weather", '{"town":', '"Ulm"}'),
        *called(1, "now"),
        last("TOOL_CALL"),
    ]
    chunks, error = turn(*events)
    assert error is None
    assert chunks == [
        Thinking("I will "),
        Thinking("look."),
        Thinking("", None, "tool_plan"),
        ToolCallDelta(0, "weather_0", "weather", ""),
        ToolCallDelta(0, None, None, '{"town":'),
        ToolCallDelta(0, None, None, '"Ulm"}'),
        ToolCallDelta(1, "now_1", "now", ""),
        COUNTED,
        ToolCall(0, "weather_0", "weather", {"town": "Ulm"}),
        ToolCall(1, "now_1", "now", {}),
        Stop("tool_calls", COUNTED, "TOOL_CALL"),
    ]
    assert fold(chunks).content[0] == Thinking("I will look.", None, "tool_plan")


def test_a_plan_without_calls() -> None:
    """It is closed by what follows it."""
    plan = adds("tool-plan-delta", tool_plan="p")
    closed = Thinking("p", None, "tool_plan")
    assert fold(turn(plan, {"type": "debug"}, last())[0]).content == (closed,)
    assert fold(turn(plan, said("a"), last())[0]).content == (closed, Text("a"))


def test_interleaved_calls() -> None:
    """Pieces go to the call of their number."""
    one, two = called(0, "f", '{"x":', "1}"), called(1, "g", '{"y":', "2}")
    mixed = [one[0], two[0], one[1], two[1], two[2], two[3], one[2], one[3]]
    message = fold(turn(*mixed, last("TOOL_CALL"))[0])
    assert [(call.name, call.arguments) for call in message.tool_calls] == [("f", {"x": 1}), ("g", {"y": 2})]


@pytest.mark.parametrize(
    "events",
    [
        called(0, "f", "{}")[:-1],
        called(0, "f", '{"x":'),
        called(0, "f", "[]"),
        called(0, "f", "{}")[1:],
        [*called(0, "f"), adds("tool-call-start", 0, tool_calls={"id": "f_0", "function": {"name": "f"}})],
        [adds("tool-call-start", 0, tool_calls={"id": "a"}), ended("tool-call-end", 0)],
    ],
)
def test_calls_that_are_not_whole(events: list[dict[str, Any]]) -> None:
    """Without an end, a beginning, a name, or a whole object: none is closed."""
    chunks, error = turn(*events, last("TOOL_CALL"))
    assert error is None
    assert fold(chunks).tool_calls == ()
    assert chunks[-1] == Stop("incomplete", COUNTED, "TOOL_CALL")


def test_calls_before_the_limit() -> None:
    """Of a turn that was cut the calls that ended are whole, but not those that never had arguments."""
    events = [*called(0, "f", "{}"), *called(1, "g"), *called(2, "h", "{")[:-1]]
    chunks, _ = turn(*events, last("MAX_TOKENS"))
    assert chunks[-2:] == [ToolCall(0, "f_0", "f", {}), Stop("length", COUNTED, "MAX_TOKENS")]


def test_calls_end_a_turn_that_ended_by_itself() -> None:
    """Where the server gives the reason of a text."""
    assert turn(*called(0, "f"), last())[0][-1] == Stop("tool_calls", COUNTED, "COMPLETE")


@pytest.mark.parametrize("id_", [None, "a"])
def test_calls_that_never_end_are_refused(id_: str | None) -> None:
    """Open calls are state, also where one is begun again under ever new numbers."""
    events = [adds("tool-call-start", n, tool_calls={"id": id_, "function": {}}) for n in range(200)]
    assert type(turn(*events)[1]) is EventTooLarge


def test_citations() -> None:
    """One for each source: a document with an address, a title or only an id, what a tool answered, or only words."""
    sources = [
        {"type": "document", "id": "d0", "document": {"title": "T", "url": "https://x.test", "text": "All."}},
        {"type": "document", "id": "d1", "document": {"id": "d1", "snippet": "Some."}},
        {"type": "tool", "id": "weather_0:0", "tool_output": {"content": "rain"}},
        {"type": "tool", "id": "now_1:0", "tool_output": {"time": 7}},
    ]
    chunks, _ = turn(
        said("It rains."),
        adds("citation-start", 0, citations={"start": 3, "end": 8, "text": "rains", "sources": sources}),
        ended("citation-end", 0),
        adds("citation-start", 1, citations={"text": "words"}),
        adds("citation-start", 2, citations={"sources": [{}]}),
        last(),
    )
    assert chunks[1:6] == [
        Citation("https://x.test", "T", "All."),
        Citation(None, "d1", "Some."),
        Citation(None, "weather_0:0", "rain"),
        Citation(None, "now_1:0", "rains"),
        Citation(None, None, "words"),
    ]
    assert chunks[6] == COUNTED


def test_log_probabilities() -> None:
    """A piece of several tokens is scored as a whole; one without scores is not told of."""
    events: list[dict[str, Any]] = [
        said("a") | {"logprobs": {"text": "a", "token_ids": [1], "logprobs": [-0.5]}},
        said("bc") | {"logprobs": {"text": "bc", "token_ids": [2, 3], "logprobs": [-0.5, -1]}},
        said("d") | {"logprobs": {"text": "d", "logprobs": []}},
    ]
    chunks, _ = turn(*events, last())
    assert chunks[:5] == [
        Text("a"),
        LogProbs((ScoredToken("a", -0.5),)),
        Text("bc"),
        LogProbs((ScoredToken("bc", -1.5),)),
        Text("d"),
    ]


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {"tokens": {"input_tokens": 9, "output_tokens": 4, "reasoning_tokens": 2}, "cached_tokens": 8},
            (9, 4, 8, 2),
        ),
        ({"billed_units": {"input_tokens": 1, "output_tokens": 2}}, (1, 2, 0, 0)),
        ({"tokens": {"output_tokens": 4.0}, "billed_units": {"input_tokens": 1}}, (0, 4, 0, 0)),
        ({"tokens": {"input_tokens": "9"}}, None),
        ({"billed_units": {"search_units": 1}}, None),
        ({"tokens": None}, None),
    ],
)
def test_usage(raw: dict[str, Any], usage: tuple[int, ...] | None) -> None:
    """The tokens, not what is billed of them, where both are told; the provider's own object is kept."""
    chunks, _ = turn(said("a"), last() | {"delta": {"finish_reason": "COMPLETE", "usage": raw}})
    stop = chunks[-1]
    assert isinstance(stop, Stop)
    if usage is None:
        assert stop.usage is None
    else:
        given, made, cached, reasoning = usage
        assert stop.usage == Usage(given, made, cached, 0, reasoning, raw)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"message": "too many requests", "id": "x"}, ServerError),
        ({"type": "error", "message": "boo"}, ServerError),
        ({"error": {"type": "rate_limit_error"}}, RateLimitError),
        ({"type": "message-end", "error": {"code": 401, "message": "no"}}, AuthenticationError),
    ],
)
def test_errors_in_the_stream(event: dict[str, Any], kind: type[APIError]) -> None:
    """What came before is delivered."""
    chunks, error = decode(WIRE, sse(START, said("a"), event))
    assert chunks[1:] == [Text("a")]
    assert type(error) is kind
    assert isinstance(decode(WIRE, b'event: error\ndata: {"message": "boo"}\n\n')[1], APIError)


def test_refusals() -> None:
    """The bodies of statuses that are no 200, and of one that is."""
    cohere = resolve(("cohere", {"api_key": "zz-key"}), environ={})
    assert type(cohere.error(401, {}, b'{"id":"x","message":"invalid api token"}')) is AuthenticationError
    error = cohere.error(429, {}, b'{"message":"slow down"}')
    assert (type(error), error.message) == (RateLimitError, "slow down")
    in_stream = decode(WIRE, b'{"id":"x","message":"boo"}')[1]
    assert isinstance(in_stream, ServerError)
    assert in_stream.message == "boo"


@pytest.mark.parametrize("events", [[], [said("a")], [*called(0, "f", "{}")], [{"type": "stream-end"}]])
def test_without_the_messages_end_the_answer_is_not_whole(events: list[dict[str, Any]]) -> None:
    """A clean end of the body proves nothing, nor does the mark that follows the last event."""
    for tail in (b"", b"data: [DONE]\n\n"):
        chunks, error = decode(WIRE, named(START, *events) + tail)
        assert type(error) is Truncated
        assert fold(chunks).tool_calls == ()


def test_an_end_without_a_beginning() -> None:
    """A message that never began is no answer; one whose beginning was lost is."""
    assert type(decode(WIRE, named(last()))[1]) is Truncated
    assert decode(WIRE, named(said("a"), last()))[0] == [
        Text("a"),
        COUNTED,
        Stop("stop", COUNTED, "COMPLETE"),
    ]


def test_an_answer_that_was_not_streamed() -> None:
    """One document gives the chunks of its turn."""
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
    ]
    message: dict[str, Any] = {
        "role": "assistant",
        "tool_plan": "I look.",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "hi"}],
        "tool_calls": calls,
        "citations": [{"text": "hi", "sources": []}],
    }
    scores = [{"text": "hi", "token_ids": [1], "logprobs": [-1.0]}]
    answer: dict[str, Any] = {
        "id": "r",
        "finish_reason": "TOOL_CALL",
        "message": message,
        "usage": RAW,
        "logprobs": scores,
    }
    body = json.dumps(answer, indent=1).encode()
    for parts in ([body], single_bytes(body)):
        chunks, error = decode(WIRE, parts)
        assert error is None
        assert chunks == [
            Metadata("r", None),
            Thinking("I look."),
            Thinking("", None, "tool_plan"),
            Thinking("hm"),
            Text("hi"),
            ToolCallDelta(0, "a", "f", '{"x":1}'),
            ToolCallDelta(1, "b", "g", ""),
            Citation(None, None, "hi"),
            LogProbs((ScoredToken("hi", -1.0),)),
            COUNTED,
            ToolCall(0, "a", "f", {"x": 1}),
            ToolCall(1, "b", "g", {}),
            Stop("tool_calls", COUNTED, "TOOL_CALL"),
        ]
    assert type(decode(WIRE, b'{"id":"r","message":{"content":[]}}')[1]) is NotAStream


def test_what_is_unknown_or_odd_does_no_harm() -> None:
    """New types of events are ignored, fields of other types count as missing, surrogates are repaired."""
    body = sse(
        START,
        START | {"id": "again"},
        {"type": "content-delta", "delta": {"message": {"content": {"text": 7, "thinking": None}}}},
        '{"type":"content-delta","index":"0","delta":{"message":{"content":{"text":"a\\ud800"}}}}',
        {"type": "new-kind", "delta": None, "message": {"x": 1}},
        {"type": "citation-start", "delta": {"message": {"citations": [7, {"sources": 3, "text": "t"}]}}},
        {"type": None, "delta": 7},
        "",
        last(),
    )
    chunks, error = decode(WIRE, body)
    assert error is None
    assert chunks == [
        Metadata("r", None),
        Text("a\ufffd"),
        Citation(None, None, "t"),
        COUNTED,
        Stop("stop", COUNTED, "COMPLETE"),
    ]


def test_events_named_by_their_field_alone() -> None:
    """Where the data has no type the event's own name says what it is."""
    end = {"delta": last()["delta"]}
    body = b"event: message-start\ndata: {}\n\nevent: message-end\ndata: %s\n\n" % json.dumps(end).encode()
    assert decode(WIRE, body) == ([COUNTED, Stop("stop", COUNTED, "COMPLETE")], None)


@pytest.mark.parametrize("bad", ["{", "[]", "nonsense", '{"delta":' + "[" * 2000])
def test_an_event_that_cannot_be_read(bad: str) -> None:
    """What came before is delivered; the error names the place."""
    chunks, error = decode(WIRE, sse(START, said("a"), bad, last()))
    assert chunks[1:] == [Text("a")]
    assert isinstance(error, MalformedEvent)
    assert error.offset == len(sse(START, said("a"), bad))
