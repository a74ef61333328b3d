"""The judge of what an error of streamd's own tells. It is pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamd.errors import ActorCrashed, ConnectFailed, ConnectionLost
from streamd.providers import StreamdError, Usage

from ._bounds import counts, is_closed, is_open, told_of_last
from ._observation import Observation
from ._shown import shown
from ._trace import Attempt
from ._verdict import FindingName

__all__ = ["judge_told"]


Found = Iterator[tuple[FindingName, str]]


def judge_told(observed: Observation, attempts: Sequence[Attempt]) -> Found:
    """Whether an error that ended a session has its cause, what came of the turn, and what all turns counted.

    Args:
        observed: What the application did.
        attempts: What was asked; the last one failed.
    """
    error, last = observed.error, attempts[-1]
    if not isinstance(error, StreamdError):
        return
    name = type(error).__name__
    broken = isinstance(error, ConnectionLost) and last.reply.cut is not None and last.reply.cut.how == "rst"
    if (broken or isinstance(error, ConnectFailed | ActorCrashed)) and error.__cause__ is None:
        yield "untyped_error", f"its {name} does not say what caused it (`__cause__`)"
    if not error.attempt:
        return
    delivery = last.delivery
    if is_open(last):
        if last.turn is not None:
            yield from _told_in_bounds(observed, attempts, error)
        return
    partial = None if error.partial is None else error.partial.text
    came_so_far = {delivery.text, (delivery.loose or delivery).text}
    if last.turn is None and last.broke:
        # No connection was to be had for the rest of a response: what came of that is what there is.
        came_so_far |= {
            attempt.delivery.text for attempt in attempts if attempt.turn is not None and attempt.kept
        }
    if partial not in came_so_far:
        yield "lost_text", f"its {name} has {partial!r} of the turn (`partial`), where {delivery.text!r} came"
    turns = {
        attempt.turn: attempt.delivery.usage or Usage() for attempt in attempts if attempt.turn is not None
    }
    came, told = sum(turns.values(), Usage()), error.usage or Usage()
    possible = {(came.input_tokens, came.output_tokens)}
    if any(map(is_open, attempts)):
        possible |= counts(attempts, told_of_last(observed, attempts))
    if (told.input_tokens, told.output_tokens) not in possible:
        yield (
            "wrong_usage",
            f"its {name} counts {told.input_tokens} and {told.output_tokens} tokens (`usage`), "
            f"where {came.input_tokens} and {came.output_tokens} came",
        )


def _told_in_bounds(observed: Observation, attempts: Sequence[Attempt], error: StreamdError) -> Found:
    """Whether an error that may come at any time tells no less than was told before it, and no more than came."""
    last, name = attempts[-1].delivery, type(error).__name__
    delivery = last.loose or last
    partial = "" if error.partial is None else error.partial.text
    told = told_of_last(observed, attempts)
    closed = is_closed(delivery, told) and not partial
    if not delivery.text.startswith(partial) or not (closed or partial.startswith(told)):
        yield (
            "lost_text",
            f"its {name} has {shown(partial)} of the turn (`partial`), where {shown(told)} was told, "
            f"and {shown(delivery.text)} came",
        )
    usage = error.usage or Usage()
    counted = usage.input_tokens, usage.output_tokens
    if counted not in (possible := counts(attempts, told)):
        yield (
            "wrong_usage",
            f"its {name} counts {counted[0]} and {counted[1]} tokens (`usage`), where {_listed(possible)} came",
        )


def _listed(counts: set[tuple[int, int]]) -> str:
    return " or ".join(f"{given} and {made}" for given, made in sorted(counts))
