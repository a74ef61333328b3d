"""The JSON inside an event, whatever frames it: taken out, changed, and put back."""

from __future__ import annotations

import base64
import itertools
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zlib import crc32

import msgspec
from msgspec.structs import replace

from ._aws_frames import aws_frame
from ._reply import Reply
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = [
    "AWS_WIRES",
    "JSON_WIRES",
    "SSE_WIRES",
    "before_terminal",
    "changed",
    "first_number",
    "first_terminal",
    "new_event",
    "numbered",
    "payload_of",
    "with_payload",
]

SSE_WIRES = ("openai-chat", "openai-responses", "anthropic-messages", "gemini", "cohere-v2")
"""Those that are server-sent events."""

AWS_WIRES = ("bedrock-converse", "bedrock-invoke")
"""Those that are AWS's binary event stream."""

JSON_WIRES = (*SSE_WIRES, "gemini-array", "ollama-chat")
"""Those whose JSON stands in the body as it is."""

_NUMBER = re.compile(rb'"sequence_number":(\d+)')


def payload_of(event: WireEvent, wire: Wire) -> bytes | None:
    """The JSON object of an event; None where it has none, or where it is broken and is to stay so."""
    data = event.data
    if event.fatal and event.kind != "error":
        return None
    if wire.name in SSE_WIRES:
        at = 0 if data.startswith(b"data: ") else data.find(b"\ndata: ") + 1
        found = data[at + 6 : -2] if data.startswith(b"data: ", at) else b""
    elif wire.name in AWS_WIRES:
        found = data[_payload_at(data) : -4]
        if wire.name == "bedrock-invoke":
            found = base64.b64decode(msgspec.json.decode(found).get("bytes", "")) if found else b""
    else:
        found = data.removeprefix(b"[").removeprefix(b",\r\n").removesuffix(b"\n")
    return found if found.startswith(b"{") else None


def with_payload(event: WireEvent, wire: Wire, payload: bytes) -> WireEvent:
    """The event with other content in the same frame; what it gives is left as it is."""
    data = event.data
    if wire.name in SSE_WIRES:
        at = 0 if data.startswith(b"data: ") else data.find(b"\ndata: ") + 1
        framed = data[: at + 6] + payload + b"\n\n"
    elif wire.name in AWS_WIRES:
        framed = _reframed(data, _in_chunk(payload) if wire.name == "bedrock-invoke" else payload)
    else:
        head = next((mark for mark in (b"[", b",\r\n") if data.startswith(mark)), b"")
        framed = head + payload + (b"\n" if data.endswith(b"\n") else b"")
    return replace(event, data=framed)


def new_event(
    wire: Wire,
    payload: bytes,
    kind: EventKind = "noise",
    *,
    name: str = "",
    fatal: bool = False,
) -> WireEvent:
    """Another event of this wire, which gives nothing.

    Args:
        wire: The wire.
        payload: Its content.
        kind: What it is for.
        name: The event's, where it has one besides its content.
        fatal: Whether a client ends with an error here.
    """
    if wire.name in SSE_WIRES:
        data = (f"event: {name}\n".encode() if name else b"") + b"data: " + payload + b"\n\n"
    elif wire.name in AWS_WIRES:
        invoked = wire.name == "bedrock-invoke"
        headers = {":event-type": "chunk" if invoked else name or "novelty", ":message-type": "event"}
        data = aws_frame(headers, _in_chunk(payload) if invoked else payload)
    else:
        data = payload + b"\n" if wire.name == "ollama-chat" else b",\r\n" + payload
    return WireEvent(data, kind, fatal=fatal)


def changed(event: WireEvent, wire: Wire, change: Callable[[Any], Any]) -> WireEvent:
    """The event with its decoded content changed; as it is where it has no JSON object.

    Args:
        event: The event.
        wire: Its wire.
        change: Gives the new content; it may change what it is given.
    """
    payload = payload_of(event, wire)
    if payload is None:
        return event
    return with_payload(event, wire, msgspec.json.encode(change(msgspec.json.decode(payload))))


def first_number(reply: Reply) -> int:
    """The number of a reply's first event that has one; 0 where none has."""
    found = (match for event in reply.events if (match := _NUMBER.search(event.data)))
    return next((int(match[1]) for match in found), 0)


def numbered(events: Sequence[WireEvent], wire: Wire, first: int = 0) -> tuple[WireEvent, ...]:
    """The events with numbers that follow on each other, from the first on, where the wire numbers its events.

    Of events without a number none is missing.
    """
    if wire.name != "openai-responses":
        return tuple(events)
    count = itertools.count(first)
    return tuple(
        replace(event, data=_NUMBER.sub(lambda _: b'"sequence_number":%d' % next(count), event.data, count=1))
        for event in events
    )


def first_terminal(reply: Reply) -> int:
    """The place of the first event that is terminal evidence; after the last event where there is none."""
    return next((place for place, event in enumerate(reply.events) if event.terminal), len(reply.events))


def before_terminal(reply: Reply, at: int, wire: Wire) -> int | None:
    """The place of the event with JSON that is at or after `at`, up to the first terminal one; else of the last such.

    None where no event has any.
    """
    places = list(_with_json(reply, wire))
    return next((place for place in places if place >= at), places[-1] if places else None)


def _with_json(reply: Reply, wire: Wire) -> Iterator[int]:
    last = first_terminal(reply)
    for place, event in enumerate(reply.events[: last + 1]):
        if payload_of(event, wire) is not None:
            yield place


def _payload_at(data: bytes) -> int:
    headers: int = struct.unpack_from(">I", data, 4)[0]
    return 12 + headers


def _reframed(data: bytes, payload: bytes) -> bytes:
    """A message of AWS's with another payload."""
    headers = data[12 : _payload_at(data)]
    lengths = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = lengths + struct.pack(">I", crc32(lengths)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def _in_chunk(payload: bytes) -> bytes:
    return msgspec.json.encode({"bytes": base64.b64encode(payload).decode()})
