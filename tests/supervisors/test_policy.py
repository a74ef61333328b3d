"""The pure decisions: who restarts, with whom, whether, and when. No event loop runs here."""

import pytest
import trio

from streamd.supervisors import Backoff, ChildFailure, RestartLimit, RestartLimitExceeded
from streamd.supervisors._exits import is_fatal
from streamd.supervisors._limit import Ledger, Streak
from streamd.supervisors._policy import members, retry, should_restart

IDS = ["a", "b", "c", "d"]


def failure(n: int = 0) -> ChildFailure:
    """A failure to charge."""
    return ChildFailure("a", n, ValueError(n))


@pytest.mark.parametrize(
    ("restart", "after_return", "after_error"),
    [("permanent", True, True), ("transient", False, True), ("temporary", False, False)],
)
def test_who_is_restarted(restart: str, after_return: bool, after_error: bool) -> None:
    """Always, only after an error, never."""
    assert should_restart(restart, failed=False) is after_return
    assert should_restart(restart, failed=True) is after_error


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("one_for_one", ["b"]), ("rest_for_one", ["b", "c", "d"]), ("one_for_all", IDS)],
)
def test_with_whom(strategy: str, expected: list[str]) -> None:
    """Nobody else, those after it, or all, in start order."""
    assert members(strategy, IDS, "b") == expected


@pytest.mark.parametrize(
    ("strategy", "group", "expected"),
    [("one_for_one", ["c"], ["c"]), ("rest_for_one", ["b", "c", "d"], ["c", "d"]), ("one_for_all", IDS, IDS)],
)
def test_who_is_tried_again_when_c_fails_to_start(
    strategy: str, group: list[str], expected: list[str]
) -> None:
    """rest_for_one goes on from the failed child, one_for_all begins anew."""
    assert retry(strategy, group, "c") == expected


def test_the_window_includes_both_its_ends() -> None:
    """A charge exactly one window ago still counts (OTP's rule); a moment later it does not."""
    ledger = Ledger(RestartLimit(2, per=5.0))
    assert [ledger.charge(failure(), now) for now in (0.0, 1.0)] == [0.0, 0.0]
    assert isinstance(ledger.charge(failure(), 5.0), RestartLimitExceeded)
    ledger = Ledger(RestartLimit(2, per=5.0))
    assert [ledger.charge(failure(), now) for now in (0.0, 1.0, 5.1, 7.0)] == [0.0] * 4
    assert (ledger.count(7.0), ledger.count(100.0)) == (2, 0)


def test_a_limit_of_zero_refuses_the_first() -> None:
    """RestartLimit(0) allows no restart, and the error carries the failure."""
    first = failure()
    error = Ledger(RestartLimit(0)).charge(first, 0.0)
    assert isinstance(error, RestartLimitExceeded)
    assert error.failures == (first,)


def test_at_most_sixteen_failures_are_kept_alive() -> None:
    """Live exceptions pin what they passed through, so only the last sixteen are kept."""
    ledger = Ledger(RestartLimit(20))
    for n in range(20):
        ledger.charge(failure(n), 0.0)
    error = ledger.charge(failure(20), 0.0)
    assert isinstance(error, RestartLimitExceeded)
    assert [one.incarnation for one in error.failures] == list(range(5, 21))


def test_a_streak_grows_until_health_resets_it() -> None:
    """The delay doubles in a row; a child that ran reset_after seconds begins again."""
    ledger, streak = Ledger(RestartLimit(99)), Streak()
    backoff = Backoff(initial=1, reset_after=60, jitter=0)

    def delay(healthy: float) -> object:
        return ledger.charge(failure(), 0.0, backoff=backoff, streak=streak, healthy=healthy)

    assert [delay(0), delay(1), delay(59.9), delay(60), delay(0)] == [1, 2, 4, 1, 2]


def test_max_consecutive_gives_up_however_far_apart() -> None:
    """Restarts in a row are counted without a window."""
    ledger, streak = Ledger(RestartLimit(99)), Streak()
    backoff = Backoff(initial=1, max_consecutive=2, jitter=0)
    delays = [ledger.charge(failure(), 1000.0 * n, backoff=backoff, streak=streak) for n in range(3)]
    assert delays[:2] == [1, 2]
    assert isinstance(delays[2], RestartLimitExceeded)
    assert "more than 2 restarts in a row" in str(delays[2])


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (None, False),
        (ValueError(), False),
        (ExceptionGroup("", [ValueError()]), False),
        (KeyboardInterrupt(), True),
        (SystemExit(), True),
        (GeneratorExit(), True),
        (BaseExceptionGroup("", [ValueError(), KeyboardInterrupt()]), True),
        (trio.TrioInternalError(), True),
    ],
)
def test_what_is_no_crash(error: BaseException | None, fatal: bool) -> None:
    """Only an Exception, or a group of nothing else, is a crash that a restart may mend."""
    assert is_fatal(error) is fatal
