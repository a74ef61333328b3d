"""A raw HTTP/1.1 server that plays scripts: what a client must stand, byte by byte.

    async with loopback([response(200, body=b"hi")]) as server:
        ...  # server.url, server.requests, server.connections

`loopback` is a TCP server; `memory_network` is the same in memory, for virtual time.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import trio

from ._connection import Connection, Counted, note_client_gone
from ._pipe import MemoryStream, memory_pair
from ._steps import CLOSE, FIN, HEAD_ONLY, KEEP_OPEN, RST, UNREAD, Request, Script

__all__ = ["Network", "Playlist", "Scripts", "Server", "loopback", "memory_network"]


class Playlist(Protocol):
    """What a server plays. A connection asks `peek` before it reads a request, and `next` once it has."""

    def peek(self, connection: int) -> Script:
        """The script to be, as far as it is known: only its first step is looked at, for how the request is read."""
        ...

    def next(self, connection: int, request: Request | None) -> Script:
        """The script for this request; for None where the script begins with `UNREAD`."""
        ...


class Scripts:
    """One script for each request; the last serves every request after it."""

    def __init__(self, scripts: Sequence[Script]) -> None:
        self._scripts = [list(script) for script in scripts]
        self._played = 0

    def peek(self, connection: int) -> Script:
        """The next script."""
        return self._scripts[min(self._played, len(self._scripts) - 1)]

    def next(self, connection: int, request: Request | None) -> Script:
        """The next script, which is then played."""
        script = self.peek(connection)
        self._played += 1
        return script


class Server:
    """What a server has seen so far, and where it is."""

    def __init__(self, url: str, playlist: Playlist, ssl_context: ssl.SSLContext | None = None) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.connections: list[Connection] = []
        self._playlist = playlist
        self._ssl_context = ssl_context
        self._changed = trio.Event()

    @property
    def open_connections(self) -> int:
        """How many connections have ended neither here nor there."""
        return sum(not connection.closed.is_set() for connection in self.connections)

    async def wait_requests(self, count: int) -> None:
        """Wait until so many requests have come, in all."""
        while len(self.requests) < count:
            await self._changed.wait()

    async def wait_connections_closed(self) -> None:
        """Wait until every connection made so far has ended."""
        for connection in list(self.connections):
            await connection.closed.wait()

    def admit(self) -> int:
        """Note a connection that is being made; its place in `connections`."""
        self.connections.append(Connection(opened_at=trio.current_time()))
        return len(self.connections) - 1

    async def handle(self, stream: trio.abc.Stream, index: int | None = None) -> None:
        """Serve one connection to its end.

        Args:
            stream: The connection.
            index: Its place, where it was admitted before.
        """
        index = self.admit() if index is None else index
        record = self.connections[index]
        below = stream
        try:
            if self._ssl_context is not None:
                stream = trio.SSLStream(below, self._ssl_context, server_side=True)
            await self._serve(Counted(stream, below, record), index)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            note_client_gone(record)
        finally:
            record.closed.set()
            await trio.aclose_forcefully(below)

    async def garbled(self, stream: Counted, index: int, error: ValueError) -> None:
        """What is done with a connection that brought what is no request.

        Raises:
            ValueError: It is a test's own mistake, if this is not overridden.
        """
        raise error

    async def _serve(self, stream: Counted, index: int) -> None:
        while True:
            request: Request | None = None
            first = list(self._playlist.peek(index)[:1])
            if first != [UNREAD]:
                try:
                    request = await stream.read_request(index, head_only=first == [HEAD_ONLY])
                except ValueError as error:
                    await self.garbled(stream, index, error)
                    return
                if request is None:
                    note_client_gone(stream.record)
                    return
                self.requests.append(request)
                self._changed.set()
                self._changed = trio.Event()
            script = self._playlist.next(index, request)
            watched = first not in ([UNREAD], [HEAD_ONLY])
            more = False
            async with trio.open_nursery() as nursery:
                if watched:
                    nursery.start_soon(stream.watch, nursery.cancel_scope)
                try:
                    more = await self._play(stream, script, request, watched=watched)
                except trio.BrokenResourceError:
                    note_client_gone(stream.record)
                nursery.cancel_scope.cancel()
            if stream.record.client_closed.is_set() or not more:
                return

    async def _play(self, stream: Counted, script: Script, request: Request | None, *, watched: bool) -> bool:
        for step in script:
            if isinstance(step, bytes):
                await stream.send_all(step)
            elif step is CLOSE:
                await stream.stream.aclose()
                return False
            elif step is RST:
                await stream.reset()
                return False
            elif step is FIN or step is KEEP_OPEN:
                if step is FIN:
                    await stream.send_eof()
                if watched:
                    # `watch` reads until the client closes, and then cancels this.
                    await trio.sleep_forever()
                await stream.drain()
            elif callable(step):
                await step(stream, request)
        return True


class Network(Server):
    """A server in memory. `streamd.HTTPTransport(connect=network.connect)` leads every host and port to it."""

    def __init__(
        self,
        playlist: Playlist,
        nursery: trio.Nursery,
        *,
        buffer: float = math.inf,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(f"{'https' if ssl_context else 'http'}://memory.test", playlist, ssl_context)
        self.hosts: list[tuple[str, int]] = []
        self.clients: list[MemoryStream] = []
        self._nursery = nursery
        self._buffer = buffer

    async def connect(self, host: str, port: int) -> trio.abc.Stream:
        """A connection to the server, whatever the host."""
        await trio.lowlevel.checkpoint()
        self.hosts.append((host, port))
        ours, theirs = memory_pair(self._buffer)
        self.clients.append(ours)
        self._nursery.start_soon(self.handle, theirs, self.admit())
        return ours


@asynccontextmanager
async def loopback(
    playlist: Playlist, *, port: int = 0, ssl_context: ssl.SSLContext | None = None
) -> AsyncGenerator[Server, None]:
    """Listen on the loopback and play; leaving the block closes every connection.

    Args:
        playlist: What is played.
        port: Where; any free port if 0.
        ssl_context: Speaks TLS, where there is one.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(port, host="127.0.0.1", backlog=1024)
        host, bound = listeners[0].socket.getsockname()
        server = Server(f"{'https' if ssl_context else 'http'}://{host}:{bound}", playlist, ssl_context)
        await nursery.start(trio.serve_listeners, server.handle, listeners)
        try:
            yield server
        except Exception as exc:  # noqa: BLE001 - raised again below
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        # Outside the nursery, so that the block's own exception leaves it, and no group.
        raise failure


@asynccontextmanager
async def memory_network(
    playlist: Playlist, *, buffer: float = math.inf, ssl_context: ssl.SSLContext | None = None
) -> AsyncGenerator[Network, None]:
    """Play in memory, without a socket: for a `trio.testing.MockClock`. Leaving the block ends every connection.

    Args:
        playlist: What is played.
        buffer: How many bytes may be on their way in one direction. With 0 a send returns only when all of it was read,
            as with sockets of tiny buffers.
        ssl_context: Speaks TLS, where there is one.
    """
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield Network(playlist, nursery, buffer=buffer, ssl_context=ssl_context)
        except Exception as exc:  # noqa: BLE001 - raised again below
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
