"""One connection as a scripted server holds it: what was read ahead, and how much went through."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

import trio

from ._pipe import MemoryStream
from ._steps import Request

__all__ = ["Connection", "Counted", "note_client_gone"]


@dataclass
class Connection:
    """A connection as the server saw it."""

    opened_at: float
    sent: int = 0
    """Bytes handed to the network; those in the socket's buffers are among them."""
    received: int = 0
    closed: trio.Event = field(default_factory=trio.Event)
    """The client has closed or reset the connection, or the server has."""
    client_closed: trio.Event = field(default_factory=trio.Event)
    """The client has closed or reset the connection. Seen while a script plays and between requests."""
    client_closed_at: float | None = None


def note_client_gone(record: Connection) -> None:
    """Note that the client has closed; the first time counts."""
    if not record.client_closed.is_set():
        record.client_closed_at = trio.current_time()
        record.client_closed.set()


class Counted(trio.abc.Stream):
    """A connection with what was read ahead, counting what goes through."""

    def __init__(self, stream: trio.abc.Stream, below: trio.abc.Stream, record: Connection) -> None:
        self.stream = stream
        self.record = record
        self._below = below
        self._ahead = bytearray()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send in slices, so that the count of bytes sent is near the truth while the client does not read."""
        for start in range(0, len(data), 16384):
            piece = data[start : start + 16384]
            await self.stream.send_all(piece)
            self.record.sent += len(piece)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The next bytes."""
        data = await self.stream.receive_some(max_bytes or 65536)
        self.record.received += len(data)
        return data

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the stream below says so."""
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        await self.stream.aclose()

    async def send_eof(self) -> None:
        """Send a FIN; over TLS without TLS's goodbye."""
        assert isinstance(self._below, trio.abc.HalfCloseableStream)
        await self._below.send_eof()

    async def reset(self) -> None:
        """Break the connection so that the client sees a reset."""
        if isinstance(self._below, trio.SocketStream):
            self._below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif isinstance(self._below, MemoryStream):
            self._below.reset()
        await trio.aclose_forcefully(self._below)

    async def drain(self) -> None:
        """Read until the client closes."""
        while await self.receive_some():
            pass
        note_client_gone(self.record)

    async def watch(self, scope: trio.CancelScope) -> None:
        """Read ahead, so that the client's closing is seen at once; it ends the script."""
        try:
            while data := await self.receive_some():
                self._ahead += data
        except trio.BrokenResourceError:
            pass
        except trio.ClosedResourceError:
            return
        note_client_gone(self.record)
        scope.cancel()

    async def read_request(self, index: int, *, head_only: bool) -> Request | None:
        """The next request; None if the client closes instead.

        Raises:
            ValueError: It is no request.
        """
        while (end := self._ahead.find(b"\r\n\r\n")) < 0:
            if not await self._more():
                return None
        head = bytes(self._ahead[:end]).decode("latin-1")
        del self._ahead[: end + 4]
        line, *lines = head.split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        if head_only:
            return Request(method, target, headers, b"", index)
        if headers.get("expect", "").lower() == "100-continue":
            await self.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = await self._read_chunks()
        else:
            length = int(headers.get("content-length", 0))
            if length < 0:
                raise ValueError("a negative length")
            body = await self._read_exactly(length)
        return None if body is None else Request(method, target, headers, body, index)

    async def _read_chunks(self) -> bytes | None:
        """A chunked body; its trailers are dropped."""
        body = bytearray()
        while line := await self._read_line():
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                while trailer := await self._read_line():
                    if trailer == b"\r\n":
                        return bytes(body)
                return None
            part = await self._read_exactly(size + 2)
            if part is None:
                return None
            body += part[:-2]
        return None

    async def _read_line(self) -> bytes | None:
        while (end := self._ahead.find(b"\r\n")) < 0:
            if not await self._more():
                return None
        return await self._read_exactly(end + 2)

    async def _read_exactly(self, length: int) -> bytes | None:
        while len(self._ahead) < length:
            if not await self._more():
                return None
        data = bytes(self._ahead[:length])
        del self._ahead[:length]
        return data

    async def _more(self) -> bool:
        data = await self.receive_some()
        self._ahead += data
        return bool(data)
