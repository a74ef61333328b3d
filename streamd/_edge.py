"""The consumer edge: the bounded channel between a session's actors and the code that reads it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType

import trio

from streamd.providers import Chunk

from .errors import StreamdError

__all__ = ["ConsumerEdge"]

HIGH_BYTES = 8 * 1024 * 1024
"""Bytes of the network in the queue at which it is full, however few the chunks: one may be as large as its event."""


class ConsumerEdge:
    """A queue of chunks, bounded by a watermark, with an end that can be read again and again.

    It differs from `trio.open_memory_channel` in three ways: a sender hands over the chunks of a whole read at once
    and waits *after* it, while the queue stands at the watermark; a send or receive that need not wait does not yield
    to the scheduler; and it ends with an error as well as without, after everything sent before. Waiting receivers
    are served in order, one chunk each, and one that is cancelled takes no chunk with it.

    Bytes are counted from the moment the queue was last empty: where large chunks come, it is drained before more is
    taken in.
    """

    __slots__ = (
        "_bytes",
        "_ended",
        "_error",
        "_queue",
        "_receivers",
        "_senders",
        "_traceback",
        "high_watermark",
    )

    def __init__(self, high_watermark: int) -> None:
        self.high_watermark: int = high_watermark
        # Made when first needed, and let go when it is empty: an empty deque is larger than all else here.
        self._queue: deque[Chunk] | None = None
        self._bytes = 0
        # What a waiting task is given: a chunk in its cell, or an empty cell, which means the end.
        self._receivers: dict[trio.lowlevel.Task, list[Chunk]] = {}
        self._senders: trio.lowlevel.ParkingLot | None = None  # made when first needed
        self._ended = False
        self._error: StreamdError | None = None
        self._traceback: TracebackType | None = None

    def __len__(self) -> int:
        return 0 if self._queue is None else len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the queue stands at the watermark, or holds too many bytes."""
        queue = self._queue
        return (
            queue is not None
            and (len(queue) >= self.high_watermark or self._bytes >= HIGH_BYTES)
            and not self._ended
        )

    @property
    def queued(self) -> Iterable[Chunk]:
        """The chunks sent and not yet received, oldest first."""
        return self._queue or ()

    @property
    def receivers_waiting(self) -> int:
        """How many tasks wait to receive."""
        return len(self._receivers)

    @trio.lowlevel.enable_ki_protection
    def push(self, chunks: Sequence[Chunk], size: int = 0) -> bool:
        """Queue chunks that came in so many bytes, without waiting for room; True if it is full now.

        After the end they are dropped.
        """
        if self._ended:
            return False
        given = 0  # straight to those who wait: while anybody does, nothing is queued
        while self._receivers and given < len(chunks):
            task = next(iter(self._receivers))
            self._receivers.pop(task).append(chunks[given])
            trio.lowlevel.reschedule(task)
            given += 1
        if given < len(chunks):
            if self._queue is None:
                self._queue = deque()
            self._queue.extend(chunks[given:] if given else chunks)
            self._bytes += size
        return self._queue is not None and self.full

    async def room(self) -> None:
        """Wait while the queue stands at the watermark; does not yield otherwise."""
        while self.full:
            if self._senders is None:
                self._senders = trio.lowlevel.ParkingLot()
            await self._senders.park()

    @trio.lowlevel.enable_ki_protection
    def end(self, error: StreamdError | None = None) -> None:
        """Say that nothing more comes, and why; the first call counts."""
        if self._ended:
            return
        self._ended = True
        self._error = error
        self._traceback = error.__traceback__ if error is not None else None
        for task in self._receivers:
            trio.lowlevel.reschedule(task)
        self._receivers.clear()
        if self._senders is not None:
            self._senders.unpark_all()

    @trio.lowlevel.enable_ki_protection
    def receive_nowait(self, end: type[Exception] = trio.EndOfChannel) -> Chunk:
        """The next chunk, if there is one.

        Args:
            end: What is raised at the end: an iterator's is another than a channel's.

        Raises:
            trio.WouldBlock: Nothing is queued, and more may come.
            trio.EndOfChannel: The stream is complete and everything was read; again and again.
            StreamdError: The stream failed, and everything before it was read; again and again.
        """
        if self._queue is not None:
            chunk = self._queue.popleft()
            if not self._queue:
                self._queue, self._bytes = None, 0
            if self._senders and not self.full:
                self._senders.unpark_all()
            return chunk
        if not self._ended:
            raise trio.WouldBlock
        if self._error is None:
            raise end
        # Raised once more, it would pile the next traceback on the last.
        raise self._error.with_traceback(self._traceback)

    @trio.lowlevel.enable_ki_protection
    async def receive(self, end: type[Exception] = trio.EndOfChannel) -> Chunk:
        """The next chunk, waited for; ends as `receive_nowait` does. Cancelling takes no chunk."""
        if self._queue is not None or self._ended:
            await trio.lowlevel.checkpoint_if_cancelled()
            return self.receive_nowait(end)
        task = trio.lowlevel.current_task()
        cell: list[Chunk] = []
        self._receivers[task] = cell

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._receivers[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        return cell[0] if cell else self.receive_nowait(end)
