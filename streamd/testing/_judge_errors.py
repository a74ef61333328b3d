"""The judge of what an error of streamd's own tells. It is pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamd.errors import ActorCrashed, ConnectFailed, ConnectionLost
from streamd.providers import StreamdError, Usage

from ._observation import Observation
from ._trace import Attempt
from ._verdict import FindingName

__all__ = ["judge_told"]


def judge_told(observed: Observation, attempts: Sequence[Attempt]) -> Iterator[tuple[FindingName, str]]:
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
    if not error.attempt or isinstance(error, ActorCrashed):
        return
    delivery = last.delivery
    if any(expected.either or expected.refusable for expected in last.expect):
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
    if (told.input_tokens, told.output_tokens) != (came.input_tokens, came.output_tokens):
        yield (
            "wrong_usage",
            f"its {name} counts {told.input_tokens} and {told.output_tokens} tokens (`usage`), "
            f"where {came.input_tokens} and {came.output_tokens} came",
        )
