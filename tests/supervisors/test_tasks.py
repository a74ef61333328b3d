"""TaskSupervisor: each task alone in its failure."""

import gc
import weakref
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    AlreadyRunning,
    InvalidSpec,
    MaxChildrenReached,
    NotRunning,
    TaskCancelled,
    TaskSupervisor,
    open_supervisor,
    open_task_supervisor,
)


async def double(number: int) -> int:
    """A task that takes its time."""
    await trio.sleep(number)
    return 2 * number


async def fail(message: str) -> None:
    """A task that fails."""
    await trio.sleep(1)
    raise ValueError(message)


async def test_a_handle_gives_the_result(autojump_clock: Any) -> None:
    """By result(), by awaiting the handle, and as an Exit; any number of times."""
    async with open_task_supervisor() as tasks:
        handle = tasks.start_soon(double, 2, name="two")
        assert (handle.name, handle.exit, tasks.active) == ("two", None, 1)
        assert await handle.result() == 4
        assert await handle == 4
        exit_ = await handle.wait()
        assert (exit_.kind, exit_.value, exit_.lifetime, handle.exit) == ("returned", 4, 2, exit_)
        assert tasks.active == 0
    assert tasks.start_soon.__self__ is tasks


async def test_a_failure_is_delivered_only_to_its_handle(autojump_clock: Any) -> None:
    """Neighbours and body live on; awaiting the handle raises the task's own error."""
    async with open_task_supervisor() as tasks:
        bad, good = tasks.start_soon(fail, "x"), tasks.start_soon(double, 2)
        exit_ = await bad.wait()
        assert (exit_.kind, str(exit_.error)) == ("failed", "x")
        with pytest.raises(ValueError, match="x") as caught:
            await bad
        assert caught.value is exit_.error
        assert await good == 4


async def test_many_may_wait_and_leave(autojump_clock: Any) -> None:
    """Waiting is cancellable and does nothing to the task."""
    async with open_task_supervisor() as tasks:
        handle = tasks.start_soon(double, 2)
        with trio.move_on_after(1) as scope:
            await handle
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(handle.wait)
        assert trio.current_time() == 2


async def test_cancel_one_task(autojump_clock: Any) -> None:
    """cancel() is idempotent; the result of a cancelled task is TaskCancelled, not Cancelled."""
    async with open_task_supervisor() as tasks:
        handle, other = tasks.start_soon(trio.sleep_forever), tasks.start_soon(double, 1)
        await wait_all_tasks_blocked()
        handle.cancel("enough")
        handle.cancel()
        assert (await handle.wait()).kind == "cancelled"
        with pytest.raises(TaskCancelled, match="sleep_forever"):
            await handle
        assert await other == 2
        handle.cancel()


async def test_the_end_of_the_block_drains(autojump_clock: Any) -> None:
    """Leaving waits for every task; none is taken any more."""
    refused: list[str] = []

    async def late() -> None:
        await trio.sleep(1)
        try:
            tasks.start_soon(double, 1)
        except NotRunning as exc:
            refused.append(str(exc))

    async with open_task_supervisor(name="pool") as tasks:
        handle = tasks.start_soon(double, 3)
        tasks.start_soon(late)
    assert trio.current_time() == 3
    assert handle.exit is not None
    assert handle.exit.value == 6
    assert refused == ["pool: no task can be started, the supervisor is not running"]


async def test_an_error_of_the_body_cancels_the_tasks(autojump_clock: Any) -> None:
    """It leaves the block bare, once the tasks have ended."""
    with pytest.raises(KeyError):
        async with open_task_supervisor() as tasks:
            handle = tasks.start_soon(trio.sleep_forever)
            raise KeyError
    assert handle.exit is not None
    assert handle.exit.kind == "cancelled"
    with pytest.raises(NotRunning):
        tasks.start_soon(double, 1)


@pytest.mark.parametrize("draining", [False, True])
async def test_a_cancelled_block_cancels_the_tasks(draining: bool, autojump_clock: Any) -> None:
    """In the body as in the drain; what a task raises beside its cancellation is its handle's."""

    async def dirty() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("late")

    with trio.move_on_after(1) as scope:
        async with open_task_supervisor() as tasks:
            handles = [tasks.start_soon(trio.sleep_forever), tasks.start_soon(dirty)]
            if not draining:
                await trio.sleep_forever()
    assert scope.cancelled_caught
    assert [handle.exit.kind for handle in handles if handle.exit] == ["cancelled", "failed"]


async def test_max_tasks(autojump_clock: Any) -> None:
    """One too many is refused; a finished one makes room."""
    with pytest.raises(InvalidSpec):
        TaskSupervisor(max_tasks=0)
    async with open_task_supervisor(max_tasks=2) as tasks:
        first = tasks.start_soon(double, 1)
        tasks.start_soon(double, 2)
        with pytest.raises(MaxChildrenReached, match="2 tasks are running"):
            tasks.start_soon(double, 3)
        await first
        tasks.start_soon(double, 3)


async def test_nothing_is_kept_of_a_finished_task(autojump_clock: Any) -> None:
    """The outcome lives as long as the handle does."""

    class Thing:
        """Something to refer to."""

    async def make() -> Thing:
        return Thing()

    async with open_task_supervisor() as tasks:
        thing = weakref.ref(await tasks.start_soon(make))
        gc.collect()
        assert thing() is None


async def test_as_a_child_it_is_stopped_by_cancelling(autojump_clock: Any) -> None:
    """Under a Supervisor it serves until it is stopped, which cancels its tasks at once."""
    tasks = TaskSupervisor()
    with pytest.raises(NotRunning):
        tasks.start_soon(double, 1)
    async with open_supervisor(tasks.as_child("tools")) as supervisor:
        handle = tasks.start_soon(trio.sleep_forever)
        with pytest.raises(AlreadyRunning):
            await tasks.run()
        assert supervisor.counts().supervisors == 1
    assert handle.exit is not None
    assert handle.exit.kind == "cancelled"
    assert trio.current_time() == 0


async def test_request_shutdown_drains(autojump_clock: Any) -> None:
    """run() returns once the last task has ended."""
    tasks = TaskSupervisor()
    async with trio.open_nursery() as nursery:
        await nursery.start(tasks.run)
        tasks.start_soon(double, 2)
        tasks.request_shutdown("done")
        with pytest.raises(NotRunning):
            tasks.start_soon(double, 1)
    assert trio.current_time() == 2


async def test_a_system_exit_of_a_task_ends_all(autojump_clock: Any) -> None:
    """It is no failure of the task: it cancels the others and leaves the block bare."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        async with open_task_supervisor() as tasks:
            other, bad = tasks.start_soon(trio.sleep_forever), tasks.start_soon(leave)
            await trio.sleep_forever()
    assert [handle.exit.kind for handle in (other, bad) if handle.exit] == ["cancelled", "failed"]


async def test_errors_of_several_tasks_that_end_all_come_as_a_group() -> None:
    """Two at once cannot be one bare exception."""

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(leave)
            tasks.start_soon(leave)
    assert [type(error) for error in caught.value.exceptions] == [SystemExit, SystemExit]


async def test_a_block_may_cancel_its_tasks_on_exit() -> None:
    """With `on_exit="cancel"` the tasks end with the block, and are waited for."""
    order: list[str] = []

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            order.append("cleaned up")

    async with open_task_supervisor(on_exit="cancel") as tasks:
        handle = tasks.start_soon(work)
        await trio.testing.wait_all_tasks_blocked()
    order.append("left")
    assert order == ["cleaned up", "left"]
    assert (await handle.wait()).kind == "cancelled"


async def test_the_bodys_error_is_bare_beside_a_cancellation() -> None:
    """An error of the body is not grouped with the Cancelled of the scope around the block."""
    with trio.CancelScope() as scope, pytest.raises(ValueError, match="mine") as caught:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(trio.sleep_forever)
            scope.cancel()
            raise ValueError("mine")
    assert type(caught.value) is ValueError
