"""Cancelling a request or its body at any point closes the connection and leaves nothing."""

import random

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from streamd._http_transport import HTTPTransport
from tests.support.leaks import no_leaks
from tests.support.server import (
    KEEP_OPEN,
    Delay,
    Flood,
    Script,
    chunk,
    chunked,
    memory_network,
    response,
    serve,
    tls_contexts,
)

SCRIPT: Script = [
    Delay(1),
    b"HTTP/1.1 200 OK\r\n",
    Delay(1),
    b"Transfer-Encoding: chunked\r\n\r\n",
    Delay(1),
    chunk(b"one") + b"3\r\n",
    Delay(1),
    b"two\r\n",
    Delay(1),
    b"0\r\n\r\n",
]


async def ask(transport: HTTPTransport, url: str, body: bytes = b"prompt") -> bytes:
    """The whole body of the response to one request."""
    answer = await transport.handle_async_request(httpx.Request("POST", url, content=body))
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    return b"".join([piece async for piece in answer.stream])


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("after", [0, 0.5, 1.5, 2.5, 3.5, 4.5])
async def test_cancelling_closes_the_connection(after: float, tls: bool, autojump_clock: MockClock) -> None:
    """While the head is awaited, inside it, and inside the body; the server sees it at once."""
    async with memory_network(SCRIPT, tls=tls) as network:
        transport = HTTPTransport(connect=network.connect, ssl_context=tls_contexts()[1])
        async with no_leaks(), transport:
            with trio.move_on_after(after) as scope:
                await ask(transport, network.url)
            assert scope.cancelled_caught
            await network.wait_connections_closed()
            assert trio.current_time() == autojump_clock.current_time()
            assert await ask(transport, network.url) == b"onetwo"


class StepsOut(trio.abc.Instrument):
    """Cancels a scope after so many scheduler steps of the task that made it."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.scope = trio.CancelScope()
        self.task = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count down at each step of the task."""
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("size", [6, 1_000_000])
async def test_cancelling_at_every_scheduler_step(size: int, tls: bool) -> None:
    """Over real sockets: connecting, handshake, sending, head, body, end: each leaves nothing."""
    async with serve([chunked(b"one", b"two")], tls=tls) as server:
        step = 0
        for step in range(1, 100):
            async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
                out = StepsOut(step)
                trio.lowlevel.add_instrument(out)
                with out.scope:
                    await ask(transport, server.url, bytes(size))
                trio.lowlevel.remove_instrument(out)
                assert await ask(transport, server.url) == b"onetwo"
            if not out.scope.cancelled_caught:
                break
        assert 3 < step < 99


@pytest.mark.parametrize("tls", [False, True])
async def test_closing_waits_for_nobody(tls: bool) -> None:
    """A server that floods and never reads cannot hold the client, nor can TLS's goodbye; even when cancelled."""
    script: Script = [response(200, {"Transfer-Encoding": "chunked"}, None), Flood(chunk(bytes(16384)))]
    async with serve(script, tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            for cancelled in (False, True):
                answer = await transport.handle_async_request(httpx.Request("GET", server.url))
                with trio.CancelScope() as scope:
                    if cancelled:
                        scope.cancel()
                    await answer.aclose()
                await server.wait_connections_closed()


async def test_three_hundred_cancelled_requests_leave_nothing() -> None:
    """At random times, over sockets, some of them connecting; the transport works on."""
    rng = random.Random(7)
    script: Script = [
        response(200, {"Transfer-Encoding": "chunked"}, None),
        Flood(chunk(b"x" * 100), times=5, every=0.001),
        b"0\r\n\r\n",
    ]
    async with serve(script) as server, no_leaks():
        async with HTTPTransport() as transport:
            outcomes: list[bool] = []

            async def cancelled(seconds: float) -> None:
                with trio.move_on_after(seconds) as scope:
                    await ask(transport, server.url)
                outcomes.append(scope.cancelled_caught)

            for _ in range(6):
                async with trio.open_nursery() as nursery:
                    for _ in range(50):
                        nursery.start_soon(cancelled, rng.uniform(0, 0.1))
                assert await ask(transport, server.url) == b"x" * 500
            assert len(outcomes) == 300
            assert any(outcomes)
        await server.wait_connections_closed()


@settings(max_examples=25, deadline=None)
@given(
    st.random_module(),
    st.lists(st.tuples(st.floats(0, 6, width=16), st.floats(0, 6, width=16)), min_size=1, max_size=8),
    st.booleans(),
)
def test_any_cancellations_leave_nothing(
    seed: object, times: list[tuple[float, float]], lockstep: bool
) -> None:
    """Any number of requests that start and are cancelled at any time, in virtual time."""

    async def main() -> None:
        async with memory_network(SCRIPT, lockstep=lockstep) as network:
            async with no_leaks(), HTTPTransport(connect=network.connect) as transport:

                async def one(start: float, length: float) -> None:
                    await trio.sleep(start)
                    with trio.move_on_after(length) as scope:
                        assert await ask(transport, network.url) == b"onetwo"
                    assert scope.cancelled_caught or length >= 5

                async with trio.open_nursery() as nursery:
                    for start, length in times:
                        nursery.start_soon(one, start, length)
                await network.wait_connections_closed()
                assert await ask(transport, network.url) == b"onetwo"

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_body_read_after_a_cancelled_read_is_an_error(autojump_clock: MockClock) -> None:
    """The connection is gone with the read that was cancelled."""
    async with memory_network([chunked(b"one", last=False), KEEP_OPEN]) as network:
        async with no_leaks(), HTTPTransport(connect=network.connect) as transport:
            answer = await transport.handle_async_request(httpx.Request("GET", network.url))
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            stream = aiter(answer.stream)
            assert await anext(stream) == b"one"
            with trio.move_on_after(1):
                await anext(stream)
            await network.wait_connections_closed()
            with pytest.raises(Exception, match="closed before its end"):
                await anext(stream)
