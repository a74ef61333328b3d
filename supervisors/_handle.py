"""What the outcome of one task is delivered to."""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, TypeVar, cast

import trio

from ._exits import Exit

__all__ = ["TaskCancelled", "TaskHandle"]

T = TypeVar("T")


class TaskCancelled(Exception):
    """The result was asked for of a task that was cancelled."""


class TaskHandle(Generic[T]):
    """A task of a `TaskSupervisor`. Awaiting the handle is `result()`.

    The outcome is kept by the handle alone: once nobody refers to it, it is gone.
    """

    __slots__ = ("_cancelled", "_done", "_exit", "_scope", "name")

    name: str
    """What the task is called."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._scope = trio.CancelScope()
        self._cancelled = False
        self._done: trio.Event | None = None
        self._exit: Exit | None = None

    @property
    def exit(self) -> Exit | None:
        """How the task ended, or None while it runs."""
        return self._exit

    def cancel(self, reason: str | None = None) -> None:
        """Cancel the task. Idempotent, and does not wait.

        Args:
            reason: why, for the `Cancelled` the task sees.
        """
        self._scope.cancel(reason)

    async def wait(self) -> Exit:
        """Wait until the task has ended, and tell how; its error is in the `Exit`, not raised.

        Any number of tasks may wait. Cancelling the wait does nothing to the task.
        """
        if self._exit is not None:
            await trio.lowlevel.checkpoint()
            return self._exit
        if self._done is None:
            self._done = trio.Event()
        await self._done.wait()
        return cast("Exit", self._exit)

    async def result(self) -> T:
        """Wait until the task has ended, and return what it returned.

        Raises:
            TaskCancelled: the task was cancelled.
            BaseException: whatever the task raised.

        Cancelling it does nothing to the task.
        """
        exit_ = await self.wait()
        if exit_.error is not None:
            try:
                raise exit_.error
            finally:
                del self, exit_  # else the traceback and this frame keep each other alive
        if exit_.kind == "cancelled":
            raise TaskCancelled(f"task {self.name!r} was cancelled")
        return cast("T", exit_.value)

    def __await__(self) -> Generator[object, None, T]:
        """Wait as `result` does."""
        return self.result().__await__()

    def finish(self, exit_: Exit) -> None:
        """Note the end. Called by the task."""
        self._exit = exit_
        if self._done is not None:
            self._done.set()

    @property
    def scope(self) -> trio.CancelScope:
        """The scope the task runs in."""
        return self._scope
