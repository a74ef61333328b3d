"""Faults of how a turn ends: without its evidence, with half of it, with two, or for another reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from streamd.providers import Stop, StopReason, Text, Usage

from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, fails_with
from ._payload import changed, first_number, first_terminal, numbered
from ._reasons import RAW_REASONS, told, with_reason
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["ENDINGS"]

_Apply = Callable[[Reply, Strike], Reply]
_CHAT = ("openai-chat",)
_RESULTS: tuple[StopReason, ...] = ("length", "content_filter", "refusal")


def _eof(reply: Reply, strike: Strike) -> Reply:
    return strike.with_events(reply, *(event for event in reply.events if not event.terminal))


def _finish_alone(reply: Reply, strike: Strike) -> Reply:
    """What follows the first evidence does not come; that is no harm, but to a count of tokens that came there."""
    return strike.with_events(reply, *reply.events[: first_terminal(reply) + 1])


def _done_alone(reply: Reply, strike: Strike) -> Reply:
    """No event says why the turn ends: only `[DONE]` says that it does."""
    events: list[WireEvent] = []
    ending: WireEvent | None = None
    for event in reply.events:
        if event.kind == "finish":
            ending = event
            continue
        if event.kind == "end" and ending is not None:
            stop = [Stop("unknown") if isinstance(each, Stop) else each for each in ending.gives]
            event = replace(event, gives=tuple(each for each in stop if not isinstance(each, Usage)))
        events.append(replace(event, terminal=event.kind == "end"))
    return strike.with_events(reply, *events)


def _each_choice(change: Callable[[dict[str, Any]], None], *kinds: str) -> _Apply:
    def apply(reply: Reply, strike: Strike) -> Reply:
        def entry(payload: Any) -> Any:
            for choice in payload.get("choices") or ():
                change(choice)
            return payload

        events = (
            changed(event, strike.wire, entry) if event.kind in kinds else event for event in reply.events
        )
        return strike.with_events(reply, *events)

    return apply


def _empty_reason(choice: dict[str, Any]) -> None:
    choice["finish_reason"] = ""


def _two_reasons(reply: Reply, strike: Strike) -> Reply:
    """A second event ends the turn, for another reason: on this wire the first counts."""
    at = next(place for place, event in enumerate(reply.events) if event.kind == "finish") + 1
    second = told(reply.events[at - 1], strike, "finish_reason", lambda _reason: "length")
    return strike.with_events(reply, *reply.events[:at], replace(second, gives=()), *reply.events[at:])


def _same_twice(reply: Reply, strike: Strike) -> Reply:
    """The event that says why the turn ends comes twice."""
    at = first_terminal(reply) + 1
    again = replace(reply.events[at - 1], gives=())
    return strike.with_events(reply, *reply.events[:at], again, *reply.events[at:])


def _text_after(reply: Reply, strike: Strike) -> Reply:
    at = first_terminal(reply) + 1
    text = next((event for event in reply.events if event.kind == "text"), None)
    if text is None:
        return reply
    shown = tuple(each for each in text.gives if isinstance(each, Text))
    late = replace(text, gives=shown)
    return strike.with_events(reply, *reply.events[:at], late, *reply.events[at:])


def _reasoning_eof(reply: Reply, strike: Strike) -> Reply:
    """The body ends after the reasoning."""
    at = next((place for place, event in enumerate(reply.events) if event.kind in ("text", "call")), None)
    return strike.with_events(reply, *reply.events[: first_terminal(reply) if at is None else at])


def _ends(reason: StopReason) -> _Apply:
    def apply(reply: Reply, strike: Strike) -> Reply:
        # What becomes of calls in a turn that is cut short is another question.
        return reply if _has_calls(reply) else with_reason(reply, strike, reason)

    return apply


def _has_calls(reply: Reply) -> bool:
    return any(event.kind == "call" for event in reply.events)


def _paused(reply: Reply, strike: Strike) -> Reply:
    """The turn pauses before it says anything, and says it all in the next response, if it is asked to go on."""
    if _has_calls(reply):
        return reply
    first, *rest = with_reason(reply, strike, "pause").events
    ending = [event for event in rest if event.kind in ("finish", "end")]
    events = [told(event, strike, "usage", lambda _counts: None) for event in (first, *ending)]
    events = [told(event, strike, "amazon-bedrock-invocationMetrics", lambda _: {"x": 1}) for event in events]
    return strike.with_events(reply, *map(_uncounted, events))


def _uncounted(event: WireEvent) -> WireEvent:
    return replace(event, gives=tuple(each for each in event.gives if not isinstance(each, Usage)))


def _novel_reason(reply: Reply, strike: Strike) -> Reply:
    return reply if _has_calls(reply) else with_reason(reply, strike, "unknown", "a_novel_reason")


def _malformed_call(reply: Reply, strike: Strike) -> Reply:
    """The model made a call that the provider cannot read: there is no call, and a reason of its own."""
    calls = [place for place, event in enumerate(reply.events) if event.kind == "call"]
    left = [event for place, event in enumerate(reply.events) if place not in calls]
    without = [
        replace(event, gives=tuple(each for each in event.gives if type(each).__name__ != "ToolCall"))
        for event in left
    ]
    return with_reason(strike.with_events(reply, *without), strike, "incomplete", "MALFORMED_FUNCTION_CALL")


def _gap(reply: Reply, strike: Strike) -> Reply:
    """The number of an event is left out, though nothing else is missing."""
    at = max(strike.after is None, min(strike.event(reply), first_terminal(reply)))
    if at >= len(reply.events):
        return reply
    events = [
        changed(event, strike.wire, _later) if place >= at else event
        for place, event in enumerate(numbered(reply.events, strike.wire, first_number(reply)))
    ]
    events[at] = replace(events[at], gives=(), terminal=False, fatal=True)
    return replace(reply, events=tuple(events))


def _later(payload: Any) -> Any:
    payload["sequence_number"] += 1
    return payload


def _kind(
    name: str,
    summary: str,
    apply: _Apply,
    *errors: str,
    wires: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
) -> FaultKind:
    return FaultKind(
        name=f"prov.{name}",
        summary=summary,
        phase="body",
        retry="R4" if errors else "-",
        expect=fails_with(*errors) if errors else NOTHING,
        apply=apply,
        sweep=sweep,
        values=values,
        wires=wires,
    )


ENDINGS: tuple[FaultKind, ...] = (
    _kind(
        "eof_no_terminal",
        "The body ends as HTTP says a body ends, but without the provider's terminal evidence.",
        _eof,
        "Truncated",
    ),
    _kind(
        "reasoning_only_eof",
        "The body ends so after reasoning, before any answer.",
        _reasoning_eof,
        "Truncated",
    ),
    _kind(
        "done_without_finish",
        "The stream ends with `[DONE]`, and no event before it says why.",
        _done_alone,
        wires=_CHAT,
    ),
    _kind(
        "done_alone",
        "The stream is nothing but what ends it: there is no answer that it could be the end of.",
        lambda reply, strike: strike.with_events(
            reply, *(replace(event, gives=(), fatal=True) for event in reply.events if event.kind == "end")
        ),
        "Truncated",
        wires=("openai-chat", "anthropic-messages"),
    ),
    _kind(
        "finish_without_done",
        "Nothing comes after the first terminal evidence.",
        _finish_alone,
        wires=("openai-chat", "anthropic-messages", "gemini-array", "bedrock-converse", "bedrock-invoke"),
    ),
    _kind(
        "finish_empty_string",
        "The reason for the end is an empty text in every event before the last.",
        _each_choice(_empty_reason, "start", "text", "thinking", "call", "arguments"),
        wires=_CHAT,
    ),
    _kind(
        "two_finishes",
        "Two events end the turn, for two reasons: the first counts.",
        _two_reasons,
        wires=_CHAT,
    ),
    _kind(
        "finish_twice",
        "The event that ends the turn comes twice.",
        _same_twice,
        wires=("openai-chat", "anthropic-messages", "gemini", "gemini-array", "bedrock-converse"),
    ),
    _kind("text_after_finish", "Text comes after the reason for the end.", _text_after, wires=_CHAT),
    *(
        _kind(
            reason,
            f"The turn ends for the reason `{reason}`: that is a result, and no error.",
            _ends(reason),
            wires=tuple(wire for wire, words in RAW_REASONS.items() if reason in words),
        )
        for reason in _RESULTS
    ),
    _kind(
        "pause_turn",
        "The turn pauses before it says anything: that is a result, and a client may go on with it.",
        _paused,
        wires=tuple(wire for wire, words in RAW_REASONS.items() if "pause" in words),
    ),
    _kind(
        "novel_reason",
        "The turn ends for a reason that nobody knows yet.",
        _novel_reason,
        wires=tuple(wire for wire in RAW_REASONS if wire != "openai-responses"),
    ),
    _kind(
        "malformed_function_call",
        "The model made a call that the provider could not read.",
        _malformed_call,
        wires=("gemini", "gemini-array"),
    ),
    _kind(
        "sequence_gap",
        "The numbers of the events have a hole.",
        _gap,
        "SequenceGap",
        wires=("openai-responses",),
        sweep=("event:1", "event:50%", "event:-1"),
    ),
)
"""Those kinds of the layer `prov` that are of the turn's end."""
