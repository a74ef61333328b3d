"""DynamicSupervisor and Task.Supervisor: the cases of Elixir's own suites that say more than OTP's."""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    Backoff,
    ChildSpec,
    Counts,
    DynamicSupervisor,
    MaxChildrenReached,
    RestartLimit,
    RestartLimitExceeded,
    TaskCancelled,
    current_child,
    open_dynamic_supervisor,
    open_task_supervisor,
)

PAUSE = Backoff(initial=1, factor=1, jitter=0, max_consecutive=99)


async def test_temporary_child_is_not_restarted_regardless_of_reason(puppets: Any) -> None:
    """Returning, crashing, or stopped: it is gone."""
    async with open_dynamic_supervisor() as pool:
        refs = [await pool.start_child(puppets.spec(id_, restart="temporary")) for id_ in "123"]
        await puppets.end("1")
        await puppets.crash("2")
        await pool.stop_child(refs[2])
        assert pool.counts() == Counts(specs=0, active=0, supervisors=0, workers=0)


async def test_transient_child_is_restarted_unless_it_returned(puppets: Any) -> None:
    """A crash starts it again; returning and being stopped do not. Elixir tells by the reason `:normal`."""
    async with open_dynamic_supervisor() as pool:
        refs = [await pool.start_child(puppets.spec(id_, restart="transient")) for id_ in "123"]
        await puppets.end("1")
        await puppets.crash("2")
        await pool.stop_child(refs[2])
        assert puppets.states(pool) == ["22 running"]


async def test_permanent_child_is_restarted_regardless_of_reason(puppets: Any) -> None:
    """Returning and crashing start it again; only stop_child ends it."""
    async with open_dynamic_supervisor() as pool:
        refs = [await pool.start_child(puppets.spec(id_, restart="permanent")) for id_ in "123"]
        await puppets.end("1")
        await puppets.crash("2")
        await pool.stop_child(refs[2])
        assert puppets.states(pool) == ["12 running", "22 running"]


async def test_child_is_restarted_with_different_values(autojump_clock: Any) -> None:
    """Each start may turn out otherwise: ready with a value, failing, early, ready again; it is one child all along."""
    seen: list[str] = []

    async def run(*, task_status: Any) -> None:
        number = current_child().incarnation
        seen.append(f"start {number}")
        if number in (2, 3):
            raise OSError(number)
        task_status.started(number)
        await trio.sleep(1 if number == 1 else 99)
        raise ValueError

    async with open_dynamic_supervisor(restarts=RestartLimit(3)) as pool:
        ref = await pool.start_child(ChildSpec(id="a", run=run, restart="permanent"))
        assert ref.value == 1
        await trio.sleep(2)
        assert seen == ["start 1", "start 2", "start 3", "start 4"]
        assert [(info.incarnation, info.state) for info in pool.children()] == [(4, "running")]


async def test_child_is_restarted_when_trying_again(puppets: Any) -> None:
    """A restart that fails is tried again until it holds."""
    async with open_dynamic_supervisor(restarts=RestartLimit(2)) as pool:
        await pool.start_child(puppets.spec("1", restart="permanent"))
        puppets.failing["1"] = 1
        await puppets.crash("1")
        assert puppets.states(pool) == ["13 running"]
        assert puppets.log == ["+11", "-11", "+12", "-12", "+13"]


async def test_child_triggers_maximum_intensity_when_trying_again(puppets: Any) -> None:
    """Each try is charged; the one too many ends the supervisor."""
    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_dynamic_supervisor(restarts=RestartLimit(10)) as pool:
            await pool.start_child(puppets.spec("1", restart="permanent"))
            puppets.failing["1"] = 99
            await puppets.crash("1")
            await trio.sleep_forever()
    assert len(caught.value.failures) == 11


async def test_start_child_with_max_children(puppets: Any) -> None:
    """With no place start_child raises and starts nothing; none at all is refused as nonsense."""
    async with open_dynamic_supervisor(max_children=1) as pool:
        ref = await pool.start_child(puppets.spec("1"))
        with pytest.raises(MaxChildrenReached, match="'2'"):
            await pool.start_child(puppets.spec("2"))
        assert puppets.log == ["+11"]
        await pool.stop_child(ref)
        await pool.start_child(puppets.spec("2"))
    with pytest.raises(ValueError, match="max_children"):
        DynamicSupervisor(max_children=0)


async def test_restarting_on_init_children_counted_in_max_children(puppets: Any, autojump_clock: Any) -> None:
    """A child whose restart failed before it was ready keeps its place."""
    async with open_dynamic_supervisor(max_children=1, backoff=PAUSE) as pool:
        await pool.start_child(puppets.spec("1", restart="permanent"))
        puppets.failing["1"] = 1
        await puppets.crash("1")
        await trio.sleep(1.5)
        assert puppets.states(pool) == ["12 restarting"]
        with pytest.raises(MaxChildrenReached):
            await pool.start_child(puppets.spec("2"))


async def test_restarting_on_exit_children_counted_in_max_children(puppets: Any, autojump_clock: Any) -> None:
    """So does one that ended after it was ready; once it is stopped, its place is free."""
    async with open_dynamic_supervisor(max_children=1, backoff=PAUSE) as pool:
        ref = await pool.start_child(puppets.spec("1", restart="permanent"))
        await puppets.crash("1")
        assert puppets.states(pool) == ["11 restarting"]
        with pytest.raises(MaxChildrenReached):
            await pool.start_child(puppets.spec("2"))
        await pool.stop_child(ref)
        await pool.start_child(puppets.spec("2"))


async def test_terminates_restarting_child(puppets: Any, autojump_clock: Any) -> None:
    """stop_child of a child about to be restarted calls the restart off; so does the end of the supervisor."""
    async with open_dynamic_supervisor(backoff=PAUSE) as pool:
        refs = [await pool.start_child(puppets.spec(id_, restart="permanent")) for id_ in "12"]
        await puppets.crash("1", "2")
        assert (await pool.stop_child(refs[0])).kind == "failed"
        assert puppets.states(pool) == ["21 restarting"]
    await trio.sleep(9)
    assert sorted(puppets.log) == ["+11", "+21", "-11", "-21"]


async def test_terminates_with_mixed_children(puppets: Any, diary: Any, autojump_clock: Any) -> None:
    """Quick, graceful, late, doomed, waiting and shielded ones: all have ended when the block has."""

    async def shielded() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)
        diary.append("shielded ended")

    async with open_dynamic_supervisor(backoff=PAUSE) as pool:
        await pool.start_child(puppets.spec("quick"))
        await pool.start_child(puppets.spec("waiting", restart="permanent"))
        await pool.start_child(diary.graceful("graceful", needs=2))
        await pool.start_child(diary.graceful("late", needs=20, shutdown=1))
        await pool.start_child(diary.graceful("doomed", needs=1, shutdown=0))
        await pool.start_child(ChildSpec(id="shielded", run=shielded))
        await puppets.crash("waiting")
    assert trio.current_time() == 3  # the graces run beside each other, and the shield beside them
    assert diary.count("shielded ended") == 1
    assert "done graceful" in diary
    assert "done late" not in diary
    assert pool.children() == ()


async def double(number: int) -> int:
    """A task that takes its time."""
    await trio.sleep(number)
    return 2 * number


async def fail(error: BaseException) -> None:
    """A task that raises."""
    await trio.sleep(1)
    raise error


async def test_async_nolink_spawns_tasks_without_link(autojump_clock: Any) -> None:
    """A task's failure reaches its handle alone: neither its starter nor its neighbours."""
    async with open_task_supervisor() as tasks:
        handles = [tasks.start_soon(fail, ValueError("x")), tasks.start_soon(trio.sleep, 2)]
        await trio.sleep(3)
        assert [handle.exit.kind for handle in handles if handle.exit] == ["failed", "returned"]


async def test_raises_when_max_children_is_reached(autojump_clock: Any) -> None:
    """One task too many is refused, and the others know nothing of it."""
    async with open_task_supervisor(max_tasks=1) as tasks:
        handle = tasks.start_soon(double, 1)
        with pytest.raises(MaxChildrenReached):
            tasks.start_soon(double, 2)
        assert await handle == 2


async def test_async_stream_without_leaking_tasks(autojump_clock: Any) -> None:
    """Leaving early, here at the first result, leaves no task behind. Elixir's stream halts; ours is a plain loop."""
    with trio.CancelScope() as scope:
        async with open_task_supervisor() as tasks:
            handles = [tasks.start_soon(double, number) for number in (1, 50, 60)]
            for handle in handles:
                assert await handle == 2
                scope.cancel()
    assert trio.current_time() == 1
    assert [handle.exit.kind for handle in handles if handle.exit] == ["returned", "cancelled", "cancelled"]
    assert tasks.active == 0


async def test_shuts_down_unused_tasks(autojump_clock: Any) -> None:
    """Tasks whose handles nobody keeps are supervised like any other: cancelled, and waited for."""
    ended: list[int] = []

    async def unused(number: int) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(number)

    with trio.move_on_after(1):
        async with open_task_supervisor() as tasks:
            for number in range(3):
                tasks.start_soon(unused, number)
    assert sorted(ended) == [0, 1, 2]


async def test_await_on_task_throw(autojump_clock: Any) -> None:
    """Awaiting a task that raised raises the very exception, as often as one asks. Python knows only one way to."""
    error = ValueError("thrown")
    async with open_task_supervisor() as tasks:
        handle = tasks.start_soon(fail, error)
        for _ in range(2):
            with pytest.raises(ValueError, match="thrown") as caught:
                await handle
            assert caught.value is error


async def test_await_on_task_error(autojump_clock: Any) -> None:
    """A group is no other case: it is one error, raised whole."""
    async with open_task_supervisor() as tasks:
        handle = tasks.start_soon(fail, ExceptionGroup("both", [ValueError(), KeyError()]))
        with pytest.raises(ExceptionGroup, match="both"):
            await handle


async def test_await_on_task_exit(autojump_clock: Any) -> None:
    """The result of a cancelled task is a TaskCancelled, which no scope of the waiter's mistakes for its own."""
    async with open_task_supervisor() as tasks:
        handle = tasks.start_soon(trio.sleep_forever)
        await wait_all_tasks_blocked()
        handle.cancel("enough")
        with trio.CancelScope() as scope, pytest.raises(TaskCancelled):
            await handle
        assert not scope.cancelled_caught


async def test_demonitors_and_unalias_on_timeout(autojump_clock: Any) -> None:
    """A waiter that gives up leaves nothing behind; the task goes on, and its late result can still be asked for."""
    async with open_task_supervisor() as tasks:
        handle = tasks.start_soon(double, 3)
        for _ in range(2):
            with pytest.raises(trio.TooSlowError), trio.fail_after(1):
                await handle
        assert tasks.active == 1
        assert await handle == 6
        assert trio.current_time() == 3
