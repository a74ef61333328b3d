"""Cancelling at every scheduler step: once, twice, by the session's own end; and crashing there."""

from pathlib import Path
from typing import Any

import pytest
import trio

from streamd import open_session
from streamd.testing import (
    HELLO,
    NAMED,
    ONE_TOOL,
    TWO_TOOLS,
    WIRES,
    App,
    Run,
    Scenario,
    World,
    every_step,
    simulate,
    streamd_app,
)

ALL_WIRES = ("openai-chat", "anthropic-messages", "gemini")
TROUBLES: list[tuple[str, ...]] = [
    ("http.status=503",),
    ("net.reset@event:1",),
    ("net.refuse",),
    ("time.stall@event:2",),
    ("net.slow_close",),
    ("use.slow=1",),
    ("rt.sibling_crash=2",),
    ("rt.shutdown_with_n_live=2",),
    ("rt.pool_exhausted=wait",),
    ("use.two_consumers",),
]


def told(run: Run) -> str:
    """All the text of a run's scenario."""
    return "".join(turn.text for turn in run.scenario.turns)


@pytest.mark.parametrize("wire", ALL_WIRES)
@pytest.mark.parametrize("name", NAMED)
def test_a_cancellation_leaves_nothing(name: str, wire: str) -> None:
    """At each step of every conversation: no task, no socket, no tool twice; what was told is how the answer begins."""
    runs = list(every_step(streamd_app, NAMED[name], wire=wire))
    assert len(runs) == runs[0].observed.steps + 1 > 30
    for run in runs:
        assert run.verdict.findings == ()
        assert run.observed.cancelled or run.observed.finished
        assert told(run).startswith(run.observed.text)
    assert sum(run.observed.cancelled for run in runs) > len(runs) // 2


@pytest.mark.parametrize("trouble", TROUBLES, ids="+".join)
def test_a_cancellation_in_trouble_leaves_nothing(trouble: tuple[str, ...]) -> None:
    """At each step of a conversation in which something else goes wrong."""
    for run in every_step(streamd_app, ONE_TOOL, *trouble):
        assert run.verdict.findings == ()


@pytest.mark.parametrize(("name", "wire"), [("hello", "openai-chat"), ("one_tool", "anthropic-messages")])
def test_a_second_cancellation_leaves_nothing(name: str, wire: str) -> None:
    """Once more at each step that is left after the first: while things are closed, and awaited."""
    runs = list(every_step(streamd_app, NAMED[name], wire=wire, cancels=2, stride=2))
    assert len(runs) > 100
    assert [run for run in runs if run.verdict.findings] == []


@pytest.mark.parametrize("fault", ["rt.cancel_session", "rt.actor_crash"])
@pytest.mark.parametrize("wire", ALL_WIRES)
def test_whatever_strikes_at_a_step_leaves_nothing(fault: str, wire: str) -> None:
    """The session is ended, or one of its actors crashes, before each step; and the application is cancelled then."""
    for run in every_step(streamd_app, TWO_TOOLS, wire=wire, fault=fault):
        assert run.verdict.findings == ()
        assert run.observed.finished or run.observed.error is not None
    for run in every_step(streamd_app, TWO_TOOLS, wire=wire, fault=fault, cancels=2, stride=5):
        assert run.verdict.findings == ()


def test_every_wire_is_cancelled_alike() -> None:
    """A tool call and its answer on each wire, at every third step."""
    for wire in WIRES:
        for run in every_step(streamd_app, ONE_TOOL, wire=wire, stride=3):
            assert run.verdict.findings == ()


def test_the_order_of_tasks_does_not_matter() -> None:
    """The same with the scheduler's choices made otherwise."""
    for shuffle in range(1, 6):
        for run in every_step(streamd_app, TWO_TOOLS, f"rt.scheduler_shuffle={shuffle}", stride=3):
            assert run.verdict.findings == ()


def test_the_steps_are_the_same_again() -> None:
    """Exploring again gives the same runs, byte by byte."""
    first, second = (
        [run.trace.json() for run in every_step(streamd_app, HELLO, seed=4, stride=4)] for _ in range(2)
    )
    assert first == second


def test_a_client_can_be_used_after_any_cancellation() -> None:
    """A session is cancelled at each step; the next one with the same client gets its answer."""

    async def app(world: World) -> None:
        with trio.CancelScope() as scope:
            world.ends_with(scope.cancel)
            async with open_session(world.model, world.prompt, client=world.client) as session:
                async for _ in session:
                    pass
        if scope.cancel_called:
            await streamd_app(world)

    whole, *struck = every_step(app, HELLO, fault="rt.cancel_session")
    assert len(struck) > 30
    for run in struck[:-1]:
        assert run.observed.text == told(run)
        assert run.observed.reason == "stop"
        assert run.verdict.findings == ()
    assert whole.observed.text == ""


async def stubborn(world: World) -> None:
    """An application that does not let itself be cancelled while it cleans up, for half a day."""
    try:
        await streamd_app(world)
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(50_000)


async def forgetful(world: World) -> None:
    """An application that leaves its connection open where it is cancelled."""
    request = world.client.build_request("POST", world.url, json={"messages": []})
    response = await world.client.send(request, stream=True)
    await trio.sleep(1)
    await response.aclose()


@pytest.mark.parametrize(("app", "finding"), [(stubborn, "hung"), (forgetful, "leaked_socket")])
def test_what_an_application_gets_wrong_is_found(app: App, finding: str) -> None:
    """Applications that are right as long as nobody cancels them, or not even then, are found out."""
    found = {each.name for run in every_step(app, HELLO, limit=60.0) for each in run.verdict.findings}
    assert finding in found


def test_a_finding_shows_the_step() -> None:
    """The line that reproduces it names the step, and does."""
    run = next(run for run in every_step(stubborn, HELLO, limit=60.0) if run.observed.hung and run.plan)
    assert f"'{run.plan[0]}'" in run.verdict.findings[0].repro
    again = simulate(stubborn, HELLO, *run.plan, limit=60.0)
    assert again.trace.json() == run.trace.json()


def test_a_recording_is_cancelled_at_every_step(tmp_path: Path) -> None:
    """A conversation as it was recorded is explored as any other."""
    file = tmp_path / "session.json"

    async def app(world: World) -> None:
        options: dict[str, Any] = {"client": world.client, "tools": world.tools, "record": file}
        async with open_session(world.model, world.prompt, **options) as session:
            world.said("")
            await session.response()
        world.finished("cancelled")

    simulate(app, ONE_TOOL)
    scenario = Scenario.from_recording(file)
    for run in every_step(streamd_app, scenario):
        assert run.verdict.findings == ()
