"""One run of one child: its task, its shielded scope, its start handshake and its end."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from contextvars import Context, ContextVar
from functools import partial
from typing import Protocol, cast

import trio

from ._errors import InvalidSpec, LeakedCancellation
from ._exits import Exit
from ._published import Published
from ._spec import ChildSpec

__all__ = ["Child", "Owner", "current", "hide", "show"]

current: ContextVar[Child | None] = ContextVar("streamd.supervisors.current", default=None)


class Owner(Protocol):
    """Who a child reports to."""

    @property
    def path(self) -> str:
        """The supervisor's name after those of the supervisors above it, joined by `/`."""
        ...

    def child_changed(self, child: Child, /) -> None:
        """Is called, in the child's task, when it gets ready and when it has ended."""
        ...

    def expects(self, id: str, /) -> bool:  # noqa: A002 - as the spec's field
        """Tell whether the child of this id runs, or is to be started again."""
        ...


class Child:
    """One incarnation of a child.

    Its scope is shielded, so that only its supervisor cancels it, in its turn, whatever happens outside.
    """

    __slots__ = (
        "_at_exit",
        "_done",
        "_on_stop",
        "_stop_event",
        "exit",
        "expected",
        "number",
        "owner",
        "published",
        "ready",
        "ready_at",
        "scope",
        "spec",
        "started_at",
        "stop_requested",
        "task",
        "traps",
        "value",
    )

    def __init__(self, spec: ChildSpec, number: int, owner: Owner) -> None:
        self.spec: ChildSpec = spec
        self.number: int = number
        self.scope: trio.CancelScope = trio.CancelScope(shield=True)
        self.ready: bool = False
        self.value: object = None
        self.exit: Exit | None = None
        self.expected: bool = False  # whether the supervisor asked for its end
        self.stop_requested: bool = False
        self.traps: bool = False  # whether it opted in to grace; it stays so, as OTP's trap_exit does
        self.task: trio.lowlevel.Task | None = None
        self.started_at: float = trio.current_time()
        self.ready_at: float = math.inf
        self.owner: Owner = owner
        self.published: Published | None = None
        self._at_exit: list[Callable[[Child], object]] | None = None
        self._done: trio.Event | None = None
        self._on_stop: list[Callable[[], object]] | None = None
        self._stop_event: trio.Event | None = None

    @property
    def path(self) -> str:
        """The child's id after the names of the supervisors above it."""
        return f"{self.owner.path}/{self.spec.id}"

    def spawn(self, nursery: trio.Nursery, context: Context) -> None:
        """Make the child's task, with the context variables its spec was added with."""
        if not _waits_for_started(self.spec):
            self.ready = True
            self.ready_at = self.started_at
        # start_soon copies the context it runs in, so that incarnations share none of their changes.
        context.run(partial(nursery.start_soon, self._main, name=f"{self.path}#{self.number}"))

    @trio.lowlevel.enable_ki_protection
    async def _main(self) -> None:
        self.task = trio.lowlevel.current_task()
        current.set(self)
        error: BaseException | None = None
        value: object = None
        returned = False
        status = None if self.ready else Readiness(self)
        try:
            with self.scope:
                value = await _invoke(self.spec, status)
                returned = True
        except BaseException as exc:  # noqa: BLE001 - whatever it is, the supervisor decides what becomes of it
            # This frame would tie the error, the child and its exit into a cycle.
            error = exc.with_traceback(exc.__traceback__ and exc.__traceback__.tb_next)
        if status is not None:
            status.close()  # the frames of the error hold it, and the child holds the error
        self._finish(value, error, returned=returned)
        # From 3.12 on the error's frames lead to this one, which would hold the child, and so the error.
        del error, value, status, self

    def _finish(self, value: object, error: BaseException | None, *, returned: bool) -> None:
        lifetime = trio.current_time() - self.started_at
        if error is not None:
            if _leaks(error):
                leak = LeakedCancellation(
                    f"child {self.spec.id!r} ended with a Cancelled that is not its own"
                )
                leak.__cause__ = error
                error = leak
            self.exit = Exit("failed", error, lifetime)
        elif returned:
            self.exit = Exit("stopped" if self.stop_requested else "returned", None, lifetime, value)
        else:
            self.exit = Exit("cancelled", None, lifetime)
        self.task = None
        self._on_stop = None
        self.published = None
        if self._at_exit is not None:
            for callback in self._at_exit:
                callback(self)
            self._at_exit = None
        if self._done is not None:
            self._done.set()
        self.owner.child_changed(self)

    def at_exit(self, callback: Callable[[Child], object]) -> None:
        """Have a function called with the child in the step in which it ends, before anybody is told."""
        if self._at_exit is None:
            self._at_exit = []
        self._at_exit.append(callback)

    def get_ready(self, value: object) -> None:
        """Take the child's `started(value)`."""
        if self.ready:
            raise RuntimeError("called 'started' twice on the same task status")
        self.ready = True
        self.ready_at = trio.current_time()
        self.value = value
        self.owner.child_changed(self)

    def request_stop(self) -> None:
        """Ask the child to end; one that opted in may take its time, any other is yet to be cancelled."""
        self.expected = True
        if not self.stop_requested:
            self.stop_requested = True
            if self._stop_event is not None:
                self._stop_event.set()
            for callback in tuple(self._on_stop or ()):
                callback()

    def stop_event(self) -> trio.Event:
        """Return the event of the stop request, made on first use."""
        if self._stop_event is None:
            self._stop_event = trio.Event()
            if self.stop_requested:
                self._stop_event.set()
        return self._stop_event

    def trap(self, callback: Callable[[], object] | None = None) -> None:
        """Opt in to grace, and have a function called on the stop request, at once if it was made already."""
        self.traps = True
        if callback is None:
            return
        if self.stop_requested:
            callback()
        else:
            self.listen(callback)

    def listen(self, callback: Callable[[], object]) -> None:
        """Have a function called when the stop is requested, after those that were given before."""
        if self._on_stop is None:
            self._on_stop = [callback]
        else:
            self._on_stop.append(callback)

    def untrap(self, callback: Callable[[], object]) -> None:
        """Take back a function, not the opting in."""
        if self._on_stop and callback in self._on_stop:
            self._on_stop.remove(callback)

    def publish(self) -> Published:
        """Return what the child shows of itself, made on first use."""
        if self.published is None:
            self.published = Published()
        return self.published

    async def wait(self) -> Exit:
        """Wait for the end."""
        if self.exit is None:
            if self._done is None:
                self._done = trio.Event()
            await self._done.wait()
        else:
            await trio.lowlevel.checkpoint()
        assert self.exit is not None
        return self.exit

    def stack(self) -> tuple[str, ...]:
        """Return where the child's task is, outermost frame first."""
        if self.task is None:
            return ()
        return tuple(
            f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{line})"
            for frame, line in self.task.iter_await_frames()
            if frame.f_code is not _invoke.__code__ and frame.f_code is not Child._main.__code__
        )


@trio.lowlevel.disable_ki_protection
async def _invoke(spec: ChildSpec, status: Readiness | None) -> object:
    awaitable = spec.run(*spec.args) if status is None else spec.run(*spec.args, task_status=status)
    if not isinstance(awaitable, Awaitable):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
        raise InvalidSpec(f"child {spec.id!r}: {spec.run!r} is no async function, it returned {awaitable!r}")
    return await awaitable


class Readiness:
    """The `task_status` a child is given."""

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        self._child: Child | None = child

    def started(self, value: object = None) -> None:
        """Tell the supervisor that the child is ready. May be called from any task, once; too late, it says nothing."""
        if self._child is not None:
            self._child.get_ready(value)

    def close(self) -> None:
        """Let the child go, which has ended."""
        self._child = None


def _waits_for_started(spec: ChildSpec) -> bool:
    if spec.ready is not None:
        return spec.ready == "task_status"
    # inspect.signature costs more than the whole start of a child: read plain functions and methods by hand.
    function = getattr(spec.run, "__func__", spec.run)
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__"):
        return "task_status" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    try:
        return "task_status" in inspect.signature(spec.run).parameters
    except (TypeError, ValueError):
        return False


def _leaks(error: BaseException) -> bool:
    if isinstance(error, trio.Cancelled):
        return True
    if not isinstance(error, BaseExceptionGroup):
        return False
    group = cast("BaseExceptionGroup[BaseException]", error)
    return group.subgroup(trio.Cancelled) is not None


def show(supervisor: object) -> Child | None:
    """Let the child this task belongs to, if any, show a supervisor that begins to run in it; return the child."""
    host = current.get()
    if host is not None:
        host.publish().supervisors[supervisor] = None
    return host


def hide(supervisor: object, host: Child | None) -> None:
    """Take back what `show` did."""
    if host is not None and host.published is not None:
        host.published.supervisors.pop(supervisor, None)
