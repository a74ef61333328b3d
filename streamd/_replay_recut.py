"""Cutting a recorded body anew: the same bytes in other reads."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Literal

from ._arguments import is_whole
from ._recording import Piece
from .errors import ConfigError

__all__ = ["Recut", "check_recut", "cut"]

Recut = int | Literal["whole"] | random.Random | None
"""How many bytes each read has; `"whole"` for one read of the whole body; a seeded generator for reads of any size; or
None for the reads that were recorded."""

LONGEST = 10
"""Drawn reads have at most two to the power of this many bytes, and mostly few: the small cuts find the faults."""


def check_recut(recut: object) -> None:
    """Raise `ConfigError` for what says no way to cut."""
    if not (recut is None or recut == "whole" or is_whole(recut, 1) or isinstance(recut, random.Random)):
        raise ConfigError(
            f"recut is a number of bytes, 'whole', a random.Random or None for the recorded reads, not {recut!r}"
        )


def cut(body: Sequence[Piece], recut: Recut) -> Iterable[tuple[float, bytes]]:
    """The reads of a body with their times: each comes when its last byte came. No read is empty."""
    reads = [(piece.at, raw) for piece in body if (raw := piece.raw)]
    if recut is None or not reads:
        return reads
    ends = list(accumulate(len(raw) for _, raw in reads))
    whole = b"".join(raw for _, raw in reads)
    return _cut(whole, ends, [at for at, _ in reads], recut)


def _cut(
    whole: bytes, ends: Sequence[int], times: Sequence[float], recut: Recut
) -> Iterator[tuple[float, bytes]]:
    start = 0
    while start < len(whole):
        end = min(len(whole), start + _size(recut, len(whole)))
        yield times[bisect_left(ends, end)], whole[start:end]
        start = end


def _size(recut: Recut, whole: int) -> int:
    match recut:
        case int():
            return recut
        case random.Random():
            return recut.randint(1, 2 ** recut.randint(0, LONGEST))
        case _:
            return whole
