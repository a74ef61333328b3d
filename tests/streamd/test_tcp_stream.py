"""The stream over a socket: what trio asks of any stream, and what the network may do to it."""

from __future__ import annotations

import socket
import struct

import pytest
import trio
from trio.testing import check_two_way_stream, wait_all_tasks_blocked

from streamd._http_socket import TCPStream


async def pair() -> tuple[TCPStream, TCPStream]:
    """Two ends of one connection."""
    ours, theirs = trio.socket.socketpair()
    return TCPStream(trio.SocketStream(ours)), TCPStream(trio.SocketStream(theirs))


async def clogged() -> tuple[TCPStream, TCPStream]:
    """Two ends of one connection that takes no more bytes."""
    ours, theirs = await pair()
    for end in (ours, theirs):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end.send_all, bytes(8 * 1024 * 1024))
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    return ours, theirs


async def over_tcp() -> tuple[TCPStream, socket.socket]:
    """Our end of a TCP connection, and the socket of the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = TCPStream(await trio.open_tcp_stream("127.0.0.1", listener.getsockname()[1]))
        return stream, listener.accept()[0]


async def test_it_is_a_stream_as_trio_defines_one() -> None:
    """It passes the checks that trio has for two-way streams."""
    await check_two_way_stream(pair, clogged)


async def test_a_full_read_is_followed_by_one_that_does_not_wait() -> None:
    """Whatever the size of a read, everything comes, in order, and then the end."""
    stream, peer = await over_tcp()
    with peer:
        sent = bytes(range(256)) * 5
        peer.sendall(sent)
        peer.shutdown(socket.SHUT_WR)
        came = [await stream.receive_some(400) for _ in range(4)]
        assert [len(each) for each in came] == [400, 400, 400, 80]
        assert b"".join(came) == sent
        assert [await stream.receive_some(), await stream.receive_some()] == [b"", b""]
    await stream.aclose()


async def test_a_read_of_just_what_there_was_waits_for_more() -> None:
    """The socket turns out to be empty, and that is no error."""
    stream, peer = await over_tcp()
    with peer:
        peer.sendall(b"abcd")
        assert await stream.receive_some(4) == b"abcd"
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                assert await stream.receive_some(4) == b"e"

            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            peer.sendall(b"e")
    await stream.aclose()


async def test_a_reset_breaks_it() -> None:
    """A connection that the peer resets is broken, for whoever reads and whoever sends."""
    stream, peer = await over_tcp()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(trio.BrokenResourceError) as caught:
        await stream.receive_some()
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x")
    await stream.aclose()


async def test_closing_it_wakes_who_waits() -> None:
    """A read under way ends with `ClosedResourceError`, and so does all that follows; closing again does nothing."""
    stream, peer = await over_tcp()
    with peer:
        async with trio.open_nursery() as nursery:

            async def read() -> None:
                with pytest.raises(trio.ClosedResourceError):
                    await stream.receive_some()

            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            await stream.aclose()
        await stream.aclose()
        for again in (stream.receive_some(), stream.send_all(b"x"), stream.wait_send_all_might_not_block()):
            with pytest.raises(trio.ClosedResourceError):
                await again


async def test_it_tells_whether_it_lies_still() -> None:
    """Open with nothing to read it is still; with bytes or an end on it, it is not."""
    stream, peer = await over_tcp()
    assert stream.is_still()
    peer.sendall(b"x")
    while stream.is_still():
        await trio.lowlevel.checkpoint()
    assert await stream.receive_some() == b"x"
    assert stream.is_still()
    peer.close()
    while stream.is_still():
        await trio.lowlevel.checkpoint()
    await stream.aclose()


async def test_one_that_was_closed_is_not_still() -> None:
    """It cannot be used any more, and to ask is no mistake."""
    stream, peer = await over_tcp()
    with peer:
        await stream.aclose()
        assert not stream.is_still()
