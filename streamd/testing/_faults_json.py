"""Faults of the JSON inside an event."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from streamd.errors import ConfigError

from ._in_text import in_text
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, TOO_LARGE, either, fails_with
from ._payload import (
    AWS_WIRES,
    SSE_WIRES,
    before_terminal,
    first_terminal,
    new_event,
    payload_of,
    with_payload,
)
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["JSON"]

_PLACES = ("event:0", "event:1", "event:50%", "kind:finish")
_UNREADABLE = fails_with("MalformedEvent", "NotAStream")
_LINES = (*SSE_WIRES, *AWS_WIRES, "ollama-chat")
_LIMITS = {
    "gemini": 32,
    "gemini-array": 32,
    "openai-responses": 32,
    "bedrock-converse": 24,
    "bedrock-invoke": 24,
}


def _spoils(make: Callable[[bytes], bytes]) -> Callable[[Reply, Strike], Reply]:
    """Spoil the content of one event, at which a client must end."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        at = before_terminal(reply, strike.event(reply), strike.wire)
        if at is None:
            return reply
        event = reply.events[at]
        spoiled = with_payload(event, strike.wire, make(payload_of(event, strike.wire) or b""))
        spoiled = replace(spoiled, gives=(), terminal=False, fatal=True)
        return strike.with_events(reply, *reply.events[:at], spoiled, *reply.events[at + 1 :])

    return apply


def _everywhere(change: Callable[[bytes, Strike], bytes]) -> Callable[[Reply, Strike], Reply]:
    """Change the content of all events in a way that a client must not notice."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        def told(event: WireEvent) -> WireEvent:
            payload = payload_of(event, strike.wire)
            return event if payload is None else with_payload(event, strike.wire, change(payload, strike))

        return strike.with_events(reply, *map(told, reply.events))

    return apply


_SURROGATES = {
    "high": (rb"\ud83d", "\ufffd"),
    "low": (rb"\ude00", "\ufffd"),
    "swapped": (rb"\ude00\ud83d", "\ufffd\ufffd"),
}


def _surrogate(reply: Reply, strike: Strike) -> Reply:
    value = strike.fault.value or "high"
    if value not in _SURROGATES:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_SURROGATES)}")
    return in_text(reply, strike, *_SURROGATES[value])


def _cesu8(reply: Reply, strike: Strike) -> Reply:
    return in_text(reply, strike, b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600")


def _beside(value: bytes) -> Callable[[bytes], bytes]:
    """The object with another field, of which nobody reads."""
    return lambda payload: b'{"x_unread":' + value + b"," + payload[1:]


def _unread(payload: bytes, strike: Strike) -> bytes:
    return _beside((strike.fault.value or "NaN").encode())(payload)


def _novel(payload: bytes, _strike: Strike) -> bytes:
    return _beside(b'{"deep":[1,{"er":null}],"text":"never shown","error":null}')(payload)


def _twice(payload: bytes, _strike: Strike) -> bytes:
    keys = msgspec.json.decode(payload)
    return b"{" + b"".join(msgspec.json.encode(key) + b":null," for key in keys) + payload[1:]


_INDEX = re.compile(rb'"(index|output_index|content_index|contentBlockIndex)":\s*(\d+)')
_NUMBERS = {"text": rb'"\1":"\2"', "float": rb'"\1":\2.0'}


def _numbers(payload: bytes, strike: Strike) -> bytes:
    value = strike.fault.value or "text"
    if value not in _NUMBERS:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_NUMBERS)}")
    return _INDEX.sub(_NUMBERS[value], payload)


def _huge(payload: bytes, _strike: Strike) -> bytes:
    return _beside(b"9" * 400)(payload)


def _after_finish(reply: Reply, strike: Strike) -> Reply:
    at = first_terminal(reply) + 1
    event = new_event(strike.wire, b'{"broken" "event":1}', name="contentBlockDelta", fatal=True)
    return strike.with_events(reply, *reply.events[:at], event)


def _deep(reply: Reply, strike: Strike) -> Reply:
    depth = int(strike.number(100_000))
    payload = b'{"type":"novelty","x_unread":' + b"[" * depth + b"]" * depth + b"}"
    at = first_terminal(reply)
    event = new_event(strike.wire, payload)
    return strike.with_events(reply, *reply.events[:at], event, *reply.events[at:])


def _long(reply: Reply, strike: Strike) -> Reply:
    """A field as long as that, before the end; a client has a limit, which on some wires is above it."""
    at, limit = first_terminal(reply), _LIMITS.get(strike.wire.name, 8)
    size = int(strike.number(limit + 1) * 1024 * 1024)
    payload = b'{"type":"novelty","x_unread":"' + b"x" * size + b'"}'
    event = new_event(strike.wire, payload, fatal=size > limit * 1024 * 1024)
    return strike.with_events(reply, *reply.events[:at], event, *reply.events[at:])


def _spoiled(
    name: str, summary: str, make: Callable[[bytes], bytes], wires: tuple[str, ...] = ()
) -> FaultKind:
    return FaultKind(
        name=name,
        summary=summary,
        phase="body",
        retry="R4",
        expect=_UNREADABLE,
        apply=_spoils(make),
        sweep=_PLACES,
        wires=wires,
    )


def _unnoticed(
    name: str, summary: str, apply: Callable[[Reply, Strike], Reply], values: tuple[str, ...] = ()
) -> FaultKind:
    return FaultKind(
        name=name, summary=summary, phase="body", retry="-", expect=NOTHING, apply=apply, values=values
    )


JSON: tuple[FaultKind, ...] = (
    _spoiled("json.invalid", "An event's JSON breaks the grammar.", lambda told: b'{"broken" ' + told[1:]),
    _spoiled(
        "json.trailing_garbage",
        "Other text stands after an event's JSON.",
        lambda told: told + b" garbage",
        _LINES,
    ),
    _spoiled("json.two_objects", "An event holds two JSON objects.", lambda told: told + b" " + told, _LINES),
    # Of server-sent events and lines an empty one is to be ignored: `sse.empty_data`, `sse.blank_lines`.
    _spoiled("json.empty", "An event is empty.", lambda _told: b"", ("bedrock-converse",)),
    _spoiled("json.null", "An event is `null`.", lambda _told: b"null"),
    _spoiled("json.array", "An event is an array of numbers.", lambda _told: b"[1, 2]"),
    _spoiled("json.scalar", "An event is a text.", lambda _told: b'"text"'),
    _spoiled("json.raw_control", "A control character stands in a text unescaped.", _beside(b'"a\x01b"')),
    _spoiled("json.nul", "A NUL stands in a text unescaped.", _beside(b'"a\x00b"')),
    FaultKind(
        name="json.invalid_after_finish",
        summary="An event after the provider's terminal evidence breaks the grammar of JSON.",
        phase="body",
        retry="-",
        expect=fails_with("MalformedEvent"),
        apply=_after_finish,
    ),
    _unnoticed(
        "json.wrong_type",
        "The indexes are texts or have a fraction of zero, where whole numbers belong.",
        _everywhere(_numbers),
        tuple(_NUMBERS),
    ),
    _unnoticed("json.huge_number", "A field that is not read is a number of 400 digits.", _everywhere(_huge)),
    _unnoticed(
        "json.not_a_number",
        "A field that is not read is a number that JSON has not, or that no float holds.",
        _everywhere(_unread),
        ("NaN", "Infinity", "-Infinity", "1e999"),
    ),
    _unnoticed(
        "json.lone_surrogate",
        "An escape in the text is half a character, which is shown as U+FFFD.",
        _surrogate,
        tuple(_SURROGATES),
    ),
    _unnoticed("json.cesu8", "A character of the text is encoded as two surrogates in UTF-8.", _cesu8),
    _unnoticed(
        "json.duplicate_keys", "Every field of an event comes twice: the last counts.", _everywhere(_twice)
    ),
    _unnoticed("json.unknown_field", "Every event has a field that nobody knows.", _everywhere(_novel)),
    FaultKind(
        name="json.deep",
        summary="An event is nested 100,000 levels deep, or as deep as the value says.",
        phase="body",
        retry="R4",
        expect=either("MalformedEvent"),
        apply=_deep,
        values=("2000", "100000"),
    ),
    FaultKind(
        name="json.long_string",
        summary="An event is longer than a client's limit, or so many MiB long.",
        phase="body",
        retry="NO",
        expect=fails_with(*TOO_LARGE, final=True),
        apply=_long,
    ),
)
"""The kinds of the layer `json`."""
