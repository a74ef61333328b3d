"""Rendering: what a turn looks like in every wire, and what it gives."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from streamd.providers import (
    WIRES as DECODERS,
)
from streamd.providers import (
    Chunk,
    Context,
    Message,
    Metadata,
    Options,
    Stop,
    StreamdError,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    ToolSpec,
    Usage,
    resolve,
)
from streamd.testing import FAILURES, NAMED, WIRES, Scenario, Turn, Wire, render
from streamd.testing._wire_event import WireEvent

ALL = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


def decoded(wire: Wire, body: bytes) -> list[Chunk]:
    """What the wire's decoder gives for a whole body."""
    decoder = DECODERS[wire.decoder]()
    return [*decoder.feed(body), *decoder.close()]


def told(chunks: Iterable[Chunk]) -> dict[str, Any]:
    """What chunks amount to, whatever their order and their cuts."""
    chunks = list(chunks)
    stops = [(chunk.reason, chunk.raw_reason) for chunk in chunks if isinstance(chunk, Stop)]
    usages = [replace(chunk, raw={}) for chunk in chunks if isinstance(chunk, Usage)]
    return {
        "metadata": [chunk for chunk in chunks if isinstance(chunk, Metadata)],
        "text": "".join(chunk.text for chunk in chunks if isinstance(chunk, Text)),
        "thinking": [chunk for chunk in chunks if isinstance(chunk, Thinking)],
        "deltas": [chunk for chunk in chunks if isinstance(chunk, ToolCallDelta)],
        "calls": [chunk for chunk in chunks if isinstance(chunk, ToolCall)],
        "usage": usages[-1:],
        "stops": stops,
    }


def given(events: Iterable[WireEvent]) -> dict[str, Any]:
    """What the events say that they give."""
    return told(chunk for event in events for chunk in event.gives)


def test_every_wire_there_is_a_decoder_for_can_be_rendered() -> None:
    """No wire of the library is without its renderer."""
    assert {wire.decoder for wire in WIRES.values()} == set(DECODERS)


@ALL
@pytest.mark.parametrize("name", NAMED)
def test_what_events_give_is_what_the_decoder_gives(wire: Wire, name: str) -> None:
    """The harness's expectation was written from the providers' documentation; the decoder comes to the same."""
    for number, turn in enumerate(NAMED[name].turns, 1):
        reply = render(turn, wire, number)
        assert told(decoded(wire, reply.body)) == given(reply.events)


@ALL
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_the_end_gives_the_reason(wire: Wire, reason: Any) -> None:
    """A turn that ends for its length says so in every wire."""
    reply = render(Scenario().text("Half a").stop(reason).turns[0], wire)
    (stop,) = [chunk for event in reply.events for chunk in event.gives if isinstance(chunk, Stop)]
    assert stop.reason == reason
    assert told(decoded(wire, reply.body)) == given(reply.events)


@ALL
def test_a_body_cut_after_any_event_gives_what_its_events_give(wire: Wire) -> None:
    """An event is whole at its last byte: the decoder has given what it gives, and is complete where it is terminal."""
    turn = NAMED["one_tool"].turns[0]
    events = render(turn, wire).events
    for count in range(len(events)):
        decoder = DECODERS[wire.decoder]()
        chunks = decoder.feed(b"".join(event.data for event in events[:count]))
        assert decoder.terminal == any(event.terminal for event in events[:count])
        if decoder.terminal:
            chunks += decoder.close()
        assert told(chunks)["text"] == given(events[:count])["text"]
        assert told(chunks)["calls"] == given(events[:count])["calls"]


@ALL
def test_terminal_evidence_stays(wire: Wire) -> None:
    """From the first terminal event on all are, and the calls and the stop come with the first."""
    for turn in NAMED["two_tools"].turns:
        events = render(turn, wire).events
        marks = [event.terminal for event in events]
        assert marks == sorted(marks)
        assert marks[-1]
        first = events[marks.index(True)]
        assert [type(chunk) for chunk in first.gives if isinstance(chunk, ToolCall | Stop)] == [
            *[ToolCall] * len(turn.calls),
            Stop,
        ]


@ALL
def test_keepalives_are_nothing(wire: Wire) -> None:
    """Between any two events, a keep-alive changes nothing that is given."""
    turn = NAMED["thinking"].turns[0]
    events = render(turn, wire).events
    for place in range(1, len(events)):
        more = wire.joined((*events[:place], wire.keepalive, *events[place:]))
        assert told(decoded(wire, b"".join(event.data for event in more))) == given(events)


@ALL
@pytest.mark.parametrize("name", FAILURES)
def test_an_error_in_the_stream_has_its_class(wire: Wire, name: str) -> None:
    """First or in the middle: an error becomes the class that the wire has words for."""
    failure = FAILURES[name]
    events = render(NAMED["hello"].turns[0], wire).events
    for place in (0, 3):
        framed = wire.joined((*events[:place], wire.error(failure)))
        assert framed[-1].fatal
        with pytest.raises(StreamdError) as caught:
            decoded(wire, b"".join(event.data for event in framed))
        assert type(caught.value).__name__ == wire.told(failure)


@ALL
@pytest.mark.parametrize("name", FAILURES)
def test_a_refusal_has_its_class(wire: Wire, name: str) -> None:
    """The wire's own words for a status, read by the wire's own provider."""
    failure = FAILURES[name]
    provider = resolve(wire.provider("http://x.test", "sk-1"))
    error = provider.error(failure.status, {"content-type": "application/json"}, wire.refusal(failure))
    assert type(error).__name__ == failure.error
    assert error.retryable == failure.retryable


def conversation(scenario: Scenario, turns: int) -> Context:
    """The conversation after so many of its turns."""
    messages = [Message.user(scenario.prompt)]
    for turn in scenario.turns[:turns]:
        messages += after(turn)
    tools = {
        call.name: ToolSpec(call.name, "", {"type": "object"}) for t in scenario.turns for call in t.calls
    }
    return Context(tuple(messages), None, tuple(tools.values()))


def after(turn: Turn) -> list[Message]:
    """The assistant's message of a turn, and its results."""
    said = [Text(turn.text)] if turn.text else []
    calls = [ToolCall(place, call.id, call.name, call.arguments) for place, call in enumerate(turn.calls)]
    results = [Message.tool(ToolResult(call.id, call.name, call.result)) for call in turn.calls]
    return [Message("assistant", (*said, *calls)), *results]


@ALL
@pytest.mark.parametrize("name", ["one_tool", "two_tools", "three_rounds"])
def test_a_request_tells_how_many_turns_were_answered(wire: Wire, name: str) -> None:
    """By the body of the provider's own request; several calls of one turn count once."""
    scenario = NAMED[name]
    provider = resolve(wire.provider("http://x.test", "sk-1"))
    counts = [
        wire.answered(provider.request(conversation(scenario, turns), Options(model=wire.model)).body)
        for turns in range(len(scenario.turns))
    ]
    assert counts == list(range(len(scenario.turns)))


def test_a_kept_response_counts_by_its_id() -> None:
    """A server of the Responses API that keeps the conversation is sent the id of its last turn."""
    body = {"previous_response_id": "resp_2", "input": [{"type": "function_call_output", "call_id": "c"}]}
    assert WIRES["openai-responses"].answered(json.dumps(body).encode()) == 2


def test_a_turn_is_rendered_once() -> None:
    """The same turn in the same wire is the same reply: a thousand runs render it once."""
    turn = NAMED["hello"].turns[0]
    wire = WIRES["openai-chat"]
    assert render(turn, wire) is render(turn, wire)
    assert render(turn, wire) is not render(turn, wire, 2)
