"""Starting: the handshake, its failures, its limits in time, and what a child inherits."""

import functools
import math
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    ChildSpec,
    ChildStartError,
    InvalidSpec,
    NotRunning,
    RestartLimit,
    RestartLimitExceeded,
    Supervisor,
    current_child,
    open_supervisor,
)

colour: ContextVar[str] = ContextVar("colour", default="none")


async def slow(
    name: str, log: list[str], seconds: float, *, task_status: Any = trio.TASK_STATUS_IGNORED
) -> None:
    """Is ready after some seconds, with its name for a value."""
    log.append(f"+{name}")
    try:
        await trio.sleep(seconds)
        task_status.started(name)
        log.append(f"{name} ready")
        await trio.sleep_forever()
    finally:
        log.append(f"-{name}")


async def test_the_next_starts_once_the_one_before_is_ready(autojump_clock: Any) -> None:
    """The handshake orders the start, and run() tells its own task_status when all are ready."""
    log: list[str] = []
    supervisor = Supervisor(*(ChildSpec(id=n, run=slow, args=(n, log, 1)) for n in "ab"))
    async with trio.open_nursery() as nursery:
        assert await nursery.start(supervisor.run) is supervisor
        assert (trio.current_time(), log) == (2, ["+a", "a ready", "+b", "b ready"])
        supervisor.request_shutdown()


async def test_a_child_is_ready_by_signature_or_as_its_spec_says(autojump_clock: Any) -> None:
    """ready="spawned" waits for nothing; callables of every kind are looked at for a task_status."""

    class Methods:
        """Bound methods and callable objects."""

        async def with_status(self, *, task_status: Any) -> None:
            task_status.started("method")
            await trio.sleep_forever()

        async def __call__(self, *, task_status: Any) -> None:
            task_status.started("object")
            await trio.sleep_forever()

    @functools.wraps(slow)
    async def wrapped(*args: Any, **kwargs: Any) -> None:
        await slow(*args, **kwargs)

    log: list[str] = []
    specs = {
        "method": ChildSpec(id="1", run=Methods().with_status),
        "object": ChildSpec(id="2", run=Methods()),
        "partial": ChildSpec(id="3", run=functools.partial(slow, "partial", log, 0)),
        "wrapped": ChildSpec(id="4", run=wrapped, args=("wrapped", log, 0)),
    }
    async with open_supervisor() as supervisor:
        for value, spec in specs.items():
            assert (await supervisor.start_child(spec)).value == value
        before = trio.current_time()
        spawned = ChildSpec(id="5", run=slow, args=("s", log, 9), ready="spawned")
        assert (await supervisor.start_child(spawned)).value is None
        assert trio.current_time() == before


async def test_a_callable_without_a_signature_is_ready_at_once() -> None:
    """What cannot be looked into counts as having no task_status."""

    class Opaque:
        """A callable whose signature cannot be read."""

        __signature__ = 3

        async def __call__(self) -> None:
            await trio.sleep_forever()

    async with open_supervisor(ChildSpec(id="a", run=Opaque())) as supervisor:
        assert supervisor.children()[0].state == "running"


async def test_started_may_be_called_once() -> None:
    """A second started() is the child's own error, as in trio."""

    async def run(*, task_status: Any) -> None:
        task_status.started(1)
        with pytest.raises(RuntimeError, match="twice"):
            task_status.started(2)

    async with open_supervisor() as supervisor:
        ref = await supervisor.start_child(ChildSpec(id="a", run=run, restart="temporary"))
        assert ref.value == 1
        assert (await ref.wait()).kind == "returned"


async def test_a_failed_first_start_stops_what_had_started(diary: Any, autojump_clock: Any) -> None:
    """No retry and no charge: those before it stop in reverse, and the error comes from the child's own."""

    async def bad(*, task_status: Any) -> None:
        diary.append("+bad")
        raise OSError("no port")

    with pytest.raises(ChildStartError, match=r"'bad' failed to start.*no port") as caught:
        await Supervisor(
            diary.child("a"), diary.child("b"), ChildSpec(id="bad", run=bad), diary.child("c")
        ).run()
    assert isinstance(caught.value.__cause__, OSError)
    assert diary == ["+a1", "+b1", "+bad", "-b1", "-a1"]


async def test_a_start_that_takes_too_long(diary: Any, autojump_clock: Any) -> None:
    """start_timeout cancels the child, joins it, and is a failed start."""
    child = ChildSpec(id="b", run=slow, args=("b", diary, 9), start_timeout=2)
    with pytest.raises(ChildStartError, match="not ready after 2 s") as caught:
        await Supervisor(diary.child("a"), child).run()
    assert isinstance(caught.value.__cause__, trio.TooSlowError)
    assert diary == ["+a1", "+b", "-b", "-a1"]
    assert trio.current_time() == 2


async def test_a_start_in_time_is_not_cut_off(autojump_clock: Any) -> None:
    """The timeout ends with the handshake."""
    async with open_supervisor(ChildSpec(id="b", run=slow, args=("b", [], 1), start_timeout=2)) as supervisor:
        await trio.sleep(5)
        assert supervisor.children()[0].state == "running"


async def test_an_early_return_is_no_failure(autojump_clock: Any) -> None:
    """A child that returns before started() is kept, stopped; a temporary one is forgotten (OTP: `ignore`)."""

    async def nothing(*, task_status: Any) -> None:
        await trio.sleep(1)

    specs = [ChildSpec(id="a", run=nothing), ChildSpec(id="b", run=nothing, restart="temporary")]
    async with open_supervisor(*specs) as supervisor:
        assert [(info.id, info.state) for info in supervisor.children()] == [("a", "stopped")]
        ref = await supervisor.start_child(ChildSpec(id="c", run=nothing))
        assert (await ref.wait()).kind == "returned"
        assert [info.id for info in supervisor.children()] == ["a", "c"]


async def test_failed_restarts_are_charged_each(autojump_clock: Any) -> None:
    """A restart that fails before it is ready is tried again, until the limit."""
    tries: list[int] = []

    async def run(*, task_status: Any) -> None:
        tries.append(current_child().incarnation)
        if len(tries) == 1:
            task_status.started()
        raise OSError

    with pytest.raises(RestartLimitExceeded):
        await Supervisor(ChildSpec(id="a", run=run), restarts=RestartLimit(3)).run()
    assert tries == [1, 2, 3, 4]


async def test_a_hanging_restart_gives_way(diary: Any, autojump_clock: Any) -> None:
    """A restart stuck in its handshake is ended by stop_child, by a shutdown and by a cancellation."""

    async def run(*, task_status: Any) -> None:
        diary.append(f"+{current_child().incarnation}")
        if current_child().incarnation == 1:
            task_status.started()
            raise ValueError
        try:
            await trio.sleep_forever()
        finally:
            diary.append(f"-{current_child().incarnation}")

    spec = ChildSpec(id="a", run=run)
    async with open_supervisor(spec) as supervisor:
        await wait_all_tasks_blocked()
        assert supervisor.children()[0].state == "starting"
        assert (await supervisor.stop_child("a")).kind == "cancelled"
        assert diary.take() == ["+1", "+2", "-2"]
    async with open_supervisor(spec):
        await wait_all_tasks_blocked()
    assert diary.take() == ["+1", "+2", "-2"]
    with trio.move_on_after(1):
        await Supervisor(spec).run()
    assert diary.take() == ["+1", "+2", "-2"]


async def test_a_shutdown_during_the_first_start(diary: Any, autojump_clock: Any) -> None:
    """request_shutdown interrupts the start: what has started is stopped, the rest never starts."""
    supervisor = Supervisor(
        diary.child("a"), ChildSpec(id="b", run=slow, args=("b", diary, 9)), diary.child("c")
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        supervisor.request_shutdown()
    assert diary == ["+a1", "+b", "-b", "-a1"]


async def test_a_call_off_during_the_first_start(diary: Any, autojump_clock: Any) -> None:
    """stop_child of the child that is starting lets the others start."""
    supervisor = Supervisor(ChildSpec(id="a", run=slow, args=("a", diary, 9)), diary.child("b"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.sleep(1)
        assert (await supervisor.stop_child("a")).kind == "cancelled"
        assert [info.state for info in supervisor.children()] == ["stopped", "running"]
        supervisor.request_shutdown()


async def test_a_cancelled_start_child_undoes_itself(autojump_clock: Any) -> None:
    """Cancelling the caller cancels the child, joins it, and forgets the spec; so for restart_child, which keeps it."""
    log: list[str] = []
    async with open_supervisor(ChildSpec(id="z", run=slow, args=("z", log, 1))) as supervisor:
        log.clear()
        with trio.move_on_after(1) as scope:
            await supervisor.start_child(ChildSpec(id="a", run=slow, args=("a", log, 9)))
        assert scope.cancelled_caught
        assert log == ["+a", "-a"]
        assert [info.id for info in supervisor.children()] == ["z"]
        await supervisor.stop_child("z")
        with trio.move_on_after(0.5):
            await supervisor.restart_child("z")
        assert [info.state for info in supervisor.children()] == ["stopped"]


async def test_a_call_cancelled_in_the_queue_is_never_begun(diary: Any, autojump_clock: Any) -> None:
    """While the supervisor is busy, a caller that leaves takes its call back."""
    async with open_supervisor(diary.graceful("a", needs=3)) as supervisor:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.stop_child, "a")
            await wait_all_tasks_blocked()
            with trio.move_on_after(1):
                await supervisor.start_child(diary.child("b"))
            assert trio.current_time() == 1
        assert diary == ["+a", "done a", "-a"]


async def test_a_cancelled_stop_child_is_not_called_off(diary: Any, autojump_clock: Any) -> None:
    """The stop goes on without its caller."""
    async with open_supervisor(diary.graceful("a", needs=3)) as supervisor:
        with trio.move_on_after(1):
            await supervisor.stop_child("a")
        await trio.sleep(3)
        assert supervisor.children()[0].state == "stopped"


async def test_a_shutdown_answers_every_call(diary: Any, autojump_clock: Any) -> None:
    """A start in progress and one in the queue both raise NotRunning."""
    results: list[object] = []
    supervisor = Supervisor(diary.graceful("g", needs=3))

    async def start(spec: ChildSpec) -> None:
        try:
            await supervisor.start_child(spec)
        except NotRunning as exc:
            results.append((spec.id, trio.current_time(), str(exc)))

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        nursery.start_soon(start, ChildSpec(id="a", run=slow, args=("a", diary, 9)))
        await wait_all_tasks_blocked()
        nursery.start_soon(start, diary.child("b"))
        await trio.sleep(1)
        supervisor.request_shutdown()
    assert trio.current_time() == 4
    assert sorted(results) == [
        (name, 1.0, f"start_child({name!r}): the supervisor has not started, is stopping, or has ended")
        for name in "ab"
    ]


@pytest.mark.parametrize("verb", ["start", "restart"])
async def test_a_child_that_waits_for_its_call_can_be_stopped(
    verb: str, diary: Any, autojump_clock: Any
) -> None:
    """A shutdown answers the call, so that a child with endless grace that waits for it comes to its end."""
    supervisor: Supervisor

    async def hang(*, task_status: Any) -> None:
        if current_child().incarnation == 1 and verb == "restart":
            task_status.started()
        await trio.sleep_forever()

    async def caller() -> None:
        current_child().trap_stop()
        await trio.sleep(1)
        with pytest.raises(NotRunning), trio.move_on_after(9):
            if verb == "start":
                await supervisor.start_child(ChildSpec(id="x", run=hang))
            else:
                await supervisor.stop_child("y")
                await supervisor.restart_child("y")
        diary.append("answered")

    first = [ChildSpec(id="y", run=hang)] if verb == "restart" else []
    supervisor = Supervisor(*first, ChildSpec(id="caller", run=caller, shutdown=math.inf))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        await trio.sleep(2)
        supervisor.request_shutdown()
    assert trio.current_time() == 2
    assert diary == ["answered"]


async def test_stop_child_ends_a_start_child(diary: Any, autojump_clock: Any) -> None:
    """Another task may stop a child that somebody is starting; the starter is told."""
    async with open_supervisor() as supervisor, trio.open_nursery() as nursery:

        async def starter() -> None:
            with pytest.raises(NotRunning, match="called off"):
                await supervisor.start_child(ChildSpec(id="a", run=slow, args=("a", diary, 9)))

        nursery.start_soon(starter)
        await wait_all_tasks_blocked()
        assert (await supervisor.stop_child("a")).kind == "cancelled"


async def test_a_caller_cancelled_as_the_child_gets_ready(autojump_clock: Any) -> None:
    """A start whose caller has left is undone even if the child is ready in the same moment."""
    log: list[str] = []
    async with open_supervisor() as supervisor:
        for _ in range(20):
            with trio.move_on_after(1) as scope:
                ref = await supervisor.start_child(ChildSpec(id="a", run=slow, args=("a", log, 1)))
                assert ref.value == "a"
            await wait_all_tasks_blocked()
            assert [info.id for info in supervisor.children()] == ([] if scope.cancelled_caught else ["a"])
            if not scope.cancelled_caught:
                await supervisor.stop_child("a")
                await supervisor.delete_child("a")


async def test_every_incarnation_has_the_context_of_its_spec(autojump_clock: Any) -> None:
    """Context variables are those of the moment the spec was added, at the first start as at a restart."""
    seen: list[tuple[str, str, int]] = []

    async def run() -> None:
        child = current_child()
        seen.append((child.id, colour.get(), child.incarnation))
        colour.set("dirty")
        if child.incarnation == 1:
            raise ValueError
        await trio.sleep_forever()

    colour.set("red")
    supervisor = Supervisor(ChildSpec(id="a", run=run))
    colour.set("green")
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        colour.set("blue")
        await supervisor.start_child(ChildSpec(id="b", run=run))
        colour.set("black")
        await wait_all_tasks_blocked()
        supervisor.request_shutdown()
    assert sorted(seen) == [("a", "red", 1), ("a", "red", 2), ("b", "blue", 1), ("b", "blue", 2)]


async def test_a_function_that_is_not_async_is_named(autojump_clock: Any) -> None:
    """What returns no awaitable fails with the spec's error rather than trio's."""

    def plain() -> Any:
        return 3

    with pytest.raises(RestartLimitExceeded) as caught:
        await Supervisor(ChildSpec(id="a", run=plain), restarts=RestartLimit(0)).run()
    assert isinstance(caught.value.failures[0].error, InvalidSpec)
    assert "it returned 3" in str(caught.value.failures[0].error)


async def test_current_child_outside_of_one() -> None:
    """It is an error where there is none."""
    with pytest.raises(RuntimeError, match="outside of a supervised child"):
        current_child()


async def test_tasks_are_named_after_the_tree() -> None:
    """Task names tell supervisor, child and incarnation."""
    names: list[str] = []

    async def run() -> None:
        names.append(trio.lowlevel.current_task().name)

    async with open_supervisor(ChildSpec(id="a", run=run, restart="temporary"), name="top"):
        await wait_all_tasks_blocked()
    assert names == ["top/a#1"]
