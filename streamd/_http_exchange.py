"""One request and its response on one connection."""

from typing import Self, final

import httpx
import trio

from ._http1 import ResponseReader, request_bytes
from ._http_connections import Connection, Connections
from ._http_dial import mute
from ._ungrouped import ungrouped
from .errors import ConnectionLost

__all__ = ["Exchange"]

_READ_SIZE = 64 * 1024

_UNWATCHED = 64 * 1024
"""Bytes: a request of no more is taken by the buffers of socket and server, though the server reads nothing."""


@final
class Exchange(httpx.AsyncByteStream):
    """Sends a request and reads its response; iterated, it is the response's body.

    It is its own iterator: an async generator would have to be closed by whoever leaves it early. Its connection goes
    back to the others as soon as the last byte of the response is read, if all went well, and is closed otherwise.

    Args:
        connections: Where the connection came from.
        connection: Ours alone until the exchange is over.
        method: The request's method.
    """

    def __init__(self, connections: Connections, connection: Connection, method: bytes) -> None:
        self._connections = connections
        self._connection: Connection | None = connection
        self._stream = connection.stream
        self._reader = ResponseReader(method)
        self._sent = False
        self._unsent: BaseException | None = None
        self._first = b""

    @property
    def answered(self) -> bool:
        """At least one byte came."""
        return self._reader.touched

    async def run(self, request: httpx.Request) -> httpx.Response:
        """Send the request, whose body must have been read, and return the response when its head has come.

        Raises:
            TransportError: There was none. The connection is closed, as it is when this is cancelled.
        """
        try:
            wire = _wire(request)
            if len(wire) <= _UNWATCHED:
                await self._send(wire)
                self._first = await self._read()
            else:
                await self._send_and_watch(wire)
        except BaseException:
            await self.aclose()
            raise
        head, fault = self._reader.head, self._reader.fault
        if head is not None:
            # Not the reason phrase: httpx logs it, and it can be anything, the key too. A client ought to ignore it
            # (RFC 9112 section 4).
            extensions = {"http_version": b"HTTP/" + head.version.encode()}
            # Without its request, which may be large and holds the key: a client notes it itself.
            response = httpx.Response(head.status, headers=head.headers, stream=self, extensions=extensions)
            if response.is_redirect and not _is_readable(response.headers.get("location", ""), request.url):
                # httpx reads the place of every redirect, followed or not, and fails where it cannot.
                del response.headers["location"]
            return response
        await self.aclose()
        assert fault is not None
        if isinstance(fault, ConnectionLost) and not self._sent:
            message = "the connection broke while the request was sent"
            raise ConnectionLost(message, phase="send") from self._unsent or fault
        raise fault

    def __aiter__(self) -> Self:
        return self

    async def _read(self) -> bytes:
        """The bytes of body that one read of the network gave; while the head is waited for, those that came with it.

        One coroutine does both: a stream spends its life here, and every read is handed through all that wait for it.
        """
        if self._first:
            first, self._first = self._first, b""
            return first
        reader = self._reader
        headless = reader.head is None
        while not reader.over:
            try:
                data = await self._stream.receive_some(_READ_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                reader.lose(_why(exc), exc)
                break
            except BaseException:
                await self.aclose()
                raise
            if not data:
                reader.end()
                break
            body = reader.feed(data)
            if reader.reusable and self._sent and self._connection is not None:
                self._keep(self._connection)
            if body or (headless and reader.head is not None):
                return body
        if headless:
            return b""  # `run` says what became of it
        await self.aclose()
        if reader.fault is not None:
            raise reader.fault
        raise StopAsyncIteration

    __anext__ = _read

    def _keep(self, connection: Connection) -> None:
        """Give the connection back, whose response has ended, if it is wanted."""
        if self._connections.keep(connection):
            self._connection = None

    async def aclose(self) -> None:
        """Close the connection, unless the response has ended and it went back. Waits for nothing."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            if not self._reader.over:
                self._first = b""
                self._reader.lose("the response was closed before its end")
            await self._connections.discard(connection)

    async def _send(self, wire: memoryview) -> None:
        try:
            await self._stream.send_all(wire)
            self._sent = True
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            # A server that refuses a request early answers, and then hangs up on the rest of it.
            self._unsent = exc

    async def _send_and_watch(self, wire: memoryview) -> None:
        """Send, and meanwhile read; stop sending when the server refuses the request (RFC 9112 section 9.5)."""
        refused = False
        with ungrouped():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send, wire)
                self._first = await self._read()
                head = self._reader.head
                refused = not self._sent and (head is None or head.status >= 300)
                if refused and not mute(self._stream):
                    nursery.cancel_scope.cancel()
        if refused:
            self._sent = False


def _why(exc: trio.BrokenResourceError | trio.ClosedResourceError) -> str:
    if isinstance(exc, trio.ClosedResourceError):
        return "the connection was closed on this side"
    return f"the connection broke: {exc.__cause__}" if exc.__cause__ else "the connection broke"


def _wire(request: httpx.Request) -> memoryview:
    return request_bytes(request.method.encode(), request.url.raw_path, request.headers.raw, request.content)


def _is_readable(location: str, base: httpx.URL) -> bool:
    try:
        place = httpx.URL(location)
        return bool(base.join(place).host) and bool(place.host or not place.scheme)
    except (httpx.InvalidURL, ValueError):
        # What IDNA cannot decode is a ValueError, too.
        return False
