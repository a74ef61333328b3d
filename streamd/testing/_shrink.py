"""From a run that fails to the smallest that fails alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from msgspec.structs import replace

from ._case import Case, Limits
from ._fault import At, Fault, Plan
from ._run import Run
from ._verdict import FindingName
from ._world import App

__all__ = ["shrink", "shrunk"]

_SEEDS = 4
"""The smallest seeds, which are tried in place of a larger one."""


def shrink(
    app: App, run: Run, *, name: FindingName | None = None, tries: int = 300, **limits: Unpack[Limits]
) -> Run:
    """Find a smaller run in which the same is wrong: with fewer faults, in smaller places, once, with a smaller seed.

    Nothing is random in it: the same run gives the same smallest one. A run in which nothing is wrong is given back.

    Args:
        app: What was tested.
        run: A run by `simulate` or by an exploration.
        name: The finding that the smaller run has to have; the run's first if None.
        tries: After how many further runs it stops looking.
        limits: As in `simulate`: those of the run.
    """
    case = Case(run.scenario, run.plan, run.wire, run.seed)
    return shrunk(app, case, run, name=name, tries=tries, limits=limits)[1]


def shrunk(
    app: App,
    case: Case,
    run: Run | None = None,
    *,
    name: FindingName | None = None,
    tries: int = 300,
    limits: Limits | None = None,
) -> tuple[Case, Run]:
    """The same, of a case in any world: the smallest case, and its run."""
    best = run or case.play(app, limits)
    if best.verdict.ok:
        return case, best
    wanted = name or best.verdict.findings[0].name
    tried = {_key(case)}
    again = True
    while again:
        again = False
        for smaller in _smaller(case):
            if len(tried) > tries:
                return case, best
            if _key(smaller) in tried:
                continue
            tried.add(_key(smaller))
            other = smaller.play(app, limits)
            if any(finding.name == wanted for finding in other.verdict.findings):
                case, best, again = smaller, other, True
                break
    return case, best


def _key(case: Case) -> tuple[str, int]:
    return " + ".join(map(str, case.plan)), case.seed


def _smaller(case: Case) -> Iterator[Case]:
    """What is tried next, the greatest steps first."""
    for plan in _plans(case.plan):
        yield replace(case, plan=plan)
    for seed in range(min(case.seed, _SEEDS)):
        yield replace(case, seed=seed)


def _plans(plan: Plan) -> Iterator[Plan]:
    for place in range(len(plan)):
        yield plan[:place] + plan[place + 1 :]
    for place, fault in enumerate(plan):
        for simpler in _simpler(fault):
            yield (*plan[:place], simpler, *plan[place + 1 :])


def _simpler(fault: Fault) -> Iterator[Fault]:
    if fault.value is not None:
        yield replace(fault, value=None)
    if fault.when is not None:
        yield replace(fault, when=None)
    if fault.times != 1:
        yield replace(fault, times=1)
    if fault.at is not None:
        yield replace(fault, at=None)
        for place in _nearer(fault.at):
            yield replace(fault, at=place)


def _nearer(at: At) -> Iterator[At]:
    """Smaller places: zero, then what takes half the way to it, a quarter, and so on, down to one less."""
    match at.place:
        case int(place) if place > 0:
            step = place
            while step:
                yield At(at.unit, place - step)
                step //= 2
        case int(place) if place < -1:
            yield At(at.unit, -1)
            yield At(at.unit, place + 1)
        case float(place) if place > 0:
            yield At(at.unit, 0)
        case _:
            pass
