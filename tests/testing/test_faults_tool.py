"""What the faults of the tools and their calls come to, one by one; `test_faults_of_bodies` has them all."""

import pytest

from streamd.testing import ONE_TOOL, TWO_TOOLS, FaultKind, decode, simulate, streamd_app, streamd_app_with
from tests.support.faults import variants
from tests.support.sweeps import cases, label

CASES = cases("tool")


@pytest.mark.parametrize(("kind", "wire"), CASES, ids=label)
def test_one_bad_call_takes_no_other_with_it(kind: FaultKind, wire: str) -> None:
    """In a turn of two calls that came to its end, every call that is whole is given, and no other."""
    for fault in variants(kind):
        run = decode(TWO_TOOLS, fault, wire=wire)
        if run.observed.finished and kind.phase == "body":
            for attempt in run.trace.attempts:
                calls = [(call.name, call.arguments) for call in attempt.delivery.calls]
                ran = [(each.name, each.arguments) for each in run.observed.tools]
                assert [each for each in calls if each not in ran] == []


@pytest.mark.parametrize(
    "body", ["raises", "raises_group", "unwritable", "mutates", "result_injection", "spawns"]
)
def test_what_a_tool_does_ends_no_session(body: str) -> None:
    """The model is told, and the next turn is asked for; the other call of the turn is run all the same."""
    run = simulate(streamd_app, TWO_TOOLS, f"tool.{body}@tool:1")
    assert run.observed.finished
    assert {each.name for each in run.observed.tools} == {"weather", "clock"}
    assert [attempt.turn for attempt in run.trace.attempts] == [1, 2]


def test_a_tool_that_hangs_ends_when_its_time_is_over() -> None:
    """It alone: the other one answers, and the conversation goes on."""
    run = simulate(streamd_app_with(tool_timeout=30.0), TWO_TOOLS, "tool.hangs@tool:1")
    run.verdict.raise_if_found()
    assert run.observed.finished
    assert 30 <= run.observed.took < 31


def test_an_exception_that_is_none_ends_the_program() -> None:
    """`SystemExit` leaves the application, as it would elsewhere, and is no finding."""
    run = simulate(streamd_app, ONE_TOOL, "tool.exits")
    run.verdict.raise_if_found()
    assert isinstance(run.observed.error, SystemExit)


def test_a_tool_that_answers_too_late_leaves_nothing() -> None:
    """The application was cancelled meanwhile: what comes then is dropped, and no task is left."""
    run = simulate(streamd_app, ONE_TOOL, "tool.late")
    run.verdict.raise_if_found()
    assert run.observed.cancelled
