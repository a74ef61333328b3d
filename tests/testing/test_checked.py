"""Scenarios that cannot be played are refused, before anything is judged by them."""

import datetime
from typing import Any

import pytest

from streamd import ConfigError, Usage
from streamd.testing import (
    HELLO,
    CallPart,
    Scenario,
    TextPart,
    Turn,
    World,
    decode,
    serve,
    serve_in_thread,
    serve_to,
    simulate,
    streamd_app,
)
from streamd.testing._marked import marked

BAD: list[tuple[Any, str]] = [
    ("hello", "'hello' is no scenario"),
    (streamd_app, "is no scenario"),
    (Scenario(()), "has no turn"),
    (Scenario().text("\ud800"), "in turn 1 something is not JSON"),
    (Scenario().text("a").stop("cancelled"), "in turn 1 the reason for the end is 'cancelled'"),
    (Scenario((Turn((TextPart(("a",)),), Usage(-1, 0)),)), "fewer than no tokens"),
    (Scenario().call(""), "no name"),
    (Scenario((Turn((CallPart("", "a", {}),)),)), "no id"),
    (Scenario().call("a", id="x").call("b", id="x"), "two calls have the id 'x'"),
    (
        Scenario().text("a").then().call("a", {"x": float("nan")}),
        "in turn 2 the arguments of the call of 'a'",
    ),
    (Scenario().call("a", {"x": (1, 2)}), "are not JSON's"),
    (Scenario().call("a", {"x": datetime.date(2026, 1, 1)}), "are not JSON's"),
    (Scenario().call("a", {"x": object()}), "something is not JSON"),
]


@pytest.mark.parametrize(("scenario", "why"), BAD)
async def test_it_is_refused_in_every_world(scenario: Any, why: str) -> None:
    """With what is wrong with it, and where."""
    with pytest.raises(ConfigError, match=why):
        async with serve(scenario):
            raise AssertionError("it is served")


@pytest.mark.parametrize(("scenario", "why"), BAD)
def test_it_is_refused_at_once(scenario: Any, why: str) -> None:
    """In memory, too."""
    with pytest.raises(ConfigError, match=why):
        decode(scenario)
    with pytest.raises(ConfigError, match=why):
        simulate(streamd_app, scenario)


@pytest.mark.parametrize("name", ["from", "context", "a b", ""])
def test_a_call_that_no_tool_takes_is_for_an_applications_own_tools(name: str) -> None:
    """A world's tools have parameters of Python's; an application with tools of its own may be called with any name."""
    scenario = Scenario().call("trains", {name: "Oslo"})

    async def own(world: World) -> None:
        await streamd_app_without_tools(world)

    for world in (simulate, serve_to):
        with pytest.raises(ConfigError, match="cannot be offered as a tool"):
            world(streamd_app, scenario)
        assert world(own, scenario).verdict.ok


async def streamd_app_without_tools(world: World) -> None:
    """It only asks."""
    assert world.prompt == "Hi"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"faults": ("net.fin",), "seeds": 0},
        {"faults": ("net.fin",), "pace": 0},
        {"faults": ("net.fin",), "scenario": "hello"},
        {"faults": (3,)},
        {"faults": (["net.fin"],)},
    ],
)
def test_a_marker_that_runs_nothing_is_refused(arguments: dict[str, Any]) -> None:
    """A sweep over no fault would be a test that is skipped, and passes."""
    given = dict(arguments)
    with pytest.raises(ConfigError):
        marked(*given.pop("faults", ()), **given)


def test_a_marker_takes_faults_as_values_too() -> None:
    """And one wire by its name."""
    (run,) = marked("net.fin@byte:0", wires="gemini")
    assert (run.wire, run.case.plan) == ("gemini", run.case.plan)
    assert marked(run.case.plan[0], wires=["gemini"]) == [run]


@pytest.mark.parametrize("pace", [0, -1, float("nan"), float("inf")])
def test_time_passes(pace: float) -> None:
    """At some pace."""
    with pytest.raises(ConfigError, match="times as fast"):
        serve_to(streamd_app, HELLO, pace=pace)
    with pytest.raises(ConfigError, match="times as fast"), serve_in_thread(HELLO, pace=pace):
        raise AssertionError("it is served")
