"""Whether a scenario can be played: what a judge would take for an application's mistake is refused before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import get_args

import msgspec

from streamd.errors import ConfigError
from streamd.providers import StopReason

from ._scenario import Scenario
from ._turn import CallPart, Turn

__all__ = ["check_scenario"]

_LATELY = 8
_checked: list[Scenario] = []
"""Scenarios in which nothing was wrong: an exploration plays one of them some thousand times."""

_RUNTIME = ("max_rounds", "cancelled", "incomplete")
_REASONS = tuple(reason for reason in get_args(StopReason) if reason not in _RUNTIME)


def check_scenario(given: object) -> None:
    """See that a scenario can be rendered, and that what comes of it is what it says.

    Raises:
        ConfigError: It cannot; the message says where.
    """
    if not isinstance(given, Scenario):
        raise ConfigError(
            f"{given!r:.80} is no scenario: build one as Scenario().text('Hi'), or take one of NAMED"
        )
    if any(each is given for each in _checked):
        return
    if not given.turns:
        raise ConfigError("the scenario has no turn")
    for number, turn in enumerate(given.turns, 1):
        for problem in _problems(turn):
            raise ConfigError(f"the scenario cannot be played: in turn {number} {problem}")
    _checked[:] = [*_checked[1 - _LATELY :], given]


def _problems(turn: Turn) -> Iterator[str]:
    if turn.reason is not None and turn.reason not in _REASONS:
        yield f"the reason for the end is {turn.reason!r}; a provider's are {', '.join(_REASONS)}"
    if min(turn.usage.input_tokens, turn.usage.output_tokens) < 0:
        yield "fewer than no tokens are counted"
    try:
        msgspec.json.encode(turn.parts)
    except (TypeError, ValueError) as error:
        yield f"something is not JSON: {error}"
    ids = Counter(call.id for call in turn.calls)
    for call in turn.calls:
        yield from _problems_of(call)
        if ids[call.id] > 1:
            yield f"two calls have the id {call.id!r}"


def _problems_of(call: CallPart) -> Iterator[str]:
    if not call.id or not call.name:
        yield "a call has no id, or no name"
    if msgspec.json.decode(msgspec.json.encode(call.arguments)) != call.arguments:
        yield f"the arguments of the call of {call.name!r} are not JSON's: {call.arguments!r:.200}"
