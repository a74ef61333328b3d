"""One run of a supervisor: the loop that starts, watches, restarts and stops its children, in order.

The loop does one thing at a time. Children, callers and the clock only leave notes (an exit, a call, a due time) and
set its signal; what to do is decided by the pure functions of `_policy` and `_limit`. Each child runs in a shielded
scope of its own, so that a cancellation from outside reaches the loop alone, which stops the children in reverse order.
"""

import math
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVarTuple, Unpack

import trio

from ._calls import Call
from ._child import Child
from ._desk import obey
from ._errors import (
    ChildExists,
    ChildFailure,
    ChildReturned,
    RestartLimitExceeded,
    SupervisionError,
    describe,
    start_error,
)
from ._events import Journal
from ._exits import Exit, is_fatal
from ._limit import Ledger, Streak
from ._plan import Plan
from ._policy import members, retry, should_restart
from ._signal import Signal
from ._slots import Slot
from ._stop import stop_children
from ._verdict import Verdict

__all__ = ["Run"]

Ts = TypeVarTuple("Ts")


@dataclass(slots=True)
class Due:
    """A restart that waits for its time.

    Attributes:
        ids: the children to start, in start order.
        time: when, by trio's clock.
    """

    ids: list[str]
    time: float


class Run:
    """The state and the loop of one run of a `Supervisor`.

    Attributes:
        path: the supervisor's name after those of the supervisors above it.
        slots: the children by id, in start order.
        dues: the restarts that wait for their time.
        closing: why no more is started, once that is so.
    """

    __slots__ = (
        "_calls",
        "_exits",
        "_journal",
        "_ledger",
        "_nursery",
        "_plan",
        "_signal",
        "_streak",
        "_unanswered",
        "_verdict",
        "closing",
        "dues",
        "path",
        "slots",
    )

    def __init__(self, plan: Plan, path: str, nursery: trio.Nursery) -> None:
        self._plan = plan
        self._nursery = nursery
        self.path = path
        self.slots: dict[str, Slot] = {}
        self.dues: list[Due] = []
        self.closing: str | None = None
        self._signal = Signal()
        self._journal = Journal(plan.observer, path)
        self._verdict = Verdict()
        # Made when first needed: most supervisors never see a failure or a call.
        self._exits: deque[Child] | None = None
        self._calls: deque[Call] | None = None
        self._ledger: Ledger | None = None
        self._streak: Streak | None = None
        self._unanswered: Call | None = None

    # What others leave for the loop

    def child_changed(self, child: Child, /) -> None:
        """Note that a child got ready or ended. Called by the child."""
        if child.exit is not None and not child.expected:
            if self._exits is None:
                self._exits = deque()
            self._exits.append(child)
        self._signal.set()

    def close(self, reason: str) -> None:
        """Note that everything is to be stopped; the first reason counts."""
        if self.closing is None:
            self.closing = reason
            self._signal.set()

    def post(self, call: Call) -> None:
        """Leave a call for the loop."""
        if self._calls is None:
            self._calls = deque()
        self._calls.append(call)
        self._signal.set()

    def withdraw(self, call: Call) -> bool:
        """Take a call back whose caller leaves; False if the loop is at it, which then undoes what it began."""
        if self._calls and call in self._calls:
            self._calls.remove(call)
            return True
        call.abandoned = True
        self._signal.set()
        return False

    # The life of a run

    async def live(self, on_ready: Callable[[], object]) -> None:
        """Start, watch and stop the children. Raises nothing: what happened is left to `end`, after the nursery.

        Args:
            on_ready: called once all children are ready.
        """
        try:
            if not await self._attempt(self._serve, on_ready):
                with trio.CancelScope(shield=True):
                    await self._attempt(self._stop_all, self._plan.cancel_grace)
        finally:
            # Without waiting: should the orderly stop have been broken off, the nursery joins what is left.
            for slot in self.slots.values():
                if slot.child is not None:
                    slot.child.scope.cancel(f"{self.path}: the orderly stop was interrupted")

    async def _attempt(self, fn: Callable[[Unpack[Ts]], Awaitable[None]], *args: *Ts) -> bool:
        """Do a part of the work; note what interrupted it, a cancellation or, even in a shield, KeyboardInterrupt."""
        try:
            await fn(*args)
        except BaseException as exc:  # noqa: BLE001 - returned by end()
            self._verdict.interrupted(exc)
            return False
        return True

    async def _serve(self, on_ready: Callable[[], object]) -> None:
        if await self._start_all():
            on_ready()
            await self._loop()
        await self._stop_all(math.inf)

    def end(self, interruption: BaseException | None) -> BaseException | None:
        """Close the books, once every child has ended, and return what the run raises.

        Args:
            interruption: what came out of the nursery: KeyboardInterrupt, while it joined children.
        """
        if interruption is not None:
            self._verdict.interrupted(interruption)
        for slot in self.slots.values():
            if slot.child is not None:
                self.settle(slot, final=True)
        self.slots.clear()
        self._refuse_calls()
        if self._unanswered is not None:
            self._unanswered.refuse()
        self._journal.closed()
        return self._verdict.error()

    async def _start_all(self) -> bool:
        plan = self._plan
        if plan.build is None:
            for spec in plan.children:
                self.slots[spec.id] = Slot(spec, plan.context, "permanent")
        else:
            try:
                self._rebuild()
            except Exception as exc:  # noqa: BLE001 - the user's function; it is the cause of what run() raises
                self._give_up(start_error(self.path, ChildFailure("build", 1, exc)))
                return False
        for slot in list(self.slots.values()):
            started = await self.start(slot)
            if isinstance(started, ChildFailure):
                self._give_up(start_error(self.path, started))
            if self.closing is not None:
                return False
        return True

    def _rebuild(self) -> None:
        """Put a new epoch's specs in the slots. Children added at run time stay, after them."""
        plan = self._plan
        assert plan.build is not None
        specs = tuple(plan.context.run(plan.build))
        plan.check(specs)
        for spec in specs:
            if spec.id in self.slots and self.slots[spec.id].child is not None:
                raise ChildExists(
                    f"build gave a child {spec.id!r}, but one runs that was added by start_child"
                )
        old, self.slots = self.slots, {}
        for spec in specs:
            slot = self.slots[spec.id] = Slot(spec, plan.context, "permanent")
            before = old.pop(spec.id, None)
            if before is not None:
                slot.number, slot.last = before.number, before.last
        for slot in old.values():
            if slot.context is not plan.context:
                self.slots[slot.spec.id] = slot

    async def _loop(self) -> None:
        while not self._verdict.decided:
            if self._exits:
                await self._on_exit(self._exits.popleft())
            elif self.closing is not None:
                return
            elif self._calls:
                await self._on_call(self._calls.popleft())
            elif not self.dues:
                await self._signal.wait()
            else:
                due = min(self.dues, key=_time)
                if due.time <= trio.current_time():
                    self.dues.remove(due)
                    await self._restart(due.ids)
                else:
                    with trio.CancelScope(deadline=due.time):
                        await self._signal.wait()

    async def _stop_all(self, longest: float) -> None:
        why = self.closing = self.closing or "cancelled"
        self._refuse_calls()
        self._journal.closing(why)
        for slot in reversed(list(self.slots.values())):
            if slot.child is not None:
                await self.stop(slot, f"{self.path} stops: {why}", longest)
                self.settle(slot, final=True)

    async def stop(self, slot: Slot, reason: str, longest: float = math.inf) -> None:
        """Stop the child of a slot and wait for its end."""
        assert slot.child is not None
        await stop_children((slot.child,), self._signal, self._journal, reason=reason, longest=longest)

    def settle(self, slot: Slot, *, final: bool = False) -> Exit:
        """Take a child that has ended out of its slot, and forget the slot of a temporary one.

        Args:
            slot: the child's.
            final: whether everything is being stopped, so that an error is to be raised rather than told.
        """
        child = slot.child
        assert child is not None
        assert child.exit is not None
        end = child.exit
        slot.child = None
        slot.last = end
        self._journal.exited(child, end)
        if end.error is not None:
            if is_fatal(end.error):
                self._verdict.fatal(end.error)
                self.close(f"child {slot.spec.id!r} raised {describe(end.error)}")
            elif final:
                self._verdict.failed_to_stop(ChildFailure(slot.spec.id, child.number, end.error))
        if slot.restart == "temporary" and not final:
            self.slots.pop(slot.spec.id, None)
        return end

    # Starting

    async def start(self, slot: Slot, call: Call | None = None) -> Child | ChildFailure | None:
        """Start a child and wait until it is ready.

        Args:
            slot: the child's.
            call: the call it is started for; the start is given up when the caller leaves.

        Returns:
            The child, which is ready or has returned early; its failure; or None: the start was called off, and the
            child has ended unless everything is closing.
        """
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
        abandoned = call is not None and call.abandoned
        if child.ready and not abandoned:
            self._journal.started(child)
            return child
        if child.exit is None:
            if self.closing is not None:
                return None  # it is stopped in its turn
            grace = 0.0 if too_slow or abandoned else math.inf
            await self.stop(slot, f"{self.path}: the start of {spec.id!r} was given up", grace)
        end = self.settle(slot)
        if self._verdict.decided:
            return None
        error = end.error
        if too_slow:
            late = trio.TooSlowError(f"child {spec.id!r} was not ready after {spec.start_timeout:g} s")
            late.__cause__ = error
            error = late
        if error is not None:
            return ChildFailure(spec.id, child.number, error)
        return child if end.kind == "returned" and not abandoned else None

    async def _handshake(self, child: Child, call: Call | None) -> None:
        while not (child.ready or child.exit or self.closing):
            if (call is not None and call.abandoned) or self.is_called_off(child.spec.id):
                return
            await self._signal.wait()

    def is_called_off(self, id: str) -> bool:  # noqa: A002 - as the spec's field
        """Tell whether somebody waits to stop this child."""
        return any(call.verb == "stop" and call.id == id for call in self._calls or ())

    def _give_up(self, error: SupervisionError) -> None:
        self._verdict.failed(error)
        self.close(str(error))

    # Exits and restarts

    async def _on_exit(self, child: Child) -> None:
        slot = self.slots.get(child.spec.id)
        if slot is None or slot.child is not child:
            return  # it was stopped with its group before the loop came to its exit
        ids = list(self.slots)
        end = self.settle(slot)
        if self._verdict.decided:
            return
        if not should_restart(slot.restart, failed=end.error is not None):
            if end.error is not None:
                self._journal.dropped(child, end.error)
            if slot.spec.significant:
                self._on_significant_end(slot.spec.id)
            return
        error = end.error or ChildReturned(f"permanent child {slot.spec.id!r} returned")
        failure = ChildFailure(slot.spec.id, child.number, error)
        group = members(self._plan.strategy, ids, slot.spec.id)
        await self._recover(failure, group, trio.current_time() - child.ready_at)

    def _on_significant_end(self, id: str) -> None:  # noqa: A002 - as the spec's field
        alive = any(slot.spec.significant and slot.state != "stopped" for slot in self.slots.values())
        if self._plan.auto_shutdown == "any" or not alive:
            self.close(f"significant child {id!r} ended")

    async def _recover(self, failure: ChildFailure, group: Sequence[str], healthy: float) -> None:
        """Charge a restart; if it is allowed, stop the others of the group and set the restart's time.

        Args:
            failure: what makes it necessary.
            group: the ids to restart, in start order.
            healthy: seconds the failed child had been ready.
        """
        delay = self._charge(failure, healthy)
        if delay is None or self.closing is not None:
            return
        reason = f"{self.path}: restarted with {failure.id!r}, which ended ({describe(failure.error)})"
        for slot in [self.slots[id_] for id_ in reversed(group) if id_ in self.slots]:
            if slot.child is not None:
                await self.stop(slot, reason)
                self.settle(slot)
            slot.restarting = True
        waiting = set(group)
        time = trio.current_time() + delay
        if self._plan.strategy != "one_for_one":
            for due in self.dues:  # a failure during the wait joins the group that waits
                waiting.update(due.ids)
                time = max(time, due.time)
            self.dues.clear()
        self.dues.append(Due([id_ for id_ in self.slots if id_ in waiting], time))

    def _charge(self, failure: ChildFailure, healthy: float) -> float | None:
        """Charge a restart to the limits; return its delay, or None once they are used up."""
        plan, limit, now = self._plan, self._plan.restarts, trio.current_time()
        ledger = self._ledger = self._ledger or Ledger(limit)
        slot = self.slots.get(failure.id)
        backoff = (slot.spec.backoff if slot is not None else None) or plan.backoff
        streak: Streak | None = None
        spread = 0.0
        if backoff is not None:
            spread = (plan.rng or random).random()
            if slot is not None and plan.strategy == "one_for_one":
                streak = slot.streak = slot.streak or Streak()
            else:
                streak = self._streak = self._streak or Streak()
        delay = ledger.charge(failure, now, backoff=backoff, streak=streak, healthy=healthy, spread=spread)
        if isinstance(delay, RestartLimitExceeded):
            self._journal.gave_up(delay, limit.max_restarts)
            self._give_up(delay)
            return None
        self._journal.restarting(failure, delay, ledger.count(now), limit.max_restarts)
        return delay

    async def _restart(self, ids: list[str]) -> None:
        """Start the children of a group whose time has come."""
        if self._plan.build is not None:
            known = set(self.slots)
            try:
                self._rebuild()
            except Exception as exc:  # noqa: BLE001 - the user's function; it counts as a failed start
                await self._recover(ChildFailure("build", 1, exc), ids, 0.0)
                return
            ids = [id_ for id_ in self.slots if id_ in ids or id_ not in known]
        for slot in [self.slots[id_] for id_ in ids]:
            started = await self.start(slot)
            if self.closing is not None:
                return
            if isinstance(started, ChildFailure):
                await self._recover(started, retry(self._plan.strategy, ids, slot.spec.id), 0.0)
                return

    # Calls

    async def _on_call(self, call: Call) -> None:
        self._unanswered = call
        answer = await obey(self, call)
        slot = self.slots.get(call.id)
        if self.closing is not None and slot is not None and slot.state == "starting":
            return  # it is answered once its child has ended
        self._unanswered = None
        call.answer(answer)

    def _refuse_calls(self) -> None:
        while self._calls:
            self._calls.popleft().refuse()


def _time(due: Due) -> float:
    return due.time
