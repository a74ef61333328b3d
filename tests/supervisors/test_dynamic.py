"""DynamicSupervisor: children that come and go."""

import gc
import weakref
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    AlreadyRunning,
    Backoff,
    ChildSpec,
    ChildStartError,
    ChildStopError,
    ChildStuck,
    Counts,
    DynamicSupervisor,
    Event,
    InvalidSpec,
    MaxChildrenReached,
    NotRunning,
    RestartLimit,
    RestartLimitExceeded,
    Supervisor,
    UnknownChild,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)

STEADY = Backoff(initial=1, factor=1, jitter=0, max_consecutive=9)


async def hang(*, task_status: Any) -> None:
    """Never gets ready."""
    await trio.sleep_forever()


async def test_children_come_and_go(diary: Any, autojump_clock: Any) -> None:
    """Ids need not be unique; a child is stopped by its ref, and forgotten."""
    async with open_dynamic_supervisor(name="pool") as pool:
        one, two = [await pool.start_child(diary.child("x")) for _ in range(2)]
        assert pool.counts() == Counts(specs=2, active=2, supervisors=0, workers=2)
        assert (await pool.stop_child(one)).kind == "cancelled"
        with pytest.raises(UnknownChild):
            await pool.stop_child(one)
        assert [info.restart for info in pool.children()] == ["temporary"]
        assert two.incarnation == 1
        assert pool.path == "pool"
    assert pool.children() == ()
    assert diary == ["+x1", "+x1", "-x1", "-x1"]


async def test_a_ref_of_another_supervisor_is_unknown(diary: Any) -> None:
    """A pool stops only its own."""
    async with (
        open_supervisor() as other,
        open_dynamic_supervisor() as pool,
        open_dynamic_supervisor() as third,
    ):
        for ref in (await other.start_child(diary.child("a")), await third.start_child(diary.child("b"))):
            with pytest.raises(UnknownChild):
                await pool.stop_child(ref)


async def test_one_end_is_not_charged_to_the_others(diary: Any, autojump_clock: Any, caplog: Any) -> None:
    """Temporary by default: any number may fail together, each is told once in the log, and the rest live on."""
    async with open_dynamic_supervisor(restarts=RestartLimit(0)) as pool:
        steady = await pool.start_child(diary.child("s"))
        for _ in range(20):
            await pool.start_child(diary.child("x", crash_after=1))
        await trio.sleep(2)
        assert pool.counts().specs == 1
        assert steady.id == "s"
    assert len(caplog.records) == 20


async def test_children_stop_together_with_one_deadline(diary: Any, autojump_clock: Any) -> None:
    """Twenty children of three seconds stop in three seconds; those out of grace are cancelled at theirs."""
    async with open_dynamic_supervisor() as pool:
        for _ in range(20):
            await pool.start_child(diary.graceful("x", needs=3))
        await pool.start_child(diary.graceful("y", needs=9, shutdown=1))
    assert trio.current_time() == 3
    assert diary.count("done x") == 20
    assert "done y" not in diary
    assert diary.index("-y") < diary.index("-x")


async def test_a_cancellation_leaves_cancel_grace(diary: Any, autojump_clock: Any) -> None:
    """A timeout around the pool is a timeout."""
    with trio.move_on_after(1):
        async with open_dynamic_supervisor(cancel_grace=0.5) as pool:
            await pool.start_child(diary.graceful("x", needs=3))
            await trio.sleep_forever()
    assert trio.current_time() == 1.5


async def test_a_transient_child_is_restarted_after_its_backoff(diary: Any, autojump_clock: Any) -> None:
    """The ref goes on speaking of its child: stop_child stops a later incarnation."""
    async with open_dynamic_supervisor(backoff=STEADY) as pool:
        ref = await pool.start_child(diary.child("x", crash_after=1, crash_times=2, restart="transient"))
        await trio.sleep(1.5)
        assert [info.state for info in pool.children()] == ["restarting"]
        await trio.sleep(3.5)
        assert (await pool.stop_child(ref)).kind == "cancelled"
        assert diary == ["+x1", "-x1", "+x2", "-x2", "+x3", "-x3"]


async def test_a_permanent_child_that_returns_uses_up_the_limit(autojump_clock: Any) -> None:
    """The limit is one for all children, and propagates with its causes."""

    async def nothing() -> None:
        pass

    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_dynamic_supervisor(restarts=RestartLimit(2)) as pool:
            await pool.start_child(ChildSpec(id="a", run=nothing, restart="permanent"))
            await trio.sleep_forever()
    assert len(caught.value.failures) == 3


async def test_stop_child_cancels_the_restart_that_waits(diary: Any, autojump_clock: Any) -> None:
    """A child stopped during its backoff is never started."""
    async with open_dynamic_supervisor(backoff=STEADY) as pool:
        ref = await pool.start_child(diary.child("x", crash_after=1, restart="transient"))
        await trio.sleep(1.5)
        assert (await pool.stop_child(ref)).kind == "failed"
        await trio.sleep(9)
        assert diary == ["+x1", "-x1"]


async def test_a_crash_and_a_stop_in_the_same_moment(autojump_clock: Any) -> None:
    """Whichever the scheduler lets through first, the child is gone once stop_child has returned."""

    async def crash() -> None:
        await trio.sleep(1)
        raise ValueError

    async with open_dynamic_supervisor(restarts=RestartLimit(99)) as pool:
        for _ in range(20):
            ref = await pool.start_child(ChildSpec(id="x", run=crash, restart="transient"))
            await ref.wait()
            await pool.stop_child(ref)
            assert pool.counts().specs == 0


async def test_max_children_raises_or_waits(diary: Any, autojump_clock: Any) -> None:
    """Without a place start_child raises; with wait=True it is served in turn, and a cancelled one leaves no hole."""
    async with open_dynamic_supervisor(max_children=2) as pool, trio.open_nursery() as nursery:
        first = await pool.start_child(diary.child("a"))
        await pool.start_child(diary.child("b"))
        with pytest.raises(MaxChildrenReached):
            await pool.start_child(diary.child("c"))
        for name in "de":

            async def start(name: str = name) -> None:
                await pool.start_child(diary.child(name, crash_after=1), wait=True)

            nursery.start_soon(start)
            await wait_all_tasks_blocked()
        assert pool.waiting == 2
        with trio.move_on_after(1):
            await pool.start_child(diary.child("f"), wait=True)
        await pool.stop_child(first)
        with pytest.raises(MaxChildrenReached):
            await pool.start_child(diary.child("g"))
        await trio.sleep(5)
        assert diary == ["+a1", "+b1", "-a1", "+d1", "-d1", "+e1", "-e1"]
        assert pool.waiting == 0
    assert pool.waiting == 0


async def test_a_child_between_restarts_keeps_its_place(diary: Any, autojump_clock: Any) -> None:
    """One about to be restarted counts in max_children."""
    async with open_dynamic_supervisor(max_children=1, backoff=STEADY) as pool:
        await pool.start_child(diary.child("a", crash_after=1, crash_times=1, restart="transient"))
        await trio.sleep(1.5)
        with pytest.raises(MaxChildrenReached):
            await pool.start_child(diary.child("b"))


async def test_those_who_wait_are_told_of_the_shutdown(diary: Any, autojump_clock: Any) -> None:
    """Nobody waits for a place that will never be free."""
    told: list[str] = []
    pool = DynamicSupervisor(max_children=1)
    async with trio.open_nursery() as nursery:
        await nursery.start(pool.run)
        await pool.start_child(diary.graceful("a", needs=2))

        async def start() -> None:
            with pytest.raises(NotRunning):
                await pool.start_child(diary.child("b"), wait=True)
            told.append("told")

        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        pool.request_shutdown()
        pool.request_shutdown()
    assert told == ["told"]


async def test_a_failed_start_is_the_callers(autojump_clock: Any) -> None:
    """It is not charged, and nothing of the child is kept."""

    async def bad(*, task_status: Any) -> None:
        raise OSError("no port")

    async with open_dynamic_supervisor(restarts=RestartLimit(0)) as pool:
        with pytest.raises(ChildStartError, match="no port"):
            await pool.start_child(ChildSpec(id="a", run=bad, restart="permanent"))
        with pytest.raises(ChildStartError, match="not ready after 2 s"):
            await pool.start_child(ChildSpec(id="b", run=hang, start_timeout=2))
        with trio.move_on_after(1) as scope:
            await pool.start_child(ChildSpec(id="c", run=hang))
        assert scope.cancelled_caught
        assert pool.counts().specs == 0


async def test_an_early_return_is_no_failure() -> None:
    """A child that returns before started() leaves its exit on the ref."""

    async def nothing(*, task_status: Any) -> None:
        pass

    async with open_dynamic_supervisor() as pool:
        ref = await pool.start_child(ChildSpec(id="a", run=nothing))
        assert (await ref.wait()).kind == "returned"


async def test_starts_do_not_wait_for_each_other(autojump_clock: Any) -> None:
    """Ten handshakes of one second take one second."""

    async def slow(*, task_status: Any) -> None:
        await trio.sleep(1)
        task_status.started()

    async with open_dynamic_supervisor() as pool:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(pool.start_child, ChildSpec(id="a", run=slow, start_timeout=3))
        assert trio.current_time() == 1


async def test_a_stop_during_the_start_tells_the_starter(autojump_clock: Any) -> None:
    """A shutdown ends a handshake."""
    pool = DynamicSupervisor()

    async def start() -> None:
        with pytest.raises(NotRunning, match="before it was ready"):
            await pool.start_child(ChildSpec(id="a", run=hang))

    async with trio.open_nursery() as nursery:
        await nursery.start(pool.run)
        nursery.start_soon(start)
        await wait_all_tasks_blocked()
        pool.request_shutdown()


async def test_a_restart_that_hangs_is_timed_out_and_charged(autojump_clock: Any) -> None:
    """start_timeout holds for restarts as well."""

    async def run(*, task_status: Any) -> None:
        if current_child().incarnation == 1:
            task_status.started()
            raise ValueError
        if current_child().incarnation == 3:
            task_status.started()
        await trio.sleep_forever()

    async with open_dynamic_supervisor(restarts=RestartLimit(2)) as pool:
        await pool.start_child(ChildSpec(id="a", run=run, restart="permanent", start_timeout=2))
        await trio.sleep(9)
        assert [(info.state, info.incarnation) for info in pool.children()] == [("running", 3)]


async def test_errors_while_stopping_are_raised(autojump_clock: Any) -> None:
    """As under a Supervisor, in the end, all together."""

    async def dirty(*, task_status: Any) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise ArithmeticError

    with pytest.raises(ChildStopError):
        async with open_dynamic_supervisor() as pool:
            await pool.start_child(ChildSpec(id="a", run=dirty))


async def test_a_system_exit_ends_the_pool(diary: Any, autojump_clock: Any) -> None:
    """It stops all children and propagates; a starter whose child raised it is told."""

    async def leave(*, task_status: Any) -> None:
        raise SystemExit(3)

    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_dynamic_supervisor() as pool:
            await pool.start_child(diary.child("a"))
            await pool.start_child(ChildSpec(id="b", run=leave))
    assert [type(error) for error in caught.value.exceptions] == [NotRunning, SystemExit]
    assert diary == ["+a1", "-a1"]


async def test_grace_of_one_child(diary: Any, autojump_clock: Any) -> None:
    """stop_child gives a child its own grace; cancelling the call cancels the child at once."""
    async with open_dynamic_supervisor() as pool:
        ref = await pool.start_child(diary.graceful("a", needs=2))
        assert (await pool.stop_child(ref)).kind == "stopped"
        ref = await pool.start_child(diary.graceful("b", needs=9, shutdown=1))
        assert (await pool.stop_child(ref)).kind == "cancelled"
        ref = await pool.start_child(diary.graceful("c", needs=9, shutdown=20))
        with trio.move_on_after(1):
            await pool.stop_child(ref)
        assert (await ref.wait()).kind == "cancelled"
        assert trio.current_time() == 4


async def test_what_a_pool_refuses(diary: Any) -> None:
    """A significant child, an unreachable limit, a start before it runs, a second run."""
    idle = DynamicSupervisor(max_children=1)
    with pytest.raises(NotRunning):
        await idle.start_child(diary.child("a"))
    idle.request_shutdown()
    async with open_dynamic_supervisor() as pool:
        with pytest.raises(InvalidSpec, match="significant"):
            await pool.start_child(diary.child("a", restart="temporary", significant=True))
        with pytest.raises(InvalidSpec, match="never be reached"):
            await pool.start_child(diary.child("a", backoff=Backoff(initial=9)))
        with pytest.raises(AlreadyRunning):
            await pool.run()


async def test_under_a_supervisor_it_stops_with_grace(diary: Any, autojump_clock: Any) -> None:
    """As a child it passes the stop on, and can be waited for."""
    pool = DynamicSupervisor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.wait_stopped)
        async with open_supervisor(pool.as_child("pool"), name="top"):
            await pool.start_child(diary.graceful("a", needs=2))
            assert pool.path == "top/pool"
    await pool.wait_stopped()
    assert diary == ["+a", "done a", "-a"]


async def test_nothing_is_kept_of_a_finished_child(autojump_clock: Any) -> None:
    """The arguments and the error of a temporary child go with it."""

    class Thing:
        """Something to refer to."""

    async def run(thing: Thing) -> None:
        raise ValueError(thing)

    async with open_dynamic_supervisor() as pool:
        thing = Thing()
        gone = weakref.ref(thing)
        await pool.start_child(ChildSpec(id="a", run=run, args=(thing,)))
        del thing
        await wait_all_tasks_blocked()
        gc.collect()
        assert gone() is None


async def test_a_thousand_children(autojump_clock: Any) -> None:
    """Many children start, are counted, and stop together."""
    async with open_dynamic_supervisor() as pool:
        for _ in range(1000):
            await pool.start_child(ChildSpec(id="a", run=trio.sleep_forever))
        assert pool.counts().active == 1000
    assert isinstance(pool, DynamicSupervisor)
    assert not isinstance(pool, Supervisor)


async def test_a_stuck_child_is_reported(autojump_clock: Any) -> None:
    """Whoever stops a child that shields itself waits for it, and where it is is told once, after 5 seconds."""
    told: list[tuple[float, str, str]] = []

    def observe(event: Event) -> None:
        if isinstance(event, ChildStuck):
            told.append((event.time, event.id, event.stack[0].partition(" ")[0].rpartition(".")[2]))

    async def stubborn(*, task_status: trio.TaskStatus[None]) -> None:
        if current_child().id == "1":
            task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(10)

    async with open_dynamic_supervisor(observer=observe) as supervisor:
        ref = await supervisor.start_child(ChildSpec(id="1", run=stubborn))
        end = await supervisor.stop_child(ref)
        assert (trio.current_time(), end.kind) == (10, "stopped")
        with trio.move_on_after(2):
            await supervisor.start_child(ChildSpec(id="2", run=stubborn))
        assert trio.current_time() == 20
    assert told == [(5, "1", "stubborn"), (17, "2", "stubborn")]
