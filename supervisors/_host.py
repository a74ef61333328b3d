"""What supervisors with a loop of their own have in common: one run at a time, its end, and a place in a tree."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import trio

from ._child import hide, show
from ._errors import AlreadyRunning
from ._spec import ChildSpec, Restart, supervisor_spec

__all__ = ["Host"]


class Life(Protocol):
    """One run of a supervisor."""

    @property
    def path(self) -> str:
        """The supervisor's name after those of the supervisors above it."""
        ...

    async def live(self, on_ready: Callable[[], object]) -> None:
        """Start, watch and stop the children; raises nothing."""
        ...

    def close(self, reason: str) -> None:
        """Note that everything is to be stopped."""
        ...

    def end(self, interruption: BaseException | None) -> BaseException | None:
        """Close the books, and return what the run raises."""
        ...


LifeT = TypeVar("LifeT", bound=Life)


class Host(Generic[LifeT]):
    """Runs a supervisor's loop, once at a time, as often as it is asked to."""

    __slots__ = ("__weakref__", "_early", "_name", "_over", "_run", "_stopped")

    def __init__(self, name: str | None) -> None:
        self._name: str | None = name
        self._run: LifeT | None = None
        self._over: bool = False
        self._early: str | None = None  # why to stop, said before there was anything to stop
        self._stopped: trio.Event | None = None

    @abstractmethod
    def _begin(self, path: str, nursery: trio.Nursery) -> LifeT:
        """Make a run whose children are tasks of this nursery."""

    @trio.lowlevel.enable_ki_protection
    async def run(self, *, task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until a shutdown; every child has ended when it returns or raises.

        Run by another supervisor (see `as_child`), the parent's stop request is a `request_shutdown`.

        Args:
            task_status: told `started(self)` once all children are ready.

        Raises:
            ChildStartError: a child failed in the first start; nothing is retried.
            RestartLimitExceeded: children failed too often.
            ChildStopError: children raised while they were stopped for good.
            AlreadyRunning: this object runs already.

        Cancelling it stops the children as a shutdown does, each with at most `cancel_grace` seconds. A failure is
        never replaced by `Cancelled`.
        """
        if self._run is not None:
            raise AlreadyRunning(f"{self.path}: run() was called while it runs")
        self._over = False
        parent = show(self)
        if parent is None:
            path = self.path
        else:
            path = f"{parent.path}/{self._name}" if self._name else parent.path
        broken: BaseException | None = None
        run: LifeT | None = None
        try:
            async with trio.open_nursery() as nursery:
                run = self._run = self._begin(path, nursery)
                if self._early is not None:
                    run.close(self._early)
                if parent is not None and parent.task is trio.lowlevel.current_task():
                    parent.trap(self.request_shutdown)
                await run.live(partial(task_status.started, self))
        except BaseException as exc:  # noqa: BLE001 - KeyboardInterrupt while the nursery joins; raised again below
            broken = exc
        if parent is not None:
            parent.untrap(self.request_shutdown)
            hide(self, parent)
        assert run is not None
        error = run.end(broken)
        self._run = self._early = None
        self._over = True
        if self._stopped is not None:
            self._stopped.set()
            self._stopped = None
        try:
            if error is not None:
                raise error
        finally:
            del error, broken, run  # else the traceback and this frame keep each other alive

    def request_shutdown(self, reason: str | None = None) -> None:
        """Ask for an orderly stop with full grace; `run` then returns. Idempotent, and does not wait.

        Asked before the first `run`, that run stops as soon as it begins. Asked after the end it does nothing.

        Args:
            reason: why, for the event and for the `Cancelled` that children see.
        """
        why = reason or "shutdown requested"
        if self._run is not None:
            self._run.close(why)
        elif not self._over:
            self._early = self._early or why

    async def wait_stopped(self) -> None:
        """Wait until `run` has ended, however it did; before `run`, wait for both. Any number of tasks may wait."""
        if self._over:
            await trio.lowlevel.checkpoint()
            return
        if self._stopped is None:
            self._stopped = trio.Event()
        await self._stopped.wait()

    def as_child(self, id: str, *, restart: Restart = "permanent", significant: bool = False) -> ChildSpec:  # noqa: A002 - as the spec's field
        """Return a spec that runs this supervisor as a child of another; it gets all the time it needs to stop.

        Args:
            id: the child's id.
            restart: as in `ChildSpec`.
            significant: as in `ChildSpec`.
        """
        return supervisor_spec(self.run, id, restart, significant=significant)

    @property
    def path(self) -> str:
        """The supervisor's name after those of the supervisors above it, joined by `/`."""
        return self._run.path if self._run is not None else self._name or "supervisor"
