"""Faults of time: silence, noise that is none, and clocks."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, fails_with, still_alive
from ._reply import Cut, Repeat, Reply, Wait
from ._stage import Stage
from ._wire_event import EventKind

__all__ = ["TIME"]


_SHORT = 60.0
"""Seconds: no timer may fire for a silence that is shorter, by default."""


def _stall(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, cut=Cut(strike.byte(reply), "stall"))


def _mute(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, cut=Cut(0, "stall", raw=True))


def _before_the_first(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, cut=Cut(0, "stall"))


def _between(reply: Reply, strike: Strike) -> Reply:
    """Stall before an event that is neither the first nor beyond the last."""
    event = max(1, min(strike.event(reply), len(reply.events) - 1))
    return replace(reply, cut=Cut(reply.offset(event), "stall"))


def _within(kinds: tuple[EventKind, ...] = ()) -> Callable[[Reply, Strike], Reply]:
    """Stall in the middle of an event: of any, or of the first of these kinds; not at all where there is none."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        found = [place for place, event in enumerate(reply.events) if not kinds or event.kind in kinds]
        if not found:
            return reply
        wanted = min(strike.event(reply), len(reply.events) - 1)
        event = wanted if wanted in found else found[0]
        middle = reply.offset(event) + len(reply.events[event].data) // 2
        return replace(reply, cut=Cut(middle, "stall"))

    return apply


def _after_terminal(reply: Reply, strike: Strike) -> Reply:
    """Stall after the last event, or after the first one that is terminal and not before the place."""
    last = len(reply.events) - 1
    if strike.fault.at is not None:
        first = strike.event(reply)
        last = next((place for place in range(first, last) if reply.events[place].terminal), last)
    return replace(reply, cut=Cut(reply.offset(last + 1), "stall"))


def _keepalive(reply: Reply, strike: Strike) -> Reply:
    event = strike.wire.keepalive
    last = next((place for place, event in enumerate(reply.events) if event.terminal), len(reply.events))
    at = reply.offset(min(strike.event(reply), last))
    return replace(reply, repeat=Repeat(at, event, strike.number(5.0)))


def _drip(reply: Reply, strike: Strike) -> Reply:
    size = len(reply.body)
    waits = tuple(Wait(at, strike.number(0.05)) for at in range(size))
    return replace(reply, splits=tuple(range(1, size)), waits=(*reply.waits, *waits))


def _burst(reply: Reply, strike: Strike) -> Reply:
    wait = Wait(strike.byte(reply), strike.number(50.0))
    return replace(reply, coalesced=True, waits=(*reply.waits, wait))


def _slowly(reply: Reply, strike: Strike) -> Reply:
    seconds = strike.number(10.0)
    waits = tuple(Wait(reply.offset(event), seconds) for event in range(len(reply.events)))
    return replace(reply, waits=(*reply.waits, *waits))


def _leap(reply: Reply, strike: Strike) -> Reply:
    wait = Wait(strike.byte(reply), strike.number(400.0), leaps=True)
    return replace(reply, waits=(*reply.waits, wait))


def _on_time(reply: Reply, strike: Strike) -> Reply:
    event = max(1, strike.event(reply))
    return replace(reply, waits=(*reply.waits, Wait(reply.offset(event), strike.number(60.0))))


def _limited(reply: Reply, strike: Strike) -> Reply:
    seconds = strike.number(5.0)
    return replace(
        reply,
        status=429,
        reason="Too Many Requests",
        headers=(("Content-Type", "application/json"), ("Retry-After", f"{seconds:g}")),
        head=reply.head if reply.edits else None,
        events=(),
        framing="length",
    )


def _cancel_then(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, cancel_after=min(stage.cancel_after, strike.number(5.0)))


def _silent(delivery: Delivery, _strike: Strike) -> Expect:
    """Which timer fires is told by what came: no output at all, or some. So is the phase: no head, or one."""
    phase = "stream" if delivery.head else "headers"
    idle, first = f"Stalled(idle)/{phase}", f"Stalled(first_chunk)/{phase}"
    return Expect((idle,) if delivery.produced else (first, idle))


def _barely_begun(delivery: Delivery, _strike: Strike) -> Expect:
    """The head came, or was lost to another fault; and no output."""
    return Expect((f"Stalled(first_chunk)/{'stream' if delivery.head else 'headers'}",))


def _leapt(_delivery: Delivery, strike: Strike) -> Expect:
    """Any timer may have fired, with what came in that moment unread; none needs to, as everything is there.

    After a short leap none may.
    """
    if strike.number(400.0) < _SHORT:
        return Expect()
    return Expect(("Stalled(first_chunk)", "Stalled(idle)", "Stalled(progress)"), either=True, refusable=True)


def _to_the_second(_delivery: Delivery, _strike: Strike) -> Expect:
    """Either is first."""
    return Expect(("Stalled(idle)",), either=True, refusable=True)


def _row(
    name: str,
    summary: str,
    apply: Callable[[Reply, Strike], Reply],
    expect: Callable[[Delivery, Strike], Expect],
    *,
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    stalls: bool = True,
) -> FaultKind:
    return FaultKind(
        name=f"time.{name}",
        summary=summary,
        phase="body",
        retry="R4" if stalls else "-",
        expect=expect,
        apply=apply,
        sweep=sweep,
        values=values,
    )


TIME: tuple[FaultKind, ...] = (
    _row(
        "stall",
        "The server says nothing more, and does not end the connection.",
        _stall,
        _silent,
        sweep=("byte:0", "byte:1", "byte:50%", "event:1", "event:-1"),
    ),
    FaultKind(
        name="time.stall_before_headers",
        summary="The server reads the request, and says nothing at all.",
        phase="head",
        retry="R1",
        expect=fails_with("Stalled(first_chunk)/headers"),
        apply=_mute,
    ),
    FaultKind(
        name="time.stall_first_event",
        summary="The server sends the head of an answer, and nothing of its body.",
        phase="body",
        retry="R3",
        expect=_barely_begun,
        apply=_before_the_first,
    ),
    _row(
        "stall_between_events",
        "The server falls silent after a whole event.",
        _between,
        _silent,
        sweep=("event:1", "event:2", "event:50%", "event:-1"),
    ),
    _row(
        "stall_mid_event",
        "The server falls silent in the middle of an event.",
        _within(),
        _silent,
        sweep=("event:0", "event:1", "event:50%", "event:-1"),
    ),
    _row(
        "stall_mid_tool_args",
        "The server falls silent in the middle of a tool call's arguments; it does not, where the turn has no call.",
        _within(("arguments", "call")),
        _silent,
        sweep=("event:0", "event:50%"),
    ),
    FaultKind(
        name="time.stall_after_terminal",
        summary="The server sends the whole turn, or all up to the first evidence that it is complete, and then "
        "neither ends the body nor closes the connection.",
        phase="after",
        retry="RT",
        expect=_silent,
        apply=_after_terminal,
        sweep=("event:0", "kind:finish"),
    ),
    _row(
        "keepalive_forever",
        "The server sends keep-alives, every 5 seconds if no value is given, and nothing else, forever.",
        _keepalive,
        still_alive,
        sweep=("event:0", "event:1", "kind:finish"),
        values=("5", "0.5"),
    ),
    _row(
        "slow_drip_1B",
        "The body comes byte by byte, with so many seconds between two; 0.05 if no value is given.",
        _drip,
        NOTHING,
        stalls=False,
    ),
    _row(
        "burst_after_silence",
        "The server is silent for so many seconds (50 if no value is given), and then sends all the rest at once.",
        _burst,
        NOTHING,
        sweep=("byte:0", "byte:50%", "event:1", "event:-1"),
        stalls=False,
    ),
    _row(
        "slow_but_live",
        "Before each event pass so many seconds (10 if no value is given): slow, and no reason for any timer to fire.",
        _slowly,
        NOTHING,
        values=("10", "2"),
        stalls=False,
    ),
    _row(
        "clock_jump",
        "The clock leaps forward by so many seconds, 400 if no value is given, as when a machine was suspended; "
        "the rest is there then.",
        _leap,
        _leapt,
        sweep=("byte:0", "byte:50%", "event:1", "event:-1"),
        values=("30", "400"),
        stalls=False,
    ),
    _row(
        "deadline_exactly_at_event",
        "An event comes after exactly so many seconds as a timer allows; 60, streamd's `idle`, if no value is given.",
        _on_time,
        _to_the_second,
        sweep=("event:1", "event:50%", "event:-1"),
        stalls=False,
    ),
    FaultKind(
        name="time.retry_after_expires_while_cancelled",
        summary="The server asks to wait for so many seconds, 5 if no value is given; when they are over, the "
        "application is cancelled in the same moment.",
        phase="head",
        retry="R2",
        expect=fails_with("RateLimitError"),
        apply=_limited,
        stage=_cancel_then,
    ),
)
"""The kinds of the layer `time`."""
