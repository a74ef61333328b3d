"""Requests too large for the network's buffers: the answer is watched for while they are sent."""

import signal

import httpx
import pytest
import trio
from trio.testing import MockClock

from streamd._http_transport import HTTPTransport
from streamd.errors import ConnectionLost, ProtocolViolation
from tests.support.leaks import no_leaks
from tests.support.server import (
    CLOSE,
    FIN,
    HEAD_ONLY,
    Delay,
    Pause,
    Request,
    Script,
    chunk,
    memory_network,
    response,
    serve,
    tls_contexts,
)

LARGE = bytes(30_000_000)


async def ask(transport: HTTPTransport, url: str, body: bytes = LARGE) -> tuple[int, bytes]:
    """The status and the whole body of the response to one request."""
    answer = await transport.handle_async_request(httpx.Request("POST", url, content=body))
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    return answer.status_code, b"".join([piece async for piece in answer.stream])


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("status", [307, 413, 429, 503])
async def test_an_answer_that_refuses_the_request_ends_its_upload(status: int, tls: bool) -> None:
    """The server reads no more, and holds the connection open; its answer comes in pieces, and is read whole."""
    pause, end = Pause(), Pause()
    refusal = response(status, {"Content-Length": "9"}, None)
    scripts: list[Script] = [
        [HEAD_ONLY, refusal, pause, b"too ", b"large", end, CLOSE],
        [response(200, body=b"b")],
    ]
    async with serve(*scripts, tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            answer = await transport.handle_async_request(httpx.Request("POST", server.url, content=LARGE))
            assert answer.status_code == status
            pause.release()
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            assert b"".join([piece async for piece in answer.stream]) == b"too large"
            assert server.connections[0].received < len(LARGE)
            end.release()
            await server.wait_connections_closed()
            assert await ask(transport, server.url, b"small") == (200, b"b")
    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_refusal_is_read_at_once(tls: bool, autojump_clock: MockClock) -> None:
    """In memory, where nothing of the upload is buffered: no time passes before the answer is there."""
    end = Pause()
    script: Script = [HEAD_ONLY, response(413, body=b"too large"), end, CLOSE]
    async with memory_network(script, lockstep=True, tls=tls) as network:
        transport = HTTPTransport(connect=network.connect, ssl_context=tls_contexts()[1])
        async with no_leaks(), transport:
            with trio.fail_after(1):
                assert await ask(transport, network.url) == (413, b"too large")
            end.release()


@pytest.mark.parametrize("tls", [False, True])
async def test_an_answer_that_accepts_the_request_does_not_end_its_upload(
    tls: bool, autojump_clock: MockClock
) -> None:
    """A server may send its head before it has read the request; an informational head is no answer at all."""

    async def read_rest(stream: trio.abc.Stream, request: Request | None) -> None:
        while network.connections[0].received < len(LARGE):
            assert await stream.receive_some()

    head = response(200, {"Transfer-Encoding": "chunked"}, None)
    script: Script = [
        HEAD_ONLY,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        Delay(1),
        head,
        Delay(1),
        read_rest,
        chunk(b"hi") + b"0\r\n\r\n",
    ]
    async with memory_network(script, lockstep=True, tls=tls) as network:
        transport = HTTPTransport(connect=network.connect, ssl_context=tls_contexts()[1])
        async with no_leaks(), transport:
            assert await ask(transport, network.url) == (200, b"hi")
            assert network.connections[0].received >= len(LARGE)


async def test_a_large_request_leaves_a_connection_that_is_used_again() -> None:
    """Where it was sent whole before the answer came."""

    async def echo_length(stream: trio.abc.Stream, request: Request | None) -> None:
        assert request is not None
        await stream.send_all(response(413, body=b"%d" % len(request.body)))

    async with serve([echo_length]) as server, no_leaks(), HTTPTransport() as transport:
        for size in (65_000, 66_000, 3_000_000):
            assert await ask(transport, server.url, bytes(size)) == (413, b"%d" % size)
    assert len(server.connections) == 1


@pytest.mark.parametrize("tls", [False, True])
async def test_garbage_ends_an_upload(tls: bool, autojump_clock: MockClock) -> None:
    """What is no response will not become one."""
    end = Pause()
    async with memory_network([HEAD_ONLY, b"<html>", end, CLOSE], lockstep=True, tls=tls) as network:
        transport = HTTPTransport(connect=network.connect, ssl_context=tls_contexts()[1])
        async with no_leaks(), transport:
            with trio.fail_after(1), pytest.raises(ProtocolViolation):
                await ask(transport, network.url)
            end.release()


async def test_an_end_without_an_answer_ends_an_upload(autojump_clock: MockClock) -> None:
    """The error tells that the request was not sent whole."""
    async with memory_network([HEAD_ONLY, FIN], lockstep=True) as network:

        async def connect(host: str, port: int) -> trio.abc.Stream:
            return Deaf(await network.connect(host, port))

        async with no_leaks(), HTTPTransport(connect=connect) as transport:
            with trio.fail_after(1), pytest.raises(ConnectionLost) as caught:
                await ask(transport, network.url)
    assert caught.value.phase == "send"
    assert "closed the connection without a response" in str(caught.value.__cause__)


class Deaf(trio.abc.Stream):
    """A connection on which the first 1000 bytes are sent, and then no more."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data[:1000])
        await trio.sleep_forever()

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.stream.aclose()


class Interrupted(Deaf):
    """A connection on which SIGINT comes as something is sent."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_while_sending_is_no_group() -> None:
    """It comes out as `KeyboardInterrupt`, and the connection is closed."""

    async def main() -> None:
        async with memory_network([HEAD_ONLY, Delay(1000)]) as network, no_leaks():

            async def connect(host: str, port: int) -> trio.abc.Stream:
                return Interrupted(await network.connect(host, port))

            async with HTTPTransport(connect=connect) as transport:
                with pytest.raises(KeyboardInterrupt):
                    await ask(transport, network.url)
                await network.wait_connections_closed()

    trio.run(main, clock=MockClock(autojump_threshold=0))
