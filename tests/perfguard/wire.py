"""A server in memory that answers with reads of a fixed size at a fixed pace, and costs as little as a socket would."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import trio

__all__ = ["TICK", "Line", "Wire"]

TICK = 1 / 64
"""Seconds of virtual time between two reads: a power of two, so that sums of it are exact."""


class Wire(trio.abc.Stream):
    """One connection: a request begins the next reply of its line, of which every tick gives the next read.

    A read takes one scheduler step, as it does with a socket: the reader waits for the tick, or yields once.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._coming: deque[bytes] = deque()
        self._here: deque[bytes] = deque()
        self._reader: trio.lowlevel.Task | None = None
        self._closed = False

    def tick(self) -> None:
        """The next read comes in."""
        if self._coming:
            self._here.append(self._coming.popleft())
            if self._reader is not None:
                reader, self._reader = self._reader, None
                trio.lowlevel.reschedule(reader)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Take a request, which comes whole."""
        await trio.lowlevel.checkpoint()
        self._coming.extend(self._line.next_reply())

    async def wait_send_all_might_not_block(self) -> None:
        """It never does."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What one tick brought."""
        if self._here:
            await trio.lowlevel.checkpoint()
        else:
            self._reader = trio.lowlevel.current_task()

            def abort(_: object) -> trio.lowlevel.Abort:
                self._reader = None
                return trio.lowlevel.Abort.SUCCEEDED

            await trio.lowlevel.wait_task_rescheduled(abort)
        return self._here.popleft()

    def is_still(self) -> bool:
        """Whether the connection can be used for another request."""
        return not (self._here or self._coming or self._closed)

    def close(self) -> None:
        """What `aclose` does, at once."""
        self._closed = True

    async def aclose(self) -> None:
        """Close it: it takes part in no further tick."""
        self.close()
        self._line.wires.remove(self)
        await trio.lowlevel.checkpoint()


class Line:
    """The server: one reply for each request, the last for all that follow; and the clock of all connections.

    Args:
        replies: The reads of each.
    """

    def __init__(self, *replies: Sequence[bytes]) -> None:
        self.wires: list[Wire] = []
        self._replies = replies
        self._played = 0

    async def connect(self, host: str, port: int) -> Wire:
        """A new connection, as `streamd.HTTPTransport` makes one."""
        await trio.lowlevel.checkpoint()
        wire = Wire(self)
        self.wires.append(wire)
        return wire

    def next_reply(self) -> Sequence[bytes]:
        """The reads of the next reply."""
        reply = self._replies[min(self._played, len(self._replies) - 1)]
        self._played += 1
        return reply

    async def pace(self) -> None:
        """Tick for ever."""
        while True:
            await trio.sleep(TICK)
            for wire in self.wires:
                wire.tick()
