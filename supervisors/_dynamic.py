"""Any number of children that come and go, without order (Elixir: `DynamicSupervisor`)."""

from __future__ import annotations

import math
import random
from contextvars import copy_context

import trio

from ._admission import handshake, take_room
from ._calls import around
from ._errors import InvalidSpec, NotRunning, UnknownChild, WouldDeadlock
from ._events import Observer
from ._exits import Exit
from ._host import Host
from ._pool import Place, Pool, PoolPlan
from ._ref import ChildRef, owner_of
from ._slots import ChildInfo, Counts, count
from ._spec import Backoff, ChildSpec, RestartLimit, check_reachable
from ._stop import join

__all__ = ["DynamicSupervisor"]


class DynamicSupervisor(Host[Pool]):
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

    __slots__ = ("_plan",)

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
        self._plan = PoolPlan(max_children, restarts, backoff, cancel_grace, name, observer, rng)
        super().__init__(name)

    def _begin(self, path: str, nursery: trio.Nursery) -> Pool:
        return Pool(self._plan, path, nursery)

    # What anybody may ask

    def children(self) -> tuple[ChildInfo, ...]:
        """Return what is known of every child."""
        return () if self._run is None else tuple(place.info() for place in self._run.places)

    def counts(self) -> Counts:
        """Return how many children there are, and of what kind."""
        return count(self.children())

    @property
    def waiting(self) -> int:
        """How many calls of `start_child` wait for a place."""
        return 0 if self._run is None else len(self._run.room)

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
            check_reachable(self._plan.restarts, spec.backoff, f"child {spec.id!r}")
        await trio.lowlevel.checkpoint()
        pool = self._run
        if pool is not None and self._plan.max_children is not None:
            await take_room(pool, self._plan.max_children, spec, wait=wait)
        if pool is None or pool.closing is not None:
            raise NotRunning(
                f"start_child({spec.id!r}): the supervisor has not started, is stopping, or has ended"
            )
        place = Place(spec, copy_context(), pool)
        pool.places[place] = None
        child = pool.spawn(place)
        if not child.ready:
            await handshake(place, child)
        return ChildRef(child)

    async def stop_child(self, ref: ChildRef) -> Exit:
        """Stop a child, with its grace, and return once it is gone. A restart that is due is cancelled.

        Args:
            ref: what `start_child` returned.

        Returns:
            How its last incarnation ended.

        Raises:
            UnknownChild: it is not a child of this supervisor, or no longer.
            WouldDeadlock: the caller is this child, or below it, and opted in to grace: it would wait for itself.

        Cancelling it cancels the child at once, without waiting for its end.
        """
        place, pool = owner_of(ref), self._run
        if pool is None or not isinstance(place, Place) or place not in pool.places:
            raise UnknownChild(f"{self.path}: stop_child({ref!r}): there is no such child")
        child = place.child
        if child is None:
            pool.forget(place)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return place.last or Exit("stopped")
        chain = around(place)
        if chain and chain[0].traps:
            raise WouldDeadlock(
                f"{self.path}: stop_child({ref!r}): called by {chain[0].spec.id!r}, its own child"
            )
        child.request_stop()
        grace = child.spec.shutdown if child.traps else 0.0
        pool.journal.stopping(child, grace)
        try:
            if grace > 0:
                with trio.CancelScope(deadline=trio.current_time() + grace):
                    await child.wait()
        finally:
            if child.exit is None:
                child.scope.cancel(f"{self.path}: stop_child({child.spec.id!r})")
        await join(child, pool.journal, shield=not chain)  # a child that stops itself is cancelled here
        assert child.exit is not None
        return child.exit
