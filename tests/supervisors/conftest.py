"""What the tests of supervision share: a diary that children write in, and children that do as they are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import ChildSpec, DynamicSupervisor, Supervisor, current_child


class Diary(list[str]):
    """A list of what happened, in order, and children that write in it."""

    def child(
        self, name: str, *, crash_after: float | None = None, crash_times: int = 10**9, **spec: Any
    ) -> ChildSpec:
        """A child that lives until it is stopped, or its first incarnations until they crash."""

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            number = current_child().incarnation
            self.append(f"+{name}{number}")
            task_status.started()
            try:
                if crash_after is None or number > crash_times:
                    await trio.sleep_forever()
                await trio.sleep(crash_after)
                raise ValueError(f"{name}{number}")
            finally:
                self.append(f"-{name}{number}")

        return ChildSpec(id=name, run=run, **spec)

    def graceful(self, name: str, *, needs: float, traps: bool = False, **spec: Any) -> ChildSpec:
        """A child that opts in to grace and takes some seconds after the stop request."""

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            self.append(f"+{name}")
            task_status.started()
            try:
                if traps:
                    current_child().trap_stop()
                    await current_child().stop_requested.wait()
                else:
                    with current_child().until_stop():
                        await trio.sleep_forever()
                await trio.sleep(needs)
                self.append(f"done {name}")
            finally:
                self.append(f"-{name}")

        return ChildSpec(id=name, run=run, **spec)

    def take(self) -> list[str]:
        """What was written since the last time."""
        entries = list(self)
        self.clear()
        return entries


@pytest.fixture
def diary() -> Diary:
    """An empty diary."""
    return Diary()


@pytest.fixture
def outcome() -> Callable[[Callable[[], Awaitable[object]]], Awaitable[object]]:
    """Call an async function and give back what it returned or raised."""

    async def outcome_of(fn: Callable[[], Awaitable[object]]) -> object:
        try:
            return await fn()
        except Exception as exc:
            return exc

    return outcome_of


class Puppets:
    """Children that live until a test tells them how to end, and a log of their starts and ends.

    Attributes:
        log: `+a1` for a start of the first incarnation of `a`, `-a1` for its end.
        failing: how many of a child's next starts raise.
        hanging: children whose next starts never get ready.
        ignoring: children that return before they are ready.
    """

    def __init__(self) -> None:
        self.log: list[str] = []
        self.failing: dict[str, float] = {}
        self.hanging: set[str] = set()
        self.ignoring: set[str] = set()
        self._orders: dict[str, trio.Event] = {}
        self._errors: dict[str, BaseException | None] = {}

    def spec(self, id: str, value: object = None, **spec: Any) -> ChildSpec:
        """A child that gives a value to `started()`."""
        return ChildSpec(id=id, run=self._run, args=(value,), **spec)

    async def _run(self, value: object, *, task_status: trio.TaskStatus[object]) -> None:
        me = current_child()
        self.log.append(f"+{me.id}{me.incarnation}")
        try:
            if me.id in self.hanging:
                await trio.sleep_forever()
            if me.id in self.ignoring:
                return
            if self.failing.get(me.id, 0) > 0:
                self.failing[me.id] -= 1
                raise OSError(f"{me.id}{me.incarnation} cannot start")
            order = self._orders[me.id] = trio.Event()
            task_status.started(value)
            await order.wait()
            error = self._errors.pop(me.id, None)
            if error is not None:
                raise error
        finally:
            self.log.append(f"-{me.id}{me.incarnation}")

    async def end(self, *ids: str) -> None:
        """Have children return, all in one moment, and wait until everybody has come to rest."""
        for id_ in ids:
            self._orders[id_].set()
        await wait_all_tasks_blocked()

    async def crash(self, *ids: str) -> None:
        """Have children raise ValueError, all in one moment, and wait until everybody has come to rest."""
        self._errors.update((id_, ValueError(id_)) for id_ in ids)
        await self.end(*ids)

    def take(self) -> list[str]:
        """What was logged since the last time."""
        entries = list(self.log)
        self.log.clear()
        return entries

    def states(self, supervisor: Supervisor | DynamicSupervisor) -> list[str]:
        """Every child with its incarnation and state, as in `a1 running`."""
        return [f"{info.id}{info.incarnation} {info.state}" for info in supervisor.children()]


@pytest.fixture
def puppets() -> Puppets:
    """Children that do as they are told."""
    return Puppets()


FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figures(pytestconfig: pytest.Config) -> list[str]:
    """What is to be told in the summary of the whole run, one line each."""
    return pytestconfig.stash.setdefault(FIGURES, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell it."""
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
