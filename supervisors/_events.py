"""What a supervisor tells about its work, and the default log of it."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import trio

from ._child import Child, current
from ._errors import ChildFailure, RestartLimitExceeded, describe
from ._exits import Exit

__all__ = [
    "ChildExited",
    "ChildRestarting",
    "ChildStarted",
    "ChildStarting",
    "ChildStopping",
    "ChildStuck",
    "Event",
    "Journal",
    "Observer",
    "SupervisorStopped",
    "SupervisorStopping",
]

logger = logging.getLogger(__name__.rpartition(".")[0])


@dataclass(frozen=True, slots=True)
class ChildStarting:
    """A child's task was made; it may not be ready yet.

    Attributes:
        seq: the number of the event in its supervisor's life, from 1.
        time: seconds of trio's clock.
        path: the supervisor's name after those of the supervisors above it, joined by `/`.
        id: the child's id.
        incarnation: which of its runs, from 1.
    """

    seq: int
    time: float
    path: str
    id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """A child is ready. The fields are those of `ChildStarting`."""

    seq: int
    time: float
    path: str
    id: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class ChildExited:
    """A child's task has ended. The first fields are those of `ChildStarting`.

    Attributes:
        exit: how it ended.
        expected: whether the supervisor had asked it to.
    """

    seq: int
    time: float
    path: str
    id: str
    incarnation: int
    exit: Exit
    expected: bool


@dataclass(frozen=True, slots=True)
class ChildRestarting:
    """A restart was decided on and charged to the limit. The first fields are those of `ChildStarting`.

    Attributes:
        delay: seconds until it is tried.
        cause: the failure behind it.
        charged: restarts in the limit's window, this one included.
        remaining: restarts the window still allows.
    """

    seq: int
    time: float
    path: str
    id: str
    incarnation: int
    delay: float
    cause: ChildFailure
    charged: int
    remaining: int


@dataclass(frozen=True, slots=True)
class ChildStopping:
    """A child was asked to stop. The first fields are those of `ChildStarting`.

    Attributes:
        grace: seconds until it is cancelled.
    """

    seq: int
    time: float
    path: str
    id: str
    incarnation: int
    grace: float


@dataclass(frozen=True, slots=True)
class ChildStuck:
    """A cancelled child goes on running: it shields itself or reaches no checkpoint.

    It is waited for all the same. The first fields are those of `ChildStarting`.

    Attributes:
        stack: where it is, outermost frame first, each as `function (file:line)`.
    """

    seq: int
    time: float
    path: str
    id: str
    incarnation: int
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SupervisorStopping:
    """The supervisor begins to stop its children for good.

    Attributes:
        seq: the number of the event in its supervisor's life, from 1.
        time: seconds of trio's clock.
        path: as in `ChildStarting`.
        incarnation: that of the child the supervisor runs in, 1 if it runs in none.
        why: what made it stop.
    """

    seq: int
    time: float
    path: str
    incarnation: int
    why: str


@dataclass(frozen=True, slots=True)
class SupervisorStopped:
    """Every child has ended. The fields are those of `SupervisorStopping` without the reason."""

    seq: int
    time: float
    path: str
    incarnation: int


Event = (
    ChildStarting
    | ChildStarted
    | ChildExited
    | ChildRestarting
    | ChildStopping
    | ChildStuck
    | SupervisorStopping
    | SupervisorStopped
)
"""Everything a supervisor tells."""

Observer = Callable[[Event], None]
"""Is called in the supervisor's task with every event; it must not block. What it raises is logged and goes no
further."""


class Journal:
    """Tells one supervisor's events to its observer, and what matters to the log.

    Without an observer an event is not even made.
    """

    __slots__ = ("_closing", "_observer", "_seq", "path")

    def __init__(self, observer: Observer | None, path: str) -> None:
        self._observer = observer
        self._seq = 0
        self._closing = False
        self.path = path

    def starting(self, child: Child) -> None:
        """A child's task was made."""
        if self._observer is not None:
            self._tell(ChildStarting(*self._stamp(), child.spec.id, child.number))

    def started(self, child: Child) -> None:
        """A child is ready."""
        if self._observer is not None:
            self._tell(ChildStarted(*self._stamp(), child.spec.id, child.number))

    def exited(self, child: Child, exit: Exit) -> None:  # noqa: A002 - as the event's field
        """A child has ended."""
        if self._observer is not None:
            self._tell(ChildExited(*self._stamp(), child.spec.id, child.number, exit, child.expected))

    def dropped(self, child: Child, error: BaseException) -> None:
        """A child failed and will not be started again, so that nobody else will tell of its error."""
        _log(
            logging.WARNING,
            "%s: child %r failed and is not restarted: %s",
            *(self.path, child.spec.id, describe(error)),
        )

    def restarting(self, cause: ChildFailure, delay: float, charged: int, limit: int) -> None:
        """A restart was decided on."""
        _log(
            logging.WARNING,
            "%s: child %r ended (%s); restart %d of %d in %.3g s",
            *(self.path, cause.id, describe(cause.error), charged, limit, delay),
        )
        if self._observer is not None:
            seq, time, path = self._stamp()
            remaining = limit - charged
            self._tell(
                ChildRestarting(
                    seq, time, path, cause.id, cause.incarnation, delay, cause, charged, remaining
                )
            )

    def gave_up(self, error: RestartLimitExceeded, max_restarts: int) -> None:
        """The limit of restarts was reached. Where no restart was ever wanted, raising the error is report enough."""
        if max_restarts:
            # A kept record would keep what the error holds.
            _log(logging.ERROR, "%s: %s", self.path, str(error))

    def stopping(self, child: Child, grace: float) -> None:
        """A child was asked to stop."""
        if self._observer is not None:
            self._tell(ChildStopping(*self._stamp(), child.spec.id, child.number, grace))

    def stuck(self, child: Child) -> None:
        """A cancelled child does not end."""
        stack = child.stack()
        _log(
            logging.WARNING,
            "%s: child %r was cancelled and still runs, at %s",
            self.path,
            child.spec.id,
            " < ".join(reversed(stack)),
        )
        if self._observer is not None:
            self._tell(ChildStuck(*self._stamp(), child.spec.id, child.number, stack))

    def closing(self, why: str) -> None:
        """The supervisor stops for good; told once."""
        if self._observer is not None and not self._closing:
            self._closing = True
            self._tell(SupervisorStopping(*self._stamp(), _incarnation(), why))

    def closed(self) -> None:
        """The supervisor has stopped."""
        if self._observer is not None:
            self._tell(SupervisorStopped(*self._stamp(), _incarnation()))

    def _stamp(self) -> tuple[int, float, str]:
        self._seq += 1
        return self._seq, trio.current_time(), self.path

    def _tell(self, event: Event) -> None:
        assert self._observer is not None
        try:
            self._observer(event)
        except Exception as exc:  # noqa: BLE001 - told to the log, and goes no further
            _log(logging.ERROR, "%s: the observer raised on %s", self.path, type(event).__name__, error=exc)


def _log(level: int, message: str, *values: object, error: BaseException | None = None) -> None:
    """Write a line. What a handler of the application raises there is no failure of a child, and stops nobody."""
    with suppress(Exception):
        logger.log(level, message, *values, exc_info=error, stacklevel=2)


def _incarnation() -> int:
    host = current.get()
    return 1 if host is None else host.number
