"""Simulated runs: the same for the same seed, in virtual time, and clean where the application is."""

import random
from collections.abc import Awaitable, Callable

import httpx
import pytest
import trio

from streamd import ConfigError, Retry, Timeouts
from streamd.testing import (
    CATALOGUE,
    HELLO,
    NAMED,
    ONE_TOOL,
    THREE_ROUNDS,
    TWO_TOOLS,
    WIRES,
    App,
    World,
    simulate,
    streamd_app,
    streamd_app_with,
)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", NAMED)
def test_a_run_without_faults_is_clean(wire: str, name: str) -> None:
    """Every scenario in every wire: all text, every tool once, and no finding."""
    scenario = NAMED[name]
    run = simulate(streamd_app, scenario, wire=wire)
    assert run.verdict.findings == ()
    assert run.observed.text == "".join(turn.text for turn in scenario.turns)
    # Those of one turn run at once.
    assert sorted(each.id for each in run.observed.tools) == [
        call.id for turn in scenario.turns for call in turn.calls
    ]
    assert (run.observed.finished, run.observed.reason) == (True, "stop")
    assert [attempt.turn for attempt in run.trace.attempts] == [*range(1, len(scenario.turns) + 1)]
    assert run.observed.took < 1


PLAIN = (
    *(
        "net.refuse",
        "net.fin",
        "net.reset",
        "net.slice",
        "http.status",
        "http.html_200",
        "sse.comment",
        "sse.crlf",
    ),
    *("prov.error_mid", "prov.eof_no_terminal", "time.stall", "time.keepalive_forever"),
)
"""A few faults of every kind; the whole catalogue is swept elsewhere."""


def sweeps() -> list[str]:
    """These faults at their places and with their values."""
    return [
        kind.name + (f"={value}" if value else "") + (f"@{at}" if at else "")
        for kind in map(CATALOGUE.__getitem__, PLAIN)
        for value in kind.values or ("",)
        for at in kind.sweep or ("",)
    ]


@pytest.mark.parametrize("fault", sweeps())
@pytest.mark.parametrize("times", ["", " x*"], ids=["once", "always"])
def test_streamd_survives_them(fault: str, times: str) -> None:
    """Each of them, struck once and always, in a conversation with a tool."""
    run = simulate(streamd_app, ONE_TOOL, fault + times)
    assert run.verdict.findings == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_bytes(seed: int) -> None:
    """The trace of a run with two faults and a tool is byte-identical when it is run again."""
    plan = ("http.status=503 x2", "net.slice=7 x*", "time.stall if turn:2")
    runs = [simulate(streamd_app, ONE_TOOL, *plan, seed=seed) for _ in range(3)]
    assert runs[0].trace.json() == runs[1].trace.json() == runs[2].trace.json()
    assert runs[0].observed.steps == runs[1].observed.steps
    assert len(runs[0].trace.events) > 3


def test_another_seed_gives_another_run() -> None:
    """What is left open differs from seed to seed."""
    assert len({simulate(streamd_app, HELLO, "net.fin", seed=seed).trace.text for seed in range(20)}) > 10


def test_what_is_random_elsewhere_stays_as_it_was() -> None:
    """A simulation gives the module `random` and trio's scheduler back as it found them."""
    random.seed(5)
    before = random.getstate()
    simulate(streamd_app, HELLO, seed=9)
    assert random.getstate() == before


def test_there_is_no_such_wire_or_fault() -> None:
    """The message names those there are."""
    with pytest.raises(ConfigError, match="openai-chat"):
        simulate(streamd_app, HELLO, wire="telex")
    with pytest.raises(ConfigError, match=r"net\.fin"):
        simulate(streamd_app, HELLO, "net.nothing")


@pytest.mark.parametrize("fault", ["prov.error_mid=nonsense", "http.status=200"])
def test_a_fault_that_cannot_strike_so_is_refused(fault: str) -> None:
    """What is wrong with a fault is told by the error itself, though it is noticed while the server answers."""
    with pytest.raises(ConfigError, match=fault.partition("=")[0]):
        simulate(streamd_app, ONE_TOOL, fault)


def test_a_fault_strikes_as_often_as_it_says() -> None:
    """Once, so often, always; and only the turn or the request it is meant for."""

    def struck(*plan: str) -> list[bool]:
        run = simulate(streamd_app, ONE_TOOL, *plan)
        return [bool(attempt.faults) for attempt in run.trace.attempts]

    assert struck("http.status=503") == [True, False, False]
    assert struck("http.status=503 x2") == [True, True, False, False]
    assert struck("http.status=503 x*") == [True, True, True]
    assert struck("http.status=503 if turn:2") == [False, True, False]
    assert struck("http.status=503 if request:2") == [False, True, False]
    assert struck("net.refuse x2") == [True, True, False, False]


def test_time_is_virtual() -> None:
    """An hour of silence takes none; the timers see it."""
    run = simulate(
        streamd_app_with(timeouts=Timeouts(idle=1800.0, progress=None)), HELLO, "time.stall@event:2"
    )
    assert run.observed.took == 1800
    assert type(run.observed.error).__name__ == "Stalled"
    assert run.verdict.ok


def test_options_reach_the_session() -> None:
    """With no retry the first failure is the last."""
    run = simulate(streamd_app_with(retry=None), HELLO, "net.refuse x*")
    assert len(run.trace.attempts) == 1
    run = simulate(streamd_app_with(retry=Retry(max_retries=4)), HELLO, "net.refuse x*")
    assert len(run.trace.attempts) == 5
    assert run.verdict.ok


def raw_app(finish: Callable[[World, bytes], Awaitable[str | None]]) -> App:
    """An application that speaks HTTP by itself, and makes of the whole body what `finish` makes of it."""

    async def app(world: World) -> str | None:
        response = await world.client.post(
            f"{world.url}/v1/chat/completions",
            json={"messages": [{"role": "user", "content": world.prompt}]},
            headers={"authorization": f"Bearer {world.key}"},
        )
        return await finish(world, response.content)

    return app


def test_an_application_may_return_its_answer() -> None:
    """What it returns is what it said, and that it finished."""

    async def finish(world: World, body: bytes) -> str:
        assert b"[DONE]" in body
        return world.scenario.turns[0].text

    run = simulate(raw_app(finish), HELLO)
    assert run.verdict.ok
    assert run.observed.text == HELLO.turns[0].text
    assert run.observed.finished


def test_what_it_raises_is_reported() -> None:
    """A library's exception is an `untyped_error`; its traceback is swept for the key."""

    async def finish(world: World, body: bytes) -> None:
        raise httpx.ReadError(f"could not read {world.url}")

    run = simulate(raw_app(finish), HELLO)
    assert isinstance(run.observed.error, httpx.ReadError)
    assert {finding.name for finding in run.verdict.findings} == {"untyped_error", "lost_finish"}


def test_cancelling_at_every_step_leaves_nothing() -> None:
    """Once and twice, at each step of a session with a tool; and what was told is the beginning of what came."""
    whole = simulate(streamd_app, ONE_TOOL)
    assert whole.observed.steps > 30

    def app(step: int) -> App:
        async def cancelled(world: World) -> None:
            with trio.CancelScope() as scope:
                instrument = Cancelling(scope, step)
                trio.lowlevel.add_instrument(instrument)
                try:
                    await streamd_app(world)
                finally:
                    trio.lowlevel.remove_instrument(instrument)
            if scope.cancelled_caught:
                world.finished("cancelled")

        return cancelled

    for step in range(1, whole.observed.steps, 5):
        run = simulate(app(step), ONE_TOOL)
        assert [finding for finding in run.verdict.findings if finding.name.startswith("leaked")] == []


class Cancelling(trio.abc.Instrument):
    """Cancels a scope before the n-th step of any task."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self.left = step
        self.scope = scope

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count down."""
        self.left -= 1
        if self.left == 0:
            self.scope.cancel()


@pytest.mark.parametrize("scenario", [TWO_TOOLS, THREE_ROUNDS], ids=["two_tools", "three_rounds"])
def test_a_world_shows_no_key(scenario: object) -> None:
    """Neither the world nor what it gives to print has it."""
    seen: list[str] = []

    async def app(world: World) -> None:
        seen.extend((repr(world), world.key))
        await streamd_app(world)

    assert simulate(app, HELLO).verdict.ok
    assert seen[1].startswith("sk-canary-")
    assert seen[1] not in seen[0]
