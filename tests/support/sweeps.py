"""Sweeping a layer's rows over every wire: through the decoder alone, and through streamd in virtual time."""

from collections.abc import Iterator
from itertools import product

from streamd.testing import (
    HELLO,
    ONE_TOOL,
    THINKING,
    TWO_TOOLS,
    WIRES,
    FaultKind,
    Run,
    decode,
    render,
    simulate,
    streamd_app,
)

from .faults import rows, variants

SCENARIOS = (HELLO, THINKING, ONE_TOOL, TWO_TOOLS)


def cases(layer: str) -> list[tuple[FaultKind, str]]:
    """Every row of a layer with every wire on which it can happen."""
    return [(kind, wire) for kind, wire in product(rows(layer), WIRES) if kind.on(wire)]


def label(value: object) -> str:
    """What a case is called in a test's name."""
    return value.name if isinstance(value, FaultKind) else str(value)


def decoded(kind: FaultKind, wire: str, seeds: int = 2) -> Iterator[Run]:
    """Every variant of a fault of the body in every scenario, through the wire's decoder alone."""
    if kind.phase != "body":
        return
    if is_large(kind):
        yield decode(ONE_TOOL, variants(kind)[-1], wire=wire)
        return
    for fault, scenario, seed in product(variants(kind), SCENARIOS, range(seeds)):
        yield decode(scenario, fault, wire=wire, seed=seed)


def simulated(kind: FaultKind, wire: str) -> Iterator[Run]:
    """The first variants of a fault, through streamd; struck once, and the last one always."""
    if is_large(kind):
        yield simulate(streamd_app, ONE_TOOL, variants(kind)[-1], wire=wire)
        return
    for number, fault in enumerate(variants(kind)[:8]):
        yield simulate(streamd_app, ONE_TOOL, fault, wire=wire, seed=number)
    yield simulate(streamd_app, ONE_TOOL, f"{variants(kind)[-1]} x*", wire=wire)


def is_large(kind: FaultKind) -> bool:
    """Whether it sends megabytes: once is enough, as nothing of it is drawn from the seed."""
    return any(part in kind.name for part in ("endless", "flood", "million", "long_string"))


def changes(kind: FaultKind, wire: str) -> bool:
    """Whether the fault makes another answer of some scenario's first one."""
    for fault, scenario in product(variants(kind), SCENARIOS):
        run = decode(scenario, fault, wire=wire)
        if run.trace.attempts[0].reply != render(scenario.turns[0], WIRES[wire]):
            return True
    return False
