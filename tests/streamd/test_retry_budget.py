"""The retry budget: a bucket of tokens, whatever happens in whatever order."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd import ConfigError, RetryBudget
from streamd._retry_budget import RetryTokens

BUDGETS = st.builds(
    RetryBudget, capacity=st.integers(0, 20), refill=st.sampled_from([0, 0.05, 0.1, 0.125, 0.2, 0.25, 0.5, 1])
)


@given(BUDGETS, st.lists(st.booleans(), max_size=200))
def test_the_bucket_counts_as_exact_arithmetic_does(budget: RetryBudget, turns: Sequence[bool]) -> None:
    """Whatever turns succeed (true) or ask for a retry (false), the bucket says what a bucket of fractions says."""
    tokens = RetryTokens(budget)
    refill = Fraction(str(budget.refill))
    left = capacity = Fraction(budget.capacity)
    for good in turns:
        if good:
            tokens.refill()
            left = min(capacity, left + refill)
        else:
            assert tokens.take() == (left >= 1)
            left -= left >= 1
        assert tokens.left == int(left)


@given(BUDGETS, st.lists(st.booleans(), max_size=200))
def test_retries_are_bounded_by_the_capacity_and_the_good_turns(
    budget: RetryBudget, turns: Sequence[bool]
) -> None:
    """In every run of events there are at most `capacity` retries and `refill` for each good turn."""
    tokens = RetryTokens(budget)
    retries = 0
    for good in turns:
        if good:
            tokens.refill()
        else:
            retries += tokens.take()
    assert retries <= budget.capacity + Fraction(str(budget.refill)) * sum(turns)


def test_an_outage_spends_the_capacity_and_ten_good_turns_earn_a_retry() -> None:
    """The defaults: ten retries, then none, then one for each ten good turns."""
    tokens = RetryTokens(RetryBudget())
    assert [tokens.take() for _ in range(12)] == [True] * 10 + [False] * 2
    for _ in range(9):
        tokens.refill()
    assert not tokens.take()
    tokens.refill()
    assert [tokens.take(), tokens.take()] == [True, False]


def test_a_full_bucket_takes_no_more() -> None:
    """Years without a failure buy no more retries than the capacity."""
    tokens = RetryTokens(RetryBudget(capacity=2, refill=1))
    for _ in range(5):
        tokens.refill()
    assert tokens.left == 2


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": -1},
        {"capacity": float("inf")},
        {"capacity": float("nan")},
        {"capacity": "10"},
        {"capacity": True},
        {"refill": -0.1},
        {"refill": 1.5},
        {"refill": None},
    ],
)
def test_a_budget_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """Numbers out of their range are a `ConfigError` that shows them."""
    with pytest.raises(ConfigError, match="RetryBudget"):
        RetryBudget(**options)
