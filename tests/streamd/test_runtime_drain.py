"""How a runtime ends: what it waits for, what it cancels, and that nothing outlives it, wherever it is cancelled."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import streamd
from streamd import Runtime, RuntimeClosed, Session, StreamdError, Text, open_runtime
from tests.support.chat import DONE, answer, call, finish, text
from tests.support.leaks import no_leaks
from tests.support.server import KEEP_OPEN, Delay, Pause, Script, chunked, response
from tests.support.sessions import chat_model, read, scripted_network, scripted_runtime

GOOD: Script = [chunked(answer("Hel", "lo"))]
HELD: Script = [chunked(text("Hel"), last=False), KEEP_OPEN]


class Reader:
    """A task outside of the runtime's block, which reads one session."""

    def __init__(self, hold: float = 0.0) -> None:
        self.hold = hold
        self.session: Session | None = None
        self.texts: list[str] = []
        self.error: StreamdError | None = None
        self.open = trio.Event()
        self.ended_at = math.nan

    async def run(self, runtime: Runtime, model: Any, **options: Any) -> None:
        try:
            async with runtime.open_session(model, "Hi", **options) as self.session:
                self.open.set()
                chunks, self.error = await read(self.session)
                self.texts = [each.text for each in chunks if isinstance(each, Text)]
                await trio.sleep(self.hold)
        except StreamdError as error:
            self.error = error
        self.ended_at = trio.current_time()


async def test_leaving_waits_for_sessions_of_other_tasks(autojump_clock: Any) -> None:
    """A session that another task reads is read to its end, and its block left, before the runtime is."""
    reader = Reader(hold=3)
    body = chunked(answer("Hel", "lo"))
    async with trio.open_nursery() as nursery:
        async with scripted_runtime([Delay(2), body]) as (runtime, _, model):
            nursery.start_soon(reader.run, runtime, model)
            await reader.open.wait()
        assert (reader.texts, trio.current_time()) == (["Hel", "lo"], 5)
        assert runtime.statistics().ended == {"done": 1}


async def test_sessions_that_pass_the_deadline_are_cancelled(autojump_clock: Any) -> None:
    """After `drain` seconds the runtime goes; whoever reads gets what came, and an end that is no error."""
    reader = Reader()
    async with trio.open_nursery() as nursery:
        async with scripted_runtime(HELD, drain=4) as (runtime, _, model):
            nursery.start_soon(reader.run, runtime, model)
            await reader.open.wait()
        assert trio.current_time() == 4
    assert reader.session is not None
    assert (reader.texts, reader.error, reader.session.status) == (["Hel"], None, "cancelled")
    assert runtime.statistics().ended == {"cancelled": 1}


async def test_what_a_cancelled_session_received_can_still_be_read(autojump_clock: Any) -> None:
    """Its block may outlive the runtime: the chunks that were queued come, then the end, again and again."""
    async with trio.open_nursery() as nursery:
        left = trio.Event()
        texts: list[Any] = []

        async def hold(runtime: Runtime, model: Any) -> None:
            async with runtime.open_session(model, "Hi") as session:
                await left.wait()
                texts.extend((await read(session))[0])
                for _ in range(2):
                    with pytest.raises(trio.EndOfChannel):
                        await session.receive()
                assert (await session.response()).text == "Hel"
                assert (await session.metadata()).stop_reason == "cancelled"

        async with scripted_network(HELD) as (network, client):
            async with open_runtime(connections=client, drain=0) as runtime:
                nursery.start_soon(hold, runtime, chat_model(network.url))
                await network.wait_requests(1)
                await wait_all_tasks_blocked()
        left.set()
    assert Text("Hel") in texts


@pytest.mark.parametrize(("drain", "ends_at"), [(0, 0), (2.5, 2.5), (math.inf, 100)])
async def test_the_deadline_is_the_callers(drain: float, ends_at: float, autojump_clock: Any) -> None:
    """0 cancels at once, any other number waits for so long, infinity for as long as it takes."""
    reader = Reader(hold=100)
    async with scripted_network(GOOD) as (network, client), no_leaks(), trio.open_nursery() as nursery:
        async with open_runtime(connections=client, drain=drain) as runtime:
            nursery.start_soon(reader.run, runtime, chat_model(network.url))
            await reader.open.wait()
        assert trio.current_time() == ends_at


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 8), max_size=8), st.sampled_from([0, 0.5, 3.5, 6.5, math.inf]), st.random_module()
)
def test_the_runtime_is_left_with_the_last_session_or_at_the_deadline(
    holds: list[int], drain: float, random: Any
) -> None:
    """Whatever blocks are open: what was read by then is done, and what was not is cancelled at the deadline."""

    async def main() -> None:
        readers = [Reader(hold) for hold in holds]
        async with scripted_network([Delay(0.25), *GOOD]) as (network, client):
            async with no_leaks(), trio.open_nursery() as nursery:
                async with open_runtime(connections=client, drain=drain) as runtime:
                    for reader in readers:
                        nursery.start_soon(reader.run, runtime, chat_model(network.url))
                        await reader.open.wait()
                assert trio.current_time() == min(drain, max(holds, default=-0.25) + 0.25)
                ended = runtime.statistics().ended
        assert ended.get("cancelled", 0) == (len(holds) if drain == 0 else 0)
        assert sum(ended.values()) == len(holds)
        assert all(reader.error is None for reader in readers)
        texts = [] if drain == 0 else ["Hel", "lo"]
        assert [reader.texts for reader in readers] == [texts] * len(holds)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_an_idle_runtime_is_left_at_once(autojump_clock: Any) -> None:
    """Sessions that are over are not waited for."""
    async with scripted_runtime(GOOD, drain=math.inf) as (runtime, _, model):
        await runtime.stream(model, "Hi")
    assert trio.current_time() == 0


@pytest.mark.parametrize("how", ["raise", "cancel"])
async def test_an_exception_or_a_cancellation_does_not_wait(how: str, autojump_clock: Any) -> None:
    """The block is not left in good order, so that its sessions are cancelled at once."""
    reader = Reader(hold=100)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(3 if how == "cancel" else 100):
            try:
                async with scripted_runtime(HELD, drain=math.inf) as (runtime, _, model):
                    nursery.start_soon(reader.run, runtime, model)
                    await trio.sleep(3)
                    if how == "raise":
                        raise ZeroDivisionError
                    await trio.sleep_forever()
            except ZeroDivisionError:
                pass
        assert trio.current_time() == 3
        nursery.cancel_scope.cancel()
    assert reader.session is not None
    assert reader.session.status == "cancelled"


async def test_draining_can_be_cut_short(autojump_clock: Any) -> None:
    """Cancelling while the runtime waits cancels the sessions, and awaits them."""
    reader = Reader()
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(3) as scope:
            async with scripted_runtime(HELD, drain=math.inf) as (runtime, _, model):
                nursery.start_soon(reader.run, runtime, model)
                await reader.open.wait()
        assert scope.cancelled_caught
        assert trio.current_time() == 3
    assert reader.session is not None
    assert reader.session.status == "cancelled"


async def test_those_who_wait_are_turned_away(autojump_clock: Any) -> None:
    """A session that waits for a place when the block is left is refused at once; so is one that comes later."""
    first, second, third = Reader(hold=5), Reader(), Reader()
    async with trio.open_nursery() as nursery:
        async with scripted_runtime(GOOD, max_sessions=1) as (runtime, network, model):
            nursery.start_soon(first.run, runtime, model)
            await first.open.wait()
            nursery.start_soon(second.run, runtime, model)
            await wait_all_tasks_blocked()

            async def come_late() -> None:
                await trio.sleep(1)
                await third.run(runtime, model)

            nursery.start_soon(come_late)
        assert (first.texts, first.ended_at) == (["Hel", "lo"], 5)
        assert isinstance(second.error, RuntimeClosed)
        assert isinstance(third.error, RuntimeClosed)
        assert (second.ended_at, third.ended_at) == (0, 1)
        assert len(network.requests) == 1


async def test_a_tool_of_a_session_that_drains_is_given_its_time(autojump_clock: Any) -> None:
    """A round of tools under way is finished, and the answer after it read; a session it opens is refused."""

    @streamd.tool
    async def look() -> str:
        """Look for a while, and ask another model."""
        await trio.sleep(3)
        try:
            await runtime.stream(model, "Hi")
        except RuntimeClosed:
            return "closed"
        return "open"

    reader = Reader()
    calls: Script = [chunked(call("look", "{}"), finish("tool_calls"), DONE)]
    async with trio.open_nursery() as nursery:
        async with scripted_runtime(calls, GOOD) as (runtime, network, model):
            nursery.start_soon(lambda: reader.run(runtime, model, tools=[look]))
            await reader.open.wait()
        assert reader.texts == ["Hel", "lo"]
        assert b'"closed"' in network.requests[1].body


async def test_a_sessions_tasks_are_gone_when_its_block_is(autojump_clock: Any) -> None:
    """Though the runtime goes on: the connection is closed, and the tree holds nothing of it."""
    pause = Pause()
    async with scripted_runtime([pause, *GOOD], max_sessions=1) as (runtime, network, model):
        async with no_leaks():
            with trio.move_on_after(1):
                async with runtime.open_session(model, "Hi"):
                    await trio.sleep_forever()
            assert runtime.tree().children == ()
            await network.connections[0].client_closed.wait()


class CancelAt(trio.abc.Instrument):
    """Cancels a scope before a step of a program, counted from 1."""

    def __init__(self, step: int, scope: trio.CancelScope) -> None:
        self.step = step
        self.scope = scope
        self.steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self.step:
            self.scope.cancel()


async def three_sessions(scope: trio.CancelScope, runtimes: list[Runtime]) -> None:
    """Three sessions in a runtime with one place, of which the second fails, and one that outlives the block."""
    async with (
        scripted_network(GOOD, [response(400, body=b"{}")], GOOD, HELD) as (network, client),
        no_leaks(),
    ):
        model = chat_model(network.url)
        with scope:
            async with trio.open_nursery() as outside:
                async with open_runtime(connections=client, max_sessions=1, drain=1) as runtime:
                    runtimes.append(runtime)
                    async with trio.open_nursery() as nursery:
                        for _ in range(3):
                            nursery.start_soon(Reader().run, runtime, model)
                    reader = Reader()
                    outside.start_soon(reader.run, runtime, model)
                    await reader.open.wait()
        assert runtimes[0].tree().children == () if runtimes else True


def run(program: Callable[[trio.CancelScope, list[Runtime]], Any], step: int) -> tuple[int, list[Runtime]]:
    """Run a program that is cancelled at a step, and give how many it took, and its runtimes."""
    runtimes: list[Runtime] = []
    instruments: list[CancelAt] = []

    async def main() -> None:
        scope = trio.CancelScope()
        instruments.append(CancelAt(step, scope))
        trio.lowlevel.add_instrument(instruments[0])
        await program(scope, runtimes)
        trio.lowlevel.remove_instrument(instruments[0])

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return instruments[0].steps, runtimes


@cache
def uncancelled() -> tuple[int, list[Runtime]]:
    """The program's steps and runtimes when it runs to its end."""
    return run(three_sessions, 0)


def test_the_program_that_is_cancelled_runs_to_its_end() -> None:
    """Uncancelled it opens four sessions: two are done, one fails, one is cancelled by the deadline."""
    steps, (runtime,) = uncancelled()
    assert steps > 150
    assert runtime.statistics().ended == {"done": 2, "error": 1, "cancelled": 1}


@settings(deadline=None, max_examples=150)
@given(st.floats(0, 1), st.random_module())
def test_nothing_is_left_wherever_it_is_cancelled(share: float, random: Any) -> None:
    """In admission, while opening, reading, leaving or draining: no task, no place, no name is left behind."""
    steps, _ = uncancelled()
    _, runtimes = run(three_sessions, 1 + int(share * steps))
    for runtime in runtimes:
        statistics = runtime.statistics()
        assert (statistics.living, statistics.waiting, runtime.sessions()) == (0, 0, {})
        assert sum(statistics.ended.values()) == statistics.opened


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.random_module(),
)
def test_no_place_is_lost_or_held_twice(
    visits: list[tuple[float, float, float]], places: int, random: Any
) -> None:
    """Sessions come, wait with more or less patience, and go, at any time: the bound holds, and all places remain."""

    async def main() -> None:
        inside = 0
        async with scripted_runtime(HELD, max_sessions=places) as (runtime, _, model):

            async def visit(start: float, patience: float, stay: float) -> None:
                nonlocal inside
                await trio.sleep(start)
                with trio.move_on_after(patience):
                    async with runtime.open_session(model, "Hi"):
                        inside += 1
                        try:
                            assert inside <= places
                            await trio.sleep(stay)
                        finally:
                            inside -= 1

            async with trio.open_nursery() as nursery:
                for visited in visits:
                    nursery.start_soon(visit, *visited)
            with trio.fail_after(1):
                async with trio.open_nursery() as nursery:
                    for _ in range(places):
                        nursery.start_soon(visit, 0, 1, 0.5)
            assert runtime.statistics().living == 0

    trio.run(main, clock=MockClock(autojump_threshold=0))
