"""The decisions of a supervisor, without trio: who restarts, whether it may, and when."""

from collections.abc import Sequence

from ._spec import Restart, Strategy

__all__ = ["members", "retry", "should_restart"]


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

    Those of the returned part that are up again must be stopped first. Under rest_for_one there are none, as it goes
    on from the failed child; one_for_all begins anew.
    """
    return group if strategy == "one_for_all" else group[group.index(failed) :]
