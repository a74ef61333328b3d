"""Faults of the runtime that are cancellations: at any step, twice, at a moment, and in every phase of a request."""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._fault import At
from ._kind import FaultKind, Phase, Strike
from ._outcomes import NOTHING
from ._reply import Cut, Reply
from ._stage import Stage

__all__ = ["CANCEL"]

_STEPS = ("step:1", "step:5", "step:12", "step:25", "step:40", "step:60")


def _cancel(stage: Stage, strike: Strike) -> Stage:
    if (at := strike.fault.at) is not None and at.unit == "second":
        return replace(stage, cancel_after=min(stage.cancel_after, float(at.place)))
    return replace(stage, cancel_at=(*stage.cancel_at, _step(strike)))


def _cancel_twice(stage: Stage, strike: Strike) -> Stage:
    step = _step(strike)
    return replace(stage, cancel_at=(*stage.cancel_at, step, step + max(1, int(strike.number(1)))))


def _quit(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, quit_at=(*stage.quit_at, _step(strike)))


def _step(strike: Strike) -> int:
    match strike.fault.at:
        case None:
            return strike.rng.randint(1, 80)
        case At("step", int() as step):
            return step
        case at:
            raise ConfigError(f"the fault {strike.fault} cannot strike at {at}")


def _soon(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, cancel_after=min(stage.cancel_after, strike.number(1.0)))


def _tool_hangs(stage: Stage, strike: Strike) -> Stage:
    return replace(_soon(stage, strike), tools=((1, "hangs"), *stage.tools))


def _unanswered(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, connect="blackhole")


def _unread(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, narrow=True, reading="none", cut=Cut(0, "stall", raw=True))


def _headless(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, cut=Cut(0, "stall", raw=True))


def _half(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, cut=Cut(strike.rng.randint(0, len(reply.body)), "stall"))


def _refused(reply: Reply, _strike: Strike) -> Reply:
    return replace(
        reply, status=503, reason="Refused", headers=(("Retry-After", "30"),), events=(), framing="length"
    )


def _unclosed(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, close_delay=math.inf, cut=Cut(0, "stall", raw=True))


def _as_it_is(reply: Reply, _strike: Strike) -> Reply:
    return reply


def _at_any(name: str, summary: str, stage: Callable[[Stage, Strike], Stage], *sweep: str) -> FaultKind:
    return FaultKind(
        name=f"rt.{name}",
        summary=summary,
        phase="runtime",
        retry="-",
        expect=NOTHING,
        stage=stage,
        sweep=(*_STEPS, *sweep),
    )


def _during(
    what: str,
    summary: str,
    phase: Phase,
    apply: Callable[[Reply, Strike], Reply],
    stage: Callable[[Stage, Strike], Stage] = _soon,
) -> FaultKind:
    return FaultKind(
        name=f"rt.cancel_during_{what}",
        summary=f"{summary}; after so many seconds, 1 if no value is given, the application is cancelled.",
        phase=phase,
        retry="-",
        expect=NOTHING,
        apply=apply,
        stage=stage,
    )


CANCEL: tuple[FaultKind, ...] = (
    _at_any(
        "cancel",
        "The application is cancelled before the n-th scheduler step of its tasks, or after so many seconds.",
        _cancel,
        "second:0",
    ),
    _at_any(
        "double_cancel",
        "The application is cancelled before the n-th scheduler step of its tasks, and what still runs of it once "
        "more, so many steps later; at the next one if no value is given.",
        _cancel_twice,
    ),
    _at_any(
        "cancel_session",
        "The application ends its session by itself before the n-th scheduler step of its tasks.",
        _quit,
    ),
    _during("connect", "Nobody answers the attempt to connect", "connect", _unanswered),
    _during("write", "The server reads nothing, and no buffer takes the request", "connect", _unread),
    _during("wait", "The server does not answer the request", "head", _headless),
    _during("stream", "The server falls silent in the middle of the body", "body", _half),
    _during("retry_sleep", "The server asks to wait for half a minute", "head", _refused),
    _during("tool", "A tool hangs", "tool", _as_it_is, _tool_hangs),
    _during(
        "close",
        "The server does not answer, and closing the connection takes for ever unless it is done by force",
        "connect",
        _unclosed,
    ),
)
"""The kinds of the layer `rt` that are cancellations."""
