"""Stages: what is done to the application itself, and how a kind of fault is added."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from streamd.testing import (
    CATALOGUE,
    HELLO,
    ONE_TOOL,
    TWO_TOOLS,
    Expect,
    FaultKind,
    Run,
    Stage,
    simulate,
    streamd_app,
)

Play = Callable[..., Run]


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Run streamd on a stage, by a kind of fault that is added to the catalogue for it."""

    def play(scenario: Any = ONE_TOOL, *plan: str, **changes: Any) -> Run:
        kind = FaultKind(
            name="rt.staged",
            summary="The stage is another.",
            phase="runtime",
            retry="-",
            expect=lambda _delivery, _strike: Expect(),
            stage=lambda stage, _strike: replace(stage, **changes),
        )
        monkeypatch.setitem(CATALOGUE, kind.name, kind)
        return simulate(streamd_app, scenario, kind.name, *plan, seed=1)

    return play


@pytest.mark.parametrize("again", [0, 1, 5])
def test_cancelling_at_every_step_leaves_nothing(staged: Play, again: int) -> None:
    """Once and twice, at each scheduler step of a session with a tool: no task, no socket, no secret, no second run."""
    steps = simulate(streamd_app, ONE_TOOL, seed=1).observed.steps
    assert steps > 30
    for step in range(1, steps + 1):
        run = staged(ONE_TOOL, cancel_at=(step, step + again) if again else (step,))
        assert run.verdict.findings == ()
        assert run.observed.cancelled or run.observed.finished
        assert "".join(turn.text for turn in ONE_TOOL.turns).startswith(run.observed.text)


def test_a_cancelled_run_is_the_same_again(staged: Play) -> None:
    """Steps are counted the same way every time."""
    runs = [staged(ONE_TOOL, cancel_at=(40,)) for _ in range(2)]
    assert runs[0].trace.json() == runs[1].trace.json()
    assert runs[0].observed.steps == runs[1].observed.steps


def test_cancelling_after_a_while(staged: Play) -> None:
    """In virtual time: a server that is silent for long is left in the midst of it."""
    run = staged(HELLO, "time.stall@event:2", cancel_after=12.5)
    assert run.verdict.ok
    assert (run.observed.took, run.observed.cancelled, run.observed.text) == (12.5, True, "Hel")


@pytest.mark.parametrize("body", ["raises", "hangs", "ignores_cancel", "floods", "unwritable"])
def test_what_a_tool_does_is_no_failure_of_the_session(staged: Play, body: Any) -> None:
    """The model is told, and the conversation goes on; the other tool of the turn has answered."""
    run = staged(TWO_TOOLS, tools=((1, body),))
    assert run.verdict.findings == ()
    assert run.observed.finished
    assert run.observed.text == TWO_TOOLS.turns[1].text


def test_a_tool_that_ends_the_program_ends_it(staged: Play) -> None:
    """What is no `Exception` is no result: it leaves the session, and nothing is left behind."""
    run = staged(ONE_TOOL, tools=((1, "exits"),))
    assert isinstance(run.observed.error, SystemExit)
    assert not [finding for finding in run.verdict.findings if finding.name.startswith("leaked")]


def test_a_slow_consumer_loses_nothing(staged: Play) -> None:
    """A chunk a minute, with timers of a minute: the silence is its own."""
    run = staged(HELLO, pace=61.0)
    assert run.verdict.ok
    assert run.observed.text == HELLO.turns[0].text
    assert run.observed.took > 200


@pytest.mark.parametrize("reading", ["leaves", "raises"])
def test_a_consumer_that_goes_leaves_nothing(staged: Play, reading: Any) -> None:
    """After each number of chunks."""
    for count in range(1, 8):
        run = staged(ONE_TOOL, reading=reading, reading_from=count)
        assert run.verdict.findings == ()


def test_a_consumer_that_stops_reading_hangs_by_itself(staged: Play) -> None:
    """It is the application that waits for nothing."""
    run = staged(HELLO, reading="stops", reading_from=2)
    assert {finding.name for finding in run.verdict.findings} == {"hung"}


def test_a_stage_says_whether_the_application_may_end() -> None:
    """By itself, or is cut short."""
    assert not Stage().cuts_short
    assert Stage(cancel_at=(1,)).cuts_short
    assert Stage(cancel_after=1.0).cuts_short
    assert Stage(reading="leaves").cuts_short
    assert not Stage(reading="stops", cancel_after=math.inf).cuts_short
    assert (Stage(tools=((2, "raises"),)).tool(2), Stage().tool(2)) == ("raises", "answers")
