"""The supervisor's public face; what it does is in `_run`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from contextvars import copy_context

import trio

from ._calls import Call, around, giving_in, refuse_deadlock
from ._events import Observer
from ._exits import Exit
from ._host import Host
from ._plan import Plan
from ._ref import ChildRef
from ._run import Run
from ._slots import ChildInfo, Counts, count
from ._spec import AutoShutdown, Backoff, ChildSpec, RestartLimit, Strategy

__all__ = ["Supervisor"]


class Supervisor(Host[Run]):
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
        build: instead of `children`: called for the specs of every epoch, that is, for the first start and for each
            restart of the whole group, so that children joined by channels get fresh ones. Needs
            `strategy="one_for_all"`.
        strategy: who is restarted with a failed child.
        restarts: how many restarts are allowed in any window of time.
        backoff: how long to wait before a restart; None restarts at once.
        auto_shutdown: whether the supervisor stops, and `run` returns, when `"any"` or `"all"` of its significant
            children have ended by themselves for good.
        cancel_grace: the longest grace in seconds that each child gets when the supervisor itself is cancelled;
            with the default 0 a timeout around a supervisor stays a timeout. A shutdown gives the full
            `ChildSpec.shutdown`.
        name: how it is called in events, logs and task names.
        observer: called with every `Event`.
        rng: where the backoff's jitter comes from; None is the `random` module.

    Raises:
        InvalidSpec: two children of one id, a significant child without `auto_shutdown`, a restart limit that the
            backoff makes unreachable, or an option out of its range.
    """

    __slots__ = ("_plan",)

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
        self._plan = Plan(
            *(children, build, strategy, restarts, backoff, auto_shutdown, cancel_grace, name, observer, rng),
            context=copy_context(),
        )
        super().__init__(name)

    def _begin(self, path: str, nursery: trio.Nursery) -> Run:
        return Run(self._plan, path, nursery)

    # What anybody may ask

    def children(self) -> tuple[ChildInfo, ...]:
        """Return what is known of every child, in start order (OTP: `which_children`)."""
        return () if self._run is None else tuple(slot.info() for slot in self._run.slots.values())

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
        self._plan.check((spec,))
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
            RestartPending: its restart is due.
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
            RestartPending: its restart is due.
            UnknownChild: there is no child of this id.
            NotRunning: the supervisor is not running.
            WouldDeadlock: the caller is a child this supervisor is waiting for.
        """
        await self._ask(Call("delete", id))

    async def _ask(self, call: Call) -> ChildRef | Exit | None:
        run = self._run
        if run is None or run.closing is not None:
            raise call.refusal()
        chain = around(run)
        refuse_deadlock(chain, call)
        run.post(call)
        with giving_in(run.calls, call, chain):
            try:
                return await call.wait()
            except trio.Cancelled:
                if call.verb in ("start", "restart") and not run.withdraw(call):
                    await call.wait_undone()
                raise
