"""The catalogue: every row is complete, and its faults are functions of their arguments."""

import random
from typing import get_args

import pytest

from streamd import errors
from streamd.testing import CATALOGUE, ONE_TOOL, WIRES, At, Expect, Fault, Reply, Strike, delivery_of, render
from streamd.testing._kind import FaultKind, Layer, Phase, RetryRule
from streamd.testing._stage import Stage

ROWS = pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE)


@ROWS
def test_a_row_is_complete(kind: FaultKind) -> None:
    """Its name has a layer, its summary is a sentence, its places and values can be written."""
    assert CATALOGUE[kind.name] is kind
    assert kind.layer in get_args(Layer)
    assert kind.phase in get_args(Phase)
    assert kind.retry in get_args(RetryRule)
    assert kind.summary[0].isupper()
    assert kind.summary.endswith(".")
    assert "\n" not in kind.summary
    assert set(kind.wires) <= set(WIRES)
    for at in kind.sweep:
        assert str(At.parse(at)) == at
    for value in filter(None, kind.values):
        assert Fault.parse(f"{kind.name}={value}").value == value


def struck(kind: FaultKind, wire: str, value: str | None, at: str | None, seed: int) -> tuple[Reply, Expect]:
    """The reply that a fault makes of a good one, and what is expected then."""
    fault = Fault(kind.name, None if at is None else At.parse(at), value=value)

    def strike() -> Strike:
        return Strike(fault, WIRES[wire], random.Random(seed), 1, 1)

    early = kind.phase in ("connect", "request")
    reply = Reply() if early else render(ONE_TOOL.turns[0], WIRES[wire])
    if kind.phase in ("tool", "consumer", "runtime"):
        assert kind.stage(Stage(), strike()) == kind.stage(Stage(), strike())
    else:
        reply = kind.apply(reply, strike())
    return reply, kind.expect(delivery_of(reply), strike())


@ROWS
@pytest.mark.parametrize("wire", WIRES)
def test_a_fault_is_a_function(kind: FaultKind, wire: str) -> None:
    """The same strike makes the same reply; what it expects are errors there are."""
    if not kind.on(wire):
        return
    for value in {None, *(value or None for value in kind.values)}:
        for at in (None, *kind.sweep):
            reply, expected = struck(kind, wire, value, at, 7)
            again, _ = struck(kind, wire, value, at, 7)
            assert reply == again
            for name in expected.errors:
                bare = name.partition("(")[0].partition("/")[0]
                assert issubclass(getattr(errors, bare), errors.StreamdError)
