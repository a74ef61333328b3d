"""One run of a supervisor: the loop that starts, watches, restarts and stops its children, in order.

The loop does one thing at a time. Children, callers and the clock only leave notes (an exit, a call, a due time) and
set its signal; who restarts, and whether it may, is decided in `_restarts`. Each child runs in a shielded scope of its
own, so that a cancellation from outside reaches the loop alone, which stops the children in reverse order.
"""

import math
from collections import deque
from collections.abc import Callable

import trio

from ._calls import Call, Calls
from ._child import Child
from ._desk import answer_next
from ._errors import (
    ChildFailure,
    SupervisionError,
    describe,
    start_error,
)
from ._events import Journal
from ._exits import Exit, is_fatal
from ._plan import Plan
from ._restarts import Restarts
from ._signal import Signal
from ._slots import Slot, rebuilt
from ._stop import stop_children
from ._verdict import Verdict

__all__ = ["Run"]


class Run:
    """The state and the loop of one run of a `Supervisor`.

    Attributes:
        plan: what the supervisor was made with.
        path: the supervisor's name after those of the supervisors above it.
        journal: what tells its events.
        verdict: what the run will end with.
        slots: the children by id, in start order.
        ready: whether all children were ready once.
        restarts: what is restarted, and when.
        calls: what others ask for.
        closing: why no more is started, once that is so.
    """

    __slots__ = (
        "_exits",
        "_nursery",
        "_signal",
        "calls",
        "closing",
        "journal",
        "path",
        "plan",
        "ready",
        "restarts",
        "slots",
        "verdict",
    )

    def __init__(self, plan: Plan, path: str, nursery: trio.Nursery) -> None:
        self.plan = plan
        self._nursery = nursery
        self.path = path
        self.slots: dict[str, Slot] = {}
        self.ready = False
        self.closing: str | None = None
        self.restarts = Restarts()
        self.calls = Calls()
        self._signal = Signal()
        self.journal = Journal(plan.observer, path)
        self.verdict = Verdict()
        self._exits: deque[Child] | None = None  # made when first needed

    # What others leave for the loop

    def child_changed(self, child: Child, /) -> None:
        """Note that a child got ready or ended. Called by the child."""
        if child.exit is not None and not child.expected:
            if self._exits is None:
                self._exits = deque()
            self._exits.append(child)
        self._signal.set()

    def expects(self, id: str, /) -> bool:  # noqa: A002 - as the spec's field
        """Tell whether the child of this id runs, or is to be started again."""
        slot = self.slots.get(id)
        return self.closing is None and slot is not None and slot.expected

    def close(self, reason: str) -> None:
        """Note that everything is to be stopped; the first reason counts."""
        if self.closing is None:
            self.closing = reason
            self._signal.set()

    def post(self, call: Call) -> None:
        """Leave a call for the loop."""
        self.calls.post(call)
        self._signal.set()

    def withdraw(self, call: Call) -> bool:
        """Take a call back whose caller leaves; False if the loop is at it, which then undoes what it began."""
        self._signal.set()
        return self.calls.withdraw(call)

    # The life of a run

    async def live(self, on_ready: Callable[[], object]) -> None:
        """Start, watch and stop the children. Raises nothing: what happened is left to `end`, after the nursery.

        Args:
            on_ready: called once all children are ready.
        """
        interrupted = False
        try:
            try:
                if await self._start_all():
                    self.ready = True
                    on_ready()
                    await self._loop()
                await self._stop_all(math.inf)
            except BaseException as exc:  # noqa: BLE001 - the verdict's
                self.verdict.interrupted(exc)
                interrupted = True
            if interrupted:
                with trio.CancelScope(shield=True):
                    await self.verdict.attempt(self._stop_all, self.plan.cancel_grace)
        finally:
            # Without waiting: should the orderly stop have been broken off, the nursery joins what is left.
            for slot in self.slots.values():
                if slot.child is not None:
                    slot.child.scope.cancel(f"{self.path}: the orderly stop was interrupted")

    def end(self, interruption: BaseException | None) -> BaseException | None:
        """Close the books, once every child has ended, and return what the run raises.

        Args:
            interruption: what came out of the nursery: KeyboardInterrupt, while it joined children.
        """
        if interruption is not None:
            self.verdict.interrupted(interruption)
        for slot in self.slots.values():
            if slot.child is not None:
                self.settle(slot, final=True)
        self.slots.clear()
        self._exits = None  # those nobody came to: they refer back to this
        self.journal.closed()
        return self.verdict.error()

    async def _start_all(self) -> bool:
        plan = self.plan
        if plan.build is None:
            for spec in plan.children:
                self.slots[spec.id] = Slot(spec, plan.context, "permanent")
        else:
            try:
                self.rebuild()
            except Exception as exc:  # noqa: BLE001 - the user's function; it is the cause of what run() raises
                self.give_up(start_error(self.path, ChildFailure("build", 1, exc)))
                return False
        for slot in list(self.slots.values()):
            started = await self.start(slot)
            if isinstance(started, ChildFailure):
                self.give_up(start_error(self.path, started))
            if self.closing is not None:
                return False
        return True

    def rebuild(self) -> None:
        """Put a new epoch's specs in the slots, whatever `build` raises."""
        self.slots = rebuilt(self.slots, self.plan)

    async def _loop(self) -> None:
        while not self.verdict.decided:
            if self._exits:
                await self.restarts.on_exit(self, self._exits.popleft())
            elif self.closing is not None:
                return
            elif self.calls.waiting:
                await answer_next(self)
            elif (due := self.restarts.next()) is None:
                await self._signal.wait()
            elif due.time <= trio.current_time():
                await self.restarts.carry_out(self, due)
            else:
                with trio.CancelScope(deadline=due.time):
                    await self._signal.wait()

    async def _stop_all(self, longest: float) -> None:
        why = self.closing = self.closing or "cancelled"
        self.calls.refuse_all()
        self.journal.closing(why)
        for slot in reversed(list(self.slots.values())):
            if slot.child is not None:
                await self.stop(slot, f"{self.path} stops: {why}", longest)
                self.settle(slot, final=True)

    async def stop(self, slot: Slot, reason: str, longest: float = math.inf) -> None:
        """Stop the child of a slot and wait for its end."""
        assert slot.child is not None
        await stop_children((slot.child,), self._signal, self.journal, reason=reason, longest=longest)

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
        self.journal.exited(child, end)
        if end.error is not None:
            if is_fatal(end.error):
                self.verdict.fatal(end.error)
                self.close(f"child {slot.spec.id!r} raised {describe(end.error)}")
            elif final:
                self.verdict.failed_to_stop(ChildFailure(slot.spec.id, child.number, end.error))
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
        self.journal.starting(child)
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
            self.journal.started(child)
            return child
        if child.exit is None:
            if self.closing is not None and not abandoned:
                return None  # it is stopped in its turn
            grace = 0.0 if too_slow or abandoned else math.inf
            await self.stop(slot, f"{self.path}: the start of {spec.id!r} was given up", grace)
        end = self.settle(slot)
        if self.verdict.decided:
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
            if (call is not None and call.abandoned) or self.calls.calls_off(child.spec.id):
                return
            await self._signal.wait()

    def give_up(self, error: SupervisionError) -> None:
        """Fail: stop everything and raise this error."""
        self.verdict.failed(error)
        self.close(str(error))
