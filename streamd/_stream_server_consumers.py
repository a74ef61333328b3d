"""Who reads a stream server, and whether anybody still will."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import trio

__all__ = ["Consumers"]

LOOK = 0.5
"""Seconds. A trio task cannot be monitored: whether those that read still live is looked up this often."""

KEEP = 30.0
"""Seconds for which chunks are kept for a first reader after the metadata was read."""


class Consumers:
    """What was read of one response, and by which tasks."""

    __slots__ = ("_changed", "_end_read", "_metadata_at", "_pulled", "_tasks")

    def __init__(self) -> None:
        self._tasks: set[trio.lowlevel.Task] = set()
        self._pulled = False
        self._end_read = False
        self._metadata_at: float | None = None
        self._changed = trio.Event()

    def note_pull(self) -> None:
        """The current task asks for a chunk."""
        task = trio.lowlevel.current_task()
        if task not in self._tasks:
            self._tasks.add(task)
            self._pulled = True
            self._note()

    def note_end(self) -> None:
        """The end, or the error, was read."""
        self._end_read = True
        self._note()

    def note_metadata(self) -> None:
        """The metadata was read."""
        if self._metadata_at is None:
            self._metadata_at = trio.current_time()
            self._note()

    async def watch(self, on_death: Callable[[], None]) -> None:
        """Wait until every task that has read is gone, then say so once."""
        while not self._dead():
            await self._look(trio.current_time() + LOOK if self._pulled else math.inf)
        on_death()

    async def wait_read(self) -> None:
        """Wait until nobody will read any more: both ends were read, or those that would are gone."""
        while not (self._end_read and self._metadata_at is not None):
            due = math.inf
            if self._pulled and not self._end_read:
                if self._dead():
                    return
                due = trio.current_time() + LOOK
            elif self._metadata_at is not None:
                due = self._metadata_at + KEEP
                if trio.current_time() >= due:
                    return
            await self._look(due)

    def _dead(self) -> bool:
        self._tasks = {
            task for task in self._tasks if inspect.getcoroutinestate(task.coro) != inspect.CORO_CLOSED
        }
        return self._pulled and not self._tasks

    async def _look(self, due: float) -> None:
        with trio.CancelScope(deadline=due):
            await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
