"""Supervisor: order, restart types, strategies, limits, and the verbs of its children."""

import gc
import weakref
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    AlreadyRunning,
    Backoff,
    ChildExists,
    ChildReturned,
    ChildRunning,
    ChildSpec,
    ChildStartError,
    Counts,
    DynamicSupervisor,
    Exit,
    InvalidSpec,
    NotRunning,
    RestartLimit,
    RestartLimitExceeded,
    RestartPending,
    Supervisor,
    TaskSupervisor,
    UnknownChild,
    WouldDeadlock,
    current_child,
    open_supervisor,
)


async def test_children_start_in_order_and_stop_in_reverse(diary: Any, autojump_clock: Any) -> None:
    """Each starts once the one before is ready, and stops once the one after has ended."""
    async with open_supervisor(*(diary.child(name) for name in "abc")):
        await wait_all_tasks_blocked()
        assert diary.take() == ["+a1", "+b1", "+c1"]
    assert diary == ["-c1", "-b1", "-a1"]


async def test_outer_cancellation_keeps_the_order(diary: Any, autojump_clock: Any) -> None:
    """A cancellation from outside reaches the supervisor alone, which stops the children one by one."""
    with trio.move_on_after(1) as scope:
        await Supervisor(*(diary.child(name) for name in "abc")).run()
    assert scope.cancelled_caught
    assert diary == ["+a1", "+b1", "+c1", "-c1", "-b1", "-a1"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("one_for_one", ["-b1", "+b2"]),
        ("rest_for_one", ["-b1", "-d1", "-c1", "+b2", "+c2", "+d2"]),
        ("one_for_all", ["-b1", "-d1", "-c1", "-a1", "+a2", "+b2", "+c2", "+d2"]),
    ],
)
async def test_strategies(strategy: Any, expected: list[str], diary: Any, autojump_clock: Any) -> None:
    """Siblings stop in reverse order before anybody starts, in start order."""
    children = [
        diary.child("b", crash_after=1, crash_times=1) if n == "b" else diary.child(n) for n in "abcd"
    ]
    async with open_supervisor(*children, strategy=strategy):
        await trio.sleep(0.5)
        diary.take()
        await trio.sleep(1)
        assert diary == expected


async def test_a_group_restart_revives_the_stopped(diary: Any, autojump_clock: Any) -> None:
    """A group restart is the initial state again: a sibling stopped by hand runs afterwards (OTP's `tree` case)."""
    async with open_supervisor(
        diary.child("a", crash_after=2, crash_times=1), diary.child("b"), strategy="one_for_all"
    ) as supervisor:
        await supervisor.stop_child("b")
        await trio.sleep(3)
        assert [info.state for info in supervisor.children()] == ["running", "running"]


async def test_the_limit_ends_the_supervisor_with_its_causes(diary: Any, autojump_clock: Any) -> None:
    """All are stopped in order; the error carries the failures, and a group of them as its cause."""
    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_supervisor(
            diary.child("a"), diary.child("b", crash_after=1), restarts=RestartLimit(2, per=9)
        ):
            await trio.sleep_forever()
    assert diary == ["+a1", "+b1", "-b1", "+b2", "-b2", "+b3", "-b3", "-a1"]
    assert [(one.id, one.incarnation, str(one.error)) for one in caught.value.failures] == [
        ("b", 1, "b1"),
        ("b", 2, "b2"),
        ("b", 3, "b3"),
    ]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert caught.value.__cause__.exceptions == tuple(one.error for one in caught.value.failures)


async def test_failures_outside_of_the_window_do_not_add_up(diary: Any, autojump_clock: Any) -> None:
    """With two restarts in three seconds, a crash every two seconds goes on for ever."""
    async with open_supervisor(
        diary.child("a", crash_after=2), restarts=RestartLimit(2, per=3)
    ) as supervisor:
        await trio.sleep(99)
        assert supervisor.children()[0].incarnation == 50


async def test_a_limit_of_zero_fails_on_the_first_failure(
    diary: Any, autojump_clock: Any, caplog: Any
) -> None:
    """The live exception is in the failures; as no restart was ever wanted, nothing is logged."""
    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor(diary.child("a", crash_after=1), restarts=RestartLimit(0)).run()
    (failure,) = caught.value.failures
    assert (failure.id, failure.incarnation, str(failure.error)) == ("a", 1, "a1")
    assert caplog.records == []


async def test_a_permanent_child_that_returns_is_charged(autojump_clock: Any) -> None:
    """A child without any checkpoint that returns at once cannot spin for ever."""

    async def nothing() -> None:
        pass

    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor(ChildSpec(id="a", run=nothing)).run()
    assert [type(one.error) for one in caught.value.failures] == [ChildReturned] * 4


async def test_two_failures_at_once_are_one_group_restart(diary: Any, autojump_clock: Any) -> None:
    """A sibling that crashed before it could be stopped is part of the same restart and not charged again."""
    children = [diary.child(name, crash_after=1, crash_times=1) for name in "ab"]
    async with open_supervisor(*children, strategy="one_for_all", restarts=RestartLimit(1)) as supervisor:
        await trio.sleep(2)
        assert [info.incarnation for info in supervisor.children()] == [2, 2]


async def test_backoff_delays_and_resets(autojump_clock: Any) -> None:
    """The delays double in a row, and begin again after reset_after seconds of health."""
    starts: list[float] = []

    async def run() -> None:
        starts.append(trio.current_time())
        await trio.sleep(100 if len(starts) == 4 else 0)
        raise ValueError

    async with open_supervisor(
        ChildSpec(id="a", run=run),
        backoff=Backoff(initial=1, jitter=0, reset_after=50, max_consecutive=9),
        restarts=RestartLimit(9, per=1000),
    ):
        await trio.sleep(112)
    gaps = [after - before for before, after in pairwise(starts)]
    assert gaps == pytest.approx([1, 2, 4, 101, 2])


async def test_a_childs_own_backoff_goes_first(diary: Any, autojump_clock: Any) -> None:
    """ChildSpec.backoff overrides the supervisor's; a sibling lives on during the wait."""
    own = Backoff(initial=3, jitter=0, max_consecutive=5)
    async with open_supervisor(
        diary.child("a", crash_after=1, backoff=own), diary.child("b"), backoff=Backoff(initial=0)
    ) as supervisor:
        await trio.sleep(3.5)
        assert [info.state for info in supervisor.children()] == ["restarting", "running"]
        await trio.sleep(1)
        assert diary == ["+a1", "+b1", "-a1", "+a2"]


async def test_a_failure_during_the_wait_joins_the_group(diary: Any, autojump_clock: Any) -> None:
    """rest_for_one: c fails and waits; b fails meanwhile: both restart together, at the later time."""
    backoff = Backoff(initial=2, factor=1, jitter=0, max_consecutive=9)
    async with open_supervisor(
        diary.child("a"),
        diary.child("b", crash_after=2, crash_times=1),
        diary.child("c", crash_after=1, crash_times=1),
        strategy="rest_for_one",
        backoff=backoff,
    ):
        await trio.sleep(3.5)
        assert diary.take() == ["+a1", "+b1", "+c1", "-c1", "-b1"]
        await trio.sleep(1)
        assert diary == ["+b2", "+c2"]


async def test_stop_child_cancels_the_restart_that_waits(diary: Any, autojump_clock: Any) -> None:
    """A child stopped during its backoff is never started; in a group the others restart without it."""
    async with open_supervisor(
        diary.child("a", crash_after=1, crash_times=1),
        diary.child("b"),
        strategy="one_for_all",
        backoff=Backoff(initial=2, jitter=0, max_consecutive=9),
    ) as supervisor:
        await trio.sleep(2)
        assert [info.state for info in supervisor.children()] == ["restarting", "restarting"]
        with pytest.raises(RestartPending):
            await supervisor.delete_child("a")
        with pytest.raises(RestartPending):
            await supervisor.restart_child("a")
        assert (await supervisor.stop_child("b")).kind == "cancelled"
        await trio.sleep(2)
        assert [info.state for info in supervisor.children()] == ["running", "stopped"]
        assert diary == ["+a1", "+b1", "-a1", "-b1", "+a2"]


async def test_the_last_child_stopped_calls_the_restart_off(diary: Any, autojump_clock: Any) -> None:
    """With nobody left to restart, the loop goes back to sleep."""
    async with open_supervisor(
        diary.child("a", crash_after=1), backoff=Backoff(initial=2, jitter=0, max_consecutive=9)
    ) as supervisor:
        await trio.sleep(2)
        assert (await supervisor.stop_child("a")).kind == "failed"
        await trio.sleep(5)
        assert diary == ["+a1", "-a1"]


async def test_the_verbs_of_a_child(diary: Any) -> None:
    """Start, stop, restart and delete, in every state they can meet (OTP's `child_adm`)."""
    async with open_supervisor(diary.child("a")) as supervisor:
        ref = await supervisor.start_child(diary.child("b"))
        assert (ref.id, ref.incarnation, repr(ref)) == ("b", 1, "<ChildRef b#1>")
        with pytest.raises(ChildExists):
            await supervisor.start_child(diary.child("b"))
        with pytest.raises(ChildRunning):
            await supervisor.restart_child("b")
        with pytest.raises(ChildRunning):
            await supervisor.delete_child("b")
        await wait_all_tasks_blocked()
        assert (await supervisor.stop_child("b")).kind == "cancelled"
        assert (await ref.wait()).kind == "cancelled"
        assert (await supervisor.stop_child("b")).kind == "cancelled"
        with pytest.raises(ChildExists):
            await supervisor.start_child(diary.child("b"))
        assert (await supervisor.restart_child("b")).incarnation == 2
        await supervisor.stop_child("b")
        await supervisor.delete_child("b")
        for verb in (supervisor.stop_child, supervisor.restart_child, supervisor.delete_child):
            with pytest.raises(UnknownChild, match="'b'"):
                await verb("b")
        with pytest.raises(InvalidSpec):
            await supervisor.start_child(diary.child("c", restart="temporary", significant=True))
    assert diary == ["+a1", "+b1", "-b1", "+b2", "-b2", "-a1"]


async def test_a_stopped_temporary_child_is_forgotten(diary: Any) -> None:
    """stop_child drops its spec."""
    async with open_supervisor(diary.child("a", restart="temporary")) as supervisor:
        await supervisor.stop_child("a")
        assert supervisor.children() == ()


async def test_counts_and_children(diary: Any) -> None:
    """children() is in start order; counts() tells workers from supervisors."""
    inner = Supervisor(diary.child("x"))
    async with open_supervisor(diary.child("a"), inner.as_child("b"), diary.child("c")) as supervisor:
        await supervisor.stop_child("c")
        assert [(info.id, info.state, info.restart, info.kind) for info in supervisor.children()] == [
            ("a", "running", "permanent", "worker"),
            ("b", "running", "permanent", "supervisor"),
            ("c", "stopped", "permanent", "worker"),
        ]
        assert supervisor.counts() == Counts(specs=3, active=2, supervisors=1, workers=2)
    assert supervisor.children() == ()


async def test_a_supervisor_that_does_not_run_refuses(diary: Any, autojump_clock: Any) -> None:
    """Before, during the final stop, and afterwards every verb raises NotRunning."""
    supervisor = Supervisor(diary.graceful("a", needs=2))
    with pytest.raises(NotRunning):
        await supervisor.start_child(diary.child("b"))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await wait_all_tasks_blocked()
        with pytest.raises(AlreadyRunning):
            await supervisor.run()
        supervisor.request_shutdown("enough")
        supervisor.request_shutdown("twice")
        with pytest.raises(NotRunning):
            await supervisor.start_child(diary.child("b"))
        await supervisor.wait_stopped()
        await supervisor.wait_stopped()
        assert trio.current_time() == 2
    with pytest.raises(NotRunning):
        await supervisor.stop_child("a")


async def test_a_supervisor_runs_again_from_its_first_children(diary: Any) -> None:
    """As OTP's init does, a second run begins with the children it was made with."""
    supervisor = Supervisor(diary.child("a"))
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await supervisor.start_child(diary.child("b"))
            await wait_all_tasks_blocked()
            supervisor.request_shutdown()
        assert diary.take() == ["+a1", "+b1", "-b1", "-a1"]


async def test_nested_supervisors_stop_in_order_with_grace(diary: Any, autojump_clock: Any) -> None:
    """A parent's stop request is the child supervisor's shutdown: its children get their full grace."""
    inner = Supervisor(diary.graceful("x", needs=3), diary.child("y"), name="inner")
    async with open_supervisor(diary.child("a"), inner.as_child("b"), diary.child("c"), name="top"):
        await wait_all_tasks_blocked()
        assert inner.path == "top/b/inner"
        diary.take()
    assert diary == ["-c1", "-y1", "done x", "-x", "-a1"]
    assert inner.path == "inner"


async def test_a_failed_inner_supervisor_is_restarted_by_the_outer(diary: Any, autojump_clock: Any) -> None:
    """Limits nest: the inner one gives up, the outer one restarts it whole."""
    inner = Supervisor(diary.child("x", crash_after=1), restarts=RestartLimit(1, per=10))
    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor(inner.as_child("b"), restarts=RestartLimit(1, per=10)).run()
    assert diary == ["+x1", "-x1", "+x2", "-x2"] * 2
    assert all(isinstance(one.error, RestartLimitExceeded) for one in caught.value.failures)


async def test_any_significant_end_shuts_down(diary: Any, autojump_clock: Any) -> None:
    """auto_shutdown="any": run() returns when a significant child has ended by itself, after stopping the others."""

    async def main() -> None:
        await trio.sleep(1)

    done = ChildSpec(id="main", run=main, restart="transient", significant=True)
    await Supervisor(diary.child("a"), done, auto_shutdown="any").run()
    assert diary == ["+a1", "-a1"]
    assert trio.current_time() == 1


async def test_all_significant_ends_shut_down(autojump_clock: Any) -> None:
    """auto_shutdown="all" waits for the last; one stopped by hand has ended as well but ends nothing itself."""
    specs = [
        ChildSpec(id=f"{n}", run=trio.sleep, args=(n,), restart="temporary", significant=True)
        for n in (1, 2, 3)
    ]
    supervisor = Supervisor(*specs, auto_shutdown="all")
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await supervisor.stop_child("3")
        await supervisor.wait_stopped()
    assert trio.current_time() == 2


async def test_a_stop_by_hand_is_no_significant_end(diary: Any, autojump_clock: Any) -> None:
    """Only its own end counts, not stop_child."""
    child = diary.child("a", restart="transient", significant=True)
    async with open_supervisor(child, auto_shutdown="any") as supervisor:
        await supervisor.stop_child("a")
        await trio.sleep(1)
        assert supervisor.counts().specs == 1


async def test_a_significant_transient_that_crashes_is_restarted(diary: Any, autojump_clock: Any) -> None:
    """A crash with restarts left is not its end."""
    child = diary.child("a", crash_after=1, crash_times=1, restart="transient", significant=True)
    async with open_supervisor(child, auto_shutdown="any"):
        await trio.sleep(2)
        assert diary == ["+a1", "-a1", "+a2"]


async def test_a_temporary_childs_arguments_are_let_go(autojump_clock: Any) -> None:
    """Nothing keeps the arguments or the error of a finished temporary child alive."""

    class Thing:
        """Something to refer to."""

    async def run(thing: Thing) -> None:
        await trio.sleep(1)
        raise ValueError(thing)

    thing = Thing()
    refs = [weakref.ref(thing)]
    async with open_supervisor() as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=run, args=(thing,), restart="temporary"))
        del thing
        await trio.sleep(2)
        gc.collect()
        assert [ref() for ref in refs] == [None]


async def test_a_child_may_not_wait_for_itself(autojump_clock: Any) -> None:
    """Calls that its own supervisor could only answer after the child has moved on are refused, not hung."""
    refused: list[str] = []

    async def calls(verb: str, supervisor: Supervisor) -> None:
        try:
            if verb == "start":
                await supervisor.start_child(ChildSpec(id="z", run=trio.sleep_forever))
            else:
                await supervisor.stop_child("a")
        except WouldDeadlock as exc:
            refused.append(str(exc))

    async def run(*, task_status: Any) -> None:
        await calls("start", supervisor)
        task_status.started()
        current_child().trap_stop()
        await calls("stop", supervisor)
        await current_child().stop_requested.wait()

    supervisor = Supervisor(ChildSpec(id="a", run=run))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await wait_all_tasks_blocked()
        assert (await supervisor.stop_child("a")).kind == "stopped"
        supervisor.request_shutdown()
    assert len(refused) == 2
    assert "before it was ready" in refused[0]


async def test_a_child_may_stop_itself_without_grace() -> None:
    """One that did not opt in is cancelled by its own call."""

    async def run() -> None:
        await supervisor.stop_child("a")

    supervisor = Supervisor(ChildSpec(id="a", run=run))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await wait_all_tasks_blocked()
        assert supervisor.children()[0].state == "stopped"
        supervisor.request_shutdown()


async def test_exits_tell_kind_value_and_lifetime(autojump_clock: Any) -> None:
    """ref.wait() gives the Exit to any number of tasks and raises nothing of the child's."""

    async def returns() -> int:
        await trio.sleep(2)
        return 42

    async def fails() -> None:
        await trio.sleep(1)
        raise ValueError("x")

    async with open_supervisor() as supervisor:
        one = await supervisor.start_child(ChildSpec(id="1", run=returns, restart="temporary"))
        two = await supervisor.start_child(ChildSpec(id="2", run=fails, restart="temporary"))
        assert await one.wait() == Exit("returned", None, 2, 42)
        exit_ = await two.wait()
        assert (exit_.kind, str(exit_.error), exit_.lifetime) == ("failed", "x", 1)


async def test_a_start_error_keeps_its_cause_and_the_rest_runs_on(diary: Any) -> None:
    """start_child raises what happened, from the child's own exception, and forgets the spec."""

    async def bad(*, task_status: Any) -> None:
        raise OSError("no port")

    async with open_supervisor(diary.child("a")) as supervisor:
        with pytest.raises(ChildStartError, match="no port") as caught:
            await supervisor.start_child(ChildSpec(id="b", run=bad))
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.failures[0].error is caught.value.__cause__
        assert [info.id for info in supervisor.children()] == ["a"]


@pytest.mark.parametrize(
    "make",
    [lambda spec: Supervisor(spec), lambda _: DynamicSupervisor(), lambda _: TaskSupervisor()],
    ids=["ordered", "dynamic", "tasks"],
)
async def test_a_shutdown_asked_for_before_the_run_is_not_lost(make: Any, autojump_clock: Any) -> None:
    """The run stops as soon as it begins; one asked for after the end does nothing to the next run."""
    supervisor = make(ChildSpec(id="a", run=trio.sleep_forever))
    supervisor.request_shutdown()
    with trio.fail_after(1):
        await supervisor.run()
    supervisor.request_shutdown()
    with trio.move_on_after(1) as scope:
        await supervisor.run()
    assert scope.cancelled_caught
