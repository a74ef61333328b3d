"""The runtime: sessions side by side, none of which hears of another's end; who is let in, and by what name."""

import gc
import inspect
import sys
import traceback
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import streamd
from streamd import (
    ActorCrashed,
    BadRequestError,
    ConfigError,
    Retry,
    Runtime,
    RuntimeClosed,
    RuntimeStatistics,
    Session,
    SessionExists,
    StreamdError,
    Text,
    TooManySessions,
    open_runtime,
)
from streamd.providers import resolve
from streamd.supervisors import ChildExited, ChildStarted, Event, SupervisionError, render
from tests.support.chat import DONE, answer, call, finish, text
from tests.support.leaks import no_leaks
from tests.support.server import KEEP_OPEN, Script, chunked, response, serve
from tests.support.sessions import KEY, chat_model, read, scripted_network, scripted_runtime

GOOD: Script = [chunked(answer("Hel", "lo"))]
HELD: Script = [chunked(text("Hel"), last=False), KEEP_OPEN]
BAD: Script = [response(400, body=b"{}")]


async def test_a_session_of_a_runtime_is_a_session(autojump_clock: Any) -> None:
    """It takes what `streamd.open_session` takes, and gives what that gives."""
    async with scripted_runtime(GOOD) as (runtime, network, model):
        async with runtime.open_session(model, "Hi", system="Be brief.", max_tokens=7) as session:
            chunks, error = await read(session)
        assert (error, session.status) == (None, "done")
        assert [each.text for each in chunks if isinstance(each, Text)] == ["Hel", "lo"]
        assert b'"max_tokens":7' in network.requests[0].body
        assert (await runtime.stream(model, "Hi")).text == "Hello"


async def test_many_sessions_live_side_by_side(autojump_clock: Any) -> None:
    """Each reads its own answer, and each is a child of the runtime's supervisor with a tree of its own."""
    async with scripted_runtime(HELD) as (runtime, _, model):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                async with runtime.open_session(model, "Hi") as session:
                    assert isinstance(await session.receive(), streamd.Metadata)
                    assert await session.receive() == Text("Hel")
                    await trio.sleep(1)

            for _ in range(100):
                nursery.start_soon(ask)
            await trio.sleep(0.5)
            tree = runtime.tree()
            assert (tree.kind, tree.path, len(tree.children)) == ("dynamic", "runtime", 100)
            assert {branch.supervisors[0].children[0].id for branch in tree.children} == {"conversation"}
            assert runtime.statistics().living == 100
        assert runtime.tree().children == ()


async def test_arguments_are_those_of_open_session() -> None:
    """Both of the runtime's methods show the very parameters of `streamd.open_session`."""
    parameters = list(inspect.signature(streamd.open_session).parameters.values())
    for method in (Runtime.open_session, Runtime.stream):
        assert list(inspect.signature(method).parameters.values())[1:] == parameters
    assert "id" in inspect.signature(streamd.stream).parameters


# One session's end is its own


async def test_failures_are_not_charged_to_the_neighbours(autojump_clock: Any) -> None:
    """However many sessions fail, at once, one that lives goes on, and more can be opened."""
    async with scripted_runtime(HELD, *[BAD] * 50, GOOD) as (runtime, _, model):
        async with runtime.open_session(model, "Hi") as living:
            await living.receive()
            for _ in range(50):
                with pytest.raises(BadRequestError):
                    await runtime.stream(model, "Hi")
            assert living.status == "streaming"
            assert (await runtime.stream(model, "Hi")).text == "Hello"
            assert runtime.statistics().ended == {"error": 50, "done": 1}


async def test_an_error_that_nobody_reads_leaves_no_block(autojump_clock: Any) -> None:
    """It leaves neither the session's block nor the runtime's; it is in the session."""
    async with scripted_runtime(BAD) as (runtime, _, model):
        async with runtime.open_session(model, "Hi") as session:
            await session.metadata()
        assert isinstance(session.error, BadRequestError)


async def test_an_exception_of_a_block_leaves_it_bare(autojump_clock: Any) -> None:
    """The session's block, and then the runtime's, are left by the very exception."""
    mine = ValueError("mine")
    with pytest.raises(ValueError) as caught:
        async with scripted_runtime(HELD) as (runtime, _, model), runtime.open_session(model, "Hi"):
            raise mine
    assert caught.value is mine


async def test_an_exception_goes_before_a_cancellation(autojump_clock: Any) -> None:
    """A block that fails while it is cancelled is left by what it raised, as that of a session alone is."""
    async with scripted_runtime(HELD) as (runtime, _, model):
        with trio.move_on_after(1) as scope:
            with pytest.raises(ZeroDivisionError):
                async with runtime.open_session(model, "Hi"):
                    try:
                        await trio.sleep_forever()
                    finally:
                        raise ZeroDivisionError
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        assert runtime.tree().children == ()


async def cancelled_elsewhere() -> BaseException:
    """A cancellation that belongs to a scope that is no more."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as exc:
            return exc
    raise AssertionError


class Leaky:
    """A provider that raises a cancellation not its own inside the session's tree."""

    def __init__(self, wrapped: Any, leaked: BaseException) -> None:
        self.name = wrapped.name
        self.request = wrapped.request
        self.error = wrapped.error
        self.leaked = leaked

    def decoder(self) -> Any:
        raise self.leaked


@pytest.mark.parametrize("where", ["tool", "provider"])
async def test_a_crash_of_a_tree_is_told_where_it_is_read(where: str, autojump_clock: Any) -> None:
    """Code that breaks trio's own rules ends its session with an error, and no other."""
    leaked = await cancelled_elsewhere()

    @streamd.tool
    async def leak() -> str:
        """Raise a cancellation after the scope that it belongs to."""
        raise leaked

    calls: Script = [chunked(call("leak", "{}"), finish("tool_calls"), DONE)]
    scripts = [HELD, calls, GOOD] if where == "tool" else [HELD, GOOD]
    async with scripted_runtime(*scripts) as (runtime, network, model):
        provider = Leaky(resolve(model[0]), leaked)
        async with runtime.open_session(model, "Hi") as living:
            await network.wait_requests(1)
            asked = model if where == "tool" else (provider, "m")
            async with runtime.open_session(asked, "Hi", tools=[leak]) as session:
                _, error = await read(session)
            assert isinstance(error, ActorCrashed)
            assert session.error is error
            assert living.status == "streaming"
            assert (await runtime.stream(model, "Hi")).text == "Hello"
            assert runtime.statistics().ended == {"error": 1, "done": 1}


async def test_a_keyboard_interrupt_in_a_tool_ends_all(autojump_clock: Any) -> None:
    """It is no failure of a session: every session is cancelled, and it leaves the runtime's block bare."""

    @streamd.tool
    async def interrupt() -> str:
        """Be interrupted."""
        raise KeyboardInterrupt

    refused: list[type[BaseException]] = []

    async def wait_in_vain(runtime: Runtime, model: Any) -> None:
        try:
            await runtime.stream(model, "Hi")
        except RuntimeClosed as error:
            refused.append(type(error))

    calls: Script = [chunked(call("interrupt", "{}"), finish("tool_calls"), DONE)]
    async with scripted_network(HELD, calls) as (network, client), no_leaks(), trio.open_nursery() as nursery:
        with pytest.raises(KeyboardInterrupt):
            async with open_runtime(connections=client, max_sessions=2) as runtime:
                model = chat_model(network.url)
                async with runtime.open_session(model, "Hi") as living:
                    await living.receive()
                    async with runtime.open_session(model, "Hi", tools=[interrupt]):
                        nursery.start_soon(wait_in_vain, runtime, model)
                        await trio.sleep_forever()
        assert living.status == "cancelled"
    assert refused == [RuntimeClosed]


async def test_what_cannot_be_opened_raises_as_it_does_alone(autojump_clock: Any) -> None:
    """Errors of opening are raised bare where it is opened, take no place, and leave no name taken."""
    async with scripted_runtime(GOOD, max_sessions=1) as (runtime, network, model):
        for options in ({"max_rounds": 0}, {"tool_choice": 3}, {"id": ""}):
            with pytest.raises(ConfigError):
                await runtime.stream(model, "Hi", **options)
        with pytest.raises(ConfigError) as caught:
            await runtime.stream("no-such-provider:x", "Hi", id="a")
        assert not isinstance(caught.value.__context__, SupervisionError)
        assert network.requests == []
        assert runtime.statistics().opened == 0
        assert (await runtime.stream(model, "Hi", id="a")).text == "Hello"


async def test_no_key_is_in_what_a_runtime_shows(autojump_clock: Any) -> None:
    """Not in its tree, nor in a traceback with the variables of every frame."""
    async with scripted_runtime(HELD, max_sessions=1, on_full="refuse") as (runtime, _, model):
        async with runtime.open_session(model, "Hi", extra_headers={"x-key": KEY}):
            with pytest.raises(TooManySessions) as caught:
                await runtime.stream(model, "Hi", extra_headers={"x-key": KEY})
            shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            ours = [f"{each.name} {each.locals}" for each in shown.stack if "/tests/" not in each.filename]
            assert len(ours) > 2
            assert KEY not in "".join(ours) + render(runtime.tree()) + repr(runtime.statistics())


# Admission


async def test_sessions_wait_for_a_place_in_the_order_of_their_calls(autojump_clock: Any) -> None:
    """A runtime with two places never holds three sessions, and serves those who wait first come, first served."""
    entered: list[int] = []
    async with scripted_runtime(HELD, max_sessions=2) as (runtime, _, model):
        async with trio.open_nursery() as nursery:

            async def ask(number: int) -> None:
                await trio.sleep(number / 100)
                async with runtime.open_session(model, "Hi"):
                    entered.append(number)
                    assert runtime.statistics().living <= 2
                    await trio.sleep(1)

            for number in range(6):
                nursery.start_soon(ask, number)
            await trio.sleep(0.5)
            assert (runtime.statistics().living, runtime.statistics().waiting) == (2, 4)
        assert entered == [0, 1, 2, 3, 4, 5]
        assert trio.current_time() == pytest.approx(3.01)


async def test_a_wait_that_is_cancelled_loses_no_place(autojump_clock: Any) -> None:
    """The next in the queue is admitted in its stead, and every place is there afterwards."""
    entered: list[str] = []
    async with scripted_runtime(HELD, max_sessions=1) as (runtime, _, model):
        async with trio.open_nursery() as nursery:

            async def ask(name: str, patience: float) -> None:
                with trio.move_on_after(patience):
                    async with runtime.open_session(model, "Hi", id=name):
                        entered.append(name)
                        await trio.sleep(1)

            for name, patience in (("a", 9), ("b", 0.5), ("c", 9), ("d", 1), ("e", 9)):
                nursery.start_soon(ask, name, patience)
                await wait_all_tasks_blocked()
        assert entered in (["a", "c", "e"], ["a", "c", "d", "e"])
        assert (runtime.statistics().living, runtime.statistics().waiting) == (0, 0)


async def test_a_full_runtime_refuses_where_it_was_told_to(autojump_clock: Any) -> None:
    """`TooManySessions` at once, which says that trying again may help; and so it does."""
    async with scripted_runtime(HELD, max_sessions=1, on_full="refuse") as (runtime, network, model):
        async with runtime.open_session(model, "Hi"):
            await network.wait_requests(1)
            with pytest.raises(TooManySessions, match="session 'b': 1 live already") as caught:
                await runtime.stream(model, "Hi", id="b")
            assert caught.value.retryable
            assert caught.value.__context__ is None
        async with runtime.open_session(model, "Hi", id="b"):
            await network.wait_requests(2)


async def test_a_cancelled_session_gives_its_place_up(autojump_clock: Any) -> None:
    """Its tree has ended, though its block goes on and what it received can be read."""
    async with scripted_runtime(HELD, max_sessions=1, on_full="refuse") as (runtime, _, model):
        async with runtime.open_session(model, "Hi", id="a") as first:
            await first.receive()
            first.cancel()
            await wait_all_tasks_blocked()
            assert runtime.sessions() == {}
            async with runtime.open_session(model, "Hi", id="a") as second:
                assert runtime.get("a") is second
            assert (await first.response()).text == "Hel"
        assert runtime.statistics().ended == {"cancelled": 2}


# The registry


async def test_sessions_are_found_by_their_ids(autojump_clock: Any) -> None:
    """Ids are given or made; a name ends with its session's block, and can then be taken again."""
    async with scripted_runtime(HELD) as (runtime, _, model):
        async with (
            runtime.open_session(model, "Hi", id="mine") as mine,
            runtime.open_session(model, "Hi") as other,
        ):
            assert (mine.id, other.id) == ("mine", "session-1")
            assert runtime.sessions() == {"mine": mine, "session-1": other}
            assert list(runtime.sessions()) == ["mine", "session-1"]
            assert runtime.get("mine") is mine
            assert [branch.id for branch in runtime.tree().children] == ["mine", "session-1"]
        assert (runtime.sessions(), runtime.get("mine")) == ({}, None)
        async with runtime.open_session(model, "Hi", id="mine"):
            pass


async def test_two_living_sessions_cannot_have_one_id(autojump_clock: Any) -> None:
    """The second is refused before anything of it is sent; made ids keep out of the way of given ones."""
    async with scripted_runtime(HELD) as (runtime, network, model):
        async with runtime.open_session(model, "Hi", id="session-1") as first:
            await network.wait_requests(1)
            with pytest.raises(SessionExists, match="'session-1'"):
                await runtime.stream(model, "Hi", id="session-1")
            async with runtime.open_session(model, "Hi") as second:
                assert second.id == "session-2"
                await network.wait_requests(2)
            assert first.status == "streaming"
        assert len(network.requests) == 2


async def test_an_id_is_looked_at_again_after_the_wait(autojump_clock: Any) -> None:
    """Of two that wait with one id the first to be admitted has it; the other fails, and gives its place on."""
    results: list[object] = []
    async with scripted_runtime(HELD, max_sessions=2) as (runtime, _, model):
        async with trio.open_nursery() as nursery:

            async def ask(name: str, seconds: float) -> None:
                try:
                    async with runtime.open_session(model, "Hi", id=name):
                        await trio.sleep(seconds)
                        results.append(name)
                except SessionExists as error:
                    results.append(error)

            for name, seconds in (("a", 1), ("b", 1), ("c", 1), ("c", 1), ("d", 0.5)):
                nursery.start_soon(ask, name, seconds)
                await wait_all_tasks_blocked()
    assert [each if isinstance(each, str) else type(each) for each in results] in (
        ["a", "b", SessionExists, "d", "c"],
        ["b", "a", SessionExists, "d", "c"],
    )


async def test_a_session_alone_has_an_id_too(autojump_clock: Any) -> None:
    """The one it was given, or `session`."""
    async with scripted_network(HELD) as (network, client):
        model = chat_model(network.url)
        async with streamd.open_session(model, "Hi", client=client) as session:
            assert session.id == "session"
        async with streamd.open_session(model, "Hi", client=client, id="mine") as session:
            assert session.id == "mine"


async def test_another_task_may_cancel_a_session(autojump_clock: Any) -> None:
    """Found by its id, it ends for its reader without an error."""
    async with scripted_runtime(HELD) as (runtime, _, model):
        async with trio.open_nursery() as nursery:

            async def stop() -> None:
                found = runtime.get("a")
                assert found is not None
                found.cancel()

            async with runtime.open_session(model, "Hi", id="a") as session:
                nursery.start_soon(stop)
                _, error = await read(session)
            assert (error, session.status) == (None, "cancelled")


# What it tells, and what it keeps


async def test_statistics_count_every_session(autojump_clock: Any) -> None:
    """Living, waiting, opened, and ended by status."""
    async with scripted_runtime(GOOD, BAD, HELD, max_sessions=1, retry_budget=None) as (runtime, _, model):
        await runtime.stream(model, "Hi")
        with pytest.raises(BadRequestError):
            await runtime.stream(model, "Hi")
        async with runtime.open_session(model, "Hi"):
            assert runtime.statistics() == RuntimeStatistics(
                living=1,
                waiting=0,
                opened=3,
                ended={"done": 1, "error": 1},
                connections_used=None,
                connections_idle=None,
                retries_left={},
            )
        assert runtime.statistics().ended == {"done": 1, "error": 1, "cancelled": 1}


async def test_the_observer_is_told_of_every_session(autojump_clock: Any) -> None:
    """It sees each begin and end, as the events of a supervisor; a failed session has not crashed."""
    events: list[Event] = []
    async with scripted_runtime(GOOD, BAD, observer=events.append) as (runtime, _, model):
        await runtime.stream(model, "Hi", id="a")
        with pytest.raises(BadRequestError):
            await runtime.stream(model, "Hi", id="b")
    told = [
        (type(event).__name__, event.id) for event in events if isinstance(event, ChildStarted | ChildExited)
    ]
    assert told == [("ChildStarted", "a"), ("ChildExited", "a"), ("ChildStarted", "b"), ("ChildExited", "b")]
    assert {event.exit.error for event in events if isinstance(event, ChildExited)} == {None}


async def test_nothing_is_kept_of_a_session_that_is_over(autojump_clock: Any) -> None:
    """After hundreds of sessions, good, bad and refused, the runtime holds none of them."""
    async with scripted_runtime(GOOD, BAD, GOOD) as (runtime, _, model):
        for number in range(300):
            try:
                await runtime.stream(model, "Hi", id=f"s{number}")
            except StreamdError:
                pass
        gc.collect()
        assert sum(isinstance(each, Session) for each in gc.get_objects()) == 0
        assert runtime.statistics().opened == 300


async def test_a_session_costs_the_same_whatever_its_neighbours(autojump_clock: Any) -> None:
    """Opening, reading and leaving one takes as many calls of functions among 400 as among 10."""
    costs: list[int] = []
    async with scripted_runtime(HELD) as (runtime, _, model):
        async with trio.open_nursery() as nursery:

            async def hold() -> None:
                async with runtime.open_session(model, "Hi"):
                    await trio.sleep(1000)

            for neighbours in (10, 400):
                while runtime.statistics().opened < neighbours:
                    nursery.start_soon(hold)
                    await wait_all_tasks_blocked()
                # The least of several: how often a task that waits is woken depends on who happens to run first.
                costs.append(min([await calls_of_one(runtime, model) for _ in range(5)]))
            nursery.cancel_scope.cancel()
    assert costs[1] <= 1.02 * costs[0]


async def calls_of_one(runtime: Runtime, model: Any) -> int:
    """How many Python functions are called for one session."""
    calls = 0

    def count(frame: Any, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and "streamd" in frame.f_code.co_filename

    sys.setprofile(count)
    try:
        async with runtime.open_session(model, "Hi") as session:
            await session.receive()
            runtime.get(session.id)
            runtime.statistics()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(
    "options",
    [
        {"max_sessions": 0},
        {"max_sessions": True},
        {"max_sessions": 1.5},
        {"on_full": "drop"},
        {"connections": -1},
        {"connections": True},
        {"connections": "many"},
        {"drain": -1},
        {"drain": float("nan")},
        {"drain": None},
        {"retry_budget": 10},
        {"observer": "log"},
    ],
)
async def test_an_argument_that_cannot_be_used_is_named(options: dict[str, Any]) -> None:
    """`ConfigError` before anything is started."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        async with open_runtime(**options):
            pass


def test_a_runtime_needs_trio() -> None:
    """Outside of trio it says so."""
    manager = open_runtime()
    coroutine = manager.__aenter__()
    with pytest.raises(ConfigError, match=r"trio\.run"):
        coroutine.send(None)


async def test_a_closed_runtime_opens_nothing(autojump_clock: Any) -> None:
    """Once its block has been left, it says so."""
    async with scripted_runtime(GOOD) as (runtime, network, model):
        pass
    with pytest.raises(RuntimeClosed, match="'late'"):
        await runtime.stream(model, "Hi", id="late")
    assert network.requests == []


async def test_sessions_share_connections_that_end_with_the_runtime() -> None:
    """One after another they use one connection; it is closed with the block, though it could be used again."""
    async with serve(GOOD) as server, no_leaks():
        async with open_runtime() as runtime:
            for _ in range(5):
                await runtime.stream(chat_model(server.url), "Hi")
                statistics = runtime.statistics()
                assert (statistics.connections_used, statistics.connections_idle) == (0, 1)
            assert len(server.connections) == 1
        await server.wait_connections_closed()


async def test_idle_connections_are_bounded() -> None:
    """Of four connections in use at once two are kept, or none."""
    for most in (2, 0):
        async with serve(GOOD) as server, no_leaks(), open_runtime(connections=most) as runtime:
            sessions = 0
            async with trio.open_nursery() as nursery:

                async def ask(url: str) -> None:
                    nonlocal sessions
                    async with runtime.open_session(chat_model(url), "Hi") as session:
                        await session.receive()
                        sessions += 1
                        while sessions < 4:
                            await trio.lowlevel.checkpoint()
                        await session.response()

                for _ in range(4):
                    nursery.start_soon(ask, server.url)
            assert len(server.connections) == 4
            assert runtime.statistics().connections_idle == most
            assert runtime.statistics().connections_used == 0


async def test_a_session_may_bring_its_own_client(autojump_clock: Any) -> None:
    """It sends with that; the others send with the runtime's, and a client that was given is left open."""
    async with scripted_network(GOOD) as (network, client), scripted_network(GOOD) as (other, own):
        async with open_runtime(connections=client) as runtime:
            await runtime.stream(chat_model(network.url), "Hi", client=own)
            assert (len(network.requests), len(other.requests)) == (0, 1)
            await runtime.stream(chat_model(network.url), "Hi", retry=Retry(max_retries=0))
            assert (len(network.requests), len(other.requests)) == (1, 1)
        assert not client.is_closed
