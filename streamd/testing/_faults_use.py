"""Faults of the consumer: an application that reads slowly, or badly, or not to the end."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._fault import At
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING
from ._reply import Repeat, Reply
from ._stage import Reading, Stage
from ._turn import TextPart, Turn

__all__ = ["USE"]

_FLOOD = 96 * 1024 * 1024
_PLACES = ("event:0", "event:1", "event:3")


def _chunks(strike: Strike) -> int:
    """After how many chunks it strikes: the place, or some of the first few."""
    match strike.fault.at:
        case At("event", int() as place):
            return max(0, place)
        case _:
            return strike.rng.randint(1, 4)


def _slow(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, pace=strike.number(100.0), room=1)


def _reading(how: Reading) -> Callable[[Stage, Strike], Stage]:
    def staged(stage: Stage, strike: Strike) -> Stage:
        return stage if _is_flooded(stage) else replace(stage, reading=how, reading_from=_chunks(strike))

    return staged


def _is_flooded(stage: Stage) -> bool:
    """Whether there comes what nobody is to read."""
    return stage.reading == "leaves" and stage.rest > 0


def _rests(stage: Stage, strike: Strike) -> Stage:
    if _is_flooded(stage):
        return stage
    return replace(stage, reading="stops", reading_from=_chunks(strike), rest=strike.number(1000.0), room=1)


def _hurries(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, total=strike.number(20.0))


def _in_time(_delivery: Delivery, _strike: Strike) -> Expect:
    return Expect(("Stalled(total)",), refusable=True)


def _leaves_late(stage: Stage, _strike: Strike) -> Stage:
    return replace(stage, reading="leaves", reading_from=1, rest=60.0)


def _flood(reply: Reply, strike: Strike) -> Reply:
    at = next((place for place, event in enumerate(reply.events) if event.kind == "text"), None)
    if at is None:
        return reply
    turn = Turn((TextPart(("x" * int(strike.number(4) * 1024),)),))
    text = next(event for event in strike.wire.events(turn, strike.turn) if event.kind == "text")
    times = _FLOOD // len(text.data)
    return replace(reply, repeat=Repeat(reply.offset(at + 1), text, 0.0, times))


def _row(
    name: str,
    summary: str,
    stage: Callable[[Stage, Strike], Stage],
    *,
    expect: Callable[[Delivery, Strike], Expect] = NOTHING,
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
) -> FaultKind:
    return FaultKind(
        name=f"use.{name}",
        summary=summary,
        phase="consumer",
        retry="-",
        expect=expect,
        stage=stage,
        sweep=sweep,
        values=values,
    )


USE: tuple[FaultKind, ...] = (
    _row(
        "slow",
        "The application takes so many seconds for each chunk, 100 if no value is given, and lets one be held for it.",
        _slow,
        values=("0.5", "100"),
    ),
    _row(
        "stops_reading",
        "After some chunks the application does not read for so many seconds, 1000 if no value is given, and then "
        "reads on: backpressure reaches the server, and the silence is nobody's fault.",
        _rests,
        sweep=_PLACES,
    ),
    FaultKind(
        name="use.unread_flood",
        summary="The server sends 96 MiB of text, in events of so many KiB (4 if no value is given), to an application "
        "that reads one chunk and no more, and leaves after a minute: backpressure reaches the server.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_flood,
        stage=_leaves_late,
        values=("4", "1024"),
    ),
    _row(
        "in_a_hurry",
        "The application gives the whole session so many seconds, 20 if no value is given.",
        _hurries,
        expect=_in_time,
    ),
    _row(
        "breaks_out",
        "After some chunks the application leaves the loop and the session's block.",
        _reading("leaves"),
        sweep=_PLACES,
    ),
    _row(
        "raises",
        "After some chunks the application raises an exception of its own, which must leave the block as it is.",
        _reading("raises"),
        sweep=_PLACES,
    ),
    _row(
        "abandons_generator",
        "After some chunks the application begins another iteration, lets go of it, and reads on.",
        _reading("abandons"),
        sweep=_PLACES,
    ),
    _row(
        "two_consumers",
        "Two tasks of the application read, each chunk going to one of them.",
        _reading("shares"),
    ),
    _row(
        "reenters",
        "While it handles a chunk the application reads more, and then the rest by another method.",
        _reading("reenters"),
        sweep=_PLACES,
    ),
    _row(
        "closes_twice",
        "After some chunks the application closes and cancels its session, twice, and then reads.",
        _reading("closes"),
        sweep=_PLACES,
    ),
)
"""The kinds of the layer `use`."""
