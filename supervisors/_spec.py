"""What a child is and how often it may fail: frozen values, checked when they are made."""

import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from ._errors import InvalidSpec

__all__ = [
    "AutoShutdown",
    "Backoff",
    "ChildKind",
    "ChildSpec",
    "Ready",
    "Restart",
    "RestartLimit",
    "Strategy",
    "supervisor_spec",
]

Restart = Literal["permanent", "transient", "temporary"]
"""Restart always, only after an error, or never."""

Strategy = Literal["one_for_one", "rest_for_one", "one_for_all"]
"""Who is restarted with a failed child: nobody else, those after it, or all."""

AutoShutdown = Literal["never", "any", "all"]
"""Whether the supervisor stops when any, or when all, of its significant children have ended by themselves."""

Ready = Literal["task_status", "spawned"]
"""When a child counts as started: when it calls `task_status.started()`, or at once."""

ChildKind = Literal["worker", "supervisor"]
"""What `counts()` counts a child as."""


def require(condition: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence at every call
    """Raise `InvalidSpec(message)` unless the condition holds."""
    if not condition:
        raise InvalidSpec(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a restart (OTP has no such thing; the parameters are Akka's).

    The delay before the n-th restart in a row is `initial * factor ** (n - 1)`, at most `maximum`, times a random
    number between 1 and `1 + jitter`.

    Attributes:
        initial: seconds before the first restart.
        factor: what each further delay is multiplied by, at least 1.
        maximum: the longest delay in seconds, before jitter.
        jitter: the share added at random, from 0.
        reset_after: a child that ran this many seconds is healthy: its next failure is the first in a row again.
        max_consecutive: give up after this many restarts in a row, however far apart. It is the backstop where the
            delays are so long that a `RestartLimit` could never be reached.

    Raises:
        InvalidSpec: a number is out of its range.
    """

    initial: float
    factor: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.2
    reset_after: float = 60.0
    max_consecutive: int | None = None

    def __post_init__(self) -> None:
        require(
            0 <= self.initial < math.inf, f"Backoff.initial must be 0 or more seconds, not {self.initial!r}"
        )
        require(1 <= self.factor < math.inf, f"Backoff.factor must be 1 or more, not {self.factor!r}")
        require(
            self.initial <= self.maximum < math.inf,
            f"Backoff.maximum must be finite and at least initial, not {self.maximum!r}",
        )
        require(0 <= self.jitter < math.inf, f"Backoff.jitter must be 0 or more, not {self.jitter!r}")
        require(
            self.reset_after > 0, f"Backoff.reset_after must be more than 0 seconds, not {self.reset_after!r}"
        )
        require(
            self.max_consecutive is None or self.max_consecutive >= 0,
            f"Backoff.max_consecutive must be 0 or more, or None, not {self.max_consecutive!r}",
        )

    def delay(self, consecutive: int, spread: float = 0.0) -> float:
        """Return the seconds to wait before a restart.

        Args:
            consecutive: the number of this restart in a row, from 1.
            spread: how much of the jitter to add, from 0 to 1; a random number.
        """
        try:
            base = min(self.maximum, self.initial * self.factor ** (consecutive - 1))
        except OverflowError:
            base = self.maximum
        return base * (1 + spread * self.jitter)


@dataclass(frozen=True, slots=True)
class RestartLimit:
    """How many restarts are allowed in any window of time (OTP: intensity and period; the default is Elixir's).

    Every restart is charged before it is tried, and a failed try is charged again; a group restart is one charge. The
    charge that would be number `max_restarts + 1` within `per` seconds stops the supervisor with
    `RestartLimitExceeded`. The window includes both its ends.

    Attributes:
        max_restarts: restarts allowed in the window; 0 fails on the first failure.
        per: the length of the window in seconds; `math.inf` counts over the whole life.

    Raises:
        InvalidSpec: a number is out of its range.
    """

    max_restarts: int = 3
    per: float = 5.0

    def __post_init__(self) -> None:
        require(
            self.max_restarts >= 0, f"RestartLimit.max_restarts must be 0 or more, not {self.max_restarts!r}"
        )
        require(self.per > 0, f"RestartLimit.per must be more than 0 seconds, not {self.per!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start, stop and restart one child (OTP: a child specification).

    Attributes:
        id: the child's name, unique under its supervisor.
        run: an async function; it is called anew for every incarnation.
        args: its positional arguments. A channel given here is dead once an incarnation has closed it: children
            joined by channels belong in a supervisor's `build=`.
        restart: `"permanent"` restarts it however it ends, `"transient"` only after an error, `"temporary"` never.
            None is permanent, but temporary under a `DynamicSupervisor`.
        shutdown: seconds between a stop request and cancelling, for a child that opted in by
            `current_child().until_stop()` or `.trap_stop()`; any other is cancelled at once. 0 cancels at once,
            `math.inf` waits without limit.
        start_timeout: seconds it may take until it is ready.
        ready: `"task_status"`: ready when it calls `task_status.started(value)`, and `run` is given that keyword;
            `"spawned"`: ready at once, maybe before its first step. None decides by whether `run` has a parameter
            `task_status`.
        significant: its own end can end the supervisor; see `auto_shutdown`. Not for permanent children.
        backoff: overrides the supervisor's.
        kind: `"supervisor"` for a child that is itself a supervisor; its `shutdown` must be `math.inf`, so that its own
            children get their grace.

    Raises:
        InvalidSpec: two of these cannot go together, or one is out of its range.
    """

    id: str
    run: Callable[..., Awaitable[object]]
    args: tuple[object, ...] = ()
    restart: Restart | None = None
    shutdown: float = 5.0
    start_timeout: float = math.inf
    ready: Ready | None = None
    significant: bool = False
    backoff: Backoff | None = None
    kind: ChildKind = "worker"

    def __post_init__(self) -> None:
        # Spelled out rather than through `require`: specs are made by the thousand, messages almost never.
        if not self.id or not isinstance(self.id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
            raise InvalidSpec(f"a child's id must be a non-empty string, not {self.id!r}")
        run: object = self.run
        if not callable(run):
            raise InvalidSpec(
                f"child {self.id!r}: run must be an async function (not its call), not {self.run!r}"
            )
        if inspect.isasyncgenfunction(run):
            raise InvalidSpec(
                f"child {self.id!r}: {run!r} is an async generator function, which cannot be awaited"
            )
        if self.restart is not None and self.restart not in RESTARTS:
            raise InvalidSpec(f"child {self.id!r}: restart must be one of {RESTARTS}, not {self.restart!r}")
        if not self.shutdown >= 0:
            raise InvalidSpec(f"child {self.id!r}: shutdown must be 0 or more seconds, not {self.shutdown!r}")
        if not self.start_timeout > 0:
            raise InvalidSpec(f"child {self.id!r}: start_timeout must be more than 0 seconds")
        if self.ready is not None and self.ready not in READY:
            raise InvalidSpec(f"child {self.id!r}: ready must be one of {READY} or None, not {self.ready!r}")
        if self.significant and self.restart in (None, "permanent"):
            raise InvalidSpec(
                f"child {self.id!r}: a significant child must be transient or temporary, as a permanent one never ends"
            )
        if self.kind not in KINDS:
            raise InvalidSpec(f"child {self.id!r}: kind must be one of {KINDS}, not {self.kind!r}")
        if self.kind == "supervisor" and self.shutdown != math.inf:
            raise InvalidSpec(
                f"child {self.id!r}: a supervisor's shutdown must be math.inf: its own children's grace bounds it"
            )


RESTARTS: tuple[str, ...] = get_args(Restart)
READY: tuple[str, ...] = get_args(Ready)
KINDS: tuple[str, ...] = get_args(ChildKind)
STRATEGIES: tuple[str, ...] = get_args(Strategy)
AUTO_SHUTDOWNS: tuple[str, ...] = get_args(AutoShutdown)


def supervisor_spec(
    run: Callable[..., Awaitable[object]],
    id: str,  # noqa: A002 - as the spec's field
    restart: Restart,
    *,
    significant: bool,
) -> ChildSpec:
    """The spec that runs a supervisor as a child: ready when it says so, and with all the time it needs to stop."""
    return ChildSpec(
        id=id,
        run=run,
        restart=restart,
        significant=significant,
        shutdown=math.inf,
        ready="task_status",
        kind="supervisor",
    )


def check_reachable(limit: RestartLimit, backoff: Backoff | None, owner: str) -> None:
    """Refuse delays so long that the limit could never be reached: such a child would be restarted for ever.

    The limit trips when `max_restarts + 1` charges fall in one window, and the first `max_restarts` delays lie between
    them. See erlang/otp#1287.

    Raises:
        InvalidSpec: the shortest such delays are longer than the window and there is no `max_consecutive`.
    """
    if backoff is None or backoff.max_consecutive is not None or limit.per == math.inf:
        return
    spread = 0.0
    for n in range(1, limit.max_restarts + 1):
        spread += backoff.delay(n)
        if spread > limit.per:
            raise InvalidSpec(
                f"{owner}: {limit.max_restarts} restarts take at least {spread:g} s with this backoff, so the limit "
                f"per {limit.per:g} s can never be reached; raise `per` or set Backoff.max_consecutive"
            )
