"""Tasks whose failures concern only who waits for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, TypeVar, TypeVarTuple, Unpack

import trio

from ._child import hide, show
from ._errors import AlreadyRunning, InvalidSpec, MaxChildrenReached, NotRunning
from ._exits import Exit, is_fatal
from ._handle import TaskHandle
from ._spec import ChildSpec, Restart, supervisor_spec

__all__ = ["TaskSupervisor", "open_task_supervisor"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TaskSupervisor:
    """Runs tasks beside each other, each alone in its failure (Elixir: `Task.Supervisor`, `async_nolink`).

    What a task raises is delivered to its handle and nowhere else; the others live on. A `KeyboardInterrupt`,
    `SystemExit` or the like in a task is no failure of the task: it cancels all and propagates. Nothing is kept of a
    finished task.

    Args:
        max_tasks: how many may run at once; None is no bound.
        name: how it is called in task names.

    Raises:
        InvalidSpec: `max_tasks` is less than 1.
    """

    __slots__ = ("__weakref__", "_count", "_early", "_max_tasks", "_name", "_nursery", "_shutdown")

    def __init__(self, *, max_tasks: int | None = None, name: str | None = None) -> None:
        if max_tasks is not None and max_tasks < 1:
            raise InvalidSpec(f"max_tasks must be 1 or more, or None, not {max_tasks!r}")
        self._max_tasks = max_tasks
        self._name = name or "tasks"
        self._nursery: trio.Nursery | None = None
        self._shutdown: trio.Event | None = None
        self._early = False  # whether to stop was said before there was anything to stop
        self._count = 0

    @property
    def active(self) -> int:
        """How many tasks are running."""
        return self._count

    def start_soon(
        self, fn: Callable[[Unpack[Ts]], Awaitable[T]], *args: *Ts, name: str | None = None
    ) -> TaskHandle[T]:
        """Start a task.

        Args:
            fn: an async function.
            *args: its positional arguments.
            name: how the task is called; None takes the function's name.

        Returns:
            The handle its outcome is delivered to.

        Raises:
            MaxChildrenReached: `max_tasks` are running.
            NotRunning: the supervisor has not started, is stopping, or has ended.
        """
        if self._nursery is None or self._shutdown is None or self._shutdown.is_set():
            raise NotRunning(f"{self._name}: no task can be started, the supervisor is not running")
        if self._count == self._max_tasks:
            raise MaxChildrenReached(
                f"{self._name}: {self._max_tasks} tasks are running, which is the most allowed"
            )
        handle: TaskHandle[T] = TaskHandle(name or getattr(fn, "__qualname__", None) or repr(fn))
        self._count += 1
        self._nursery.start_soon(self._main, handle, fn, args, name=f"{self._name}/{handle.name}")
        return handle

    @trio.lowlevel.enable_ki_protection
    async def _main(
        self, handle: TaskHandle[T], fn: Callable[[Unpack[Ts]], Awaitable[T]], args: tuple[*Ts]
    ) -> None:
        began = trio.current_time()
        value: object = None
        error: BaseException | None = None
        cancelled: BaseException | None = None
        returned = False
        try:
            with handle.scope:
                value = await _invoke(fn, args)
                returned = True
        except trio.Cancelled as exc:
            cancelled = exc
        except BaseExceptionGroup as group:
            # A cancellation from outside goes on outwards; what failed beside it is the task's own.
            cancelled, error = group.split(trio.Cancelled)
        except BaseException as exc:  # noqa: BLE001 - it is the handle's, or raised below
            error = exc
        if error is not None:
            # This frame would tie the error and the handle into a cycle.
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        self._count -= 1
        lifetime = trio.current_time() - began
        if error is not None:
            handle.finish(Exit("failed", error, lifetime))
        elif returned:
            handle.finish(Exit("returned", None, lifetime, value))
        else:
            handle.finish(Exit("cancelled", None, lifetime))
        leaving = error if is_fatal(error) else cancelled
        try:
            if leaving is not None:
                raise leaving
        finally:
            # Else the error's traceback, this frame and the handle keep each other alive.
            del error, cancelled, leaving, value, handle

    @asynccontextmanager
    async def hold(self, *, drain: bool = True) -> AsyncGenerator[trio.Event, None]:
        """Hold the nursery of the tasks; leaving it waits for them, or cancels them where it is not to `drain`."""
        if self._nursery is not None:
            raise AlreadyRunning(f"{self._name}: runs already")
        host = show(self)
        shutdown = self._shutdown = trio.Event()
        if self._early:
            shutdown.set()
            self._early = False
        left: list[BaseException] = []
        try:
            async with trio.open_nursery() as self._nursery:
                try:
                    yield shutdown
                    if not drain:
                        self._nursery.cancel_scope.cancel(f"the block of {self._name} was left")
                except Exception as exc:  # noqa: BLE001 - the body's; raised below, as the nursery would wrap it
                    left.append(exc)
                    self._nursery.cancel_scope.cancel(f"the block of {self._name} failed")
                finally:
                    shutdown.set()
        except BaseExceptionGroup as group:
            # A task's KeyboardInterrupt is raised by the task, and by the body that awaited its result.
            also = [exc for exc in group.exceptions if not (left and isinstance(exc, trio.Cancelled))]
            left = list({id(exc): exc for exc in (*left, *also)}.values())
        finally:
            self._nursery = None
            hide(self, host)
        try:
            if len(left) == 1:
                raise left[0]
            if left:
                raise BaseExceptionGroup(
                    f"the block and tasks of {self._name} were ended by several errors", left
                )
        finally:
            del left  # else the traceback and this frame keep each other alive

    async def run(self, *, task_status: trio.TaskStatus[TaskSupervisor] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `request_shutdown`, then return once every task has ended.

        Run by a `Supervisor` (see `as_child`), the parent's stop request cancels all tasks at once.

        Args:
            task_status: told `started(self)` when tasks can be started.

        Raises:
            AlreadyRunning: this object runs already.

        Cancelling it cancels all tasks together and waits for their end.
        """
        async with self.hold() as shutdown:
            task_status.started(self)
            await shutdown.wait()

    def request_shutdown(self, reason: str | None = None) -> None:
        """Take no more tasks, and end once those running have ended. Idempotent, and does not wait.

        Asked before the first `run`, that run stops as soon as it begins. Asked after the end it does nothing.

        Args:
            reason: not used; for the same call as a `Supervisor`'s.
        """
        if self._shutdown is None:
            self._early = True
        else:
            self._shutdown.set()

    def as_child(self, id: str, *, restart: Restart = "permanent", significant: bool = False) -> ChildSpec:  # noqa: A002 - as the spec's field
        """Return a spec that runs this supervisor as a child of another.

        Args:
            id: the child's id.
            restart: as in `ChildSpec`.
            significant: as in `ChildSpec`.
        """
        return supervisor_spec(self.run, id, restart, significant=significant)


@trio.lowlevel.disable_ki_protection
async def _invoke(fn: Callable[[Unpack[Ts]], Awaitable[T]], args: tuple[*Ts]) -> T:
    return await fn(*args)


@asynccontextmanager
async def open_task_supervisor(
    *, max_tasks: int | None = None, name: str | None = None, on_exit: Literal["drain", "cancel"] = "drain"
) -> AsyncGenerator[TaskSupervisor, None]:
    """Run a `TaskSupervisor` around the body of an `async with` block.

    Leaving the block waits for every task, or cancels them all; no new ones are taken then. When the body raises or
    the block is cancelled, the tasks are cancelled together and waited for.

    Args:
        max_tasks: how many may run at once; None is no bound.
        name: how it is called in task names.
        on_exit: whether leaving the block waits for the tasks (`"drain"`) or cancels them first (`"cancel"`).

    Yields:
        The `TaskSupervisor`.

    Raises:
        InvalidSpec: as `TaskSupervisor`. An error of the body leaves the block as it is, bare.
    """
    supervisor = TaskSupervisor(max_tasks=max_tasks, name=name)
    async with supervisor.hold(drain=on_exit == "drain"):
        yield supervisor
