"""One live supervisor against a model of it: whatever is done to it, it is in the state the model says.

The model is plain Python and knows no trio. The live side runs in trio's guest mode, so that the state machine can do
one thing, let everything come to rest, look, and do the next.
"""

import os
import queue
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streamd.supervisors import (
    Backoff,
    ChildSpec,
    RestartLimit,
    RestartLimitExceeded,
    SupervisionError,
    Supervisor,
    current_child,
)

IDS = st.sampled_from("abcde")
RESTARTS = st.sampled_from(["permanent", "permanent", "transient", "temporary"])
SECONDS = st.sampled_from([0.5, 1.0, 2.5, 7.0, 30.0])


EXAMPLES = int(os.environ.get("STREAMD_EXAMPLES") or 8_000) // 50


@dataclass
class Entry:
    """What the model knows of one child."""

    restart: str
    state: str = "stopped"
    number: int = 0
    ready_at: float = 0.0
    streak: int = 0


@dataclass
class Model:
    """What a supervisor is to do. Its verbs return the name of the error that is to be raised, or None."""

    strategy: str
    limit: RestartLimit
    backoff: Backoff | None
    entries: dict[str, Entry] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    dues: list[tuple[float, list[str]]] = field(default_factory=list)
    charges: list[float] = field(default_factory=list)
    streak: int = 0
    now: float = 0.0
    ending: str | None = None

    def end(self, ending: str) -> None:
        """The supervisor has ended."""
        self.ending = ending
        self.entries.clear()
        self.dues.clear()

    def start(self, id: str, restart: str) -> str | None:
        """start_child."""
        if id in self.entries:
            return "ChildExists"
        self.entries[id] = Entry(restart)
        if self._spawn(id):
            return None
        del self.entries[id]
        return "ChildStartError"

    def stop(self, id: str) -> str | None:
        """stop_child."""
        if id not in self.entries:
            return "UnknownChild"
        self._halt(id)
        for _, ids in self.dues:
            if id in ids:
                ids.remove(id)
        self.dues = [due for due in self.dues if due[1]]
        return None

    def restart(self, id: str) -> str | None:
        """restart_child."""
        refusal = self._refusal(id)
        return refusal or (None if self._spawn(id) else "ChildStartError")

    def delete(self, id: str) -> str | None:
        """delete_child."""
        refusal = self._refusal(id)
        if refusal is None:
            del self.entries[id]
        return refusal

    def finish(self, id: str, *, crashed: bool) -> None:
        """A child ends by itself."""
        entry, ids = self.entries[id], list(self.entries)
        self._halt(id)
        if entry.restart == "permanent" or (entry.restart == "transient" and crashed):
            group = {"one_for_one": [id], "rest_for_one": ids[ids.index(id) :], "one_for_all": ids}
            self._recover(id, group[self.strategy], self.now - entry.ready_at)

    def pass_time(self, seconds: float) -> None:
        """The clock moves on, by no more than to the next restart that is due."""
        self.now += seconds
        self.settle()

    def settle(self) -> None:
        """Carry out what is due."""
        while self.dues and min(self.dues)[0] <= self.now:
            due = min(self.dues, key=lambda due: due[0])
            self.dues.remove(due)
            for id_ in due[1]:
                if not self._spawn(id_):
                    after = due[1] if self.strategy == "one_for_all" else due[1][due[1].index(id_) :]
                    self._recover(id_, after, 0.0)
                    break

    def next_due(self) -> float:
        """When the next restart is due."""
        return min((time for time, _ in self.dues), default=float("inf"))

    def _refusal(self, id: str) -> str | None:
        if id not in self.entries:
            return "UnknownChild"
        refusals = {"running": "ChildRunning", "restarting": "RestartPending"}
        return refusals.get(self.entries[id].state)

    def _spawn(self, id: str) -> bool:
        entry = self.entries[id]
        entry.number += 1
        entry.state, entry.ready_at = "stopped", self.now
        if self.failing.get(id, 0):
            self.failing[id] -= 1
            return False
        entry.state = "running"
        return True

    def _halt(self, id: str) -> None:
        self.entries[id].state = "stopped"
        if self.entries[id].restart == "temporary":
            del self.entries[id]

    def _recover(self, id: str, group: list[str], healthy: float) -> None:
        self.charges = [time for time in self.charges if time >= self.now - self.limit.per] + [self.now]
        if len(self.charges) > self.limit.max_restarts:
            self.end("RestartLimitExceeded")
            return
        delay = self._delay(id, healthy)
        if delay is None:
            self.end("RestartLimitExceeded")
            return
        for other in group:
            if other in self.entries:
                self._halt(other)
        group = [other for other in group if other in self.entries]
        for other in group:
            self.entries[other].state = "restarting"
        time = self.now + delay
        if self.strategy != "one_for_one":
            time = max([time, *(due[0] for due in self.dues)])
            joined = {*group, *(id_ for due in self.dues for id_ in due[1])}
            group = [id_ for id_ in self.entries if id_ in joined]
            self.dues.clear()
        self.dues.append((time, group))

    def _delay(self, id: str, healthy: float) -> float | None:
        if self.backoff is None:
            return 0.0
        keeper: Any = self.entries[id] if self.strategy == "one_for_one" else self
        keeper.streak = 1 if healthy >= self.backoff.reset_after else keeper.streak + 1
        most = self.backoff.max_consecutive
        if most is not None and keeper.streak > most:
            return None
        return min(self.backoff.maximum, self.backoff.initial * self.backoff.factor ** (keeper.streak - 1))


class Live:
    """A supervisor in a guest run, and children that do as they are told."""

    def __init__(self, model: Model, restarts: list[str]) -> None:
        self.alive: list[str] = []
        self.result: Any = None
        self.failing: dict[str, int] = {}
        self._orders: dict[str, tuple[trio.Event, list[Exception]]] = {}
        self._todo: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._clock = trio.testing.MockClock()
        self._over = False
        self.supervisor = Supervisor(
            *(self.spec(id_, restart) for id_, restart in zip("abcde", restarts, strict=False)),
            strategy=model.strategy,  # type: ignore[arg-type]  # a text of the model
            restarts=model.limit,
            backoff=model.backoff,
        )
        trio.lowlevel.start_guest_run(
            self._main, run_sync_soon_threadsafe=self._todo.put, done_callback=self._done, clock=self._clock
        )
        self._pump(lambda: bool(self.supervisor.children()))
        self.do(trio.lowlevel.checkpoint)

    def spec(self, id: str, restart: str) -> ChildSpec:
        """A child of this supervisor."""
        return ChildSpec(id=id, run=self._child, restart=restart)  # type: ignore[arg-type]  # drawn text

    async def _main(self) -> object:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self._nursery:
            self._leave = trio.Event()
            self._nursery.start_soon(self._leave.wait)
            try:
                await self.supervisor.run()
            except SupervisionError as exc:
                self.result = exc
        return None

    async def _child(self, *, task_status: Any) -> None:
        id_ = current_child().id
        self.alive.append(id_)
        try:
            if self.failing.get(id_, 0):
                self.failing[id_] -= 1
                raise OSError(id_)
            order, errors = self._orders[id_] = trio.Event(), []
            task_status.started()
            await order.wait()
            for error in errors:
                raise error
        finally:
            self.alive.remove(id_)

    def _done(self, outcome: Any) -> None:
        self._over = True
        outcome.unwrap()

    def _pump(self, until: Callable[[], bool]) -> None:
        while not until():
            self._todo.get(timeout=5)()

    def do(self, fn: Callable[[], Awaitable[object]]) -> str | None:
        """Call an async function in the run, let everybody come to rest, and return the name of the error it raised."""
        box: list[str | None] = []

        async def task() -> None:
            error: str | None = None
            try:
                await fn()
            except SupervisionError as exc:
                error = type(exc).__name__
            await trio.testing.wait_all_tasks_blocked()
            box.append(error)

        self._token.run_sync_soon(lambda: self._nursery.start_soon(task))
        self._pump(lambda: bool(box))
        return box[0]

    def finish(self, ids: list[str], *, crashed: bool) -> None:
        """Have children end by themselves, in one moment."""

        async def tell() -> None:
            for id_ in ids:
                order, errors = self._orders[id_]
                errors += [ValueError(id_)] if crashed else []
                order.set()

        self.do(tell)

    def jump(self, seconds: float) -> None:
        """Move the clock."""

        async def tell() -> None:
            self._clock.jump(seconds)

        self.do(tell)

    def shut_down(self) -> None:
        """Ask the supervisor to stop."""

        async def tell() -> None:
            self.supervisor.request_shutdown()

        self.do(tell)

    def close(self) -> None:
        """End the run, whatever state it is in."""
        self.shut_down()
        self._token.run_sync_soon(self._leave.set)
        self._pump(lambda: self._over)


class SupervisorMachine(RuleBasedStateMachine):
    """Does one thing after another to a supervisor and to its model."""

    strategy = ""

    @initialize(
        restarts=st.lists(RESTARTS, min_size=1, max_size=4),
        most=st.integers(0, 6),
        per=st.sampled_from([2.0, 5.0, 1000.0]),
        backoff=st.sampled_from(
            [
                None,
                Backoff(initial=0.5, jitter=0, reset_after=4, max_consecutive=9),
                Backoff(initial=1, factor=1, jitter=0, reset_after=2, max_consecutive=2),
            ]
        ),
        rnd=st.random_module(),
    )
    def begin(self, restarts: list[str], most: int, per: float, backoff: Backoff | None, rnd: object) -> None:
        """Start both."""
        self.model = Model(self.strategy, RestartLimit(most, per), backoff)
        for id_, restart in zip("abcde", restarts, strict=False):
            assert self.model.start(id_, restart) is None
        self.live = Live(self.model, restarts)

    def running(self) -> list[str]:
        """Who is running."""
        return [id_ for id_, entry in self.model.entries.items() if entry.state == "running"]

    def call(self, expected: Callable[[], str | None], fn: Callable[[], Awaitable[object]]) -> None:
        """Have both do the same."""
        told = "NotRunning" if self.model.ending else expected()
        self.model.settle()
        assert self.live.do(fn) == told

    @precondition(lambda self: self.running())
    @rule(number=st.integers(0, 4), crashed=st.booleans())
    def finish(self, number: int, crashed: bool) -> None:
        """One child ends by itself."""
        id_ = self.running()[number % len(self.running())]
        self.model.finish(id_, crashed=crashed)
        self.model.settle()
        self.live.finish([id_], crashed=crashed)

    def order_matters(self) -> bool:
        """Whether it shows who crashes first: it decides how many restarts are made, or whose health counts."""
        since = {self.model.entries[id_].ready_at for id_ in self.running()}
        return self.strategy == "rest_for_one" or (self.strategy == "one_for_all" and len(since) > 1)

    @precondition(lambda self: len(self.running()) > 1 and not self.order_matters())
    @rule()
    def crash_all(self) -> None:
        """All crash in one moment."""
        ids = self.running()
        for id_ in ids:
            if id_ in self.running():
                self.model.finish(id_, crashed=True)
        self.model.settle()
        self.live.finish(ids, crashed=True)

    @rule(id=IDS, times=st.integers(0, 3))
    def fail_next_starts(self, id: str, times: int) -> None:
        """A child's next starts will raise."""
        self.model.failing[id] = self.live.failing[id] = times

    @rule(id=IDS, restart=RESTARTS)
    def start_child(self, id: str, restart: str) -> None:
        """Add a child."""
        spec = self.live.spec(id, restart)
        self.call(lambda: self.model.start(id, restart), lambda: self.live.supervisor.start_child(spec))

    @rule(id=IDS)
    def stop_child(self, id: str) -> None:
        """Stop a child."""
        self.call(lambda: self.model.stop(id), lambda: self.live.supervisor.stop_child(id))

    @rule(id=IDS)
    def restart_child(self, id: str) -> None:
        """Start a child again."""
        self.call(lambda: self.model.restart(id), lambda: self.live.supervisor.restart_child(id))

    @rule(id=IDS)
    def delete_child(self, id: str) -> None:
        """Forget a child."""
        self.call(lambda: self.model.delete(id), lambda: self.live.supervisor.delete_child(id))

    @rule(seconds=SECONDS)
    def advance_the_clock(self, seconds: float) -> None:
        """Let time pass, from one restart that is due to the next."""
        until = self.model.now + seconds
        while self.model.now < until:
            step = min(self.model.next_due(), until) - self.model.now
            self.model.pass_time(step)
            self.live.jump(step)

    @precondition(lambda self: self.model.now > 5)
    @rule()
    def request_shutdown(self) -> None:
        """Ask for the end."""
        if self.model.ending is None:
            self.model.end("shutdown")
        self.live.shut_down()

    @invariant()
    def the_same(self) -> None:
        """The children, who of them is alive, and whether it is over, are as the model says."""
        if not hasattr(self, "live"):
            return
        seen = [(info.id, info.state, info.incarnation) for info in self.live.supervisor.children()]
        assert seen == [(id_, one.state, one.number) for id_, one in self.model.entries.items()]
        assert sorted(self.live.alive) == sorted(self.running())
        failed = isinstance(self.live.result, RestartLimitExceeded)
        assert failed == (self.model.ending == "RestartLimitExceeded")

    def teardown(self) -> None:
        """Nothing lives on."""
        if hasattr(self, "live"):
            self.live.close()
            assert self.live.alive == []


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
def test_a_supervisor_does_what_its_model_does(strategy: str) -> None:
    """Through any sequence of crashes, returns, failed starts, calls, waits and a shutdown."""
    machine = type("Machine", (SupervisorMachine,), {"strategy": strategy})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
