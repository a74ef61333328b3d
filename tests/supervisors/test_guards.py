"""Guards that only a rare interleaving needs: two ends in one moment, a signal in the wrong place, an old timer."""

import signal
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    Backoff,
    ChildExited,
    ChildRestarting,
    ChildSpec,
    Event,
    MaxChildrenReached,
    RestartLimit,
    WouldDeadlock,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)

STEADY = Backoff(initial=2, factor=1, jitter=0, max_consecutive=9)
ROUNDS = 20  # of a race that either side may win


@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
async def test_two_crashes_in_one_moment_are_one_restart(
    strategy: Any, diary: Any, autojump_clock: Any
) -> None:
    """The second has been settled with its group when the loop comes to it: it is not charged, nothing is lost."""
    async with open_supervisor(
        *(diary.child(name, crash_after=1, crash_times=1) for name in "abc"),
        strategy=strategy,
        restarts=RestartLimit(3),
    ) as supervisor:
        await trio.sleep(9)
        # rest_for_one may see the last crash first: then those before it are further failures.
        assert [info.state for info in supervisor.children()] == ["running"] * 3
    if strategy == "one_for_all":
        assert sorted(diary[3:6]) == ["-a1", "-b1", "-c1"]
        assert diary[6:9] == ["+a2", "+b2", "+c2"]
        assert len(diary) == 12


async def test_a_failure_during_a_wait_joins_the_group_that_waits(diary: Any, autojump_clock: Any) -> None:
    """Under rest_for_one a child added and lost while others wait for their restart does not make them be forgotten."""
    async with open_supervisor(
        diary.child("a"),
        diary.child("b", crash_after=1, crash_times=1),
        diary.child("c"),
        strategy="rest_for_one",
        backoff=STEADY,
    ) as supervisor:
        await trio.sleep(1.5)
        await supervisor.start_child(diary.child("d", crash_after=1, crash_times=1))
        await trio.sleep(1.4)  # at 2.5 d fails: with b and c it is due at 4.5
        assert [info.state for info in supervisor.children()][1:] == ["restarting"] * 3
        await trio.sleep(2)
        assert [info.state for info in supervisor.children()] == ["running"] * 4
        assert diary == ["+a1", "+b1", "+c1", "-b1", "-c1", "+d1", "-d1", "+b2", "+c2", "+d2"]


async def test_graces_run_beside_each_other(diary: Any, autojump_clock: Any) -> None:
    """Children that stop together are cancelled one, two and three seconds after it, not one, three and six."""
    async with open_dynamic_supervisor() as pool:
        for grace in (3, 1, 2):
            await pool.start_child(diary.graceful(str(grace), needs=99, shutdown=grace))
    assert trio.current_time() == 3
    assert diary[3:] == ["-1", "-2", "-3"]


async def test_an_old_start_timeout_does_not_hit_the_next_incarnation(autojump_clock: Any) -> None:
    """The second incarnation fails before its start_timeout; the third has all of its own."""

    async def run(*, task_status: Any) -> None:
        match current_child().incarnation:
            case 1:
                task_status.started()
                raise ValueError
            case 2:
                await trio.sleep(1)
                raise ValueError
            case _:
                await trio.sleep(1.5)
                task_status.started()
                await trio.sleep_forever()

    async with open_dynamic_supervisor() as pool:
        await pool.start_child(ChildSpec(id="a", run=run, restart="permanent", start_timeout=2))
        await trio.sleep(9)
        assert [(info.state, info.incarnation) for info in pool.children()] == [("running", 3)]


async def test_a_permanent_child_that_is_stopped_stays_stopped(diary: Any, autojump_clock: Any) -> None:
    """Under a DynamicSupervisor stop_child is no crash, whatever the restart type."""
    async with open_dynamic_supervisor() as pool:
        for spec in (
            diary.child("a", restart="permanent"),
            diary.graceful("b", needs=1, restart="permanent"),
        ):
            ref = await pool.start_child(spec)
            await pool.stop_child(ref)
            await trio.sleep(9)
            assert pool.counts().specs == 0
    assert diary == ["+a1", "-a1", "+b", "done b", "-b"]


async def test_a_crash_is_not_charged_once_the_child_was_removed(autojump_clock: Any) -> None:
    """A stop_child between a crash and the loop's seeing it leaves nothing to restart, so nothing to charge."""
    charges: list[Event] = []

    def observer(event: Event) -> None:
        if isinstance(event, ChildRestarting):
            charges.append(event)

    async def crash() -> None:
        await trio.sleep(1)
        raise ValueError

    async with open_dynamic_supervisor(restarts=RestartLimit(99), observer=observer) as pool:
        for _ in range(ROUNDS):
            ref = await pool.start_child(ChildSpec(id="x", run=crash, restart="transient"))
            await ref.wait()
            before = len(charges)
            await pool.stop_child(ref)
            await wait_all_tasks_blocked()
            assert len(charges) == before


async def test_a_promised_place_cannot_be_taken(diary: Any, autojump_clock: Any) -> None:
    """From the end of a child until the one who waited has its place, nobody else finds it free."""
    async with open_dynamic_supervisor(max_children=1) as pool:
        ref = await pool.start_child(diary.child("first"))
        for _ in range(ROUNDS):
            served: list[Any] = []

            async def wait_for_it(served: list[Any] = served) -> None:
                served.append(await pool.start_child(diary.child("waited"), wait=True))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait_for_it)
                await wait_all_tasks_blocked()
                nursery.start_soon(pool.stop_child, ref)
                for _ in range(10):
                    with pytest.raises(MaxChildrenReached):
                        await pool.start_child(diary.child("jumped"))
            (ref,) = served
    assert "+jumped1" not in diary


def test_a_signal_in_a_childs_code_is_raised_there() -> None:
    """Ctrl-C reaches the code that runs, so that a child that never yields can be ended, and can clean up."""
    raised: list[str] = []

    async def child() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raised.append("in the child")
            raise

    async def main() -> None:
        async with open_supervisor(ChildSpec(id="a", run=child)):
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert raised == ["in the child"]


def test_a_signal_in_the_book_keeping_waits_for_the_main_task() -> None:
    """Ctrl-C between a child's end and the note of it breaks nothing: the pool serves on, the main task is told."""
    told: list[str] = []

    def observer(event: Event) -> None:
        if isinstance(event, ChildExited) and event.id == "a":
            signal.raise_signal(signal.SIGINT)
            told.append("after the signal")

    async def nothing() -> None:
        pass

    async def main() -> None:
        async with open_dynamic_supervisor(observer=observer) as pool:
            try:
                await pool.start_child(ChildSpec(id="a", run=nothing))
                await trio.sleep_forever()
            except KeyboardInterrupt:
                told.append("main")
            assert pool.counts().specs == 0
            ref = await pool.start_child(ChildSpec(id="b", run=nothing))
            assert (await ref.wait()).kind == "returned"

    trio.run(main)
    assert told == ["after the signal", "main"]


async def test_a_refused_self_stop_has_no_effect(diary: Any, autojump_clock: Any) -> None:
    """A child that would wait for its own graceful stop is refused before it is asked to stop, and lives on."""

    async def run() -> None:
        me = current_child()
        me.trap_stop()
        with pytest.raises(WouldDeadlock):
            await supervisor.stop_child("a")
        diary.append(f"asked to stop: {me.stop_requested.is_set()}")
        await me.stop_requested.wait()

    async with open_supervisor(name="top") as supervisor:
        await supervisor.start_child(ChildSpec(id="a", run=run))
        await trio.sleep(9)
        assert supervisor.counts().active == 1
    assert diary == ["asked to stop: False"]
