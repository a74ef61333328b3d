"""Faults of the runtime: cancellation at any step, bugs in its own actors, and what a process runs out of."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._fault import At
from ._faults_rt_cancel import CANCEL
from ._kind import FaultKind, Phase, Strike
from ._outcomes import NOTHING, fails_with
from ._reply import Reply
from ._stage import Actor, Beside, Crash, Hook, Stage

__all__ = ["RT"]

StageOf = Callable[[Stage, Strike], Stage]

_STEPS = ("step:1", "step:2", "step:3", "step:5", "step:8")


def _crash(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, crash=Crash(actor=_actor(strike), step=_step(strike)))


def _storm(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, crash=Crash(actor=_actor(strike), step=_step(strike), always=True))


def _no_memory(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, crash=Crash(actor=_actor(strike), step=_step(strike), memory=True))


def _actor(strike: Strike) -> Actor:
    names: dict[str, Actor] = {name: name for name in get_args(Actor)}
    value = strike.fault.value or "any"
    if value not in names:
        raise ConfigError(f"the fault {strike.fault} names no actor; there are: {', '.join(names)}")
    return names[value]


def _step(strike: Strike) -> int:
    match strike.fault.at:
        case At("step", int() as step):
            return step
        case _:
            return strike.rng.randint(1, 12)


def _crashed(_delivery: Delivery, strike: Strike) -> Expect:
    """The session may have been over before; it never says of an answer that it was complete where it was not."""
    return Expect(() if strike.fault.value == "tool" else ("ActorCrashed",), refusable=True)


def _unlogged(_delivery: Delivery, strike: Strike) -> Expect:
    """Httpx's own call of its logger fails, with the answer at hand; ours must not."""
    if strike.fault.value == "streamd":
        return Expect()
    return Expect(("ActorCrashed",), refusable=True)


def _beside(default: int, *, crash: bool = False, live: bool = False) -> StageOf:
    def staged(stage: Stage, strike: Strike) -> Stage:
        return replace(stage, beside=Beside(sessions=int(strike.number(default)), crash=crash, live=live))

    return staged


def _places(stage: Stage, strike: Strike) -> Stage:
    refuses = strike.fault.value == "refuse"
    return replace(stage, beside=Beside(sessions=2, places="refuse" if refuses else "wait"))


def _admitted(_delivery: Delivery, strike: Strike) -> Expect:
    """Where there is no place the session is refused, before anything is asked."""
    return Expect(
        ("TooManySessions",) if strike.fault.value == "refuse" else (), unsent=strike.fault.value == "refuse"
    )


def _spent(stage: Stage, _strike: Strike) -> Stage:
    return replace(stage, beside=Beside(sessions=1, spent=True))


def _no_more(_delivery: Delivery, _strike: Strike) -> Expect:
    return Expect(last=True)


def _full(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, room=1, pace=strike.number(1.0))


def _shuffle(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, shuffle=int(strike.number(strike.rng.getrandbits(32))))


def _no_files(reply: Reply, _strike: Strike) -> Reply:
    return replace(reply, connect="no_files")


def _broken_logging(stage: Stage, strike: Strike) -> Stage:
    return replace(stage, broken_logging=strike.fault.value or "root")


def _hook(stage: Stage, strike: Strike) -> Stage:
    names: dict[str, Hook] = {name: name for name in get_args(Hook)}
    value = strike.fault.value or "on_chunk"
    if value not in names:
        raise ConfigError(f"the fault {strike.fault} names no hook; there are: {', '.join(names)}")
    beside = Beside(sessions=1) if value == "observer" else stage.beside
    return replace(stage, hook=names[value], beside=beside)


def _row(
    name: str,
    summary: str,
    stage: StageOf,
    *,
    expect: Callable[[Delivery, Strike], Expect] = NOTHING,
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
    phase: Phase = "runtime",
) -> FaultKind:
    return FaultKind(
        name=f"rt.{name}",
        summary=summary,
        phase=phase,
        retry="-",
        expect=expect,
        stage=stage,
        sweep=sweep,
        values=values,
    )


RT: tuple[FaultKind, ...] = (
    *CANCEL,
    _row(
        "actor_crash",
        "An actor of the session (`producer`, `parser`, `conversation`, `tool`) raises what nobody "
        "expects, before its n-th step; without a value, whichever takes the application's n-th step.",
        _crash,
        expect=_crashed,
        sweep=_STEPS,
        values=("producer", "parser", "conversation", "tool"),
    ),
    _row(
        "restart_storm",
        "An actor raises so at every step from the n-th on, and so does every actor that takes its place.",
        _storm,
        expect=_crashed,
        sweep=("step:1", "step:3"),
        values=("producer", "parser", "tool"),
    ),
    _row(
        "memory_pressure",
        "An actor meets a `MemoryError` before its n-th step.",
        _no_memory,
        expect=_crashed,
        sweep=("step:1", "step:3"),
        values=("producer", "parser"),
    ),
    _row(
        "sibling_crash",
        "So many other sessions (2 if no value is given) crash in the same runtime.",
        _beside(2, crash=True),
        values=("1", "5"),
    ),
    _row(
        "shutdown_with_n_live",
        "The runtime's block is left with so many other sessions still open, 3 if no value is given.",
        _beside(3, live=True),
        values=("1", "20"),
    ),
    _row(
        "pool_exhausted",
        "Every place of the runtime is held by another session, for five seconds; with the value `refuse` the runtime "
        "does not wait for one.",
        _places,
        expect=_admitted,
        values=("wait", "refuse"),
    ),
    _row(
        "retry_budget_spent",
        "The runtime has no retry left for its sessions: what fails is not tried again.",
        _spent,
        expect=_no_more,
    ),
    _row(
        "channel_full",
        "One chunk is held for the application, which takes so many seconds for each, 1 if no value is given.",
        _full,
        values=("0", "1"),
    ),
    _row(
        "scheduler_shuffle",
        "Tasks that could run do so in another order, drawn from the value; from the run's seed if there is none.",
        _shuffle,
        values=("1", "2", "3"),
    ),
    FaultKind(
        name="rt.fd_exhausted",
        summary="The process has too many files open to make a socket.",
        phase="connect",
        retry="R0",
        expect=fails_with("ConnectFailed/connect"),
        apply=_no_files,
    ),
    _row(
        "logging_handler_raises",
        "A logging handler of the application raises at every record of a logger, of all if no value names one.",
        _broken_logging,
        expect=_unlogged,
        values=("root", "streamd", "httpx"),
    ),
    _row(
        "on_event_hook_raises",
        "A function of the application's own raises, that the session calls: `on_chunk` if no value is given, "
        "`on_message`, `approve` or a runtime's `observer`.",
        _hook,
        values=("on_chunk", "on_message", "approve", "observer"),
    ),
)
"""The kinds of the layer `rt`."""
