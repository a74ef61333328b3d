"""Faults of the consumer: an application that reads slowly, or badly, or not to the end."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ._fault import At
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING
from ._stage import Reading, Stage

__all__ = ["USE"]

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
    return lambda stage, strike: replace(stage, reading=how, reading_from=_chunks(strike))


def _rests(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, reading="stops", reading_from=_chunks(strike), rest=strike.number(1000.0), room=1)


def _row(
    name: str,
    summary: str,
    stage: Callable[[Stage, Strike], Stage],
    *,
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
) -> FaultKind:
    return FaultKind(
        name=f"use.{name}",
        summary=summary,
        phase="consumer",
        retry="-",
        expect=NOTHING,
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
