"""Changes to the tool calls of a reply, on all wires that send them alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from streamd.providers import ToolCall, ToolCallDelta

from ._fault import At
from ._kind import Strike
from ._payload import changed, first_number, numbered, payload_of, with_payload
from ._reasons import always, settled, told
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = [
    "FRAGMENTED",
    "OBJECTS",
    "broken_arguments",
    "call_of",
    "place_of",
    "renamed",
    "struck_call",
    "whole_text",
    "with_arguments",
    "with_entries",
]

FRAGMENTED: dict[str, str] = {
    "openai-chat": "arguments",
    "openai-responses": "delta",
    "anthropic-messages": "partial_json",
    "cohere-v2": "arguments",
    "bedrock-converse": "input",
    "bedrock-invoke": "partial_json",
}
"""The wires that send arguments as pieces of JSON text, and the field that a piece is in."""

OBJECTS: dict[str, str] = {"gemini": "args", "gemini-array": "args", "ollama-chat": "arguments"}
"""The wires that send arguments as an object, and its field."""


def place_of(event: WireEvent) -> int | None:
    """The place in the turn of the call that an event begins or continues; None where it is of none."""
    return next((chunk.index for chunk in event.gives if isinstance(chunk, ToolCallDelta)), None)


def call_of(reply: Reply, place: int) -> ToolCall | None:
    """The call at this place of the turn, as its end confirms it."""
    found = (each for event in reply.events for each in event.gives if isinstance(each, ToolCall))
    return next((call for call in found if call.index == place), None)


def struck_call(reply: Reply, strike: Strike) -> ToolCall | None:
    """The call that a fault strikes: that of its place `tool:n`, from 1, and else the first."""
    at = strike.fault.at
    number = at.place if isinstance(at, At) and at.unit == "tool" and isinstance(at.place, int) else 1
    return call_of(reply, number - 1)


def whole_text(reply: Reply, place: int) -> str:
    """The JSON text of a call's arguments, as its pieces make it."""
    deltas = (each for event in reply.events for each in event.gives if isinstance(each, ToolCallDelta))
    return "".join(delta.fragment for delta in deltas if delta.index == place)


def with_arguments(
    reply: Reply, strike: Strike, call: ToolCall, pieces: tuple[object, ...], verdict: ToolCall | None
) -> Reply:
    """The reply with other JSON text for the arguments of a call, on a wire that is `FRAGMENTED`.

    Args:
        reply: The reply.
        strike: The fault.
        call: The call.
        pieces: The text in its pieces; none where there is none at all; what is no text stands there itself.
        verdict: What the end of the turn confirms instead of the call; None where it must not be run.
    """
    key, before = FRAGMENTED[strike.wire.name], whole_text(reply, call.index)
    after = pieces[0] if pieces and not isinstance(pieces[0], str) else "".join(map(str, pieces))
    events: list[WireEvent] = []
    begun = False
    for event in reply.events:
        if event.kind != "arguments" or place_of(event) != call.index:
            if strike.wire.name == "openai-responses":
                event = told(event, strike, "arguments", lambda value: after if value == before else value)
            events.append(event)
            continue
        for piece in () if begun else pieces:
            delta = ToolCallDelta(call.index, None, None, str(piece))
            made = told(event, strike, key, always(piece))
            events.append(replace(made, gives=(delta,)))
        begun = True
    events = [*numbered(events, strike.wire, first_number(reply))]
    return settled(strike.with_events(reply, *events), {call.index: verdict})


def broken_arguments(reply: Reply, strike: Strike, call: ToolCall) -> Reply:
    """The reply with a byte that is no UTF-8 in the arguments of a call: nobody can read that event."""
    for at, event in enumerate(reply.events):
        payload = payload_of(event, strike.wire)
        if place_of(event) != call.index or payload is None:
            continue
        deltas = (chunk.fragment for chunk in event.gives if isinstance(chunk, ToolCallDelta))
        pieces = deltas if strike.wire.name in FRAGMENTED else _texts_in(call.arguments)
        text = next((msgspec.json.encode(piece) for piece in pieces if piece), b'""')
        head, found, rest = payload.rpartition(text)
        if found and text != b'""':
            told_so = with_payload(event, strike.wire, head + text[:-1] + b'\xff"' + rest)
            broken = replace(told_so, gives=(), fatal=True)
            return strike.with_events(reply, *reply.events[:at], broken, *reply.events[at + 1 :])
    return reply


def _texts_in(arguments: dict[str, Any]) -> list[str]:
    return [value for value in arguments.values() if isinstance(value, str)]


def with_entries(reply: Reply, strike: Strike, change: Callable[[dict[str, Any], int, int], None]) -> Reply:
    """The reply, on `openai-chat`, with the entries of `tool_calls` changed.

    Args:
        reply: The reply.
        strike: The fault.
        change: Changes an entry, given its call's place and its own number in the call, from 0.
    """
    seen: dict[int, int] = {}
    events: list[WireEvent] = []
    for event in reply.events:
        place = place_of(event)
        if place is not None:
            number = seen.get(place, 0)
            seen[place] = number + 1

            def entry(payload: Any, place: int = place, number: int = number) -> Any:
                change(payload["choices"][0]["delta"]["tool_calls"][0], place, number)
                return payload

            event = changed(event, strike.wire, entry)
        events.append(event)
    return replace(reply, events=tuple(events))


def renamed(reply: Reply, strike: Strike, field: str, before: str, after: str) -> Reply:
    """The reply with another value of a text field, in all its events."""
    old = f'"{field}":'.encode() + msgspec.json.encode(before)
    new = f'"{field}":'.encode() + msgspec.json.encode(after)

    def told_so(event: WireEvent) -> WireEvent:
        payload = payload_of(event, strike.wire)
        if payload is None:
            return event
        # Arrays of Gemini are indented.
        payload = payload.replace(old.replace(b'":"', b'": "'), new).replace(old, new)
        return with_payload(event, strike.wire, payload)

    return replace(reply, events=tuple(map(told_so, reply.events)))
