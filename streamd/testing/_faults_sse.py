"""Faults of the framing of server-sent events that a client must not notice.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from streamd.errors import ConfigError

from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, still_alive
from ._payload import SSE_WIRES, first_terminal
from ._reply import Repeat, Reply
from ._wire_event import WireEvent

__all__ = ["SSE"]

_NOISE: dict[str, bytes] = {
    "comment": b": keep-alive\n\n",
    "colon_only": b":\n\n",
    "ping": b'event: ping\ndata: {"type":"ping"}\n\n',
    "retry_field": b"retry: 3000\n\n",
    "id_field": b"id: 17\n\n",
    "unknown_field": b"novelty: 1\n\n",
    "unknown_event": b'event: novelty\ndata: {"type":"novelty","n":1}\n\n',
    "empty_data": b"data:\n\n",
    "nul_in_id": b"id: a\0b\n\n",
    "blank_lines": b"\n\n\n",
}
"""What may come between two events, and means nothing."""

_SUMMARIES = {
    "comment": "A comment line comes between two events.",
    "colon_only": "A comment of nothing but its colon comes between two events.",
    "ping": "A ping comes between two events: an event of that name whose data says no more.",
    "retry_field": "A reconnection time comes between two events.",
    "id_field": "An event id comes between two events.",
    "unknown_field": "A field that the specification does not know comes between two events.",
    "unknown_event": "An event that the provider may add some day comes between two others.",
    "empty_data": "An event with empty data comes between two others.",
    "nul_in_id": "An event id that holds a NUL, and so is to be ignored, comes between two events.",
    "blank_lines": "Blank lines come between two events.",
}


def _between(data: bytes) -> Callable[[Reply, Strike], Reply]:
    event = WireEvent(data, "noise")

    def apply(reply: Reply, strike: Strike) -> Reply:
        at = strike.event(reply)
        return strike.with_events(reply, *reply.events[:at], event, *reply.events[at:])

    return apply


def _only_noise(reply: Reply, strike: Strike) -> Reply:
    name = strike.fault.value or "comment"
    if name not in _NOISE:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_NOISE)}")
    at = reply.offset(min(strike.event(reply), first_terminal(reply)))
    return replace(reply, repeat=Repeat(at, WireEvent(_NOISE[name], "noise"), 5.0))


def _each(change: Callable[[bytes], bytes]) -> Callable[[Reply, Strike], Reply]:
    """Write all events in another way; a place of the fault is where a network read ends besides."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        events = tuple(replace(event, data=change(event.data)) for event in reply.events)
        written = replace(reply, events=events)
        return replace(written, splits=(strike.byte(written),))

    return apply


def _mixed(data: bytes) -> bytes:
    """Each line of an event ends in its own way: the parts of what ends a line are never one line end more."""
    ends = (b"\n", b"\r", b"\r\n")
    *lines, rest = data.split(b"\n")
    return b"".join(line + ends[place % len(ends)] for place, line in enumerate(lines)) + rest


def _several_lines(data: bytes) -> bytes:
    """The JSON goes over several lines of data, which are joined by line feeds: white space between its fields."""
    return re.sub(rb'(?<=[\]}"]),(?="[a-z_]+":)', b",\ndata: ", data)


def _bom(*splits: int) -> Callable[[Reply, Strike], Reply]:
    def apply(reply: Reply, _strike: Strike) -> Reply:
        first, *rest = reply.events
        events = (replace(first, data=b"\xef\xbb\xbf" + first.data), *rest)
        return replace(reply, events=events, splits=(*reply.splits, *splits))

    return apply


_SEPARATORS = {"u2028": "\u2028", "u2029": "\u2029", "u85": "\x85", "vt": "\x0b", "ff": "\x0c", "fs": "\x1c"}


def _separator(reply: Reply, strike: Strike) -> Reply:
    """A character that other formats take for a line end, in a field nobody reads, or where it is no JSON in a comment.

    What follows it would be an event were it a line end.
    """
    name = strike.fault.value or "u2028"
    if name not in _SEPARATORS:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_SEPARATORS)}")
    mark = _SEPARATORS[name]
    if ord(mark) < 0x20:
        data = b": a" + mark.encode() + b"data: {\n\n"
    else:
        text = msgspec.json.encode({"type": "novelty", "note": f"a{mark}data: b"})
        data = b"event: novelty\ndata: " + text + b"\n\n"
    return _between(data)(reply, strike)


def _utf8_split(reply: Reply, _strike: Strike) -> Reply:
    body = reply.body
    return replace(reply, splits=tuple(at for at, byte in enumerate(body) if byte & 0xC0 == 0x80))


def _kind(
    name: str,
    summary: str,
    apply: Callable[[Reply, Strike], Reply],
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    wires: tuple[str, ...] = SSE_WIRES,
) -> FaultKind:
    return FaultKind(
        name=f"sse.{name}",
        summary=summary,
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=apply,
        sweep=sweep,
        values=values,
        wires=wires,
    )


_PLACES = ("event:0", "event:1", "event:50%", "kind:finish", "event:-1")
_READS = ("byte:25%", "byte:50%", "byte:75%")

SSE: tuple[FaultKind, ...] = (
    *(_kind(name, _SUMMARIES[name], _between(data), _PLACES) for name, data in _NOISE.items()),
    FaultKind(
        name="sse.only_noise",
        summary="The server sends, every 5 seconds and forever, what keeps the connection busy and is no output.",
        phase="body",
        retry="R4",
        expect=still_alive,
        apply=_only_noise,
        sweep=("event:0", "event:1", "kind:finish"),
        values=tuple(_NOISE),
        wires=SSE_WIRES,
    ),
    _kind("lf", "Lines end in LF.", _each(bytes), _READS),
    _kind("crlf", "Lines end in CR LF.", _each(lambda data: data.replace(b"\n", b"\r\n")), _READS),
    _kind("cr", "Lines end in CR.", _each(lambda data: data.replace(b"\n", b"\r")), _READS),
    _kind("mixed", "Lines end now so, now so.", _each(_mixed), _READS),
    _kind("bom", "A byte order mark is before the first event.", _bom()),
    _kind("bom_split", "A byte order mark is before the first event, in three network reads.", _bom(1, 2)),
    _kind(
        "no_space",
        "No space follows a field's colon.",
        _each(lambda data: data.replace(b"data: ", b"data:").replace(b"event: ", b"event:")),
        _READS,
    ),
    _kind("multi_data_line", "An event's data is on several lines.", _each(_several_lines), _READS),
    _kind(
        "separator",
        "A character stands in an event or a comment that other formats take for a line end.",
        _separator,
        ("event:0", "event:50%"),
        tuple(_SEPARATORS),
    ),
    _kind(
        "utf8_split",
        "A network read ends in every character of more than one byte.",
        _utf8_split,
        wires=(),
    ),
)
"""Those kinds of the layer `sse` that have no effect."""
