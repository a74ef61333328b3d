"""Faults of the order of events: one twice, two swapped, one missing.

Where a wire numbers its events a client can see it. Where it does not, nobody can: then what came is what there is, and
a client passes it on unchanged.
"""

from __future__ import annotations

from msgspec.structs import replace

from streamd.providers import Text

from ._kind import FaultKind, Strike
from ._outcomes import fails_with
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["ORDER"]

_BOM = b"\xef\xbb\xbf"
_NUMBERED = ("openai-responses",)


def _texts(reply: Reply, strike: Strike) -> list[int]:
    """The places of the events with text, those from the fault's place on first."""
    at = strike.event(reply)
    places = [place for place, event in enumerate(reply.events) if event.kind == "text"]
    return [place for place in places if place >= at] + [place for place in places if place < at]


def _numbered(strike: Strike) -> bool:
    return strike.wire.name in _NUMBERED


def _gap(event: WireEvent) -> WireEvent:
    return replace(event, gives=(), terminal=False, fatal=True)


def _duplicate(reply: Reply, strike: Strike) -> Reply:
    for at in _texts(reply, strike)[:1]:
        event = reply.events[at]
        text = () if _numbered(strike) else tuple(each for each in event.gives if isinstance(each, Text))
        again = replace(event, data=event.data.removeprefix(_BOM), gives=text)
        return strike.with_events(reply, *reply.events[: at + 1], again, *reply.events[at + 1 :])
    return reply


def _swap(reply: Reply, strike: Strike) -> Reply:
    first, second = sorted([*_texts(reply, strike), -1, -1][:2])
    if first < 0:
        return reply
    events = list(reply.events)
    mark = _BOM if events[first].data.startswith(_BOM) else b""  # it stays where it is
    moved = replace(events[first], data=events[first].data.removeprefix(_BOM))
    events[first], events[second] = replace(events[second], data=mark + events[second].data), moved
    if _numbered(strike):
        events[first] = _gap(events[first])
    return strike.with_events(reply, *events)


def _drop(reply: Reply, strike: Strike) -> Reply:
    for at in _texts(reply, strike)[:1]:
        left = reply.events[at + 1 :]
        if _numbered(strike):
            left = (_gap(left[0]), *left[1:])
        return strike.with_events(reply, *reply.events[:at], *left)
    return reply


_PLACES = ("event:0", "event:50%", "event:-1")

ORDER: tuple[FaultKind, ...] = (
    FaultKind(
        name="sse.duplicate_event",
        summary="An event comes twice: once is enough where events are numbered, else its text is told twice.",
        phase="body",
        retry="-",
        expect=fails_with("SequenceGap"),
        apply=_duplicate,
        sweep=_PLACES,
    ),
    FaultKind(
        name="sse.reordered_event",
        summary="Two events come in each other's place: seen where they are numbered, else told as they came.",
        phase="body",
        retry="R4",
        expect=fails_with("SequenceGap"),
        apply=_swap,
        sweep=_PLACES,
    ),
    FaultKind(
        name="sse.dropped_event",
        summary="An event is missing: seen where they are numbered, else the rest is told.",
        phase="body",
        retry="R4",
        expect=fails_with("SequenceGap"),
        apply=_drop,
        sweep=_PLACES,
    ),
)
"""Those kinds of the layer `sse` that change the order; of all wires."""
