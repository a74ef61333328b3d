"""Sweeping rows of the catalogue of faults over streamd itself."""

from collections.abc import Iterator
from itertools import product

from streamd.testing import CATALOGUE, ONE_TOOL, App, FaultKind, Run, Scenario, simulate, streamd_app

WIRES = ("openai-chat", "anthropic-messages")


def rows(layer: str) -> list[FaultKind]:
    """The rows of a layer."""
    return [kind for kind in CATALOGUE.values() if kind.layer == layer]


def variants(kind: FaultKind) -> list[str]:
    """A fault at each of its places, with each of its values, and without either."""
    values = ("", *(f"={value}" for value in kind.values))
    places = ("", *(f"@{place}" for place in kind.sweep))
    return [f"{kind.name}{value}{place}" for value, place in product(values, places)]


def runs(
    kind: FaultKind, seeds: int = 2, scenario: Scenario = ONE_TOOL, app: App = streamd_app
) -> Iterator[Run]:
    """Every variant of a fault, struck once and always, on two wires, with so many seeds."""
    for fault, times, wire, seed in product(variants(kind), ("", " x*"), WIRES, range(seeds)):
        if kind.on(wire):
            yield simulate(app, scenario, fault + times, wire=wire, seed=seed)


def check(run: Run, kind: FaultKind) -> None:
    """There is no finding, and where nothing was given away and another attempt may succeed there was one."""
    assert run.verdict.findings == ()
    first = next((each for each in run.trace.attempts if each.faults), None)
    if first is None:
        return
    complete = first.delivery.terminal and not first.delivery.fatal_first
    final = any(expected.final for expected in first.expect)
    where = [each for each in run.trace.attempts if each.turn in (first.turn, None)]
    if final or (first.delivery.produced and not complete):
        assert where[-1] is first, run.trace.text
    elif run.plan[0].times == 1 and kind.retry in ("R0", "R1", "R3", "R4"):
        assert run.observed.finished, run.trace.text
