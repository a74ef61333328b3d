"""The Hypothesis strategies: what they give can be played, and covers the catalogue."""

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamd.errors import ConfigError
from streamd.testing import (
    CATALOGUE,
    WIRES,
    Fault,
    Plan,
    Scenario,
    decode,
    plan_of,
    render,
    simulate,
    streamd_app,
)
from streamd.testing._servable import check_servable
from streamd.testing.strategies import faults, plans, scenarios

QUICK = settings(
    deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)


@QUICK
@given(scenarios(), st.sampled_from(sorted(WIRES)))
def test_a_scenario_goes_well_in_any_wire(scenario: Scenario, wire: str) -> None:
    """Where nothing goes wrong, nothing is found, whatever is said and called."""
    run = simulate(streamd_app, scenario, wire=wire)
    run.verdict.raise_if_found()
    assert [attempt.turn for attempt in run.trace.attempts] == [*range(1, len(scenario.turns) + 1)]


@QUICK
@given(scenarios(max_turns=2), plans("net.*", "h1.*", "http.*"), st.integers(0, 1000))
def test_a_plan_can_be_simulated(scenario: Scenario, plan: Plan, seed: int) -> None:
    """The same arguments give the same run, which ends."""
    run = simulate(streamd_app, scenario, *plan, seed=seed)
    assert run.trace.json() == simulate(streamd_app, scenario, *plan, seed=seed).trace.json()
    assert not run.observed.hung


@QUICK
@given(scenarios(), faults("net.*", "sse.*", "prov.*"), st.integers(0, 1000))
def test_streamd_survives_a_fault_anywhere(scenario: Scenario, fault: Fault, seed: int) -> None:
    """One fault of any of three layers, at any byte, in any conversation, is no finding."""
    simulate(streamd_app, scenario, fault, seed=seed).verdict.raise_if_found()


@QUICK
@given(faults())
def test_a_fault_is_written_and_read_back(fault: Fault) -> None:
    """Every fault that is drawn is one of the catalogue's, and its text is the same fault."""
    assert fault.name in CATALOGUE
    assert Fault.parse(str(fault)) == fault


@QUICK
@given(plans(served=True, max_size=2))
def test_a_plan_that_is_to_be_served_can_be(plan: Plan) -> None:
    """None of its faults makes sense only in a simulation."""
    check_servable(plan, WIRES["openai-chat"], foreign=True)


@QUICK
@given(scenarios(tools=False, thinking=False))
def test_a_scenario_without_tools_is_one_turn_of_text(scenario: Scenario) -> None:
    """Then there is nothing but text in it."""
    (turn,) = scenario.turns
    assert turn.calls == ()
    assert "".join(turn.parts[0].pieces) == turn.text != ""
    assert render(turn, WIRES["openai-chat"]).status == 200
    assert decode(scenario).verdict.ok


def test_what_cannot_be_drawn_is_told() -> None:
    """A pattern that no fault has, and a wire that there is not."""
    with pytest.raises(ConfigError, match=r"nte\.\*"):
        faults("nte.*")
    with pytest.raises(ConfigError, match="telex"):
        plans(wire="telex")
    assert plan_of(()) == ()


def test_the_harness_does_not_import_hypothesis() -> None:
    """Only the module of the strategies does."""
    code = "import sys, streamd.testing; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
