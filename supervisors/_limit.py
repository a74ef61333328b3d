"""How often children may fail: the restarts charged to the limit, and those in a row. No trio, no clock of its own."""

from collections import deque

from ._errors import MAX_LIVE_FAILURES, ChildFailure, RestartLimitExceeded, describe
from ._spec import Backoff, RestartLimit

__all__ = ["Ledger", "Streak"]


class Streak:
    """The restarts in a row, of one child or of a group."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def extend(self, backoff: Backoff, healthy: float) -> bool:
        """Count one more restart, and tell whether the backoff still allows it.

        Args:
            backoff: what rules this restart.
            healthy: seconds the child ran before it ended; 0 if it did not get ready.
        """
        self.count = 1 if healthy >= backoff.reset_after else self.count + 1
        return backoff.max_consecutive is None or self.count <= backoff.max_consecutive


class Ledger:
    """The restarts a supervisor has charged to its `RestartLimit`, and the last failures behind them.

    Attributes:
        limit: the limit.
        failures: the last failures, as live exceptions, oldest first.
    """

    __slots__ = ("_times", "failures", "limit")

    def __init__(self, limit: RestartLimit) -> None:
        self.limit = limit
        self.failures: deque[ChildFailure] = deque(maxlen=MAX_LIVE_FAILURES)
        self._times: deque[float] = deque()

    def charge(
        self,
        failure: ChildFailure,
        now: float,
        *,
        backoff: Backoff | None = None,
        streak: Streak | None = None,
        healthy: float = 0.0,
        spread: float = 0.0,
    ) -> float | RestartLimitExceeded:
        """Charge one restart, before it is tried.

        Args:
            failure: what makes it necessary.
            now: the time in seconds.
            backoff: what sets its delay, if anything.
            streak: the restarts in a row this one extends; needed with a backoff.
            healthy: seconds the child was ready before it ended.
            spread: where in the backoff's jitter the delay lies, from 0 to 1.

        Returns:
            The seconds to wait before it is tried, or the error the supervisor ends with as it is one too many.
        """
        self.failures.append(failure)
        self._times.append(now)
        if self.count(now) > self.limit.max_restarts:
            return self._refuse(f"more than {self.limit.max_restarts} restarts within {self.limit.per:g} s")
        if backoff is None or streak is None:
            return 0.0
        if not streak.extend(backoff, healthy):
            return self._refuse(f"more than {backoff.max_consecutive} restarts in a row")
        return backoff.delay(streak.count, spread)

    def _refuse(self, what: str) -> RestartLimitExceeded:
        last = self.failures[-1]
        message = f"{what}; child {last.id!r} ended last ({describe(last.error)})"
        return RestartLimitExceeded(message, tuple(self.failures))

    def count(self, now: float) -> int:
        """Return the restarts within the window that ends now, both its ends included."""
        while self._times and self._times[0] < now - self.limit.per:
            self._times.popleft()
        return len(self._times)
