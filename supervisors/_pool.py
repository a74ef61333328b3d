"""One run of a `DynamicSupervisor`: the places of its children, and the loop that restarts them."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass

import trio

from ._child import Child
from ._errors import ChildFailure, ChildReturned, RestartLimitExceeded, describe
from ._events import Journal, Observer
from ._exits import Exit, is_fatal
from ._limit import Ledger, Streak
from ._policy import should_restart
from ._signal import Signal
from ._slots import Slot
from ._spec import Backoff, ChildSpec, RestartLimit
from ._stop import stop_children
from ._verdict import Verdict

__all__ = ["Place", "Pool", "PoolPlan"]


class Place(Slot):
    """A child's place under a `DynamicSupervisor`; the children report to it, so that every ref leads back to it."""

    __slots__ = ("changed", "late", "pool")

    def __init__(self, spec: ChildSpec, context: Context, pool: Pool) -> None:
        super().__init__(spec, context, "temporary")
        self.pool = pool
        self.changed: trio.Event | None = None  # set when the first incarnation is ready or has ended
        self.late: trio.TooSlowError | None = None  # why a restarted child was cancelled before it was ready

    @property
    def path(self) -> str:
        """The supervisor's path."""
        return self.pool.path

    def child_changed(self, child: Child, /) -> None:
        """Pass it on. Called by the child."""
        if self.changed is not None:
            self.changed.set()
        if child.exit is not None:
            self.pool.on_exit(self, child, child.exit)
        else:
            self.pool.on_ready(child)

    def expects(self, id: str, /) -> bool:  # noqa: A002 - the place is the id
        """Tell whether its child runs, or is to be started again."""
        return self.pool.closing is None and self in self.pool.places and self.expected


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """The arguments of a `DynamicSupervisor`, where each is explained."""

    max_children: int | None
    restarts: RestartLimit
    backoff: Backoff | None
    cancel_grace: float
    name: str | None
    observer: Observer | None
    rng: random.Random | None


class Pool:
    """The state and the loop of one run of a `DynamicSupervisor`.

    Attributes:
        path: the supervisor's name after those of the supervisors above it.
        journal: what tells its events.
        places: the children, as keys, in the order they were added.
        room: where those wait who want a place.
        promised: places kept for tasks that were woken up to take them.
        closing: why no more is started, once that is so.
    """

    __slots__ = (
        "_dues",
        "_exits",
        "_ledger",
        "_nursery",
        "_plan",
        "_seq",
        "_signal",
        "_verdict",
        "closing",
        "journal",
        "path",
        "places",
        "promised",
        "room",
    )

    def __init__(self, plan: PoolPlan, path: str, nursery: trio.Nursery) -> None:
        self._plan = plan
        self._nursery = nursery
        self._exits: deque[tuple[Place, Child]] = deque()
        self._dues: list[tuple[float, int, Place, int]] = []
        self._seq = 0
        self._signal = Signal()
        self._ledger = Ledger(plan.restarts)
        self._verdict = Verdict()
        self.path = path
        self.journal = Journal(plan.observer, path)
        self.places: dict[Place, None] = {}
        self.room = trio.lowlevel.ParkingLot()
        self.promised = 0
        self.closing: str | None = None

    async def live(self, on_ready: Callable[[], object]) -> None:
        """Serve and stop. Raises nothing: what happened is left to `end`, after the nursery.

        Args:
            on_ready: called when children can be started.
        """
        try:
            if not await self._verdict.attempt(self._serve, on_ready):
                with trio.CancelScope(shield=True):
                    await self._verdict.attempt(self._stop_all, self._plan.cancel_grace)
        finally:
            # Without waiting: should the orderly stop have been broken off, the nursery joins what is left.
            for child in self._live_children():
                child.scope.cancel(f"{self.path}: the orderly stop was interrupted")

    def end(self, interruption: BaseException | None) -> BaseException | None:
        """Close the books, once every child has ended, and return what the run raises.

        Args:
            interruption: what came out of the nursery: KeyboardInterrupt, while it joined children.
        """
        if interruption is not None:
            self._verdict.interrupted(interruption)
        self.places.clear()
        self.journal.closed()
        return self._verdict.error()

    async def _serve(self, on_ready: Callable[[], object]) -> None:
        on_ready()
        await self._loop()
        await self._stop_all(math.inf)

    def spawn(self, place: Place) -> Child:
        """Start the next incarnation of a place's child; it may not be ready yet."""
        place.number += 1
        place.restarting = False
        child = place.child = Child(place.spec, place.number, place)
        child.spawn(self._nursery, place.context)
        self.journal.starting(child)
        if child.ready:
            self.journal.started(child)
        return child

    async def _loop(self) -> None:
        while self.closing is None:
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
        why = self.closing = self.closing or "cancelled"
        self.journal.closing(why)
        self.promised += len(self.room)
        self.room.unpark_all()
        children = self._live_children()
        reason = f"{self.path} stops: {why}"
        await stop_children(children, self._signal, self.journal, reason=reason, longest=longest)

    def _live_children(self) -> list[Child]:
        return [place.child for place in reversed(self.places) if place.child is not None]

    def close(self, reason: str) -> None:
        """Note that everything is to be stopped; the first reason counts."""
        if self.closing is None:
            self.closing = reason
            self._signal.set()

    # Exits and restarts

    def on_exit(self, place: Place, child: Child, end: Exit) -> None:
        """Take a child that has ended out of its place, in the child's own task: most ends need no more."""
        place.child = None
        place.last = end
        self.journal.exited(child, end)
        error = end.error or place.late
        if error is not None and is_fatal(error):
            self._verdict.fatal(error)
            self.close(f"child {place.spec.id!r} raised {describe(error)}")
            self.forget(place)
        elif self.closing is not None:
            if end.error is not None:
                self._verdict.failed_to_stop(ChildFailure(place.spec.id, child.number, end.error))
            self.forget(place)
            self._signal.set()
        elif child.expected or (not child.ready and (child.number == 1 or error is None)):
            # The caller of stop_child or start_child is told; an early return is no failure.
            self.forget(place)
        elif should_restart(place.restart, failed=error is not None):
            self._exits.append((place, child))
            place.restarting = True
            self._signal.set()
        else:
            if error is not None:
                self.journal.dropped(child, error)
            self.forget(place)

    def on_ready(self, child: Child) -> None:
        """Note that a child is ready."""
        self.journal.started(child)

    def forget(self, place: Place) -> None:
        """Give up a place, and wake the one who waits longest for it."""
        place.restarting = False
        if place in self.places:
            del self.places[place]
            if self.room:
                self.promised += 1
                self.room.unpark()

    def _recover(self, place: Place, child: Child) -> None:
        """Charge a restart; if it is allowed, set its time."""
        if place not in self.places:
            return  # stop_child was faster
        last = place.last
        error = (last.error if last is not None else None) or place.late
        place.late = None
        failure = ChildFailure(
            place.spec.id, child.number, error or ChildReturned(f"permanent child {place.spec.id!r} returned")
        )
        backoff = place.spec.backoff or self._plan.backoff
        if backoff is not None:
            place.streak = place.streak or Streak()
        now = trio.current_time()
        delay = self._ledger.charge(
            failure,
            now,
            backoff=backoff,
            streak=place.streak,
            healthy=max(0.0, now - child.ready_at),
            spread=(self._plan.rng or random).random() if backoff is not None else 0.0,
        )
        if isinstance(delay, RestartLimitExceeded):
            self.journal.gave_up(delay, self._plan.restarts.max_restarts)
            self._verdict.failed(delay)
            self.close(str(delay))
        else:
            self.journal.restarting(failure, delay, self._ledger.count(now), self._plan.restarts.max_restarts)
            self._set_due(now + delay, place)

    def times(self) -> dict[Place, float]:
        """Return when each child that waits for its restart is to be started, by trio's clock."""
        return {
            place: time
            for time, _, place, number in self._dues
            if place.restarting and place.number == number
        }

    def left(self) -> int:
        """Return how many restarts the limit allows now."""
        return max(0, self._plan.restarts.max_restarts - self._ledger.count(trio.current_time()))

    def _set_due(self, time: float, place: Place) -> None:
        self._seq += 1
        heapq.heappush(self._dues, (time, self._seq, place, place.number))

    def _on_due(self, place: Place, number: int) -> None:
        """Start the child again, or give up on a restarted one that is not ready in time."""
        if place not in self.places or place.number != number:
            return
        child = place.child
        if child is None:
            child = self.spawn(place)
            if not child.ready and place.spec.start_timeout != math.inf:
                self._set_due(trio.current_time() + place.spec.start_timeout, place)
        elif not child.ready:
            place.late = trio.TooSlowError(
                f"child {place.spec.id!r} was not ready after {place.spec.start_timeout:g} s"
            )
            child.scope.cancel(str(place.late))
