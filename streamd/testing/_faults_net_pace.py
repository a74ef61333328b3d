"""Faults of how the bytes come: in which pieces, how fast, and with a bit that is another."""

from __future__ import annotations

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING
from ._reply import Reply, Wait
from ._wire_event import WireEvent

__all__ = ["PACE"]

_INSTANT = 0.001
_TICK = 0.1
_PIECES = 200_000
"""Network reads: a body may have many MiB."""

_LONG = 300
"""Seconds."""


def _slice(reply: Reply, strike: Strike) -> Reply:
    size = max(1, int(strike.number(1)), len(reply.body) // _PIECES)
    return replace(reply, splits=tuple(range(size, len(reply.body), size)))


def _split(reply: Reply, strike: Strike) -> Reply:
    at = strike.byte(reply)
    return replace(reply, coalesced=True, splits=(at,) if 0 < at < len(reply.body) else ())


def _lockstep(reply: Reply, strike: Strike) -> Reply:
    return _paced(reply, max(1, int(strike.number(1))), _INSTANT)


def _bandwidth(reply: Reply, strike: Strike) -> Reply:
    return _paced(reply, max(1, int(strike.number(1000) * _TICK)), _TICK)


def _in_its_time(delivery: Delivery, strike: Strike) -> Expect:
    """A body so large that it takes minutes may be too slow for any timer."""
    if delivery.body < _LONG * strike.number(1000):
        return Expect()
    return Expect(("Stalled",), either=True, refusable=True)


def _paced(reply: Reply, size: int, seconds: float) -> Reply:
    places = tuple(range(0, len(reply.body), size))
    waits = tuple(Wait(at, seconds) for at in places)
    return replace(reply, splits=places[1:], waits=(*reply.waits, *waits))


def _coalesce(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, coalesced=True)


def _latency(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, waits=(*reply.waits, Wait(-1, strike.number(2.0))))


def _jitter(reply: Reply, strike: Strike) -> Reply:
    most = strike.number(5.0)
    places = (reply.offset(event) for event in range(len(reply.events)))
    waits = tuple(Wait(at, strike.rng.uniform(0, most)) for at in places)
    return replace(reply, waits=(*reply.waits, *waits))


def _bitflip(reply: Reply, strike: Strike) -> Reply:
    """Flip the highest bit of a byte of some event's JSON: no text stays UTF-8 then, whatever the byte was."""
    place = strike.byte(reply)
    chosen: tuple[int, int] | None = None
    start = 0
    for number, event in enumerate(reply.events):
        first, last = event.data.find(b"{"), event.data.rfind(b"}")
        if first >= 0 and not event.fatal:
            chosen = number, max(first, min(place - start, last))
        start += len(event.data)
        if chosen is not None and place < start:
            break
    if chosen is None:
        return reply
    number, at = chosen
    data = bytearray(reply.events[number].data)
    if strike.fault.at is not None and strike.fault.at.unit != "byte":
        at = strike.rng.randint(data.find(b"{"), data.rfind(b"}"))
    data[at] ^= 0x80
    noise = WireEvent(bytes(data), "noise", fatal=True)
    return replace(reply, events=(*reply.events[:number], noise, *reply.events[number + 1 :]))


def _seen(_delivery: Delivery, strike: Strike) -> Expect:
    # A body whose first character is another may look like no stream at all. In an array, an object whose last brace
    # is another goes on to the end of all.
    brace = ("Truncated",) if strike.wire.name == "gemini-array" else ()
    return Expect(("MalformedEvent", "NotAStream", *brace))


PACE: tuple[FaultKind, ...] = (
    FaultKind(
        name="net.slice",
        summary="The body comes in network reads of so many bytes; of one if no value is given.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_slice,
        values=("1", "2", "7", "64"),
    ),
    FaultKind(
        name="net.split",
        summary="The head and the whole body come in two network reads, the second from this byte of the body on.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_split,
        sweep=("byte:1", "byte:50%", "byte:-1"),
    ),
    FaultKind(
        name="net.lockstep",
        summary="Each so many bytes of the body (one if no value is given) come once those before were read.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_lockstep,
        values=("1", "5"),
    ),
    FaultKind(
        name="net.coalesce",
        summary="The head and the whole body come in one network read.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_coalesce,
    ),
    FaultKind(
        name="net.latency",
        summary="The answer begins so many seconds late; 2 if no value is given.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_latency,
        values=("0.05", "2", "30"),
    ),
    FaultKind(
        name="net.jitter",
        summary="Before each event passes a random time of up to so many seconds; 5 if no value is given.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_jitter,
        values=("1", "20"),
    ),
    FaultKind(
        name="net.bandwidth",
        summary="The body comes at so many bytes a second; 1000 if no value is given.",
        phase="body",
        retry="-",
        expect=_in_its_time,
        apply=_bandwidth,
        values=("100", "10000"),
    ),
    FaultKind(
        name="net.bitflip",
        summary="The highest bit of a byte is flipped, in the JSON of the event that is at this place, or of the next. "
        "The bits that are not seen to be wrong are left alone: without TLS nothing could tell those.",
        phase="body",
        retry="R4",
        expect=_seen,
        apply=_bitflip,
        sweep=(
            "byte:0",
            "byte:10%",
            "byte:33%",
            "byte:50%",
            "byte:80%",
            "byte:-1",
            "kind:text",
            "kind:finish",
        ),
    ),
)
"""The kinds of the layer `net` that are about the bytes on their way."""
