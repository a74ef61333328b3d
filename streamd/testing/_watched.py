"""The application's tasks, step by step."""

from __future__ import annotations

from collections.abc import Callable

import trio

__all__ = ["Watched"]


class Watched(trio.abc.Instrument):
    """Counts the scheduler steps of a task and of all tasks below it, and cancels a scope before some of them.

    Args:
        root: The task the application runs in.
        scope: What is cancelled.
        cancel_at: Before which steps, from 1. At the second and later ones what still runs is cancelled again, by a
            scope that was entered in `again`.
        limit: Steps after which it is taken for a loop that never ends, and cancelled.
        again: For cancelling twice.
        quit_at: Before which steps `end` is called.
        end: Tells the application to end by itself.
    """

    def __init__(
        self,
        root: trio.lowlevel.Task,
        scope: trio.CancelScope,
        cancel_at: tuple[int, ...],
        limit: int,
        again: trio.CancelScope | None = None,
        quit_at: tuple[int, ...] = (),
        end: Callable[[], object] = lambda: None,
    ) -> None:
        self.steps = 0
        self.overrun = False
        self._scope = scope
        self._again = again
        self._cancel_at = frozenset(cancel_at)
        self._limit = limit
        self._quit_at = frozenset(quit_at)
        self._end = end
        self._tasks = {root}

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        """A task below one of the application's is the application's."""
        nursery = task.parent_nursery
        if nursery is not None and nursery.parent_task in self._tasks:
            self._tasks.add(task)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        """Forget a task that is over."""
        self._tasks.discard(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count, and cancel where it is due."""
        if task not in self._tasks:
            return
        self.steps += 1
        if self.steps in self._quit_at:
            self._end()
        if self.steps in self._cancel_at:
            if self._scope.cancel_called and self._again is not None:
                self._again.cancel()
            self._scope.cancel()
        elif self.steps >= self._limit:
            self.overrun = True
            self._scope.cancel()
