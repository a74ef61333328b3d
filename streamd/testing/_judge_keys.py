"""The judge of the keys by which a gateway knows a request again. It is pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ._observation import Observation
from ._shown import shown
from ._trace import Attempt
from ._verdict import FindingName

__all__ = ["judge_keys"]


def judge_keys(observed: Observation, attempts: Sequence[Attempt]) -> Iterator[tuple[FindingName, str]]:
    """Whether all attempts at a turn carry one key, and no two turns the same, where the application says so.

    What reads a response on is no attempt at a turn: it asks for nothing that could be done twice.
    """
    if not observed.identifies:
        return
    by_turn: dict[int, str] = {}
    for attempt in attempts:
        if attempt.turn is None or attempt.after is not None or attempt.request_key is None:
            continue
        key, known = attempt.request_key, by_turn.setdefault(attempt.turn, attempt.request_key)
        if not key:
            yield "wrong_idempotency_key", f"attempt {attempt.number} carries none"
        elif key != known:
            yield (
                "wrong_idempotency_key",
                f"attempt {attempt.number} carries {shown(key)}, not {shown(known)} as those before it at its turn",
            )
        elif any(key == other for turn, other in by_turn.items() if turn != attempt.turn):
            yield "wrong_idempotency_key", f"attempt {attempt.number} carries {shown(key)}, as another turn's"
