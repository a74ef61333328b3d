"""What a run of a supervisor ends with."""

from collections.abc import Awaitable, Callable
from typing import TypeVarTuple, Unpack

import trio

from ._errors import MAX_LIVE_FAILURES, ChildFailure, ChildStartError, ChildStopError, SupervisionError

__all__ = ["Verdict"]

Ts = TypeVarTuple("Ts")


class Verdict:
    """Collects what went wrong in one run, and weighs it at the end.

    A fatal error or a foreign interruption comes first, then the supervision failure, then what children raised
    while they were stopped. `trio.Cancelled` never stands in for any of these.
    """

    __slots__ = ("_failure", "_fatal", "_interruption", "_stop_failures")

    def __init__(self) -> None:
        self._failure: SupervisionError | None = None
        self._fatal: BaseException | None = None
        self._interruption: BaseException | None = None
        self._stop_failures: list[ChildFailure] | None = None

    @property
    def decided(self) -> bool:
        """Whether the supervisor has failed, so that nothing is restarted any more."""
        return self._failure is not None or self._fatal is not None

    def failed(self, error: SupervisionError) -> None:
        """The supervisor gives up; the first time counts."""
        if self._failure is None:
            self._failure = error

    def fatal(self, error: BaseException) -> None:
        """A child raised what is no crash; the first counts."""
        if self._fatal is None:
            self._fatal = error

    def interrupted(self, error: BaseException) -> None:
        """The supervisor's own task was interrupted. The first counts, but `Cancelled` before nothing else."""
        if self._interruption is None or isinstance(self._interruption, trio.Cancelled):
            self._interruption = error

    async def attempt(self, fn: Callable[[Unpack[Ts]], Awaitable[None]], *args: *Ts) -> bool:
        """Do a part of the work; note what interrupted it: a cancellation, or KeyboardInterrupt even in a shield."""
        try:
            await fn(*args)
        except BaseException as exc:  # noqa: BLE001 - given back by error()
            self.interrupted(exc)
            return False
        return True

    def failed_to_stop(self, failure: ChildFailure) -> None:
        """A child raised while everything was stopped for good."""
        if self._stop_failures is None:
            self._stop_failures = []
        self._stop_failures.append(failure)

    def error(self) -> BaseException | None:
        """Return what the run raises, or None, and keep no hold of what passed through `attempt`: a cycle, else."""
        failure = self._supervision_error()
        interruption, self._interruption = self._interruption, None
        heavy = [self._fatal] if self._fatal is not None else []
        if interruption is not None and not isinstance(interruption, trio.Cancelled):
            heavy.append(interruption)
        if not heavy:
            return failure or interruption
        if failure is not None:
            heavy.append(failure)
        return heavy[0] if len(heavy) == 1 else BaseExceptionGroup("the supervisor was interrupted", heavy)

    def _supervision_error(self) -> SupervisionError | None:
        failure, late = self._failure, self._stop_failures
        if failure is None:
            if not late:
                return None
            ids = ", ".join(repr(failure.id) for failure in late[:5])
            failure = ChildStopError(f"{len(late)} children raised while they were stopped: {ids}", late)
        elif late:
            failure.failures = (*failure.failures, *late)[-MAX_LIVE_FAILURES:]
        if not isinstance(failure, ChildStartError):
            what = "errors while stopping" if isinstance(failure, ChildStopError) else "failures"
            failure.__cause__ = BaseExceptionGroup(what, [one.error for one in failure.failures])
        return failure
