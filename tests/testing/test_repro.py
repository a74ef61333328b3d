"""The line under a finding, pasted: it runs the same again."""

from typing import Any

import pytest
import trio
from hypothesis import given, settings

from streamd.testing import (
    HELLO,
    NAMED,
    ONE_TOOL,
    Scenario,
    World,
    serve,
    serve_in_thread,
    serve_to,
    simulate,
    streamd_app,
)
from streamd.testing._repro import repro_line
from streamd.testing.strategies import scenarios

TRIP = (
    Scenario()
    .ask("Is there a train?")
    .thinking("Ask.", signature="c2lnbmVk")
    .call("trains", {"to": "Voss", "by": None}, pieces=3, result="12:05")
    .usage(40, 20)
    .then()
    .text("At five ", 'past "twelve".')
    .stop("length")
)


def pasted(line: str, **names: Any) -> Any:
    """What a line of Python gives, which has the names of `streamd.testing` and these."""
    known: dict[str, Any] = {"NAMED": NAMED, "Scenario": Scenario, "simulate": simulate, "serve_to": serve_to}
    return eval(line, known | names)


async def sleeps(world: World) -> None:
    """It takes two minutes, and then spins for a while."""
    world.said("")
    await trio.sleep(120)
    for _ in range(5000):
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("options", [{"limit": 60.0}, {"max_steps": 1000}, {"limit": 60.0, "max_steps": 100}])
def test_the_limits_of_a_run_are_in_its_line(options: dict[str, Any]) -> None:
    """Without them the application does not hang."""
    run = simulate(sleeps, HELLO, "net.fin", **options)
    again = pasted(run.verdict.findings[0].repro, sleeps=sleeps)
    assert again.verdict == run.verdict
    assert again.trace.json() == run.trace.json()


def test_a_run_on_sockets_is_run_again() -> None:
    """As fast, and as long."""

    async def hangs(_world: World) -> None:
        await trio.sleep_forever()

    run = serve_to(hangs, HELLO, limit=2, pace=20.0)
    line = run.verdict.findings[0].repro
    assert line == "serve_to(hangs, NAMED['hello'], wire='openai-chat', seed=0, limit=2, pace=20.0)"
    assert [each.name for each in pasted(line, hangs=hangs).verdict.findings] == ["hung"]


def test_a_scenario_of_ones_own_is_built_in_the_line() -> None:
    """Unless it is too long for one."""

    async def silent(world: World) -> None:
        world.finished("stop")

    run = simulate(silent, TRIP)
    assert pasted(run.verdict.findings[0].repro, silent=silent).scenario == TRIP
    long = simulate(silent, Scenario().text("x" * 3000)).verdict.findings[0].repro
    assert long == "simulate(silent, scenario, wire='openai-chat', seed=0)"


@settings(max_examples=50, deadline=None)
@given(scenarios())
def test_any_scenario_is_built_again(scenario: Scenario) -> None:
    """What is written builds what it was written from."""
    line = repro_line(None, scenario, (), None, 0, "dict")
    if "scenario" not in line:
        built = line.removeprefix("dict(").removesuffix(", wire=None, seed=0)")
        assert pasted(built) == scenario


def test_an_application_is_called_by_a_name() -> None:
    """One that has none, by the word for it."""
    named = repro_line(streamd_app, HELLO, (), "gemini", 1)
    assert named == "simulate(streamd_app, NAMED['hello'], wire='gemini', seed=1)"
    assert repro_line(object(), HELLO, (), "gemini", 1).startswith("simulate(app, ")


async def test_a_server_is_started_by_its_line() -> None:
    """With the wire it was given, if any; in a thread where it was in one."""
    async with serve(ONE_TOOL, "net.fin") as served:
        assert served.result().verdict.ok
        served.world.finished("stop")
        (finding,) = served.result().verdict.findings
        assert finding.repro == "serve(NAMED['one_tool'], 'net.fin', wire=None, seed=0)"
    with serve_in_thread(HELLO, wire="gemini", pace=5) as served:
        served.world.finished("stop")
        (finding,) = served.result().verdict.findings
        assert finding.repro == "serve_in_thread(NAMED['hello'], wire='gemini', seed=0, pace=5)"
