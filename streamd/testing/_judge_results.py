"""The judge of what the model is told that its tools answered. It is pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ._observation import Observation
from ._results import ResultTold
from ._shown import shown
from ._trace import Attempt
from ._verdict import FindingName

__all__ = ["judge_results"]

Found = Iterator[tuple[FindingName, str]]


def judge_results(observed: Observation, attempts: Sequence[Attempt]) -> Found:
    """Whether every request tells, for each call of the turn before, what its tool answered, or that it failed.

    Of a call that was not run, and of a tool that failed, something must be told, whatever it is.
    """
    for place, attempt in enumerate(attempts):
        if attempt.turn is None or attempt.results is None:
            continue
        calls = _calls_before(attempts[:place], attempt.turn)
        told = [result.id for result in attempt.results]
        for name in calls:
            if name not in told and "" not in told and observed.tools:
                yield "wrong_tool_result", f"attempt {attempt.number} tells no result of the call {name!r}"
        order = [name for name in told if name in calls]
        if observed.in_order and len(set(calls)) == len(calls) == len(order) and order != calls:
            yield (
                "wrong_tool_result",
                f"attempt {attempt.number} tells results in the order {order}, not {calls}",
            )
        for result in attempt.results:
            yield from _content(observed, result)


def _content(observed: Observation, result: ResultTold) -> Found:
    runs = [run for run in observed.tools if run.id == result.id]
    answers = [run.answer for run in runs if run.answer is not None]
    if answers:
        if not any(map(result.tells, answers)):
            said = shown(" ".join(result.texts))
            yield (
                "wrong_tool_result",
                f"the result of the call {result.id!r} is told as {said}, not {shown(answers[-1])}",
            )
    elif result.is_empty:
        why = "failed" if runs else "was not run"
        yield "wrong_tool_result", f"nothing is told of the call {result.id!r}, whose tool {why}"


def _calls_before(attempts: Sequence[Attempt], turn: int) -> list[str]:
    """The ids of the calls of the turn before this one, in their order, as it came to its end."""
    for attempt in reversed(attempts):
        if attempt.turn == turn - 1:
            delivery = attempt.delivery.loose or attempt.delivery
            calls = sorted(delivery.calls, key=lambda call: call.index)
            return [call.id for call in calls if call.id]
    return []
