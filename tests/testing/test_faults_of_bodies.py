"""The faults of framing, JSON, the provider's words and the calls: survived on every wire that can have them."""

import pytest

from streamd.testing import FaultKind
from tests.support.sweeps import cases, changes, decoded, label, simulated

CASES = [case for layer in ("sse", "json", "prov", "tool") for case in cases(layer)]


@pytest.mark.parametrize(("kind", "wire"), CASES, ids=label)
def test_the_decoder_survives(kind: FaultKind, wire: str) -> None:
    """At all places and with all values, in every scenario: what was to be given was, and the rest was refused."""
    for run in decoded(kind, wire):
        assert run.verdict.findings == ()


@pytest.mark.parametrize(("kind", "wire"), CASES, ids=label)
def test_streamd_survives(kind: FaultKind, wire: str) -> None:
    """Whole sessions with a tool, where the fault strikes once, and where it strikes every time."""
    for run in simulated(kind, wire):
        assert run.verdict.findings == ()


@pytest.mark.parametrize(("kind", "wire"), CASES, ids=label)
def test_the_fault_strikes(kind: FaultKind, wire: str) -> None:
    """It changes an answer, or what the application's own code does, on each wire on which it is said to happen."""
    assert kind.phase == "tool" or kind.name == "sse.lf" or changes(kind, wire)
