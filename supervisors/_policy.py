"""The decisions of a supervisor, without trio: who restarts, whether it may, and when."""

from collections import deque
from collections.abc import Sequence

from ._spec import Backoff, Restart, RestartLimit, Strategy

__all__ = ["Charges", "Streak", "members", "retry", "should_restart"]


def should_restart(restart: Restart, *, failed: bool) -> bool:
    """Tell whether a child that ended by itself is started again."""
    match restart:
        case "permanent":
            return True
        case "transient":
            return failed
        case "temporary":
            return False


def members(strategy: Strategy, ids: Sequence[str], failed: str) -> Sequence[str]:
    """Return who is restarted with the failed child, itself included, in start order.

    Args:
        strategy: the supervisor's.
        ids: all its children in start order.
        failed: the one that ended.
    """
    match strategy:
        case "one_for_one":
            return [failed]
        case "rest_for_one":
            return ids[ids.index(failed) :]
        case "one_for_all":
            return ids


def retry(strategy: Strategy, group: Sequence[str], failed: str) -> Sequence[str]:
    """Return who is tried again after a child failed to start during the restart of a group, in start order.

    Those of the group that are up again and in the returned part must be stopped first: under rest_for_one there are none,
    as it goes on from the failed child; one_for_all begins anew.
    """
    return group if strategy == "one_for_all" else group[group.index(failed) :]


class Charges:
    """The times of the restarts within the window of a `RestartLimit`."""

    __slots__ = ("_times", "limit")

    def __init__(self, limit: RestartLimit) -> None:
        self.limit = limit
        self._times: deque[float] | None = None

    def charge(self, now: float) -> bool:
        """Note a restart at this time, and tell whether the limit still allows it."""
        if self._times is None:
            self._times = deque()
        self._times.append(now)
        self._prune(now)
        return len(self._times) <= self.limit.max_restarts

    def count(self, now: float) -> int:
        """Return the restarts in the window that ends now."""
        self._prune(now)
        return len(self._times or ())

    def _prune(self, now: float) -> None:
        while self._times and self._times[0] < now - self.limit.per:
            self._times.popleft()


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
