"""A connection in memory: two streams with buffers between them, and either end can reset it."""

from __future__ import annotations

import math

import trio

__all__ = ["MemoryStream", "memory_pair"]


class _Way:
    """The bytes on their way in one direction."""

    __slots__ = ("data", "ended", "gone", "limit", "lot", "reset")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.data = bytearray()
        self.ended = False  # the sender says no more
        self.gone = False  # the reader has closed
        self.reset = False  # the sender has reset the connection
        self.lot = trio.lowlevel.ParkingLot()

    async def put(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        self._check()
        self.data += data
        self.lot.unpark_all()
        while len(self.data) > self.limit:
            await self.lot.park()
            self._check()

    async def take(self, max_bytes: int | None) -> bytes:
        if self.data or self.ended:
            await trio.lowlevel.checkpoint()
        while not self.data and not self.ended:
            if self.gone:
                raise trio.ClosedResourceError("this stream was closed by another task")
            await self.lot.park()
        if not self.data and self.reset:
            raise trio.BrokenResourceError("reset by the peer")
        taken = bytes(self.data if max_bytes is None else self.data[:max_bytes])
        del self.data[: len(taken)]
        if taken:
            self.lot.unpark_all()
        return taken

    def end(self, *, reset: bool = False) -> None:
        self.ended = True
        self.reset = self.reset or reset
        self.lot.unpark_all()

    def leave(self) -> None:
        self.gone = True
        self.data.clear()
        self.lot.unpark_all()

    def _check(self) -> None:
        if self.gone:
            raise trio.BrokenResourceError("the peer has closed")
        if self.ended:
            raise trio.ClosedResourceError("this stream was closed by another task")


class MemoryStream(trio.abc.HalfCloseableStream):
    """One end of a connection in memory.

    Closing it makes the other end's sends fail, and its reads end after what was sent; `reset` makes both fail, its
    reads after what was sent before.
    """

    def __init__(self, out: _Way, back: _Way) -> None:
        self._out = out
        self._back = back
        self.closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; waits while more than the buffer holds is unread."""
        self._check()
        await self._out.put(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: the buffer says in `send_all` that it is full."""
        self._check()
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes; empty once the other end has closed."""
        self._check()
        return await self._back.take(max_bytes)

    async def send_eof(self) -> None:
        """Say no more, and go on reading."""
        self._check()
        self._out.end()
        await trio.lowlevel.checkpoint()

    def narrow(self) -> None:
        """Hold nothing of what is sent: a send returns once all of it was read."""
        self._out.limit = 0

    def reset(self) -> None:
        """Break the connection, as a reset does."""
        self._out.end(reset=True)
        self._back.leave()
        self.closed = True

    @property
    def is_quiet(self) -> bool:
        """Whether it is open in both directions, with nothing to be read."""
        return not (self.closed or self._back.data or self._back.ended or self._out.gone)

    async def aclose(self) -> None:
        """Close both directions."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """What `aclose` does, at once."""
        if not self.closed:
            self.closed = True
            self._out.end()
            self._back.leave()

    def _check(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError("this stream was closed")


def memory_pair(limit: float = math.inf) -> tuple[MemoryStream, MemoryStream]:
    """The two ends of a new connection.

    Args:
        limit: How many bytes may be on their way in one direction; a send returns once there are no more. With zero it
            returns when all of it was read.
    """
    there, back = _Way(limit), _Way(limit)
    return MemoryStream(there, back), MemoryStream(back, there)
