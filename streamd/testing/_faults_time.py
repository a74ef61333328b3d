"""Faults of time: silence, and noise that is none."""

from __future__ import annotations

from msgspec.structs import replace

from ._kind import FaultKind, Strike
from ._outcomes import fails_with
from ._reply import Cut, Repeat, Reply

__all__ = ["TIME"]


def _stall(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, cut=Cut(strike.byte(reply), "stall"))


def _keepalive(reply: Reply, strike: Strike) -> Reply:
    event = strike.wire.keepalive
    last = next((place for place, event in enumerate(reply.events) if event.terminal), len(reply.events))
    at = reply.offset(min(strike.event(reply), last))
    return replace(reply, repeat=Repeat(at, event, strike.number(5.0)))


TIME: tuple[FaultKind, ...] = (
    FaultKind(
        name="time.stall",
        summary="The server says nothing more, and does not end the connection.",
        phase="body",
        retry="R4",
        expect=fails_with("Stalled(idle)", "Stalled(first_chunk)"),
        apply=_stall,
        sweep=("byte:0", "byte:1", "byte:50%", "event:1", "event:-1"),
    ),
    FaultKind(
        name="time.keepalive",
        summary="The server sends keep-alives, every 5 seconds if no value is given, and nothing else, forever.",
        phase="body",
        retry="R4",
        expect=fails_with("Stalled(progress)", "Stalled(first_chunk)"),
        apply=_keepalive,
        sweep=("event:0", "event:1", "kind:finish"),
    ),
)
"""The kinds of the layer `time`."""
