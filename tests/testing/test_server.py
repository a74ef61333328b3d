"""The scripted server and its network in memory."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from streamd.testing._pipe import memory_pair
from streamd.testing._server import Network, Scripts, loopback, memory_network
from streamd.testing._steps import CLOSE, FIN, HEAD_ONLY, KEEP_OPEN, RST, UNREAD, Script, response, segments

REQUEST = b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize("limit", [0, math.inf])
async def test_a_memory_stream_is_a_stream(limit: float) -> None:
    """Bytes go through, an end comes after them, and a stream that is closed says so."""
    left, right = memory_pair(limit)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(left.send_all, b"abc")
        assert await right.receive_some(2) == b"ab"
        assert await right.receive_some() == b"c"
    await left.send_eof()
    assert await right.receive_some() == b""
    with pytest.raises(trio.ClosedResourceError):
        await left.send_all(b"x")
    await right.send_all(b"")
    await right.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await right.receive_some()
    await left.aclose()


async def test_a_full_buffer_holds_the_sender(autojump_clock: Any) -> None:
    """A send returns once no more than the limit is unread: backpressure, in memory."""
    left, right = memory_pair(4)
    with trio.move_on_after(1) as waited:
        await left.send_all(b"123456")
    assert waited.cancelled_caught
    assert await right.receive_some() == b"123456"
    await left.send_all(b"1234")


async def test_a_reset_comes_after_what_was_sent() -> None:
    """The other end reads it, then its reads and its sends fail."""
    left, right = memory_pair()
    await left.send_all(b"last words")
    left.reset()
    assert await right.receive_some() == b"last words"
    with pytest.raises(trio.BrokenResourceError):
        await right.receive_some()
    with pytest.raises(trio.BrokenResourceError):
        await right.send_all(b"x")


async def test_closing_wakes_whoever_waits() -> None:
    """One's own reader with an error, the other end's with the end."""
    left, right = memory_pair()

    async def closed() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await left.receive_some()

    async def ended() -> None:
        assert await right.receive_some() == b""

    async with trio.open_nursery() as nursery:
        nursery.start_soon(closed)
        nursery.start_soon(ended)
        await trio.testing.wait_all_tasks_blocked()
        left.close()


@asynccontextmanager
async def connected(script: Script) -> AsyncIterator[tuple[Network, trio.abc.Stream]]:
    """A connection to a server in memory that plays this script again and again."""
    async with memory_network(Scripts([script])) as network:
        stream = await network.connect("any.test", 80)
        yield network, stream
        await stream.aclose()


async def everything(stream: trio.abc.Stream) -> bytes:
    """All that comes to the end."""
    data = b""
    while piece := await stream.receive_some():
        data += piece
    return data


async def test_requests_are_read_and_kept() -> None:
    """Whole, with their heads; two on one connection, though they come at once."""
    async with connected([response(body=b"ok")]) as (network, stream):
        await stream.send_all(REQUEST + REQUEST)
        await network.wait_requests(2)
        first, second = network.requests
        assert (first.method, first.target, first.headers["host"], first.body) == ("POST", "/v1", "x", b"hi")
        assert first.connection == second.connection == 0
        assert network.hosts == [("any.test", 80)]


@pytest.mark.parametrize("how", [FIN, CLOSE])
async def test_a_script_ends_the_connection(how: Any) -> None:
    """Every byte before it comes."""
    async with connected([b"abc", how]) as (_, stream):
        await stream.send_all(REQUEST)
        assert await everything(stream) == b"abc"


async def test_a_script_resets_the_connection() -> None:
    """Every byte before it comes, and then an error."""
    async with connected([*segments(b"abc"), RST]) as (network, stream):
        await stream.send_all(REQUEST)
        with pytest.raises(trio.BrokenResourceError):
            await everything(stream)
        await network.wait_connections_closed()
        assert network.open_connections == 0


@pytest.mark.parametrize("how", [UNREAD, HEAD_ONLY])
async def test_a_request_may_stay_unread(how: Any) -> None:
    """All of it, or its body."""
    async with connected([how, b"early", FIN]) as (network, stream):
        await stream.send_all(REQUEST)
        assert await everything(stream) == b"early"
        assert [request.body for request in network.requests] == ([] if how is UNREAD else [b""])


async def test_a_client_that_leaves_is_seen_at_once() -> None:
    """While the server says nothing."""
    async with connected([KEEP_OPEN]) as (network, stream):
        await stream.send_all(REQUEST)
        await network.wait_requests(1)
        await stream.aclose()
        await network.wait_connections_closed()
        assert network.connections[0].client_closed.is_set()


async def test_the_loopback_plays_the_same() -> None:
    """Over a real socket, too; leaving the block closes it."""
    async with loopback(Scripts([[response(body=b"ok"), FIN]])) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        stream = await trio.open_tcp_stream(host, int(port))
        await stream.send_all(REQUEST)
        assert await everything(stream) == response(body=b"ok")
        await stream.aclose()
        await server.wait_connections_closed()


async def test_the_block_s_own_exception_leaves_it_bare() -> None:
    """No group around it, of either server."""
    for opened in (loopback(Scripts([[]])), memory_network(Scripts([[]]))):
        with pytest.raises(ZeroDivisionError):
            async with opened:
                raise ZeroDivisionError
