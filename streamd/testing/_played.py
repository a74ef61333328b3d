"""Making many runs, in this process or in several: the outcomes come in the order of the cases, either way."""

from __future__ import annotations

import itertools
import multiprocessing
import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor

from ._case import Case, Limits
from ._outcome import Outcome, outcome_of
from ._world import App

__all__ = ["played"]

_BATCH = 32
_AHEAD = 4
"""Batches for each process that are made while one is looked at: what bounds the memory."""


def played(
    cases: Iterable[Case], app: App, *, jobs: int = 1, limits: Limits | None = None
) -> Iterator[Outcome]:
    """Make these runs.

    Args:
        cases: What to run.
        app: What is tested. It can be run in other processes where they can import it by its name.
        jobs: How many processes; in this one if 1, or where the application cannot be sent to another.
        limits: As in `simulate`.
    """
    rest = iter(cases)
    batches = iter(lambda: tuple(itertools.islice(rest, _BATCH)), ())
    if jobs < 2 or not _can_be_sent(app):
        for batch in batches:
            yield from _play(app, batch, limits)
        return
    # Not by fork: what it copies may hold locks of threads that are not there.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        under_way: deque[Future[list[Outcome]]] = deque()
        try:
            for batch in batches:
                under_way.append(pool.submit(_play, app, batch, limits))
                if len(under_way) >= jobs * _AHEAD:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _play(app: App, batch: tuple[Case, ...], limits: Limits | None) -> list[Outcome]:
    return [outcome_of(case.play(app, limits), app, case) for case in batch]


def _can_be_sent(app: App) -> bool:
    try:
        pickle.dumps(app)
    except (AttributeError, TypeError, pickle.PicklingError):
        return False
    return True
