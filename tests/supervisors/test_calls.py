"""A child never waits for itself: calls to a supervisor that is waiting for the caller's end are refused in time."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio

from streamd.supervisors import (
    ChildSpec,
    NotRunning,
    Supervisor,
    WouldDeadlock,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)


def caller(
    log: list[str], target: Callable[[], Supervisor], *, where: str, seconds: float = 1.0
) -> ChildSpec:
    """A child with endless grace that asks a supervisor for something, and writes down what became of it."""

    async def ask() -> None:
        try:
            await target().start_child(ChildSpec(id="new", run=trio.sleep_forever))
            log.append("started")
        except (WouldDeadlock, NotRunning) as exc:
            log.append(type(exc).__name__)
        except trio.Cancelled:
            log.append("cancelled")
            raise

    async def run() -> None:
        me = current_child()
        if me.incarnation > 1:
            await trio.sleep_forever()
        if where == "plain":
            await trio.sleep(seconds)
            await ask()
        elif where == "task":
            me.trap_stop()
            await trio.sleep(seconds)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
        elif where == "until_stop":
            with me.until_stop():
                await trio.sleep(seconds)
                await ask()
                await trio.sleep_forever()
        else:
            me.trap_stop()
            await trio.sleep(seconds)
            await ask()
        log.append("ended")

    return ChildSpec(id="caller", run=run, shutdown=math.inf)


def crash_at(log: list[str], seconds: float) -> ChildSpec:
    """A child whose first incarnation crashes, once another is slow to stop."""

    async def run() -> None:
        if current_child().incarnation > 1:
            await trio.sleep_forever()
        await trio.sleep(seconds)
        raise ValueError

    return ChildSpec(id="crash", run=run)


async def slow() -> None:
    """Takes two seconds to stop."""
    with current_child().until_stop():
        await trio.sleep_forever()
    await trio.sleep(2)


EXPECTED = {
    "own": ["WouldDeadlock", "ended"],
    "task": ["WouldDeadlock", "ended"],
    "until_stop": ["cancelled", "ended"],
    "plain": ["cancelled"],
}


@pytest.mark.parametrize("where", EXPECTED)
async def test_a_call_made_before_a_group_restart(where: str, autojump_clock: Any) -> None:
    """The group is being stopped, so that nobody serves a call of one that is stopped later: it is refused.

    A block until the stop, and a child without grace, are just cancelled.
    """
    log: list[str] = []
    supervisor = Supervisor(
        crash_at(log, 1),
        caller(log, lambda: supervisor, where=where, seconds=2),
        ChildSpec(id="slow", run=slow),
        strategy="one_for_all",
    )
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(10)
            assert log == EXPECTED[where]
            assert [info.incarnation for info in supervisor.children()] == [2, 2, 2]
            supervisor.request_shutdown()


@pytest.mark.parametrize("where", EXPECTED)
async def test_a_call_that_waits_behind_the_callers_stop(where: str, autojump_clock: Any) -> None:
    """stop_child of the caller is served first: the caller's own call is refused, and it ends."""
    log: list[str] = []
    supervisor = Supervisor(
        caller(log, lambda: supervisor, where=where, seconds=2), ChildSpec(id="slow", run=slow)
    )
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(1)
            nursery.start_soon(supervisor.stop_child, "slow")
            await trio.sleep(0.5)
            exit_ = await supervisor.stop_child("caller")
            assert exit_.kind == ("cancelled" if where == "plain" else "stopped")
            assert log == EXPECTED[where]
            assert trio.current_time() == 3
            supervisor.request_shutdown()


@pytest.mark.parametrize("where", EXPECTED)
async def test_a_call_to_the_supervisor_above(where: str, autojump_clock: Any) -> None:
    """A grandchild's call is refused when the tree it is in is stopped for a restart, once its own turn has come."""
    log: list[str] = []
    inner = Supervisor(caller(log, lambda: top, where=where, seconds=2))
    top = Supervisor(
        crash_at(log, 1), inner.as_child("inner"), ChildSpec(id="slow", run=slow), strategy="one_for_all"
    )
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(top.run)
            await trio.sleep(3.5)
            assert log == EXPECTED[where]
            assert [info.incarnation for info in top.children()] == [2, 2, 2]
            top.request_shutdown()


async def test_a_stop_of_the_tree_that_overtakes_a_grandchilds_own(autojump_clock: Any) -> None:
    """A grandchild asked to stop may still call the supervisor above, until that one waits for the grandchild too."""
    log: list[str] = []

    async def run() -> None:
        current_child().trap_stop()
        await current_child().stop_requested.wait()
        await top.start_child(ChildSpec(id="new", run=trio.sleep_forever))
        log.append("started")
        with pytest.raises(WouldDeadlock):
            await top.start_child(ChildSpec(id="never", run=trio.sleep_forever, ready="task_status"))
        log.append("refused")

    inner = Supervisor(ChildSpec(id="grandchild", run=run, shutdown=math.inf))
    top = Supervisor(inner.as_child("inner"), ChildSpec(id="slow", run=slow))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(top.run)
            await trio.sleep(1)
            nursery.start_soon(top.stop_child, "slow")
            await trio.sleep(1)
            nursery.start_soon(inner.stop_child, "grandchild")
            await trio.sleep(3)
            assert log == ["started"]
            top.request_shutdown()


async def test_two_children_that_stop_each_other(autojump_clock: Any) -> None:
    """The call served first wins: the other is refused, ends, and the first has its answer."""
    log: list[str] = []

    async def run(other: str) -> None:
        current_child().trap_stop()
        await trio.sleep(1)
        try:
            await supervisor.stop_child(other)
            log.append("stopped it")
        except WouldDeadlock:
            log.append("refused")

    supervisor = Supervisor(
        *(
            ChildSpec(id=one, run=run, args=(other,), shutdown=math.inf, restart="transient")
            for one, other in ("ab", "ba")
        )
    )
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            await trio.sleep(2)
            assert sorted(log) == ["refused", "stopped it"]
            supervisor.request_shutdown()


async def test_a_dynamic_child_may_not_wait_for_its_own_stop(autojump_clock: Any) -> None:
    """One that opted in to grace is refused; one that did not is cancelled by its own call."""
    log: list[str] = []

    async def run(traps: bool, *, task_status: Any) -> None:
        if traps:
            current_child().trap_stop()
        task_status.started()
        await trio.sleep(1)
        try:
            await pool.stop_child(refs[0])
        except WouldDeadlock:
            log.append("refused")

    with trio.fail_after(60):
        async with open_dynamic_supervisor() as pool:
            for traps in (False, True):
                spec = ChildSpec(id="a", run=run, args=(traps,), shutdown=math.inf)
                refs = [await pool.start_child(spec)]
                assert (await refs[0].wait()).kind == ("returned" if traps else "cancelled")
    assert log == ["refused"]


async def test_a_task_that_only_inherited_the_childs_variables_is_no_part_of_it(autojump_clock: Any) -> None:
    """A task that a child started elsewhere may stop the child, as the child does not wait for it."""
    kinds: list[str] = []

    async def stop() -> None:
        await trio.sleep(1)
        kinds.append((await supervisor.stop_child("a")).kind)

    async def run() -> None:
        nursery.start_soon(stop)
        with current_child().until_stop():
            await trio.sleep_forever()

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            async with open_supervisor(ChildSpec(id="a", run=run, shutdown=math.inf)) as supervisor:
                await trio.sleep(2)
    assert kinds == ["stopped"]
