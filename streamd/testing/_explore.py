"""Exploration: many runs of one application, each made when it is asked for.

So `for run in every_byte(my_app, ONE_TOOL): run.verdict.raise_if_found()` ends at the first that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Unpack

from ._case import Case, Limits
from ._cases import CUTS, byte_cases, drawn_cases, pair_cases, sweep_cases
from ._catalogue import kind_named
from ._fault import FaultLike, plan_of
from ._render import WIRES
from ._run import Run
from ._scenario import NAMED, ONE_TOOL, Scenario
from ._world import App

__all__ = ["every_byte", "every_fault", "pairs", "seeds", "sweep"]


def every_byte(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    wire: str = "openai-chat",
    seed: int = 0,
    faults: Iterable[FaultLike] = CUTS,
    **limits: Unpack[Limits],
) -> Iterator[Run]:
    """Strike before every byte of every turn's body, and after its last, whenever the turn is asked for.

    The runs of one fault in one turn follow each other by their places: `less_for_more` compares neighbours.

    Args:
        app: What is tested.
        scenario: The conversation.
        plan: What goes wrong besides, in each run.
        wire: How the server speaks.
        seed: As in `simulate`.
        faults: What strikes: a FIN, a reset, and the end of a network read if not given.
        limits: As in `simulate`.

    Raises:
        ConfigError: There is no such wire or fault, or one of the faults cannot strike at a byte.
    """
    for case in byte_cases(Case(scenario, plan_of(plan), wire, seed), faults):
        yield case.play(app, limits)


def pairs(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    wire: str = "openai-chat",
    seed: int = 0,
    faults: Iterable[FaultLike] = (),
    **limits: Unpack[Limits],
) -> Iterator[Run]:
    """Strike with two faults at once: with each pair of `faults`, or of forty from all layers if there are none.

    Args:
        app: What is tested.
        scenario: The conversation.
        plan: What goes wrong besides, in each run.
        wire: How the server speaks; pairs that cannot happen on it are left out.
        seed: As in `simulate`.
        faults: The faults that are paired.
        limits: As in `simulate`.

    Raises:
        ConfigError: There is no such wire or fault, or a fault cannot strike where it says.
    """
    for case in pair_cases(Case(scenario, plan_of(plan), wire), faults, (seed,)):
        yield case.play(app, limits)


def seeds(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    n: int = 20,
    wire: str = "openai-chat",
    seed: int = 0,
    **limits: Unpack[Limits],
) -> Iterator[Run]:
    """Run the same with `n` seeds, from `seed` on: in other orders of tasks, with other choices of what is left open.

    Raises:
        ConfigError: There is no such wire or fault, or a fault cannot strike where it says.
    """
    faults = plan_of(plan)
    for each in range(seed, seed + n):
        yield Case(scenario, faults, wire, each).play(app, limits)


def sweep(
    app: App,
    scenario: Scenario = ONE_TOOL,
    *plan: FaultLike,
    names: Iterable[str] | None = None,
    wires: Sequence[str] = ("openai-chat",),
    n: int = 1,
    seed: int = 0,
    **limits: Unpack[Limits],
) -> Iterator[Run]:
    """Strike with every fault of the catalogue, at each of its places, with each of its values, wire by wire.

    Args:
        app: What is tested.
        scenario: The conversation.
        plan: What goes wrong besides, in each run.
        names: The faults, by their names in the catalogue; all if None.
        wires: How the server speaks. A fault that cannot happen on a wire is left out there.
        n: How many seeds each of them is run with.
        seed: The first of them.
        limits: As in `simulate`.

    Raises:
        ConfigError: There is no such wire or fault.
    """
    kinds = None if names is None else [kind_named(name) for name in names]
    case = Case(scenario, plan_of(plan))
    for each in sweep_cases(case, wires, range(seed, seed + n), kinds):
        yield each.play(app, limits)


def every_fault(
    app: App,
    *plan: FaultLike,
    n: int = 20,
    seed: int = 0,
    scenarios: Mapping[str, Scenario] = NAMED,
    wires: Sequence[str] = tuple(WIRES),
    **limits: Unpack[Limits],
) -> Iterator[Run]:
    """Strike `n` times with every fault of the catalogue, each time on a wire and a scenario that the seed chooses.

    Its places and values take turns. Where `sweep` is the whole product, this is as much of it as there is time for.

    Args:
        app: What is tested.
        plan: What goes wrong besides, in each run.
        n: How many seeds each fault is run with.
        seed: The first of them.
        scenarios: The conversations that are chosen from, by name.
        wires: The wires that are chosen from.
        limits: As in `simulate`.
    """
    drawn = drawn_cases(range(seed, seed + n), plan=plan_of(plan), scenarios=scenarios, wires=wires)
    for case in drawn:
        yield case.play(app, limits)
