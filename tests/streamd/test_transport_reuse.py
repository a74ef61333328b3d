"""Which connections are used again: only those that ended cleanly, are young, and lie still."""

import socket

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd._http_dial import Origin, dial, is_still
from streamd._http_transport import HTTPTransport
from streamd.errors import ConnectFailed, ConnectionLost
from tests.support.leaks import no_leaks, open_fds
from tests.support.server import (
    CLOSE,
    FIN,
    HEAD_ONLY,
    KEEP_OPEN,
    RST,
    Pause,
    Script,
    Server,
    chunked,
    memory_network,
    response,
    serve,
    tls_contexts,
)


async def ask(transport: HTTPTransport, url: str, body: bytes = b"prompt") -> bytes:
    """The whole body of the response to one request."""
    answer = await transport.handle_async_request(httpx.Request("POST", url, content=body))
    assert isinstance(answer.stream, httpx.AsyncByteStream)
    return b"".join([piece async for piece in answer.stream])


def used(server: Server) -> list[int]:
    """The connection that each request came on."""
    return [request.connection for request in server.requests]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_clean_connection_is_used_again(tls: bool) -> None:
    """After a length, after chunks, and after the last byte was read though the end was not asked for."""
    async with serve(
        [response(200, body=b"a")], [chunked(b"b")], [response(200, body=b"c")], tls=tls
    ) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            assert await ask(transport, server.url) == b"a"
            assert await ask(transport, server.url) == b"b"
            answer = await transport.handle_async_request(httpx.Request("GET", server.url))
            assert await ask(transport, server.url) == b"c"
            assert await anext(aiter(answer.stream)) == b"c"  # type: ignore[arg-type]  # httpx: sync or async
            await answer.aclose()
            assert await ask(transport, server.url) == b"c"
    assert used(server) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "script",
    [
        [response(200, {"Connection": "close"}, b"a")],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"],
        [response(200, body=None) + b"a", FIN],
    ],
)
async def test_a_connection_that_the_server_ends_is_closed(script: Script) -> None:
    """And the client does not wait for the server to do it."""
    async with serve(script, [response(200, body=b"b")]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            assert await ask(transport, server.url) == b"a"
            await server.wait_connections_closed()
            assert await ask(transport, server.url) == b"b"
    assert used(server) == [0, 1]


async def test_a_response_left_early_closes_its_connection() -> None:
    """What is left of it must not become the next response."""
    async with serve([chunked(b"a", last=False), KEEP_OPEN], [response(200, body=b"b")]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            answer = await transport.handle_async_request(httpx.Request("GET", server.url))
            await answer.aclose()
            await server.wait_connections_closed()
            assert await ask(transport, server.url) == b"b"
    assert used(server) == [0, 1]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_surplus_response_is_never_served(tls: bool) -> None:
    """Neither when it comes with the one that was asked for, nor when it comes after it."""
    poison = response(200, body=b"POISON")
    pause = Pause()
    scripts: list[Script] = [
        [response(200, body=b"a") + poison, KEEP_OPEN],
        [response(200, body=b"b"), pause, poison, KEEP_OPEN],
        [response(200, body=b"c")],
    ]
    async with serve(*scripts, tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            assert await ask(transport, server.url) == b"a"
            assert await ask(transport, server.url) == b"b"
            pause.release()
            await wait_all_tasks_blocked(0.01)
            assert await ask(transport, server.url) == b"c"
            assert await ask(transport, server.url) == b"c"
    assert used(server) == [0, 1, 2, 2]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("end", [FIN, RST, CLOSE])
async def test_a_connection_that_ended_while_idle_is_not_used(end: object, tls: bool) -> None:
    """It is seen before the request is sent."""
    pause = Pause()
    scripts: list[Script] = [[response(200, body=b"a"), pause, end], [response(200, body=b"b")]]  # type: ignore[list-item]  # one of the server's constants
    async with serve(*scripts, tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            assert await ask(transport, server.url) == b"a"
            pause.release()
            await wait_all_tasks_blocked(0.01)
            assert await ask(transport, server.url) == b"b"
    assert used(server) == [0, 1]


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("end", [FIN, RST, CLOSE])
async def test_a_kept_connection_that_dies_without_a_byte_is_replaced_once(end: object, tls: bool) -> None:
    """The server hung up while the request was on its way: it is sent again, on a new connection."""
    scripts: list[Script] = [[response(200, body=b"a")], [end], [response(200, body=b"b")]]  # type: ignore[list-item]  # one of the server's constants
    async with serve(*scripts, tls=tls) as server:
        async with no_leaks(), HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            assert await ask(transport, server.url) == b"a"
            assert await ask(transport, server.url, b"again") == b"b"
    assert used(server) == [0, 0, 1]
    assert [request.body for request in server.requests] == [b"prompt", b"again", b"again"]


async def test_a_request_is_sent_twice_at_most() -> None:
    """The new connection's death is an error."""
    async with serve([response(200, body=b"a")], [FIN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            assert await ask(transport, server.url) == b"a"
            with pytest.raises(ConnectionLost) as caught:
                await ask(transport, server.url)
    assert caught.value.phase == "headers"
    assert used(server) == [0, 0, 1]


async def test_a_kept_connection_that_dies_after_a_byte_is_an_error() -> None:
    """The server has begun to answer, so the request may have been worked on."""
    async with serve([response(200, body=b"a")], [b"HTTP/1.1 100 Continue\r\n\r\n", FIN]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            assert await ask(transport, server.url) == b"a"
            with pytest.raises(ConnectionLost):
                await ask(transport, server.url)
    assert used(server) == [0, 0]


async def test_a_kept_connection_is_replaced_when_sending_fails() -> None:
    """A large request, reset by the server before it answered a byte."""
    scripts: list[Script] = [[response(200, body=b"a")], [HEAD_ONLY, RST], [response(200, body=b"b")]]
    async with serve(*scripts) as server:
        async with no_leaks(), HTTPTransport() as transport:
            assert await ask(transport, server.url) == b"a"
            assert await ask(transport, server.url, bytes(30_000_000)) == b"b"
    assert used(server) == [0, 0, 1]


async def test_idle_connections_grow_old(mock_clock: MockClock) -> None:
    """One that was idle for `keep_alive` seconds is closed, and not used."""
    async with serve([response(200, body=b"a")]) as server:
        async with no_leaks(), HTTPTransport(keep_alive=15) as transport:
            await ask(transport, server.url)
            mock_clock.jump(14.9)
            await ask(transport, server.url)
            mock_clock.jump(15.1)
            await ask(transport, server.url)
            assert used(server) == [0, 0, 1]
            await server.connections[0].client_closed.wait()


async def test_idle_connections_are_bounded_for_each_origin() -> None:
    """What is over the bound is closed at its response's end."""
    pause = Pause()
    script: Script = [pause, response(200, body=b"a")]
    async with serve(script) as one, serve(script) as other:
        async with no_leaks(), HTTPTransport(max_idle=2) as transport:
            async with trio.open_nursery() as nursery:
                for server in (one, other):
                    for _ in range(5):
                        nursery.start_soon(ask, transport, server.url)
                    await server.wait_requests(5)
                pause.release()
            await wait_all_tasks_blocked(0.01)
            assert (one.open_connections, other.open_connections) == (2, 2)


async def test_two_origins_share_no_connection() -> None:
    """A name and its address are two origins, though they lead to one server."""
    async with memory_network([response(200, body=b"a")]) as network:
        async with no_leaks(), HTTPTransport(connect=network.connect) as transport:
            for url in ("http://a.test/", "http://a.test:81/", "http://b.test/"):
                assert await ask(transport, url) == b"a"
    assert network.hosts == [("a.test", 80), ("a.test", 81), ("b.test", 80)]
    async with serve([response(200, body=b"a")]) as server:
        async with no_leaks(), HTTPTransport() as transport:
            await ask(transport, server.url)
            await ask(transport, server.url.replace("127.0.0.1", "localhost"))
    assert used(server) == [0, 1]


async def test_a_connection_that_cannot_be_checked_is_not_used_again(autojump_clock: MockClock) -> None:
    """Nothing tells whether bytes wait on a stream of another kind."""
    async with memory_network([response(200, body=b"a")]) as network:
        async with no_leaks(), HTTPTransport(connect=network.connect) as transport:
            await ask(transport, network.url)
            await network.wait_connections_closed()
            await ask(transport, network.url)
    assert used(network) == [0, 1]


async def test_closing_the_transport_closes_every_connection() -> None:
    """Idle ones and those in use; whoever reads is told, and no request can follow."""
    async with serve([response(200, body=b"a")], [chunked(b"b", last=False), KEEP_OPEN]) as server:
        async with no_leaks():
            transport = HTTPTransport()
            errors: list[Exception] = []

            async def read() -> None:
                try:
                    await ask(transport, server.url)
                except ConnectionLost as exc:
                    errors.append(exc)

            await ask(transport, server.url)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                nursery.start_soon(read)
                await server.wait_requests(3)
                await wait_all_tasks_blocked(0.01)
                await transport.aclose()
            await transport.aclose()
            await server.wait_connections_closed()
            assert [str(error) for error in errors] == ["the connection was closed on this side"] * 2
            with pytest.raises(ConnectFailed, match="closed") as caught:
                await ask(transport, server.url)
            assert not caught.value.retryable


async def test_closing_the_transport_while_cancelled_closes_every_connection() -> None:
    """A cancellation does not leave half of them open."""
    pause = Pause()
    async with serve([pause, response(200, body=b"a")]) as server:
        async with no_leaks():
            transport = HTTPTransport()
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(ask, transport, server.url)
                await server.wait_requests(3)
                pause.release()
            with trio.CancelScope() as scope:
                scope.cancel()
                await transport.aclose()
            await server.wait_connections_closed()


async def test_a_connection_made_while_the_transport_closes_is_closed(autojump_clock: MockClock) -> None:
    """The request that waited for it fails."""
    async with memory_network([response()]) as network:
        go = trio.Event()

        async def connect(host: str, port: int) -> trio.abc.Stream:
            await go.wait()
            return await network.connect(host, port)

        async def ask_in_vain() -> None:
            with pytest.raises(ConnectFailed, match="closed"):
                await ask(transport, network.url)

        transport = HTTPTransport(connect=connect)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_in_vain)
            await wait_all_tasks_blocked()
            await transport.aclose()
            go.set()
        await network.wait_connections_closed()
        assert network.requests == []


class Corked(trio.abc.Stream):
    """Holds what is sent until it is flushed, so that it arrives in one segment."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.held = b""
        self.corked = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.held += data
        if not self.corked:
            await self.flush()

    async def flush(self) -> None:
        held, self.held = self.held, b""
        await self.stream.send_all(held)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()


async def test_bytes_that_tls_holds_back_are_seen() -> None:
    """A record that came with the last one lies in the TLS layer, where the socket does not show it."""
    ours, theirs = trio.socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    below = Corked(trio.SocketStream(theirs))
    server = trio.SSLStream(below, tls_contexts()[0], server_side=True)

    async def connect(host: str, port: int) -> trio.abc.Stream:
        return trio.SocketStream(ours)

    async with server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.do_handshake)
            origin = Origin("https", "localhost", 443)
            client = await dial(origin, connect=connect, ssl_context=tls_contexts()[1], timeout=None)
        async with client:
            await server.send_all(b"first")
            assert await client.receive_some(100) == b"first"
            assert await is_still(client)
            below.corked = True
            await server.send_all(b"second")
            await server.send_all(b"third")
            await below.flush()
            assert await client.receive_some(100) == b"second"
            assert not await is_still(client)
            below.corked = False
            await server.send_all(b"fourth")
            assert not await is_still(client)


async def test_a_look_that_is_cancelled_closes_the_connection() -> None:
    """Cancelled while an idle TLS connection is looked at, a request leaves no socket."""
    before = open_fds()
    async with serve([response(200, body=b"a")], tls=True) as server:
        async with HTTPTransport(ssl_context=tls_contexts()[1]) as transport:
            await ask(transport, server.url)
            with trio.CancelScope() as scope:
                scope.cancel()
                await ask(transport, server.url)
            assert scope.cancelled_caught
            await server.wait_connections_closed()
            assert await ask(transport, server.url) == b"a"
    assert used(server) == [0, 1]
    assert open_fds() == before
