"""The faults of the runtime: cancelled in any phase, with bugs in its actors, and beside sessions that fail."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import trio

from streamd import ActorCrashed, ConnectFailed, ConnectionLost, TooManySessions, open_session
from streamd._recorder import Recorder
from streamd.providers import HTTPRequest, resolve
from streamd.supervisors import ChildSpec, RestartLimit, open_supervisor
from streamd.testing import HELLO, ONE_TOOL, TWO_TOOLS, WIRES, FaultKind, World, simulate, streamd_app
from streamd.testing._canary import broken_logging
from tests.support.faults import rows, runs, variants

ALL_WIRES = ("openai-chat", "anthropic-messages", "gemini")
STAGED = [kind for kind in rows("rt") if kind.phase in ("runtime", "tool")]
PLAYED = [kind for kind in rows("rt") if kind not in STAGED]
DURING = [kind.name for kind in rows("rt") if kind.name.startswith("rt.cancel_during_")]


@pytest.mark.parametrize("wire", ALL_WIRES)
@pytest.mark.parametrize("kind", STAGED, ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind, wire: str) -> None:
    """Every fault of the layer, at its places and with its values, in a conversation with tools."""
    for fault, scenario, seed in product(variants(kind), (ONE_TOOL, TWO_TOOLS), range(2)):
        assert simulate(streamd_app, scenario, fault, wire=wire, seed=seed).verdict.findings == ()


@pytest.mark.parametrize("kind", PLAYED, ids=lambda kind: kind.name)
def test_streamd_survives_what_the_server_is_part_of(kind: FaultKind) -> None:
    """Those that strike requests, once and always."""
    for run in runs(kind):
        assert run.verdict.findings == ()


@pytest.mark.parametrize("trouble", ["net.reset", "http.status=503 x2", "time.stall", "prov.error_mid"])
def test_a_crash_on_a_bad_line_is_survived(trouble: str) -> None:
    """A bug in an actor while it handles another failure."""
    for seed in range(40):
        run = simulate(streamd_app, ONE_TOOL, "rt.actor_crash", trouble, seed=seed)
        assert run.verdict.findings == ()


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("name", DURING)
def test_a_cancellation_takes_no_time(name: str, wire: str) -> None:
    """In whatever phase it comes: the session is gone in that moment, and with it its connection."""
    run = simulate(streamd_app, ONE_TOOL, f"{name} x*", wire=wire)
    assert run.verdict.ok
    assert run.observed.cancelled
    assert run.observed.took == 1


@pytest.mark.parametrize("actor", ["producer", "parser", "conversation"])
def test_a_crash_is_told_as_one(actor: str) -> None:
    """It is an `ActorCrashed` that names what happened and has it for its cause; it is not tried again."""
    run = simulate(streamd_app, HELLO, f"rt.actor_crash={actor}@step:1", "net.slice=9")
    error = run.observed.error
    assert isinstance(error, ActorCrashed)
    assert isinstance(error.__cause__, AssertionError)
    assert str(error.__cause__) == f"the {actor} has a bug"
    assert not error.retryable
    assert len(run.trace.attempts) <= 1


def test_a_storm_ends() -> None:
    """Actors that crash again and again are not started again and again."""
    for actor in ("producer", "parser"):
        run = simulate(streamd_app, HELLO, f"rt.restart_storm={actor}@step:1")
        assert isinstance(run.observed.error, ActorCrashed)
        assert run.observed.steps < 100


def test_a_sibling_is_nobodys_concern() -> None:
    """Beside five sessions that crash an answer is whole, in the same time."""
    alone = simulate(streamd_app, ONE_TOOL)
    run = simulate(streamd_app, ONE_TOOL, "rt.sibling_crash=5")
    assert run.verdict.ok
    assert (run.observed.text, run.observed.took) == (alone.observed.text, alone.observed.took)


def test_a_runtime_waits_for_its_sessions_as_long_as_it_is_told() -> None:
    """Twenty sessions that nobody answers are gone one second after the block was left, which is what it drains."""
    run = simulate(streamd_app, HELLO, "rt.shutdown_with_n_live=20")
    assert run.verdict.ok
    assert run.observed.finished
    assert run.observed.took == 1


def test_a_place_is_waited_for_or_refused() -> None:
    """Where every place is held, a session comes in turn; or it is refused, and nothing is sent."""
    run = simulate(streamd_app, HELLO, "rt.pool_exhausted=wait")
    assert (run.observed.finished, run.observed.took) == (True, 5)
    run = simulate(streamd_app, HELLO, "rt.pool_exhausted=refuse")
    assert isinstance(run.observed.error, TooManySessions)
    assert run.trace.attempts == []


def test_no_files_left_is_no_connection() -> None:
    """The error says what the system said; it is tried again, as files may be closed meanwhile."""
    run = simulate(streamd_app, HELLO, "rt.fd_exhausted x*")
    assert isinstance(run.observed.error, ConnectFailed)
    assert "Too many open files" in str(run.observed.error)
    assert len(run.trace.attempts) == 3
    assert simulate(streamd_app, HELLO, "rt.fd_exhausted x2").observed.finished


def test_another_order_is_another_run() -> None:
    """The scheduler's seed changes in which order tasks run, and nothing that a user could tell."""
    texts = {
        simulate(streamd_app, TWO_TOOLS, f"rt.scheduler_shuffle={seed}").trace.text for seed in range(20)
    }
    told = {
        simulate(streamd_app, TWO_TOOLS, f"rt.scheduler_shuffle={seed}").observed.text for seed in range(20)
    }
    assert len(texts) > 1
    assert told == {"".join(turn.text for turn in TWO_TOOLS.turns)}


@pytest.mark.parametrize("hook", ["on_chunk", "on_message"])
def test_a_hook_does_not_hide_the_sessions_error(hook: str) -> None:
    """What a callback raises leaves bare; the session has its own error besides, and tells it when asked."""

    class Own(Exception):
        pass

    def fail(_given: object) -> None:
        raise Own

    seen: list[Any] = []

    async def app(world: World) -> None:
        options: dict[str, Any] = {"client": world.client, "tools": world.tools, "retry": None}
        async with open_session(world.model, world.prompt, **options) as session:
            await trio.sleep(1)  # the session has failed by now; its chunks are still to be read
            callbacks: Any = {hook: fail}
            try:
                await session.collect(**callbacks)
            except Own as raised:
                seen.append(raised.__context__)
            seen.append(session.error)
            with pytest.raises(ConnectionLost) as again:
                await session.collect()
            seen.append(again.value)
        world.finished("cancelled")

    assert not simulate(app, ONE_TOOL, "net.reset@event:1 if turn:2").observed.hung
    assert seen == [None, seen[1], seen[1]]


def test_a_broken_logging_handler_stops_no_supervisor() -> None:
    """A child that fails is restarted, though the line about it cannot be written."""
    starts: list[int] = []

    async def child() -> None:
        starts.append(len(starts))
        if len(starts) < 3:
            raise ValueError("not yet")

    async def main() -> None:
        spec = ChildSpec(id="child", run=child, restart="transient", significant=True)
        async with open_supervisor(spec, restarts=RestartLimit(5), auto_shutdown="any") as supervisor:
            await supervisor.wait_stopped()

    with broken_logging("streamd"):
        trio.run(main)
    assert starts == [0, 1, 2]


def test_a_broken_logging_handler_stops_no_recording(tmp_path: Path) -> None:
    """A recording that is given up says so, and the session goes on, though the line cannot be written."""

    async def main() -> None:
        provider = resolve(("openai", {"api_key": "none"}))
        recorder = Recorder(tmp_path / "a.json", [(provider, "m")], limit=10)
        recorder.request(HTTPRequest("POST", "http://server.test/", (), b"x" * 100))
        assert recorder.error is not None

    with broken_logging("streamd"):
        trio.run(main)
