"""Stopping: grace, who gets it, what cuts it short, children that do not end, errors on the way out."""

import inspect
import math
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    ChildSpec,
    ChildStopError,
    ChildStuck,
    Event,
    LeakedCancellation,
    RestartLimit,
    RestartLimitExceeded,
    SupervisionError,
    Supervisor,
    current_child,
    open_supervisor,
)


async def test_only_a_child_that_opted_in_gets_time(diary: Any, autojump_clock: Any) -> None:
    """Any other is cancelled at once: no pointless wait."""
    async with open_supervisor(diary.child("a", shutdown=9)) as supervisor:
        assert (await supervisor.stop_child("a")).kind == "cancelled"
        assert trio.current_time() == 0


@pytest.mark.parametrize("traps", [False, True])
async def test_grace_lets_a_child_finish(traps: bool, diary: Any, autojump_clock: Any) -> None:
    """until_stop and trap_stop both give `shutdown` seconds of uncancelled work."""
    async with open_supervisor(diary.graceful("a", needs=3, traps=traps)) as supervisor:
        exit_ = await supervisor.stop_child("a")
        assert (exit_.kind, exit_.lifetime, trio.current_time()) == ("stopped", 3, 3)
    assert diary == ["+a", "done a", "-a"]


@pytest.mark.parametrize(("shutdown", "after"), [(0, 0), (2, 2)])
async def test_grace_runs_out(shutdown: float, after: float, diary: Any, autojump_clock: Any) -> None:
    """After `shutdown` seconds the child is cancelled; 0 cancels at once."""
    async with open_supervisor(diary.graceful("a", needs=9, shutdown=shutdown)) as supervisor:
        assert (await supervisor.stop_child("a")).kind == "cancelled"
        assert trio.current_time() == after


async def test_infinite_grace_waits(diary: Any, autojump_clock: Any) -> None:
    """math.inf never cancels."""
    async with open_supervisor(diary.graceful("a", needs=10**6, shutdown=math.inf)):
        pass
    assert diary == ["+a", "done a", "-a"]


async def test_opting_in_lasts(diary: Any, autojump_clock: Any) -> None:
    """A child past its until_stop block keeps its grace, as a process keeps trapping exits."""

    async def run(*, task_status: Any) -> None:
        with current_child().until_stop() as scope:
            pass
        assert not scope.cancelled_caught
        task_status.started()
        await trio.sleep(3)
        diary.append("goodbye")

    async with open_supervisor(ChildSpec(id="a", run=run)):
        pass
    assert diary == ["goodbye"]


async def test_a_stop_already_requested_ends_the_block_at_once(diary: Any, autojump_clock: Any) -> None:
    """until_stop entered in the grace is cancelled at its first checkpoint."""

    async def run(*, task_status: Any) -> None:
        child = current_child()
        child.trap_stop()
        stop = child.stop_requested
        task_status.started()
        await stop.wait()
        assert child.stop_requested.is_set()
        with child.until_stop() as scope:
            await trio.sleep_forever()
        diary.append(scope.cancelled_caught)

    async with open_supervisor(ChildSpec(id="a", run=run)):
        pass
    assert diary == [True]


async def test_stop_requested_can_be_read_late(autojump_clock: Any) -> None:
    """The event made after the request is set already."""
    seen: list[bool] = []

    async def run(*, task_status: Any) -> None:
        with current_child().until_stop():
            task_status.started()
            await trio.sleep_forever()
        seen.append(current_child().stop_requested.is_set())

    async with open_supervisor(ChildSpec(id="a", run=run)):
        pass
    assert seen == [True]


async def test_the_pipeline_drains_from_its_source(autojump_clock: Any) -> None:
    """The consumer starts first, so the feed stops first and closes its end, and the consumer drains the rest."""
    got: list[int] = []
    tx, rx = trio.open_memory_channel[int](16)

    async def store(*, task_status: Any) -> None:
        current_child().trap_stop()
        task_status.started()
        with rx:
            async for item in rx:
                await trio.sleep(0.5)
                got.append(item)

    async def feed() -> None:
        with tx, current_child().until_stop():
            for item in range(1000):
                await tx.send(item)
                await trio.sleep(0.25)

    async with open_supervisor(ChildSpec(id="store", run=store), ChildSpec(id="feed", run=feed)):
        await trio.sleep(2.1)
    assert got == list(range(9))


@pytest.mark.parametrize(("cancel_grace", "after"), [(0.0, 0), (1.5, 3.0), (9.0, 4.0)])
async def test_a_cancellation_leaves_only_cancel_grace(
    cancel_grace: float, after: float, diary: Any, autojump_clock: Any
) -> None:
    """Cancelled from outside, each of two children gets min(shutdown, cancel_grace); by default a timeout is one."""
    with trio.move_on_after(1) as scope:
        await Supervisor(
            *(diary.graceful(name, needs=8, shutdown=2) for name in "ab"), cancel_grace=cancel_grace
        ).run()
    assert scope.cancelled_caught
    assert trio.current_time() == 1 + after
    assert diary == ["+a", "+b", "-b", "-a"]


async def test_a_cancellation_cuts_a_graceful_stop_short(diary: Any, autojump_clock: Any) -> None:
    """Grace is not shielded: a timeout during an orderly shutdown counts."""
    supervisor = Supervisor(*(diary.graceful(name, needs=50, shutdown=60) for name in "ab"))
    with trio.move_on_after(5) as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            supervisor.request_shutdown()
    assert scope.cancelled_caught
    assert trio.current_time() == 5
    assert diary == ["+a", "+b", "-b", "-a"]


async def test_a_failure_is_not_masked_by_a_cancellation(diary: Any, autojump_clock: Any) -> None:
    """The limit is reached, and the cancellation comes during the final stop: the failure is raised."""
    supervisor = Supervisor(
        diary.graceful("a", needs=9, shutdown=9), diary.child("b", crash_after=1), restarts=RestartLimit(0)
    )
    with pytest.raises(RestartLimitExceeded), trio.move_on_after(2):
        await supervisor.run()
    assert trio.current_time() == 2


async def dirty(message: str, *, task_status: Any) -> None:
    """Raises when it is cancelled."""
    task_status.started()
    try:
        await trio.sleep_forever()
    finally:
        raise ArithmeticError(message)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_errors_while_stopping_are_raised_after_all_have_ended(
    cancelled: bool, diary: Any, autojump_clock: Any
) -> None:
    """They are collected, whether the stop was asked for or came from a cancellation."""
    children = [diary.child("a"), *(ChildSpec(id=name, run=dirty, args=(name,)) for name in "bc")]
    with pytest.raises(ChildStopError, match="'c', 'b'") as caught, trio.move_on_after(1):
        async with open_supervisor(*children):
            await trio.sleep(9 if cancelled else 0)
    assert [(one.id, str(one.error)) for one in caught.value.failures] == [("c", "c"), ("b", "b")]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert caught.value.__cause__.message == "errors while stopping"
    assert diary == ["+a1", "-a1"]


async def test_a_limit_reached_carries_what_came_after(diary: Any, autojump_clock: Any) -> None:
    """Errors of the final stop join the failures of a limit that was reached."""
    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor(
            ChildSpec(id="a", run=dirty, args=("late",)),
            diary.child("b", crash_after=1),
            restarts=RestartLimit(0),
        ).run()
    assert [str(one.error) for one in caught.value.failures] == ["b1", "late"]
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert len(caught.value.__cause__.exceptions) == 2


async def test_an_error_of_a_sibling_stopped_with_its_group_is_only_told(
    diary: Any, autojump_clock: Any
) -> None:
    """During a restart it is an event; the group goes on."""
    events: list[Event] = []
    async with open_supervisor(
        diary.child("a", crash_after=1, crash_times=1),
        ChildSpec(id="b", run=dirty, args=("x",)),
        strategy="one_for_all",
        observer=events.append,
    ) as supervisor:
        await trio.sleep(2)
        assert [info.state for info in supervisor.children()] == ["running", "running"]
        await supervisor.stop_child("b")


async def test_a_child_that_shields_itself_is_reported_and_waited_for(
    caplog: Any, autojump_clock: Any
) -> None:
    """Nothing is abandoned: five seconds after the cancel its stack is told, and the stop goes on waiting."""
    events: list[Event] = []

    async def stubborn(*, task_status: Any) -> None:
        task_status.started()
        with trio.CancelScope(shield=True):
            await trio.sleep(60)

    async with open_supervisor(ChildSpec(id="a", run=stubborn), observer=events.append):
        pass
    assert trio.current_time() == 60
    (stuck,) = (event for event in events if isinstance(event, ChildStuck))
    assert (stuck.id, stuck.incarnation, stuck.time) == ("a", 1, 5)
    assert "stubborn" in stuck.stack[0]
    assert "sleep" in stuck.stack[1]
    assert "was cancelled and still runs" in caplog.text


async def test_a_leaked_cancellation_is_fatal(diary: Any, autojump_clock: Any) -> None:
    """A Cancelled that belongs to no scope of the child ends the supervisor with a named error."""
    kept: list[BaseException] = []

    async def leak() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as exc:
                kept.append(exc)
        raise kept[0]

    with pytest.raises(LeakedCancellation, match="child 'b'"):
        await Supervisor(diary.child("a"), ChildSpec(id="b", run=leak)).run()
    assert diary == ["+a1", "-a1"]


async def test_a_group_with_a_leaked_cancellation_is_fatal(autojump_clock: Any) -> None:
    """It is found inside of groups as well."""
    kept: list[BaseException] = []

    async def leak() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as exc:
                kept.append(exc)
        raise BaseExceptionGroup("", [kept[0], ValueError()])

    with pytest.raises(LeakedCancellation):
        await Supervisor(ChildSpec(id="b", run=leak)).run()


async def test_stop_errors_of_calls_are_given_not_raised(autojump_clock: Any) -> None:
    """stop_child returns the Exit with the error in it."""
    async with open_supervisor(ChildSpec(id="a", run=dirty, args=("x",), restart="temporary")) as supervisor:
        exit_ = await supervisor.stop_child("a")
        assert (exit_.kind, type(exit_.error)) == ("failed", ArithmeticError)


async def test_children_that_end_by_themselves_during_the_stop(autojump_clock: Any) -> None:
    """OTP's `sup_stop_race`: an end of its own in the final stop is neither restarted nor waited for."""
    supervisor = Supervisor(
        ChildSpec(id="a", run=trio.sleep, args=(1,)),
        ChildSpec(id="b", run=trio.sleep, args=(1,), restart="temporary"),
        ChildSpec(id="c", run=graceful, args=(3,)),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await wait_all_tasks_blocked()
        supervisor.request_shutdown()
    assert trio.current_time() == 3


async def graceful(needs: float) -> None:
    """Takes some seconds to stop."""
    with current_child().until_stop():
        await trio.sleep_forever()
    await trio.sleep(needs)


async def test_supervision_error_keeps_the_last_sixteen() -> None:
    """However many failures there were."""
    error = SupervisionError("x", [])
    assert error.failures == ()


async def test_code_after_until_stop_is_reachable_for_type_checkers() -> None:
    """until_stop absorbs its own cancellation, and its `__exit__` says so by its type, as a CancelScope's does."""
    returned: list[object] = []

    async def child() -> None:
        block = current_child().until_stop()
        returned.append(inspect.get_annotations(type(block).__exit__, eval_str=True)["return"])

    async with open_supervisor(ChildSpec(id="a", run=child, restart="temporary")) as supervisor:
        while supervisor.children():
            await wait_all_tasks_blocked()
    assert returned == [bool]
