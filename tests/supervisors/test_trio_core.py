"""What this library rests on: the cases of trio's own tests of nurseries, held against supervisors."""

import gc
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    ChildSpec,
    ChildStartError,
    DynamicSupervisor,
    LeakedCancellation,
    RestartLimit,
    RestartLimitExceeded,
    Supervisor,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    open_task_supervisor,
)


async def test_misnesting(diary: Any) -> None:
    """A child that leaves a scope open, and one that closes them crosswise, end by an error; their supervisor lives."""

    async def left_open() -> None:
        trio.CancelScope().__enter__()

    async def crosswise() -> None:
        one, two = trio.CancelScope(), trio.CancelScope()
        one.__enter__()
        two.__enter__()
        one.__exit__(None, None, None)
        two.__exit__(None, None, None)

    ends: list[Any] = []
    async with open_supervisor(diary.child("steady")) as supervisor:
        for run in (left_open, crosswise):
            spec = ChildSpec(id=run.__name__, run=run, restart="temporary")
            ends.append(await (await supervisor.start_child(spec)).wait())
        await wait_all_tasks_blocked()
        assert [info.state for info in supervisor.children()] == ["running"]
    assert [end.kind for end in ends] == ["failed", "failed"]
    assert all("misnest" in str(end.error) or "stack" in str(end.error) for end in ends)
    assert diary == ["+steady1", "-steady1"]


async def test_a_cancelled_of_another_task_is_named(diary: Any) -> None:
    """A child that raises the Cancelled of a scope it is not in ends the supervisor, in order, with a named error."""
    stolen: list[trio.Cancelled] = []

    async def victim() -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as exc:
            stolen.append(exc)
            raise

    async def thief() -> None:
        raise stolen.pop()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(victim)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with pytest.raises(LeakedCancellation, match="thief"):
        await Supervisor(diary.child("a"), ChildSpec(id="thief", run=thief)).run()
    assert diary == ["+a1", "-a1"]


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
async def test_start_with_cancelled_nursery(kind: Any, puppets: Any) -> None:
    """A start in a scope that is cancelled already neither hangs nor leaves a child behind."""
    supervisor = kind()
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        for _ in range(20):
            with trio.CancelScope() as scope:
                scope.cancel()
                await supervisor.start_child(puppets.spec("1"))
            assert scope.cancelled_caught
            assert supervisor.children() == ()
        supervisor.request_shutdown()
    assert puppets.log.count("+11") == puppets.log.count("-11")


async def test_ready_in_a_shielded_scope_of_a_cancelled_caller(autojump_clock: Any) -> None:
    """Trio's own `start` hangs on a child that is ready inside of a shield once its caller is cancelled; ours does not.

    The child is cancelled like any other whose caller has left, and joined when its shield is over.
    """

    async def run(*, task_status: Any) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(2)
            task_status.started()
            await trio.sleep(2)
        await trio.sleep_forever()

    async with open_supervisor() as supervisor:
        with trio.move_on_after(1):
            await supervisor.start_child(ChildSpec(id="1", run=run))
        assert trio.current_time() == 4
        assert supervisor.children() == ()


async def test_a_cancel_swallowed_before_started_keeps_its_cause(autojump_clock: Any) -> None:
    """Where trio's `start` says only that started() was never called, the error here is the child's own."""

    async def run(*, task_status: Any) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError("the reason")

    with pytest.raises(ChildStartError, match="not ready after 1 s") as caught:
        await Supervisor(ChildSpec(id="1", run=run, start_timeout=1)).run()
    assert isinstance(caught.value.__cause__, trio.TooSlowError)
    assert isinstance(caught.value.__cause__.__cause__, OSError)


async def crash(*, task_status: Any) -> None:
    """A child that crashes once."""
    task_status.started()
    if current_child().incarnation == 1:
        raise ValueError
    await trio.sleep_forever()


async def unready(*, task_status: Any) -> None:
    """A child that cannot start."""
    raise ValueError


STEADY = ChildSpec(id="steady", run=trio.sleep_forever)


async def restarted() -> None:
    """A restart, and every verb."""
    async with open_supervisor(ChildSpec(id="crash", run=crash), STEADY) as supervisor:
        await wait_all_tasks_blocked()
        await supervisor.stop_child("steady")
        await supervisor.restart_child("steady")


async def refused() -> None:
    """Calls that raise."""
    async with open_supervisor(STEADY) as supervisor, open_dynamic_supervisor() as pool:
        for start in (supervisor.start_child, pool.start_child):
            with suppress(ChildStartError):
                await start(ChildSpec(id="unready", run=unready))


async def dynamic() -> None:
    """Dynamic children that crash, are restarted, and are stopped."""
    async with open_dynamic_supervisor() as pool:
        await pool.start_child(ChildSpec(id="crash", run=crash, restart="transient"))
        await pool.stop_child(await pool.start_child(STEADY))
        await wait_all_tasks_blocked()


async def tasks() -> None:
    """A task that fails, whose handle raises."""
    async with open_task_supervisor() as supervisor:
        with suppress(
            ValueError
        ):  # a handle in a local variable would make a cycle with the error, whose frame this is
            await supervisor.start_soon(partial(unready, task_status=None))


async def cancelled() -> None:
    """A block that is cancelled."""
    with trio.CancelScope() as scope:
        async with open_supervisor(STEADY), open_dynamic_supervisor():
            scope.cancel()
            await trio.lowlevel.checkpoint()


async def failed() -> None:
    """A supervisor that fails."""
    with suppress(RestartLimitExceeded):
        await Supervisor(ChildSpec(id="crash", run=crash), restarts=RestartLimit(0)).run()


async def failed_block() -> None:
    """A block whose supervisor fails."""
    with suppress(RestartLimitExceeded):
        async with open_supervisor(ChildSpec(id="crash", run=crash), restarts=RestartLimit(0)):
            await trio.sleep_forever()


@pytest.mark.parametrize("scene", [restarted, refused, dynamic, tasks, cancelled, failed, failed_block])
async def test_does_not_create_cyclic_garbage(scene: Any) -> None:
    """All that a supervisor made is freed by counting references, errors with all their frames included."""
    await scene()  # what is made once, on first use, is no garbage
    gc.collect()
    gc.disable()
    try:
        await scene()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        kinds = [type(one) for one in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert [kind for kind in kinds if issubclass(kind, (ValueError, RestartLimitExceeded))] == []
    if scene is failed_block and sys.version_info >= (3, 12):
        # There contextlib's own frame keeps the Cancelled that was thrown into the block, and so whoever threw it.
        return
    assert [kind for kind in kinds if issubclass(kind, (trio.Cancelled, trio.Nursery))] == []
    assert [kind for kind in kinds if "supervisors" in kind.__module__] == []
