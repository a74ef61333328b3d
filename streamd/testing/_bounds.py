"""How much of a reply must have been taken in, and how much can have been, where it is not known when it ended."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from streamd.providers import Stop, Text, Usage

from ._delivery import Delivery
from ._observation import Observation
from ._trace import Attempt

__all__ = ["counts", "is_closed", "is_open", "told_of_last"]

Count = tuple[int, int]
"""Tokens of the input, and of the output."""


def told_of_last(observed: Observation, attempts: Sequence[Attempt]) -> str:
    """What the application told of the last attempt's turn, as far as that is known: all of it was taken in.

    Nothing is known where it does not tell text as it comes, or where an attempt before had told something, too.
    """
    last = attempts[-1]
    if last.after is None and any(
        each.turn == last.turn and each.delivery.produced for each in attempts[:-1]
    ):
        return ""
    turns = {each.turn: each.delivery.text for each in attempts[:-1] if each.turn not in (None, last.turn)}
    before = "".join(turns.values())
    return observed.text[len(before) :] if observed.streams and observed.text.startswith(before) else ""


def counts(attempts: Sequence[Attempt], told: str) -> set[Count]:
    """What can have been counted over all turns, where this much text of the last one was taken in."""
    turns = {each.turn: each for each in attempts if each.turn is not None}
    possible = [_counted(each, told if each is attempts[-1] else None) for each in turns.values()]
    sums = (sum(each, Usage()) for each in itertools.product(*possible))
    return {(usage.input_tokens, usage.output_tokens) for usage in sums}


def _counted(attempt: Attempt, told: str | None) -> list[Usage]:
    """What can have been counted of one turn: of one that came to its end, where nothing is given, all before that."""
    delivery = attempt.delivery.loose or attempt.delivery
    if not is_open(attempt):
        return [attempt.delivery.usage or Usage(), delivery.usage or Usage()]
    found = [Usage()]
    size, ended = 0, False
    for chunk in delivery.gives:
        match chunk:
            case Text(text):
                size += len(text)
            case Stop():
                ended = True
            case Usage():
                optional = ended if told is None else size >= len(told)
                found = [*found, chunk] if optional else [chunk]
            case _:
                pass
    return found


def is_open(attempt: Attempt) -> bool:
    """Whether it is not known how much of the attempt was taken in."""
    return any(expected.either or expected.refusable for expected in attempt.expect)


def is_closed(delivery: Delivery, told: str) -> bool:
    """Whether the turn can have been complete: what failed then was a tool, or something else after it."""
    return delivery.terminal and not delivery.fatal_first and bool(delivery.calls or told == delivery.text)
