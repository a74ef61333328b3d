"""The retry decision: pure, so every rule is one line."""

import math

import pytest

from streamd._retry import Retry
from streamd.errors import BadRequestError, ConfigError, ConnectionLost, RateLimitError, StreamdError

LOST = ConnectionLost("lost")


@pytest.mark.parametrize(
    ("error", "retries", "draw", "delay"),
    [
        (LOST, 0, 0.0, 0.0),
        (LOST, 0, 0.5, 0.25),
        (LOST, 1, 0.5, 0.5),
        (LOST, 2, 0.5, None),
        (BadRequestError("no"), 0, 0.5, None),
        (RateLimitError("wait", retry_after=2.0), 0, 0.5, 2.0),
        (RateLimitError("wait", retry_after=0.1), 1, 0.5, 0.5),
        (RateLimitError("wait", retry_after=120.0), 0, 0.5, 120.0),
        (RateLimitError("wait", retry_after=121.0), 0, 0.5, None),
        (RateLimitError("wait"), 0, 1.0, 0.5),
    ],
)
def test_the_delay_before_the_next_attempt(
    error: StreamdError, retries: int, draw: float, delay: float | None
) -> None:
    """Full jitter doubles from `initial`; Retry-After is a floor, and beyond the limit an end."""
    assert Retry().delay(error, retries, draw) == delay


def test_no_one_waits_for_ever() -> None:
    """A wait without end is no wait, whatever the limit."""
    assert Retry(max_retry_after=math.inf).delay(RateLimitError("wait", retry_after=math.inf), 0, 0.5) is None


def test_the_backoff_has_a_ceiling() -> None:
    """However many retries were made, the wait stays below `maximum`."""
    assert Retry(max_retries=50).delay(LOST, 40, 1.0) == 8.0


@pytest.mark.parametrize(
    "bad",
    [
        {"max_retries": -1},
        {"initial": 9.0},
        {"initial": -1.0},
        {"max_retry_after": -1},
        {"maximum": math.inf},
    ],
)
def test_impossible_policies_are_refused(bad: dict[str, float]) -> None:
    """Negative counts and times, and a first wait above the last, are the caller's error."""
    with pytest.raises(ConfigError):
        Retry(**bad)  # type: ignore[arg-type]  # one bad value at a time
