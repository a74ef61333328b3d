"""One place for the scheduler's seed."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import trio._core._run

__all__ = ["seeded"]


@contextmanager
def seeded(seed: int, scheduler: int | None = None) -> Generator[None, None, None]:
    """Make every choice of trio's scheduler, and of the module `random`, follow from a seed in this block.

    trio shuffles the tasks that can run; in which order is drawn from a generator of its own. Both names below are
    private to trio, and there is no public way; Hypothesis' support in trio sets the same two. Before and after the
    block everything is as it was.

    Args:
        seed: Any whole number.
        scheduler: Another one, for the scheduler alone.
    """
    # Any, because the module declares the flag a constant and exports neither name.
    run: Any = trio._core._run
    before = random.getstate(), run._r.getstate(), run._ALLOW_DETERMINISTIC_SCHEDULING
    random.seed(seed)
    run._r.seed(seed if scheduler is None else scheduler)
    run._ALLOW_DETERMINISTIC_SCHEDULING = True
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING = before[2]
        run._r.setstate(before[1])
        random.setstate(before[0])
