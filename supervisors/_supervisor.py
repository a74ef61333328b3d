"""The supervisor: a loop that starts, watches, restarts and stops its children, in order.

The loop does one thing at a time. Children, callers and the clock only leave notes (an exit, a call, a due time) and set
its signal; every decision is made here, by the pure functions of `_policy`. Each child runs in a shielded scope of its
own, so that a cancellation from outside reaches the loop alone, which then stops the children in reverse order.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Self

import trio

from ._calls import Call, not_running, refuse_deadlock
from ._child import Child, ChildRef, current
from ._errors import (
    MAX_LIVE_FAILURES,
    AlreadyRunning,
    ChildExists,
    ChildFailure,
    ChildRestarting,
    ChildReturned,
    ChildRunning,
    ChildStartError,
    NotRunning,
    RestartLimitExceeded,
    SupervisionError,
    UnknownChild,
)
from ._events import Journal, Observer, describe
from ._exits import Exit, is_fatal
from ._policy import Charges, Streak, members, retry, should_restart
from ._signal import Signal
from ._slots import ChildInfo, Counts, Slot, count
from ._spec import AutoShutdown, Backoff, ChildSpec, Restart, RestartLimit, Strategy
from ._stop import stop_children
from ._validate import check_children, check_options
from ._verdict import Verdict

__all__ = ["Supervisor"]


@dataclass(slots=True)
class _Due:
    """A restart that waits for its time."""

    ids: list[str]
    time: float


class Supervisor:
    """Keeps children running (OTP: `supervisor`).

    Children are ordinary async functions. They are started in the order given, each once the one before is ready, and
    stopped in reverse order, each once the one after has ended: on a shutdown, on a failure, and also when the
    supervisor is cancelled from outside.

    A child that ends is restarted as its `ChildSpec.restart` says, with those the strategy names; children stopped
    or completed before are started again by such a group restart. When the `RestartLimit` is used up, all children are
    stopped and `run` raises `RestartLimitExceeded`. `KeyboardInterrupt`, `SystemExit` and the like in a child are no
    crash: they stop all children and propagate.

    A supervisor object may run again after it has ended; it then begins with the children it was made with.

    Args:
        *children: the specs, in start order.
        build: instead of `children`: called for the specs of every epoch, that is, for the first start and for each restart
            of the whole group, so that children joined by channels get fresh ones. Needs `strategy="one_for_all"`.
        strategy: who is restarted with a failed child.
        restarts: how many restarts are allowed in any window of time.
        backoff: how long to wait before a restart; None restarts at once.
        auto_shutdown: whether the supervisor stops, and `run` returns, when `"any"` or `"all"` of its significant
            children have ended by themselves for good.
        cancel_grace: the longest grace in seconds that each child gets when the supervisor itself is cancelled; with the
            default 0 a timeout around a supervisor stays a timeout. A shutdown gives the full `ChildSpec.shutdown`.
        name: how it is called in events, logs and task names.
        observer: called with every `Event`.
        rng: where the backoff's jitter comes from; None is the `random` module.

    Raises:
        InvalidSpec: two children of one id, a significant child without `auto_shutdown`, a restart limit that the backoff
            makes unreachable, or an option out of its range.
    """

    __slots__ = (
        "__weakref__",
        "_auto_shutdown",
        "_backoff",
        "_build",
        "_call",
        "_calls",
        "_cancel_grace",
        "_charges",
        "_children",
        "_closing",
        "_context",
        "_dues",
        "_exits",
        "_failures",
        "_journal",
        "_limit",
        "_name",
        "_nursery",
        "_observer",
        "_over",
        "_rng",
        "_signal",
        "_slots",
        "_stopped",
        "_strategy",
        "_streak",
        "_verdict",
    )

    def __init__(
        self,
        *children: ChildSpec,
        build: Callable[[], Iterable[ChildSpec]] | None = None,
        strategy: Strategy = "one_for_one",
        restarts: RestartLimit = RestartLimit(),  # noqa: B008 - frozen
        backoff: Backoff | None = None,
        auto_shutdown: AutoShutdown = "never",
        cancel_grace: float = 0.0,
        name: str | None = None,
        observer: Observer | None = None,
        rng: random.Random | None = None,
    ) -> None:
        check_options(
            children, build=build, strategy=strategy, auto_shutdown=auto_shutdown, cancel_grace=cancel_grace
        )
        check_children(children, auto_shutdown=auto_shutdown, limit=restarts, backoff=backoff)
        self._children = children
        self._build = build
        self._strategy: Strategy = strategy
        self._limit = restarts
        self._backoff = backoff
        self._auto_shutdown: AutoShutdown = auto_shutdown
        self._cancel_grace = cancel_grace
        self._name = name
        self._observer = observer
        self._rng = rng
        self._context = copy_context()
        self._signal = Signal()
        self._stopped: trio.Event | None = None
        self._nursery: trio.Nursery | None = None
        self._over = False
        self._reset()

    def _reset(self) -> None:
        self._slots: dict[str, Slot] = {}
        self._exits: deque[Child] | None = None
        self._calls: deque[Call] | None = None
        self._call: Call | None = None
        self._dues: list[_Due] = []
        self._charges = Charges(self._limit)
        self._failures: deque[ChildFailure] | None = None
        self._streak = Streak()
        self._closing: str | None = None
        self._verdict = Verdict()
        self._journal = Journal(self._observer, self._name or "supervisor")

    # What its owner calls

    @trio.lowlevel.enable_ki_protection
    async def run(self, *, task_status: trio.TaskStatus[Self] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the children and keep them until a shutdown; every child has ended when it returns or raises.

        Run by another supervisor (see `as_child`), the parent's stop request is a `request_shutdown`.

        Args:
            task_status: told `started(self)` once all children are ready.

        Raises:
            ChildStartError: a child failed in the first start; nothing is retried.
            RestartLimitExceeded: children failed too often.
            ChildStopError: children raised while they were stopped for good.
            AlreadyRunning: this object runs already.

        Cancelling it stops the children in reverse order, each with at most `cancel_grace` seconds. A failure is never
        replaced by `Cancelled`.
        """
        if self._nursery is not None:
            raise AlreadyRunning(f"{self.path}: run() was called while it runs")
        self._reset()
        self._over = False
        parent = current.get()
        if parent is not None:
            self._journal.path = f"{parent.path}/{self._name}" if self._name else parent.path
            if parent.task is trio.lowlevel.current_task():
                parent.trap(self.request_shutdown)
        try:
            async with trio.open_nursery() as self._nursery:
                await self._live(task_status)
        except BaseException as exc:  # noqa: BLE001 - KeyboardInterrupt while the nursery joins; raised again below
            self._verdict.interrupted(exc)
        self._end()
        if parent is not None:
            parent.untrap(self.request_shutdown)
        error, self._verdict = self._verdict.error(), Verdict()
        if error is not None:
            try:
                raise error
            finally:
                del error  # else the traceback and this frame keep each other alive

    def request_shutdown(self, reason: str | None = None) -> None:
        """Ask for an orderly stop with full grace; `run` then returns. Idempotent, and does not wait.

        Args:
            reason: why, for the event and for the `Cancelled` that children see.
        """
        if self._closing is None and self._nursery is not None:
            self._closing = reason or "shutdown requested"
            self._signal.set()

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
        """Return what is known of every child, in start order (OTP: `which_children`)."""
        return tuple(slot.info() for slot in self._slots.values())

    def counts(self) -> Counts:
        """Return how many children there are, and of what kind (OTP: `count_children`)."""
        return count(self.children())

    async def start_child(self, spec: ChildSpec) -> ChildRef:
        """Add a child at the end of the order and start it; returns once it is ready.

        Args:
            spec: the child. It runs with the context variables of this call.

        Returns:
            The first incarnation.

        Raises:
            ChildStartError: it failed before it was ready; the spec is not kept.
            ChildExists: there is a child of this id.
            InvalidSpec: the spec does not suit this supervisor.
            NotRunning: the supervisor is not running, or began to stop meanwhile.
            WouldDeadlock: the caller is a child this supervisor is waiting for.

        Cancelling it cancels the child and waits for its end. A timeout around it bounds the start, not the child.
        """
        check_children((spec,), auto_shutdown=self._auto_shutdown, limit=self._limit, backoff=self._backoff)
        ref = await self._ask(Call("start", spec.id, spec, copy_context()))
        assert isinstance(ref, ChildRef)
        return ref

    async def stop_child(self, id: str) -> Exit:  # noqa: A002 - as the spec's field
        """Stop a child, with its grace, and return once it is gone (OTP: `terminate_child`).

        Its spec is kept unless it is temporary. A restart that is due is cancelled. A child that is not running is left
        as it is.

        Args:
            id: the child's id.

        Returns:
            How its last incarnation ended.

        Raises:
            UnknownChild: there is no child of this id.
            NotRunning: the supervisor is not running.
            WouldDeadlock: the caller is a child this supervisor is waiting for.

        Cancelling it does not call the stop off.
        """
        exit_ = await self._ask(Call("stop", id))
        assert isinstance(exit_, Exit)
        return exit_

    async def restart_child(self, id: str) -> ChildRef:  # noqa: A002 - as the spec's field
        """Start a child that is stopped; returns once it is ready. It is not charged to the limit.

        Args:
            id: the child's id.

        Returns:
            The new incarnation.

        Raises:
            ChildStartError: it failed before it was ready; it stays stopped.
            ChildRunning: it runs.
            ChildRestarting: its restart is due.
            UnknownChild: there is no child of this id.
            NotRunning: the supervisor is not running, or began to stop meanwhile.
            WouldDeadlock: the caller is a child this supervisor is waiting for.

        Cancelling it cancels the child and waits for its end.
        """
        ref = await self._ask(Call("restart", id))
        assert isinstance(ref, ChildRef)
        return ref

    async def delete_child(self, id: str) -> None:  # noqa: A002 - as the spec's field
        """Forget a child that is stopped.

        Args:
            id: the child's id.

        Raises:
            ChildRunning: it runs.
            ChildRestarting: its restart is due.
            UnknownChild: there is no child of this id.
            NotRunning: the supervisor is not running.
            WouldDeadlock: the caller is a child this supervisor is waiting for.
        """
        await self._ask(Call("delete", id))

    async def _ask(self, call: Call) -> ChildRef | Exit | None:
        what = f"{call.verb}_child({call.id!r})"
        if self._nursery is None or self._closing is not None:
            raise not_running(what)
        refuse_deadlock(self, call.verb, call.id)
        if self._calls is None:
            self._calls = deque()
        self._calls.append(call)
        self._signal.set()
        try:
            return await call.wait()
        except trio.Cancelled:
            if call in self._calls:
                self._calls.remove(call)
            elif call.verb in ("start", "restart"):
                call.abandoned = True
                self._signal.set()
                try:
                    await call.wait(shield=True)
                except SupervisionError:
                    pass  # it is undone either way, and the caller is leaving
            raise

    # What children report

    def child_changed(self, child: Child, /) -> None:
        """Note that a child got ready or ended. Called by the child."""
        if child.exit is not None and not child.expected:
            if self._exits is None:
                self._exits = deque()
            self._exits.append(child)
        self._signal.set()

    # The life of a run

    async def _live(self, task_status: trio.TaskStatus[Self]) -> None:
        """Start, watch and stop. Raises nothing: whatever happens is left to the verdict, after the nursery."""
        try:
            if await self._start_all():
                task_status.started(self)
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
            for slot in self._slots.values():
                if slot.child is not None:
                    slot.child.scope.cancel(f"{self.path}: the orderly stop was interrupted")

    def _end(self) -> None:
        for slot in self._slots.values():
            if slot.child is not None:
                self._settle(slot, final=True)
        self._slots.clear()
        self._failures = None
        self._nursery = None
        self._over = True
        self._refuse_calls()
        self._journal.closed()
        if self._stopped is not None:
            self._stopped.set()
            self._stopped = None

    async def _start_all(self) -> bool:
        if self._build is not None:
            try:
                self._rebuild()
            except Exception as exc:  # noqa: BLE001 - the user's function; raised again as the cause
                self._give_up(start_error(self.path, ChildFailure("build", 1, exc)))
                return False
        else:
            self._slots = {spec.id: Slot(spec, self._context, "permanent") for spec in self._children}
        for slot in list(self._slots.values()):
            started = await self._start(slot)
            if isinstance(started, ChildFailure):
                self._give_up(start_error(self.path, started))
            elif started is not None and not started.ready:
                self._drop_temporary(slot)
            if self._closing is not None:
                return False
        return True

    def _rebuild(self) -> None:
        """Put a new epoch's specs in the slots; children added at run time stay, after them."""
        assert self._build is not None
        specs = tuple(self._context.run(self._build))
        check_children(specs, auto_shutdown=self._auto_shutdown, limit=self._limit, backoff=self._backoff)
        for spec in specs:
            if spec.id in self._slots and self._slots[spec.id].child is not None:
                raise ChildExists(
                    f"build gave a child {spec.id!r}, but one runs that was added by start_child"
                )
        old, self._slots = self._slots, {}
        for spec in specs:
            slot = self._slots[spec.id] = Slot(spec, self._context, "permanent")
            if spec.id in old:
                before = old.pop(spec.id)
                slot.number, slot.last = before.number, before.last
        for slot in old.values():
            if slot.context is not self._context:
                self._slots[slot.spec.id] = slot

    async def _loop(self) -> None:
        while not self._verdict.decided:
            if self._exits:
                await self._on_exit(self._exits.popleft())
            elif self._closing is not None:
                return
            elif self._calls:
                await self._on_call(self._calls.popleft())
            elif not self._dues:
                await self._signal.wait()
            else:
                due = min(self._dues, key=_time)
                if due.time <= trio.current_time():
                    self._dues.remove(due)
                    await self._restart(due.ids)
                else:
                    with trio.CancelScope(deadline=due.time):
                        await self._signal.wait()

    async def _stop_all(self, longest: float) -> None:
        why = self._closing = self._closing or "cancelled"
        self._refuse_calls()
        self._journal.closing(why)
        for slot in reversed(list(self._slots.values())):
            if slot.child is not None:
                await self._stop(slot, f"{self.path} stops: {why}", longest)
                self._settle(slot, final=True)

    async def _stop(self, slot: Slot, reason: str, longest: float = math.inf) -> None:
        assert slot.child is not None
        await stop_children((slot.child,), self._signal, self._journal, reason=reason, longest=longest)

    def _settle(self, slot: Slot, *, final: bool = False) -> Exit:
        """Take a child that has ended out of its slot."""
        child = slot.child
        assert child is not None
        assert child.exit is not None
        exit_ = child.exit
        slot.child = None
        slot.last = exit_
        self._journal.exited(child, exit_)
        if exit_.error is not None:
            failure = ChildFailure(slot.spec.id, child.number, exit_.error)
            if is_fatal(exit_.error):
                self._verdict.fatal(exit_.error)
                self._closing = self._closing or f"child {slot.spec.id!r} raised {describe(exit_.error)}"
            elif final:
                self._verdict.failed_to_stop(failure)
        return exit_

    def _refuse_calls(self) -> None:
        while self._calls:
            call = self._calls.popleft()
            call.answer(not_running(f"{call.verb}_child({call.id!r})"))
        if self._over and self._call is not None:
            self._call.answer(not_running(f"{self._call.verb}_child({self._call.id!r})"))
            self._call = None

    # Starting

    async def _start(self, slot: Slot, call: Call | None = None) -> Child | ChildFailure | None:
        """Start a child and wait until it is ready.

        Returns:
            The child, ready or ended without an error; its failure; or None: the start was called off, and the child has
            ended unless everything is closing.
        """
        assert self._nursery is not None
        spec = slot.spec
        slot.number += 1
        slot.restarting = False
        child = slot.child = Child(spec, slot.number, self)
        child.spawn(self._nursery, slot.context)
        self._journal.starting(child)
        too_slow = False
        if not child.ready:
            if spec.start_timeout == math.inf:
                await self._handshake(child, call)
            else:
                with trio.CancelScope(deadline=trio.current_time() + spec.start_timeout) as scope:
                    await self._handshake(child, call)
                too_slow = scope.cancelled_caught
        if child.ready:
            self._journal.started(child)
            return child
        if child.exit is None:
            if self._closing is not None:
                return None  # it is stopped in its turn
            grace = 0.0 if too_slow or (call is not None and call.abandoned) else math.inf
            await self._stop(slot, f"{self.path}: the start of {spec.id!r} was given up", grace)
        exit_ = self._settle(slot)
        error: BaseException | None = exit_.error
        if self._verdict.decided:
            return None
        if too_slow:
            late = trio.TooSlowError(f"child {spec.id!r} was not ready after {spec.start_timeout:g} s")
            late.__cause__ = error
            error = late
        if error is not None:
            return ChildFailure(spec.id, child.number, error)
        return child if exit_.kind == "returned" else None

    async def _handshake(self, child: Child, call: Call | None) -> None:
        while not (child.ready or child.exit or self._closing):
            if (call is not None and call.abandoned) or self._is_called_off(child.spec.id):
                return
            await self._signal.wait()

    def _is_called_off(self, id: str) -> bool:  # noqa: A002 - as the spec's field
        return any(call.verb == "stop" and call.id == id for call in self._calls or ())

    def _drop_temporary(self, slot: Slot) -> bool:
        """Forget a temporary child that has ended, with its arguments."""
        if slot.restart != "temporary" or slot.child is not None:
            return False
        del self._slots[slot.spec.id]
        return True

    def _give_up(self, error: SupervisionError) -> None:
        self._verdict.failed(error)
        self._closing = self._closing or str(error)

    # Exits and restarts

    async def _on_exit(self, child: Child) -> None:
        slot = self._slots.get(child.spec.id)
        if slot is None or slot.child is not child:
            return  # it was stopped with its group before the loop came to its exit
        exit_ = self._settle(slot)
        if self._verdict.decided:
            return
        if not should_restart(slot.restart, failed=exit_.error is not None):
            if exit_.error is not None:
                self._journal.dropped(child, exit_.error)
            self._drop_temporary(slot)
            if slot.spec.significant:
                self._on_significant_end(slot.spec.id)
            return
        error = exit_.error or ChildReturned(f"permanent child {slot.spec.id!r} returned")
        failure = ChildFailure(slot.spec.id, child.number, error)
        group = members(self._strategy, list(self._slots), slot.spec.id)
        await self._recover(failure, group, trio.current_time() - child.ready_at)

    def _on_significant_end(self, id: str) -> None:  # noqa: A002 - as the spec's field
        alive = any(slot.spec.significant and slot.state != "stopped" for slot in self._slots.values())
        if self._auto_shutdown == "any" or not alive:
            self.request_shutdown(f"significant child {id!r} ended")

    async def _recover(self, failure: ChildFailure, group: Sequence[str], healthy: float) -> None:
        """Charge a restart; if it is allowed, stop the others of the group and set the restart's time."""
        delay = self._charge(failure, healthy)
        if delay is None or self._closing is not None:
            return
        reason = f"{self.path}: restarted with {failure.id!r}, which ended ({describe(failure.error)})"
        waiting: list[str] = []
        for id_ in reversed(group):
            slot = self._slots.get(id_)
            if slot is None:
                continue
            if slot.child is not None:
                await self._stop(slot, reason)
                self._settle(slot)
            if not self._drop_temporary(slot):
                slot.restarting = True
                waiting.append(id_)
        time = trio.current_time() + delay
        if self._strategy != "one_for_one":
            for due in self._dues:
                # A failure during the wait joins the group that waits.
                waiting += [id_ for id_ in due.ids if id_ not in waiting]
                time = max(time, due.time)
            self._dues.clear()
        self._dues.append(_Due([id_ for id_ in self._slots if id_ in waiting], time))

    def _charge(self, failure: ChildFailure, healthy: float) -> float | None:
        """Charge a restart to the limits; return its delay, or None once they are used up."""
        if self._failures is None:
            self._failures = deque(maxlen=MAX_LIVE_FAILURES)
        self._failures.append(failure)
        now = trio.current_time()
        if not self._charges.charge(now):
            return self._reach_limit(
                f"more than {self._limit.max_restarts} restarts within {self._limit.per:g} s"
            )
        slot = self._slots.get(failure.id)
        backoff = (slot.spec.backoff if slot is not None else None) or self._backoff
        delay = 0.0
        if backoff is not None:
            streak = self._streak
            if slot is not None and self._strategy == "one_for_one":
                streak = slot.streak = slot.streak or Streak()
            if not streak.extend(backoff, healthy):
                self._reach_limit(f"more than {backoff.max_consecutive} restarts in a row")
                return None
            delay = backoff.delay(streak.count, (self._rng or random).random())
        self._journal.restarting(failure, delay, self._charges.count(now), self._limit.max_restarts)
        return delay

    def _reach_limit(self, message: str) -> None:
        assert self._failures is not None
        last = self._failures[-1]
        message = f"{self.path}: {message}; child {last.id!r} ended last ({describe(last.error)})"
        if self._limit.max_restarts:
            # Where no restart is ever wanted, the error that is raised is report enough.
            self._journal.gave_up(message)
        self._give_up(RestartLimitExceeded(message, tuple(self._failures)))

    async def _restart(self, ids: list[str]) -> None:
        """Start the children of a group whose time has come."""
        if self._build is not None:
            known = set(self._slots)
            try:
                self._rebuild()
            except Exception as exc:  # noqa: BLE001 - the user's function; it counts as a failed start
                await self._recover(ChildFailure("build", 1, exc), ids, 0.0)
                return
            ids = [id_ for id_ in self._slots if id_ in ids or id_ not in known]
        for id_ in ids:
            slot = self._slots.get(id_)
            if slot is None:
                continue
            started = await self._start(slot)
            if self._closing is not None:
                return
            if isinstance(started, ChildFailure):
                await self._recover(started, retry(self._strategy, ids, id_), 0.0)
                return
            if started is not None and not started.ready:
                self._drop_temporary(slot)

    # Calls

    async def _on_call(self, call: Call) -> None:
        self._call = call
        answer = await self._obey(call)
        slot = self._slots.get(call.id)
        if self._closing is not None and slot is not None and slot.state == "starting":
            return  # it is answered once its child has ended
        self._call = None
        call.answer(answer)

    async def _obey(self, call: Call) -> ChildRef | Exit | SupervisionError | None:
        slot = self._slots.get(call.id)
        if call.verb == "start":
            return ChildExists(f"there is a child {call.id!r} already") if slot else await self._add(call)
        if slot is None:
            return UnknownChild(f"there is no child {call.id!r}")
        if call.verb == "stop":
            return await self._remove(slot)
        if slot.child is not None:
            return ChildRunning(f"child {call.id!r} is running")
        if slot.restarting:
            return ChildRestarting(f"child {call.id!r} is about to be restarted")
        if call.verb == "restart":
            return await self._start_for(slot, call)
        del self._slots[call.id]
        return None

    async def _add(self, call: Call) -> ChildRef | SupervisionError:
        assert call.spec is not None
        assert call.context is not None
        slot = self._slots[call.id] = Slot(call.spec, call.context, "permanent")
        answer = await self._start_for(slot, call)
        if isinstance(answer, SupervisionError) and slot.child is None and not self._is_called_off(call.id):
            del self._slots[call.id]
        return answer

    async def _start_for(self, slot: Slot, call: Call) -> ChildRef | SupervisionError:
        started = await self._start(slot, call)
        if isinstance(started, ChildFailure):
            return start_error(self.path, started)
        if started is None:
            return NotRunning(f"{self.path}: the start of child {call.id!r} was called off")
        if not started.ready:
            self._drop_temporary(slot)
        return ChildRef(started)

    async def _remove(self, slot: Slot) -> Exit:
        if slot.child is not None:
            await self._stop(slot, f"{self.path}: stop_child({slot.spec.id!r})")
            self._settle(slot)
        slot.restarting = False
        for due in self._dues:
            if slot.spec.id in due.ids:
                due.ids.remove(slot.spec.id)
        self._dues = [due for due in self._dues if due.ids]
        self._drop_temporary(slot)
        return slot.last or Exit("stopped")


def start_error(path: str, failure: ChildFailure) -> ChildStartError:
    """Return the error of a failed start, caused by what the child raised."""
    error = ChildStartError(
        f"{path}: child {failure.id!r} failed to start ({describe(failure.error)})", (failure,)
    )
    error.__cause__ = failure.error
    return error


def _time(due: _Due) -> float:
    return due.time
