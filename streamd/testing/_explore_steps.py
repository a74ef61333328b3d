"""Exploring scheduler steps: the same run again and again, struck at another step each time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from ._case import Case, Limits
from ._fault import At, Fault, FaultLike, plan_of
from ._run import Run
from ._scenario import Scenario
from ._world import App

__all__ = ["every_step"]


def every_step(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    wire: str = "openai-chat",
    seed: int = 0,
    cancels: int = 1,
    fault: FaultLike = "rt.cancel",
    stride: int = 1,
    **limits: Unpack[Limits],
) -> Iterator[Run]:
    """Cancel an application before every scheduler step that its tasks take.

    The first run has none of it, and tells how many steps there are. All runs have one seed, so that each is the same
    as the first up to the step at which it is struck.

    Args:
        app: What is tested.
        scenario: The conversation, as it would go without faults.
        plan: What goes wrong besides, in each run.
        wire: How the server speaks.
        seed: As in `simulate`.
        cancels: With 2 there follow, after each run, those that cancel what still runs a second time, at each step that
            is left then.
        fault: What happens at each step in the first place; it takes the place `step`, as `rt.cancel_session` and
            `rt.actor_crash` do.
        stride: Tries every so many steps only.
        **limits: As in `simulate`.

    Raises:
        ConfigError: There is no such wire or fault, or the fault cannot strike at a step.
    """
    faults, (first,) = plan_of(plan), plan_of((fault,))
    whole = Case(scenario, faults, wire, seed).play(app, limits)
    yield whole
    for step in range(1, whole.observed.steps + 1, stride):
        once = (*faults, _at(first, step))
        run = Case(scenario, once, wire, seed).play(app, limits)
        yield run
        if cancels > 1:
            for later in range(step + 1, run.observed.steps + 1, stride):
                twice = (*once, Fault("rt.cancel", At("step", later)))
                yield Case(scenario, twice, wire, seed).play(app, limits)


def _at(fault: Fault, step: int) -> Fault:
    return Fault(fault.name, At("step", step), fault.times, fault.when, fault.value)
