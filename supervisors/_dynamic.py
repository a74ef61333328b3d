"""Any number of children that come and go, without order (Elixir: `DynamicSupervisor`)."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import Context, copy_context
from functools import partial

import trio

from ._child import Child, ChildRef, current
from ._errors import (
    AlreadyRunning,
    ChildFailure,
    ChildReturned,
    InvalidSpec,
    MaxChildrenReached,
    NotRunning,
    RestartLimitExceeded,
    UnknownChild,
    describe,
    start_error,
)
from ._events import Journal, Observer
from ._exits import Exit, is_fatal
from ._limit import Ledger, Streak
from ._open import serve
from ._policy import should_restart
from ._signal import Signal
from ._slots import ChildInfo, Counts, Slot, count
from ._spec import Backoff, ChildSpec, Restart, RestartLimit, check_reachable
from ._stop import stop_children
from ._verdict import Verdict

__all__ = ["DynamicSupervisor", "open_dynamic_supervisor"]


class Place(Slot):
    """A child's place under a `DynamicSupervisor`; the children report to it, so that every ref leads back to it."""

    __slots__ = ("changed", "late", "supervisor")

    def __init__(self, spec: ChildSpec, context: Context, supervisor: DynamicSupervisor) -> None:
        super().__init__(spec, context, "temporary")
        self.supervisor = supervisor
        self.changed: trio.Event | None = None  # set when the first incarnation is ready or has ended
        self.late: trio.TooSlowError | None = None  # why a restarted child was cancelled before it was ready

    @property
    def path(self) -> str:
        """The supervisor's path."""
        return self.supervisor.path

    def child_changed(self, child: Child, /) -> None:
        """Pass it on. Called by the child."""
        if self.changed is not None:
            self.changed.set()
        if child.exit is not None:
            self.supervisor.on_exit(self, child, child.exit)
        else:
            self.supervisor.on_ready(child)


class DynamicSupervisor:
    """Keeps children that are added at run time; they have no order and are stopped together.

    Children are temporary unless their spec says otherwise: the end of one session must not be charged to its
    neighbours. Ids need not be unique; a child is spoken of by the `ChildRef` that `start_child` returned, also after
    restarts. Starting or ending a child costs the same however many there are.

    Args:
        max_children: how many there may be at once, those about to be restarted included; None is no bound.
        restarts: how many restarts are allowed in any window of time, for all children together.
        backoff: how long to wait before a restart; None restarts at once.
        cancel_grace: the longest grace in seconds when the supervisor itself is cancelled; a shutdown gives the full
            `ChildSpec.shutdown`.
        name: how it is called in events, logs and task names.
        observer: called with every `Event`.
        rng: where the backoff's jitter comes from; None is the `random` module.

    Raises:
        InvalidSpec: an option is out of its range, or the backoff makes the limit unreachable.
    """

    __slots__ = (
        "__weakref__",
        "_backoff",
        "_cancel_grace",
        "_closing",
        "_dues",
        "_exits",
        "_journal",
        "_ledger",
        "_limit",
        "_max_children",
        "_name",
        "_nursery",
        "_observer",
        "_over",
        "_places",
        "_promised",
        "_rng",
        "_room",
        "_seq",
        "_signal",
        "_stopped",
        "_verdict",
    )

    def __init__(
        self,
        *,
        max_children: int | None = None,
        restarts: RestartLimit = RestartLimit(),  # noqa: B008 - frozen
        backoff: Backoff | None = None,
        cancel_grace: float = 0.0,
        name: str | None = None,
        observer: Observer | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if max_children is not None and max_children < 1:
            raise InvalidSpec(f"max_children must be 1 or more, or None, not {max_children!r}")
        if not 0 <= cancel_grace < math.inf:
            raise InvalidSpec(f"cancel_grace must be finite and 0 or more seconds, not {cancel_grace!r}")
        check_reachable(restarts, backoff, name or "the supervisor")
        self._max_children = max_children
        self._limit = restarts
        self._backoff = backoff
        self._cancel_grace = cancel_grace
        self._name = name
        self._observer = observer
        self._rng = rng
        self._nursery: trio.Nursery | None = None
        self._stopped: trio.Event | None = None
        self._over = False
        self._reset(name or "supervisor")

    def _reset(self, path: str) -> None:
        self._places: dict[Place, None] = {}
        self._promised = 0  # places kept for tasks that were woken up to take them
        self._room = trio.lowlevel.ParkingLot()
        self._exits: deque[tuple[Place, Child]] = deque()
        self._dues: list[tuple[float, int, Place, int]] = []
        self._seq = 0
        self._signal = Signal()
        self._ledger = Ledger(self._limit)
        self._verdict = Verdict()
        self._closing: str | None = None
        self._journal = Journal(self._observer, path)

    # What its owner calls

    @trio.lowlevel.enable_ki_protection
    async def run(
        self, *, task_status: trio.TaskStatus[DynamicSupervisor] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until a shutdown; every child has ended when it returns or raises.

        Run by another supervisor (see `as_child`), the parent's stop request is a `request_shutdown`.

        Args:
            task_status: told `started(self)` when children can be started.

        Raises:
            RestartLimitExceeded: children failed too often.
            ChildStopError: children raised while they were stopped for good.
            AlreadyRunning: this object runs already.

        Cancelling it stops all children together, with at most `cancel_grace` seconds. A failure is never replaced by
        `Cancelled`.
        """
        if self._nursery is not None:
            raise AlreadyRunning(f"{self.path}: run() was called while it runs")
        parent = current.get()
        name = self._name or "supervisor"
        self._reset(name if parent is None else f"{parent.path}/{self._name}" if self._name else parent.path)
        self._over = False
        try:
            async with trio.open_nursery() as self._nursery:
                if parent is not None and parent.task is trio.lowlevel.current_task():
                    parent.trap(self.request_shutdown)
                await self._live(partial(task_status.started, self))
        except BaseException as exc:  # noqa: BLE001 - KeyboardInterrupt while the nursery joins; raised again below
            self._verdict.interrupted(exc)
        if parent is not None:
            parent.untrap(self.request_shutdown)
        self._nursery = None
        self._places.clear()
        self._over = True
        self._journal.closed()
        if self._stopped is not None:
            self._stopped.set()
            self._stopped = None
        error, self._verdict = self._verdict.error(), Verdict()
        self._ledger = Ledger(self._limit)
        try:
            if error is not None:
                raise error
        finally:
            del error  # else the traceback and this frame keep each other alive

    def request_shutdown(self, reason: str | None = None) -> None:
        """Ask for an orderly stop with full grace; `run` then returns. Idempotent, and does not wait.

        Args:
            reason: why, for the event and for the `Cancelled` that children see.
        """
        if self._nursery is not None:
            self._close(reason or "shutdown requested")

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
        return ChildSpec(
            id=id,
            run=self.run,
            restart=restart,
            significant=significant,
            shutdown=math.inf,
            ready="task_status",
            kind="supervisor",
        )

    # What anybody may ask

    @property
    def path(self) -> str:
        """The supervisor's name after those of the supervisors above it, joined by `/`."""
        return self._journal.path

    def children(self) -> tuple[ChildInfo, ...]:
        """Return what is known of every child."""
        return tuple(place.info() for place in self._places)

    def counts(self) -> Counts:
        """Return how many children there are, and of what kind."""
        return count(self.children())

    async def start_child(self, spec: ChildSpec, *, wait: bool = False) -> ChildRef:
        """Add a child and start it; returns once it is ready. Any number of starts may go on at once.

        Args:
            spec: the child. It runs with the context variables of this call.
            wait: with `max_children` there, wait for a place instead of raising; first come, first served.

        Returns:
            The first incarnation; the ref also stands for the child in `stop_child`.

        Raises:
            ChildStartError: it failed before it was ready; the spec is not kept.
            MaxChildrenReached: there is no place.
            InvalidSpec: the child is significant, or its backoff makes the limit unreachable.
            NotRunning: the supervisor is not running, or began to stop meanwhile.

        Cancelling it cancels the child and waits for its end. A timeout around it bounds the start, not the child.
        """
        if spec.significant:
            raise InvalidSpec(f"child {spec.id!r}: no child of a DynamicSupervisor can be significant")
        if spec.backoff is not None:
            check_reachable(self._limit, spec.backoff, f"child {spec.id!r}")
        await trio.lowlevel.checkpoint()
        if self._max_children is not None:
            await self._take_room(self._max_children, spec, wait=wait)
        nursery = self._running(spec)
        place = Place(spec, copy_context(), self)
        self._places[place] = None
        child = self._spawn(place, nursery)
        if not child.ready:
            place.changed = trio.Event()
            await self._handshake(place, child)
        return ChildRef(child)

    async def stop_child(self, ref: ChildRef) -> Exit:
        """Stop a child, with its grace, and return once it is gone. A restart that is due is cancelled.

        Args:
            ref: what `start_child` returned.

        Returns:
            How its last incarnation ended.

        Raises:
            UnknownChild: it is not a child of this supervisor, or no longer.

        Cancelling it cancels the child at once, without waiting for its end.
        """
        place = ref.owner
        if not isinstance(place, Place) or place not in self._places:
            raise UnknownChild(f"{self.path}: stop_child({ref!r}): there is no such child")
        child = place.child
        if child is None:
            await trio.lowlevel.checkpoint()
            self._forget(place)
            return place.last or Exit("stopped")
        child.request_stop()
        grace = child.spec.shutdown if child.traps else 0.0
        self._journal.stopping(child, grace)
        try:
            if grace > 0:
                with trio.CancelScope(deadline=trio.current_time() + grace):
                    await child.wait()
        finally:
            if child.exit is None:
                child.scope.cancel(f"{self.path}: stop_child({child.spec.id!r})")
        with trio.CancelScope(shield=True):
            await child.wait()
        assert child.exit is not None
        return child.exit

    # Starting

    def _running(self, spec: ChildSpec) -> trio.Nursery:
        if self._nursery is None or self._closing is not None:
            raise NotRunning(
                f"start_child({spec.id!r}): the supervisor has not started, is stopping, or has ended"
            )
        return self._nursery

    async def _take_room(self, most: int, spec: ChildSpec, *, wait: bool) -> None:
        if len(self._places) + self._promised < most:
            return
        self._running(spec)
        if not wait:
            raise MaxChildrenReached(
                f"{self.path}: start_child({spec.id!r}): there are {most} children, the most allowed"
            )
        await self._room.park()
        self._promised -= 1

    def _spawn(self, place: Place, nursery: trio.Nursery) -> Child:
        place.number += 1
        place.restarting = False
        child = place.child = Child(place.spec, place.number, place)
        child.spawn(nursery, place.context)
        self._journal.starting(child)
        if child.ready:
            self._journal.started(child)
        return child

    async def _handshake(self, place: Place, child: Child) -> None:
        assert place.changed is not None
        spec = place.spec
        try:
            if spec.start_timeout == math.inf:
                await place.changed.wait()
            else:
                with trio.CancelScope(deadline=trio.current_time() + spec.start_timeout):
                    await place.changed.wait()
        except BaseException:
            await _cancel(child, f"{self.path}: the caller of start_child({spec.id!r}) was cancelled")
            raise
        finally:
            place.changed = None
        if child.ready:
            return
        too_slow = child.exit is None
        if too_slow:
            await _cancel(
                child, f"{self.path}: child {spec.id!r} was not ready after {spec.start_timeout:g} s"
            )
        assert child.exit is not None
        error = child.exit.error
        if is_fatal(error):
            raise self._not_started(spec)
        if too_slow:
            late = trio.TooSlowError(f"child {spec.id!r} was not ready after {spec.start_timeout:g} s")
            late.__cause__ = error
            error = late
        if error is not None:
            raise start_error(self.path, ChildFailure(spec.id, child.number, error))
        if child.exit.kind != "returned":
            raise self._not_started(spec)

    def _not_started(self, spec: ChildSpec) -> NotRunning:
        return NotRunning(f"{self.path}: start_child({spec.id!r}): the child was stopped before it was ready")

    # The life of a run

    async def _live(self, on_ready: Callable[[], object]) -> None:
        """Serve and stop. Raises nothing: what happened is left to the verdict, after the nursery."""
        try:
            on_ready()
            await self._loop()
            await self._stop_all(math.inf)
        except BaseException as exc:  # noqa: BLE001 - raised again by run()
            self._verdict.interrupted(exc)
            try:
                with trio.CancelScope(shield=True):
                    await self._stop_all(self._cancel_grace)
            except BaseException as late:  # noqa: BLE001 - KeyboardInterrupt comes through a shield; raised again by run()
                self._verdict.interrupted(late)
        finally:
            # Without waiting: should the orderly stop have been broken off, the nursery joins what is left.
            for child in self._live_children():
                child.scope.cancel(f"{self.path}: the orderly stop was interrupted")

    async def _loop(self) -> None:
        while self._closing is None:
            if self._exits:
                self._recover(*self._exits.popleft())
            elif not self._dues:
                await self._signal.wait()
            elif self._dues[0][0] <= trio.current_time():
                _, _, place, number = heapq.heappop(self._dues)
                self._on_due(place, number)
            else:
                with trio.CancelScope(deadline=self._dues[0][0]):
                    await self._signal.wait()

    async def _stop_all(self, longest: float) -> None:
        why = self._closing = self._closing or "cancelled"
        self._journal.closing(why)
        self._promised += len(self._room)
        self._room.unpark_all()
        children = self._live_children()
        reason = f"{self.path} stops: {why}"
        await stop_children(children, self._signal, self._journal, reason=reason, longest=longest)

    def _live_children(self) -> list[Child]:
        return [place.child for place in reversed(self._places) if place.child is not None]

    def _close(self, reason: str) -> None:
        if self._closing is None:
            self._closing = reason
            self._signal.set()

    # Exits and restarts

    def on_exit(self, place: Place, child: Child, end: Exit) -> None:
        """Take a child that has ended out of its place, in the child's own task: most ends need no more."""
        place.child = None
        place.last = end
        self._journal.exited(child, end)
        error = end.error or place.late
        if error is not None and is_fatal(error):
            self._verdict.fatal(error)
            self._close(f"child {place.spec.id!r} raised {describe(error)}")
            self._forget(place)
        elif self._closing is not None:
            if end.error is not None:
                self._verdict.failed_to_stop(ChildFailure(place.spec.id, child.number, end.error))
            self._forget(place)
            self._signal.set()
        elif child.expected or (child.number == 1 and not child.ready):
            self._forget(place)  # the caller of stop_child or start_child is told
        elif should_restart(place.restart, failed=error is not None):
            self._exits.append((place, child))
            place.restarting = True
            self._signal.set()
        else:
            if error is not None:
                self._journal.dropped(child, error)
            self._forget(place)

    def on_ready(self, child: Child) -> None:
        """Note that a child is ready."""
        self._journal.started(child)

    def _forget(self, place: Place) -> None:
        place.restarting = False
        if place in self._places:
            del self._places[place]
            if self._room:
                self._promised += 1
                self._room.unpark()

    def _recover(self, place: Place, child: Child) -> None:
        """Charge a restart; if it is allowed, set its time."""
        if place not in self._places:
            return  # stop_child was faster
        last = place.last
        error = (last.error if last is not None else None) or place.late
        place.late = None
        failure = ChildFailure(
            place.spec.id, child.number, error or ChildReturned(f"permanent child {place.spec.id!r} returned")
        )
        backoff = place.spec.backoff or self._backoff
        if backoff is not None:
            place.streak = place.streak or Streak()
        now = trio.current_time()
        delay = self._ledger.charge(
            failure,
            now,
            backoff=backoff,
            streak=place.streak,
            healthy=max(0.0, now - child.ready_at),
            spread=(self._rng or random).random() if backoff is not None else 0.0,
        )
        if isinstance(delay, RestartLimitExceeded):
            self._journal.gave_up(delay, self._limit.max_restarts)
            self._verdict.failed(delay)
            self._close(str(delay))
        else:
            self._journal.restarting(failure, delay, self._ledger.count(now), self._limit.max_restarts)
            self._set_due(now + delay, place)

    def _set_due(self, time: float, place: Place) -> None:
        self._seq += 1
        heapq.heappush(self._dues, (time, self._seq, place, place.number))

    def _on_due(self, place: Place, number: int) -> None:
        """Start the child again, or give up on a restarted one that is not ready in time."""
        if place not in self._places or place.number != number:
            return
        child = place.child
        if child is None:
            assert self._nursery is not None
            child = self._spawn(place, self._nursery)
            if not child.ready and place.spec.start_timeout != math.inf:
                self._set_due(trio.current_time() + place.spec.start_timeout, place)
        elif not child.ready:
            place.late = trio.TooSlowError(
                f"child {place.spec.id!r} was not ready after {place.spec.start_timeout:g} s"
            )
            child.scope.cancel(str(place.late))


async def _cancel(child: Child, reason: str) -> None:
    child.request_stop()
    child.scope.cancel(reason)
    with trio.CancelScope(shield=True):
        await child.wait()


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
