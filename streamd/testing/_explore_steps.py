"""Exploring scheduler steps: the same run again and again, struck at another step each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._fault import At, Fault, FaultLike, plan_of
from ._run import Run
from ._scenario import Scenario
from ._simulate import simulate
from ._world import App

__all__ = ["every_step"]


def every_step(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    cancels: int = 1,
    fault: FaultLike = "rt.cancel",
    stride: int = 1,
    **options: Any,
) -> Iterator[Run]:
    """Cancel an application before every scheduler step that its tasks take.

    The first run has none of it, and tells how many steps there are. All runs have one seed, so that each is the same
    as the first up to the step at which it is struck.

    Args:
        app: What is tested.
        scenario: The conversation, as it would go without faults.
        plan: What goes wrong besides.
        cancels: With 2 there follow, after each run, those that cancel what still runs a second time, at each step that
            is left then.
        fault: What happens at each step in the first place; it takes the place `step`, as `rt.cancel_session` and
            `rt.actor_crash` do.
        stride: Tries every so many steps only.
        **options: As of `simulate`: `wire`, `seed`, `limit`, `max_steps`.

    Yields:
        The runs, each made when it is asked for.
    """
    faults, (struck,) = plan_of(plan), plan_of((fault,))
    whole = simulate(app, scenario, *faults, **options)
    yield whole
    for step in range(1, whole.observed.steps + 1, stride):
        once = (*faults, _at(struck, step))
        run = simulate(app, scenario, *once, **options)
        yield run
        if cancels > 1:
            for later in range(step + 1, run.observed.steps + 1, stride):
                yield simulate(app, scenario, *once, _at(Fault("rt.cancel"), later), **options)


def _at(fault: Fault, step: int) -> Fault:
    return Fault(fault.name, At("step", step), fault.times, fault.when, fault.value)
