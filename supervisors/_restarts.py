"""What is restarted, with whom, and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from ._child import Child
from ._errors import ChildFailure, ChildReturned, RestartLimitExceeded, describe
from ._limit import Ledger, Streak
from ._policy import members, retry, should_restart
from ._spec import RestartLimit

if TYPE_CHECKING:
    from ._run import Run

__all__ = ["Due", "Restarts"]


@dataclass(slots=True)
class Due:
    """A restart that waits for its time.

    Attributes:
        ids: the children to start, in start order.
        time: when, by trio's clock.
    """

    ids: list[str]
    time: float


class Restarts:
    """The restarts of one run: those that wait for their time, and those that were charged to the limits.

    The run is handed to every method rather than kept, as the two would keep each other alive.
    """

    __slots__ = ("_dues", "_ledger", "_streak")

    def __init__(self) -> None:
        self._dues: list[Due] = []
        # Made when first needed: most supervisors never see a failure.
        self._ledger: Ledger | None = None
        self._streak: Streak | None = None

    def next(self) -> Due | None:
        """Return the restart to come first, if there is one."""
        return min(self._dues, key=_time) if self._dues else None

    def cancel(self, id: str) -> None:  # noqa: A002 - as the spec's field
        """Let a child out of the restarts that wait."""
        for due in self._dues:
            if id in due.ids:
                due.ids.remove(id)
        self._dues = [due for due in self._dues if due.ids]

    def times(self) -> dict[str, float]:
        """Return when each child that waits for its restart is to be started, by trio's clock."""
        return {id_: due.time for due in self._dues for id_ in due.ids}

    def left(self, limit: RestartLimit) -> int:
        """Return how many restarts the limit allows now."""
        charged = 0 if self._ledger is None else self._ledger.count(trio.current_time())
        return max(0, limit.max_restarts - charged)

    async def on_exit(self, run: Run, child: Child) -> None:
        """Decide what becomes of a child that has ended by itself, and of those with it."""
        slot = run.slots.get(child.spec.id)
        if slot is None or slot.child is not child:
            return  # it was stopped with its group before the loop came to its exit
        ids = list(run.slots)
        end = run.settle(slot)
        if run.verdict.decided:
            return
        if not should_restart(slot.restart, failed=end.error is not None):
            if end.error is not None:
                run.journal.dropped(child, end.error)
            if slot.spec.significant:
                self._on_significant_end(run, slot.spec.id)
            return
        error = end.error or ChildReturned(f"permanent child {slot.spec.id!r} returned")
        failure = ChildFailure(slot.spec.id, child.number, error)
        group = members(run.plan.strategy, ids, slot.spec.id)
        await self._recover(run, failure, group, trio.current_time() - child.ready_at)

    def _on_significant_end(self, run: Run, id: str) -> None:  # noqa: A002 - as the spec's field
        alive = any(slot.spec.significant and slot.state != "stopped" for slot in run.slots.values())
        if run.plan.auto_shutdown == "any" or not alive:
            run.close(f"significant child {id!r} ended")

    async def _recover(self, run: Run, failure: ChildFailure, group: Sequence[str], healthy: float) -> None:
        """Charge a restart; if it is allowed, stop the others of the group and set the restart's time.

        Args:
            run: whose children they are.
            failure: what makes it necessary.
            group: the ids to restart, in start order.
            healthy: seconds the failed child had been ready.
        """
        delay = self._charge(run, failure, healthy)
        if delay is None or run.closing is not None:
            return
        reason = f"{run.path}: restarted with {failure.id!r}, which ended ({describe(failure.error)})"
        for slot in [run.slots[id_] for id_ in reversed(group) if id_ in run.slots]:
            if slot.child is not None:
                await run.stop(slot, reason)
                run.settle(slot)
            slot.restarting = True
        waiting = set(group)
        time = trio.current_time() + delay
        if run.plan.strategy != "one_for_one":
            for due in self._dues:  # a failure during the wait joins the group that waits
                waiting.update(due.ids)
                time = max(time, due.time)
            self._dues = []
        self._dues.append(Due([id_ for id_ in run.slots if id_ in waiting], time))

    def _charge(self, run: Run, failure: ChildFailure, healthy: float) -> float | None:
        """Charge a restart to the limits; return its delay, or None once they are used up."""
        plan, limit, now = run.plan, run.plan.restarts, trio.current_time()
        ledger = self._ledger = self._ledger or Ledger(limit)
        slot = run.slots.get(failure.id)
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
            run.journal.gave_up(delay, limit.max_restarts)
            run.give_up(delay)
            return None
        run.journal.restarting(failure, delay, ledger.count(now), limit.max_restarts)
        return delay

    async def carry_out(self, run: Run, due: Due) -> None:
        """Start the children of a restart whose time has come."""
        self._dues.remove(due)
        ids = due.ids
        if run.plan.build is not None:
            known = set(run.slots)
            try:
                run.rebuild()
            except Exception as exc:  # noqa: BLE001 - the user's function; it counts as a failed start
                await self._recover(run, ChildFailure("build", 1, exc), ids, 0.0)
                return
            ids = [id_ for id_ in run.slots if id_ in ids or id_ not in known]
        for slot in [run.slots[id_] for id_ in ids]:
            started = await run.start(slot)
            if run.closing is not None:
                return
            if isinstance(started, ChildFailure):
                await self._recover(run, started, retry(run.plan.strategy, ids, slot.spec.id), 0.0)
                return


def _time(due: Due) -> float:
    return due.time
