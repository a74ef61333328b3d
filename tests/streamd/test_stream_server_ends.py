"""How a stream server ends: cancelled, by its readers' end, with its supervisor, and by itself; nothing is left."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from streamd import (
    ActorCrashed,
    ConnectionLost,
    HTTPData,
    HTTPDone,
    HTTPFailure,
    HTTPHeaders,
    HTTPStatus,
    StreamServer,
    open_stream_server,
)
from streamd.providers import HTTPRequest, Secret, resolve
from streamd.supervisors import open_dynamic_supervisor
from tests.support.chat import DONE, answer, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import KEEP_OPEN, chunked
from tests.support.sessions import KEY, scripted_network
from tests.support.stream_servers import PROVIDER, blocked, drain, fed_server, next_text

GOOD = [HTTPStatus(200), HTTPHeaders({"Content-Type": "text/event-stream"})]


@asynccontextmanager
async def running(**options: Any) -> AsyncGenerator[tuple[StreamServer, trio.Event], None]:
    """A server with a good head, and an event set when its `run` has returned."""
    server, stopped = StreamServer(PROVIDER, "tiny-1", **options), trio.Event()
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[StreamServer]) -> None:
            await server.run(task_status=task_status)
            stopped.set()

        assert await nursery.start(run) is server
        for event in GOOD:
            await server.http_event(event)
        yield server, stopped
        nursery.cancel_scope.cancel()


# Cancelling


async def test_cancel_releases_whoever_waits() -> None:
    """Readers see the end, metadata comes with the partial usage; and it can be said again, and after."""
    seen: list[str] = []
    async with fed_server(usage(6, 1)) as server, trio.open_nursery() as nursery:
        while server.statistics().chunks_queued:
            await server.next()

        async def read() -> None:
            with pytest.raises(trio.EndOfChannel):
                await server.next()
            seen.append("end")

        async def wait() -> None:
            told = await server.await_metadata()
            seen.append(f"{told.status} {told.stop_reason} {told.usage.input_tokens} {told.error}")

        nursery.start_soon(read)
        nursery.start_soon(read)
        nursery.start_soon(wait)
        await blocked()
        server.cancel()
        server.cancel()
        await blocked()
        assert sorted(seen) == ["cancelled cancelled 6 None", "end", "end"]
        server.cancel()
        assert server.status == "cancelled"


async def test_cancel_keeps_what_was_received() -> None:
    """Queued chunks can still be read, and the partial message is there; what comes later is not."""
    async with fed_server(text("a") + text("b")) as server:
        server.cancel()
        await server.http_event(HTTPData(text("c")))
        assert server.snapshot.text == "ab"
        assert await drain(server) == (["a", "b"], None)


async def test_cancel_after_the_end_changes_nothing() -> None:
    """A complete response stays complete, a failed one failed."""
    async with fed_server(answer("a")) as server:
        server.cancel()
        assert (server.status, await drain(server)) == ("done", (["a"], None))
    async with fed_server() as server:
        await server.http_event(HTTPFailure(OSError("broken")))
        server.cancel()
        assert server.status == "error"


async def test_cancel_before_anything() -> None:
    """A server that was cancelled before it ran ends at once when it is run, and no call on it hangs or fails."""
    server = StreamServer(PROVIDER, "tiny-1")
    server.cancel()
    await server.http_event(HTTPStatus(200))
    with pytest.raises(trio.EndOfChannel):
        await server.next()
    assert (await server.await_metadata()).status == "cancelled"
    await server.run()
    assert server.status == "cancelled"


async def test_a_dead_server_can_be_called() -> None:
    """After its block every call answers: events are ignored, reads end, cancelling does nothing."""
    async with fed_server(text("a")) as server:
        pass
    await server.http_event(HTTPDone())
    server.cancel()
    assert await drain(server) == (["a"], None)
    assert (await server.await_metadata()).status == "cancelled"


async def test_cancel_closes_the_connection(autojump_clock: MockClock) -> None:
    """The request's task is cancelled and its connection closed, while the server is still open."""
    async with scripted_network([chunked(text("a"), last=False), KEEP_OPEN]) as (network, client), no_leaks():
        async with open_stream_server(PROVIDER, "tiny-1") as server:
            await server.start_http("Hi", client=client)
            assert await next_text(server) == "a"
            start = trio.current_time()
            server.cancel()
            await network.wait_connections_closed()
            assert network.connections[0].client_closed_at == start


# The end of whoever holds it


@pytest.mark.parametrize("way", ["left", "raised", "cancelled"])
async def test_leaving_the_block_ends_everything(way: str, autojump_clock: MockClock) -> None:
    """However it is left: tasks gone, connection closed, waiters released, and an exception as it was."""
    released: list[str] = []
    script = [chunked(text("a"), last=False), KEEP_OPEN]
    async with scripted_network(script) as (network, client), no_leaks(), trio.open_nursery() as nursery:
        caught = False
        with trio.CancelScope() as scope:
            try:
                async with open_stream_server(PROVIDER, "tiny-1") as server:
                    await server.start_http("Hi", client=client)
                    assert await next_text(server) == "a"

                    async def wait() -> None:
                        released.append((await server.await_metadata()).status)
                        assert (await drain(server)) == ([], None)

                    nursery.start_soon(wait)
                    await blocked()
                    if way == "raised":
                        raise LookupError("mine")
                    if way == "cancelled":
                        scope.cancel()
                        await trio.sleep_forever()
            except LookupError:
                caught = True
        await network.wait_connections_closed()
        await blocked()
        assert (released, caught) == (["cancelled"], way == "raised")


async def test_the_death_of_its_supervisor_ends_it(autojump_clock: MockClock) -> None:
    """Its connection is closed when the supervisor's block has been left, and readers see the end."""
    async with scripted_network([chunked(text("a"), last=False), KEEP_OPEN]) as (network, client):
        server = StreamServer(PROVIDER, "tiny-1")
        async with open_dynamic_supervisor() as supervisor:
            await supervisor.start_child(server.child_spec())
            await server.start_http("Hi", client=client)
            assert await next_text(server) == "a"
        await network.wait_connections_closed()
        assert await drain(server) == ([], None)
        assert server.status == "cancelled"


async def test_the_death_of_the_reader_cancels(autojump_clock: MockClock) -> None:
    """When every task that has read is gone before the end was read, the response is cancelled and the server stops."""
    script = [chunked(text("a"), last=False), KEEP_OPEN]
    async with scripted_network(script) as (network, client), no_leaks(), trio.open_nursery() as nursery:
        server = StreamServer(PROVIDER, "tiny-1")
        await nursery.start(server.run)
        await server.start_http("Hi", client=client)

        async def read() -> None:
            assert await next_text(server) == "a"

        with trio.CancelScope() as killed:
            async with trio.open_nursery() as readers:
                readers.start_soon(read)
                await blocked()
                killed.cancel()
        assert server.status == "streaming"
        await trio.sleep(1)
        assert server.status == "cancelled"
        await network.wait_connections_closed()
        assert (await server.await_metadata()).stop_reason == "cancelled"
    assert server.snapshot.text == "a"


async def test_one_living_reader_is_enough(autojump_clock: MockClock) -> None:
    """As long as one of the tasks that have read lives, however long it does something else, nothing is cancelled."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(text("a") + text("b")))
        await next_text(server)
        async with trio.open_nursery() as readers:
            readers.start_soon(next_text, server)
        await trio.sleep(50)
        await server.http_event(HTTPData(b": keep-alive\n\n"))
        await trio.sleep(50)
        assert (server.status, stopped.is_set()) == ("streaming", False)


async def test_before_the_first_reader_nobody_is_missed(autojump_clock: MockClock) -> None:
    """A server nobody has read yet waits for its reader, its response under way or over."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(text("a")))
        await trio.sleep(50)
        await server.http_event(HTTPData(finish() + DONE))
        await trio.sleep(1000)
        assert (server.status, stopped.is_set()) == ("done", False)


async def test_the_death_of_the_reader_after_the_end_changes_nothing(autojump_clock: MockClock) -> None:
    """Whoever read the end may go: the server stays for its metadata."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(answer("a")))
        async with trio.open_nursery() as readers:
            readers.start_soon(drain, server)
        await trio.sleep(1000)
        assert (server.status, stopped.is_set()) == ("done", False)
        assert (await server.await_metadata()).status == "done"
        await blocked()
        assert stopped.is_set()


async def test_a_reader_that_dies_with_chunks_unread_stops_the_server(autojump_clock: MockClock) -> None:
    """The response is complete and stays so, but nobody will read it."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(answer("a", "b")))
        async with trio.open_nursery() as readers:
            readers.start_soon(next_text, server)
        await trio.sleep(1)
        assert (server.status, stopped.is_set()) == ("done", True)


# Its own end


@pytest.mark.parametrize("metadata_first", [False, True])
@pytest.mark.parametrize("last", [HTTPData(finish() + DONE), HTTPFailure(ConnectionLost("broke"))])
async def test_it_stops_by_itself_when_both_ends_were_read(last: Any, *, metadata_first: bool) -> None:
    """Its end and its metadata, in any order, of a response that is complete or failed; not before."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(text("a")))
        await server.http_event(last)
        reads = [server.await_metadata, lambda: drain(server)]
        if not metadata_first:
            reads.reverse()
        for read in reads:
            await blocked()
            assert not stopped.is_set()
            await read()
        await stopped.wait()
        assert (await server.await_metadata()).status in ("done", "error")


async def test_it_stops_after_its_metadata_if_nobody_ever_reads(autojump_clock: MockClock) -> None:
    """Thirty seconds after the metadata was read, if no chunk was asked for; what is queued can be read even then."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(answer("a")))
        await trio.sleep(100)
        await server.await_metadata()
        await trio.sleep(29.9)
        assert not stopped.is_set()
        await trio.sleep(0.2)
        assert stopped.is_set()
        assert await drain(server) == (["a"], None)


async def test_a_reader_within_the_thirty_seconds_keeps_it(autojump_clock: MockClock) -> None:
    """From the first chunk on it stays until the end is read."""
    async with running() as (server, stopped):
        await server.http_event(HTTPData(answer("a")))
        await server.await_metadata()
        await trio.sleep(20)
        await next_text(server)
        await trio.sleep(1000)
        assert not stopped.is_set()
        await drain(server)
        await stopped.wait()


async def test_an_actor_that_crashes_is_the_streams_error() -> None:
    """A decoder that raises what it never should ends the response after its chunks, and fails no supervisor."""

    class Faulty:
        """A decoder that breaks."""

        done = terminal = False

        def feed(self, data: bytes, /) -> list[Any]:
            """Break."""
            raise LookupError("a bug")

        def close(self) -> list[Any]:
            """Never called."""
            return []

    class Provider:
        """A provider whose decoder breaks; in all else a good one."""

        name = "faulty"

        def __getattr__(self, name: str) -> Any:
            return getattr(resolve(PROVIDER), name)

        def request(self, *given: Any) -> HTTPRequest:
            """A good one's."""
            return resolve(PROVIDER).request(*given)

        def error(self, *given: Any) -> Any:
            """A good one's."""
            return resolve(PROVIDER).error(*given)

        def decoder(self) -> Faulty:
            """The one that breaks."""
            return Faulty()

    faulty: Any = Provider()
    async with open_stream_server(faulty, "tiny-1") as server:
        await server.http_event(HTTPStatus(200))
        await server.http_event(HTTPData(text("a")))
        texts, error = await drain(server)
        assert (texts, type(error)) == ([], ActorCrashed)
        assert error is not None
        assert isinstance(error.__cause__, LookupError)


BODY = answer("Hel", "lo")
EVENTS = st.one_of(
    st.sampled_from([200, 401, 503, 307]).map(HTTPStatus),
    st.sampled_from([{}, {"Content-Encoding": "br"}, {"Location": "/x"}]).map(HTTPHeaders),
    st.sampled_from([b"", text("a"), text("b") + text("c"), finish(), DONE, BODY, b"data: {", b"<html>"]).map(
        HTTPData
    ),
    st.just(HTTPDone()),
    st.sampled_from([ConnectionLost("broke"), OSError("broke")]).map(HTTPFailure),
    st.none(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=12), st.integers(1, 3), st.integers(0, 3), st.random_module())
async def test_whatever_is_fed_the_stream_ends_once(
    events: list[Any], watermark: int, pauses: int, seed: object
) -> None:
    """Any events in any order, a cancellation among them: every sender returns, and the end is one and the same."""
    async with open_stream_server(PROVIDER, "tiny-1", high_watermark=watermark) as server:

        async def feed() -> None:
            for event in events:
                if event is None:
                    server.cancel()
                else:
                    await server.http_event(event)
            await server.http_event(HTTPFailure(ConnectionLost("the last")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            for _ in range(pauses):
                await blocked()
            texts, error = await drain(server)
        assert "".join(texts) == server.snapshot.text
        told = await server.await_metadata()
        assert told.status == server.status == ("error" if error else server.status)
        assert server.status in ("done", "cancelled", "error")
        assert told.error is error is server.error
        assert await drain(server) == ([], error)


# Its recording


async def test_a_recording_of_what_was_fed(tmp_path: Path) -> None:
    """The request it was told of, status, headers and data as they came; without the key."""
    path = tmp_path / "fed.json"
    request = HTTPRequest(
        "POST", "http://memory.test/v1/chat/completions", (("authorization", Secret(f"Bearer {KEY}")),), b"{}"
    )
    async with open_stream_server(PROVIDER, "tiny-1", fixture_path=str(path)) as server:
        server.set_fixture_context(request)
        for event in (*GOOD, HTTPData(text("a")), HTTPData(finish() + DONE), HTTPDone()):
            await server.http_event(event)
        assert await drain(server) == (["a"], None)
        await server.await_metadata()
    written = path.read_text("utf-8")
    assert KEY not in written
    (exchange,) = json.loads(written)["exchanges"]
    assert exchange["response"]["status"] == 200


async def test_a_recording_of_a_status_alone(tmp_path: Path) -> None:
    """An error without headers or body is recorded with what it had."""
    path = tmp_path / "alone.json"
    async with open_stream_server(PROVIDER, "tiny-1", fixture_path=path) as server:
        server.set_fixture_context(HTTPRequest("POST", "http://memory.test/v1", (), b"{}"))
        await server.http_event(HTTPStatus(503))
        await server.http_event(HTTPDone())
        assert (await server.await_metadata()).status == "error"
    (exchange,) = json.loads(path.read_text("utf-8"))["exchanges"]
    assert exchange["response"]["status"] == 503


@pytest.mark.parametrize("way", ["cancel", "error", "death"])
async def test_a_recording_is_written_however_it_ends(
    way: str, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Cancelled, failed or left: what had come is in the file when the server is gone."""
    path = tmp_path / "cut.json"
    script = [chunked(text("a"), last=False), KEEP_OPEN]
    async with scripted_network(script) as (_, client):
        async with open_stream_server(PROVIDER, "tiny-1", fixture_path=str(path)) as server:
            await server.start_http("Hi", client=client)
            assert await next_text(server) == "a"
            if way == "cancel":
                server.cancel()
            elif way == "error":
                await server.http_event(HTTPFailure(OSError("broken")))
        assert json.loads(path.read_text("utf-8"))["exchanges"]
