"""What the tests of supervision share: a diary that children write in."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from streamd.supervisors import ChildSpec, current_child


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
