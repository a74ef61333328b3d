"""The judge of the retries that an application promises: those it makes, and those it does not. It is pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamd.providers import NotAStream, StreamdError

from ._expect import is_among
from ._judge_tools import seconds_asked
from ._observation import Observation
from ._reused import free_attempts, unread_attempts
from ._trace import Attempt
from ._verdict import FindingName

__all__ = ["judge_promised_retries", "judge_second_chances"]

_LONGEST = 60.0
"""Seconds: whoever is asked to wait for longer may give up."""

_AGAIN = ("R0", "R1", "R2", "R3", "R4")

Found = Iterator[tuple[FindingName, str]]


def judge_second_chances(attempts: Sequence[Attempt]) -> Found:
    """Whether it asked no third time where two answers were no stream: that is no chance, but a wrong address."""
    for first, second, third in zip(attempts, attempts[1:], attempts[2:], strict=False):
        same = first.turn == second.turn == third.turn
        if same and all(_is_no_chance(each) for each in (first, second)):
            yield (
                "retried_non_retryable",
                f"attempt {third.number} follows on two that were the same no stream",
            )


def judge_promised_retries(observed: Observation, attempts: Sequence[Attempt]) -> Found:
    """Whether it asked again as often as it says it does, and no oftener: it did not, where it failed before that.

    It need not where it was given output, where that would not help, where it is to wait for long, and more than once
    where what came is no stream.
    """
    promised, error = observed.retries, observed.error
    if promised is None or not attempts:
        return
    made = _retries(attempts)
    if made - len(free_attempts(attempts)) > promised:
        yield (
            "retried_non_retryable",
            f"it asked again {made} times, where it says that it does {promised} times",
        )
    if (
        observed.cancelled
        or observed.hung
        or observed.stage.cuts_short
        or not isinstance(error, StreamdError)
    ):
        return
    last = attempts[-1]
    enough = min(promised, 1) if isinstance(error, NotAStream) else promised
    asked = seconds_asked(last)
    if any(attempt.after is not None for attempt in attempts) or last.kept:
        return  # of a response that is read on more is to be known than how often
    if (
        made + unread_attempts(attempts) >= enough
        or (last.delivery.loose or last.delivery).produced
        or (asked is not None and asked > _LONGEST)
    ):
        return
    if any(expected.final or expected.last for expected in last.expect):
        return
    rules = zip(last.expect, last.rules, strict=True)
    if any(rule in _AGAIN and is_among(error, expected.errors) for expected, rule in rules):
        yield (
            "never_retried",
            f"it failed with {type(error).__name__} after {made} more attempts, where it says it makes {promised}",
        )


def _retries(attempts: Sequence[Attempt]) -> int:
    """How many attempts were made again: those that follow on one that was not complete."""
    return sum(not _is_complete(before) for before in attempts[:-1])


def _is_no_chance(attempt: Attempt) -> bool:
    """Whether it failed in a way that, twice, is no chance: of two faults that struck it, one may hide the other."""
    once = {expected.once for expected in attempt.expect if expected.errors}
    return once == {True} and not _is_complete(attempt)


def _is_complete(attempt: Attempt) -> bool:
    delivery = attempt.delivery.loose or attempt.delivery
    return attempt.turn is not None and delivery.terminal and not delivery.fatal_first
