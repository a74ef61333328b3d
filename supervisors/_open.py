"""Supervisors as blocks: the body runs beside the supervisor, and is over before the children are."""

import random
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

import trio

from ._dynamic import DynamicSupervisor
from ._events import Observer
from ._signal import Signal
from ._spec import AutoShutdown, Backoff, ChildSpec, RestartLimit, Strategy
from ._supervisor import Supervisor

__all__ = ["SupervisorOptions", "open_dynamic_supervisor", "open_supervisor"]


class SupervisorOptions(TypedDict, total=False):
    """The keyword arguments of `Supervisor`, where each is explained."""

    build: Callable[[], Iterable[ChildSpec]] | None
    strategy: Strategy
    restarts: RestartLimit
    backoff: Backoff | None
    auto_shutdown: AutoShutdown
    cancel_grace: float
    name: str | None
    observer: Observer | None
    rng: random.Random | None


class Runnable(Protocol):
    """What `serve` needs of a supervisor."""

    async def run(self, *, task_status: trio.TaskStatus[Any]) -> None:
        """Run until it is stopped."""
        ...

    def request_shutdown(self, reason: str | None = None) -> None:
        """Ask it to stop in order."""
        ...


R = TypeVar("R", bound=Runnable)


class _Service:
    """One supervisor running beside a body."""

    __slots__ = ("body", "changed", "error", "over", "scope", "supervisor")

    def __init__(self, supervisor: Runnable, body: trio.CancelScope) -> None:
        self.supervisor = supervisor
        self.body = body
        self.scope = trio.CancelScope(shield=True)  # the body is over before the children are
        self.error: BaseException | None = None
        self.over = False
        self.changed = Signal()  # the children are ready, or the supervisor has ended

    def started(self, value: object = None) -> None:
        """The children are ready."""
        self.changed.set()

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        try:
            with self.scope:
                await self.supervisor.run(task_status=self)
        except BaseException as exc:  # noqa: BLE001 - raised by serve(), after the nursery
            self.error = exc
            self.body.cancel(f"its supervisor failed: {exc!r}")
        self.over = True
        self.changed.set()

    async def stop(self) -> None:
        """Wait for an orderly stop; a cancellation hurries it."""
        self.supervisor.request_shutdown("the block was left")
        try:
            while not self.over:
                await self.changed.wait()
        except trio.Cancelled:
            self.scope.cancel("the block was cancelled while its supervisor stopped")
            raise


@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def serve(supervisor: R) -> AsyncGenerator[R, None]:
    """Run a supervisor beside the body of a block; see `open_supervisor` for what leaves it."""
    service: _Service | None = None
    left: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            service = _Service(supervisor, nursery.cancel_scope)
            nursery.start_soon(service.run)
            try:
                await service.changed.wait()
                if service.error is None:
                    yield supervisor
                await service.stop()
            except Exception as exc:  # noqa: BLE001 - the body's; raised below, as the nursery would wrap it
                left = exc
                with suppress(trio.Cancelled):  # it has hurried the stop, and the body's error goes first
                    await service.stop()
            except BaseException:
                service.scope.cancel("the block was cancelled")
                raise
    except BaseExceptionGroup as group:
        left = group.exceptions[0] if len(group.exceptions) == 1 else group
    assert service is not None
    error, service.error = service.error, None
    try:
        if error is None:
            if left is not None:
                raise left
        elif left is None or isinstance(left, trio.Cancelled):
            raise error
        else:
            raise BaseExceptionGroup("the block and its supervisor failed", [left, error])
    finally:
        del left, error, service  # else tracebacks and this frame keep each other alive


def open_supervisor(
    *children: ChildSpec, **options: Unpack[SupervisorOptions]
) -> AbstractAsyncContextManager[Supervisor]:
    """Run a supervisor beside the body of an `async with` block.

    The body begins once all children are ready. Leaving it is an orderly shutdown: the children are stopped in reverse
    order with their full grace. When the block is cancelled, the body ends first; then the children are stopped in
    the same order, each with at most `cancel_grace` seconds.

    Should the supervisor fail, the body is cancelled. Should it stop by itself (`auto_shutdown`,
    `request_shutdown`), the body goes on; `await supervisor.wait_stopped()` waits for that.

    Args:
        *children: the specs, in start order.
        **options: those of `Supervisor`.

    Returns:
        An asynchronous context manager that gives the running `Supervisor`.

    Raises:
        SupervisionError: the supervisor failed: `ChildStartError` before the body, `RestartLimitExceeded` or
            `ChildStopError`. An error of the body leaves the block as it is, bare.
        BaseExceptionGroup: both the body and the supervisor failed.
        InvalidSpec: as `Supervisor`.
    """
    return serve(Supervisor(*children, **options))


def open_dynamic_supervisor(
    *,
    max_children: int | None = None,
    restarts: RestartLimit = RestartLimit(),  # noqa: B008 - frozen
    backoff: Backoff | None = None,
    cancel_grace: float = 0.0,
    name: str | None = None,
    observer: Observer | None = None,
    rng: random.Random | None = None,
) -> AbstractAsyncContextManager[DynamicSupervisor]:
    """Run a `DynamicSupervisor` beside the body of an `async with` block.

    Leaving the block stops all children together with their full grace. For what leaves the block, see
    `open_supervisor`.

    Args:
        max_children: as in `DynamicSupervisor`, as are all others.
        restarts: how many restarts are allowed in any window of time.
        backoff: how long to wait before a restart.
        cancel_grace: the longest grace when the block is cancelled.
        name: how it is called.
        observer: called with every `Event`.
        rng: where the backoff's jitter comes from.

    Returns:
        An asynchronous context manager that gives the running `DynamicSupervisor`.

    Raises:
        SupervisionError: the supervisor failed. An error of the body leaves the block as it is, bare.
        BaseExceptionGroup: both the body and the supervisor failed.
        InvalidSpec: as `DynamicSupervisor`.
    """
    supervisor = DynamicSupervisor(
        max_children=max_children,
        restarts=restarts,
        backoff=backoff,
        cancel_grace=cancel_grace,
        name=name,
        observer=observer,
        rng=rng,
    )
    return serve(supervisor)
