"""Faults of HTTP/1.1: heads and framings that are wrong, and what else may come on a connection.

There is no layer `h2`: what is tested here is what goes through a connection, and streamd speaks HTTP/1.1 on its own.
"""

from __future__ import annotations

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, after_cut, fails_with
from ._reply import Cut, Edit, Reply, layout
from ._scenario import TextPart, Turn

__all__ = ["H1"]

_STARTS = {
    "http2": b"HTTP/2 200 OK\r\n\r\n",
    "icy": b"ICY 200 OK\r\n\r\n",
    "words": b"hello there\r\n\r\n",
    "code": b"HTTP/1.1 two-hundred OK\r\n\r\n",
    "tls": b"\x15\x03\x01\x00\x02\x02\x46",
    "nul": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
}
_HUGE = "fffffffffffffffff"
"""A size that is a number, if larger than any chunk can be."""

_INTERIM = {
    "h1.early_hints_103": b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
    "h1.100_continue": b"HTTP/1.1 100 Continue\r\n\r\n",
}


def _no_last_chunk(reply: Reply, strike: Strike) -> Reply:
    at = len(reply.body) if strike.fault.at is None else reply.offset(strike.event(reply))
    return replace(reply, framing="chunked", cut=Cut(at, "fin"))


def _cut_in_chunk(reply: Reply, strike: Strike) -> Reply:
    """Cut between the size of a chunk and the line's end; after the last event, in the chunk that says the end."""
    reply = replace(reply, framing="chunked")
    laid = layout(reply)
    event = strike.event(reply)
    at = laid.places[event] - 1 if event < len(laid.places) else laid.end + 2
    return replace(reply, cut=Cut(at, "fin", raw=True))


def _bad_chunk_size(reply: Reply, strike: Strike) -> Reply:
    reply = replace(reply, framing="chunked")
    laid = layout(reply)
    event = min(strike.event(reply), len(laid.places) - 1)
    size = (strike.fault.value or "zz") if strike.fault.value != "none" else ""
    fatal = strike.fault.value != _HUGE
    edit = Edit(laid.frames[event], laid.places[event] - 2 - laid.frames[event], size.encode(), fatal)
    return replace(reply, edits=(*reply.edits, edit))


def _mis_sized(delivery: Delivery, strike: Strike) -> Expect:
    """What is too large for this client is a number to others: all that follows is one chunk, that does not end."""
    if strike.fault.value == _HUGE:
        return Expect(("ProtocolViolation",), either=True, refusable=True)
    return _VIOLATION(delivery, strike)


def _garbage_status(reply: Reply, strike: Strike) -> Reply:
    name = strike.fault.value or "words"
    if name not in _STARTS:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_STARTS)}")
    return replace(reply, head=_STARTS[name], edits=(*reply.edits, Edit(0)))


def _header_flood(reply: Reply, strike: Strike) -> Reply:
    lines = int(strike.number(200_000)) // 1000
    flood = tuple((f"X-Flood-{line}", "f" * 980) for line in range(lines))
    return replace(reply, headers=(*reply.headers, *flood), edits=(*reply.edits, Edit(0)))


def _two_content_lengths(reply: Reply, _strike: Strike) -> Reply:
    other = str(len(reply.body) + 7)
    headers = (*reply.headers, ("Content-Length", other))
    return replace(reply, framing="length", headers=headers, edits=(*reply.edits, Edit(0)))


def _length_and_chunked(reply: Reply, _strike: Strike) -> Reply:
    headers = (*reply.headers, ("Content-Length", str(len(reply.body))))
    return replace(reply, framing="chunked", headers=headers)


def _content_length_long(reply: Reply, strike: Strike) -> Reply:
    size = len(reply.body)
    at = size if strike.fault.at is None else strike.byte(reply)
    return replace(
        reply,
        framing="length",
        length=size + 100,
        cut=None if at >= size else Cut(at, "fin"),
        after="fin",
    )


def _content_length_short(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, framing="length", length=strike.byte(reply))


def _close_delimited(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, framing="close", cut=Cut(strike.byte(reply), "fin"))


def _surplus(reply: Reply, strike: Strike) -> Reply:
    poison = strike.wire.joined(strike.wire.events(Turn((TextPart(("POISON",)),)), 99))
    other = replace(reply, events=poison, framing="length", surplus=b"", edits=())
    again = 1.0 if strike.fault.value == "twice" else None
    return replace(reply, surplus=layout(other).raw, surplus_again=again)


def _stale(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, after="close" if strike.fault.value == "closed" else "stale")


def _trailers(reply: Reply, _strike: Strike) -> Reply:
    reply = replace(reply, framing="chunked")
    trailer = Edit(layout(reply).end + 3, insert=b"X-Checksum: 1234\r\nX-Took: 5\r\n", fatal=False)
    return replace(reply, edits=(*reply.edits, trailer))


def _interim(reply: Reply, strike: Strike) -> Reply:
    times = max(1, int(strike.number(1)))
    hint = Edit(0, insert=_INTERIM[strike.fault.name] * times, fatal=False)
    return replace(reply, edits=(hint, *reply.edits))


def _either_length(_delivery: Delivery, _strike: Strike) -> Expect:
    return Expect(("ProtocolViolation",), refusable=True)


_VIOLATION = fails_with("ProtocolViolation")
_EVENTS = ("event:0", "event:1", "event:50%", "event:-1", "event:100%")
_BYTES = ("byte:0", "byte:1", "byte:50%", "byte:-1", "byte:100%")

H1: tuple[FaultKind, ...] = (
    FaultKind(
        name="h1.no_last_chunk",
        summary="The connection ends after a whole chunk, the last if no place is given, without the chunk that says "
        "that it was the last.",
        phase="body",
        retry="R4",
        expect=after_cut,
        apply=_no_last_chunk,
        sweep=_EVENTS,
    ),
    FaultKind(
        name="h1.cut_in_chunk",
        summary="The connection ends within a chunk's size line.",
        phase="body",
        retry="R4",
        expect=after_cut,
        apply=_cut_in_chunk,
        sweep=_EVENTS,
    ),
    FaultKind(
        name="h1.bad_chunk_size",
        summary="The size of a chunk is no number, or one that cannot be.",
        phase="body",
        retry="R4",
        expect=_mis_sized,
        apply=_bad_chunk_size,
        late=True,
        sweep=("event:0", "event:1", "event:-1"),
        values=("zz", "-1", "0x10", _HUGE, "none"),
    ),
    FaultKind(
        name="h1.garbage_status",
        summary="The answer begins with something that is no status line of HTTP/1.1.",
        phase="head",
        retry="R1",
        expect=_VIOLATION,
        apply=_garbage_status,
        values=tuple(_STARTS),
    ),
    FaultKind(
        name="h1.header_flood",
        summary="The head has so many bytes; 200,000 if no value is given.",
        phase="head",
        retry="R1",
        expect=_VIOLATION,
        apply=_header_flood,
        values=("200000", "2000000"),
    ),
    FaultKind(
        name="h1.two_content_lengths",
        summary="The head tells two lengths that differ.",
        phase="head",
        retry="R1",
        expect=_VIOLATION,
        apply=_two_content_lengths,
    ),
    FaultKind(
        name="h1.length_and_chunked",
        summary="The head tells a length of a body that comes in chunks: a client may refuse that, or read the chunks.",
        phase="head",
        retry="R1",
        expect=_either_length,
        apply=_length_and_chunked,
    ),
    FaultKind(
        name="h1.content_length_long",
        summary="The body is shorter than the head tells: it ends there, or whole if no place is given.",
        phase="body",
        retry="R4",
        expect=after_cut,
        apply=_content_length_long,
        sweep=_BYTES,
    ),
    FaultKind(
        name="h1.content_length_short",
        summary="The body is longer than the head tells: by HTTP it ends there.",
        phase="body",
        retry="R4",
        expect=fails_with("Truncated"),
        apply=_content_length_short,
        sweep=_BYTES,
    ),
    FaultKind(
        name="h1.close_delimited_cut",
        summary="The end of the connection is that of the body, and comes too early.",
        phase="body",
        retry="R4",
        expect=after_cut,
        apply=_close_delimited,
        sweep=_BYTES,
    ),
    FaultKind(
        name="h1.surplus_response",
        summary="After the answer comes another, for which nobody asked; `twice`: with its end, and one more a "
        "second later.",
        phase="after",
        retry="-",
        expect=NOTHING,
        apply=_surplus,
        values=("", "twice"),
    ),
    FaultKind(
        name="h1.trailers",
        summary="After the last chunk come header fields.",
        phase="after",
        retry="-",
        expect=NOTHING,
        apply=_trailers,
        late=True,
    ),
    FaultKind(
        name="h1.early_hints_103",
        summary="An informational answer (103) comes before the answer; so many of them.",
        phase="head",
        retry="-",
        expect=NOTHING,
        apply=_interim,
        values=("1", "20"),
    ),
    FaultKind(
        name="h1.100_continue",
        summary="The server says unasked that the request may be sent (100), so many times.",
        phase="head",
        retry="-",
        expect=NOTHING,
        apply=_interim,
        values=("1", "3"),
    ),
    FaultKind(
        name="h1.keepalive_stale",
        summary="The server closes the connection that it kept: when the next request comes (`race`), or at once "
        "(`closed`).",
        phase="after",
        retry="R0",
        expect=NOTHING,
        apply=_stale,
        values=("race", "closed"),
    ),
)
"""The kinds of the layer `h1`."""
