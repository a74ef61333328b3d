"""KeyboardInterrupt and its like: wherever one lands, everything ends, and it propagates."""

import signal
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from streamd.supervisors import ChildSpec, DynamicSupervisor, Supervisor, current_child, open_supervisor

STEPS = 60


class Interrupter(trio.abc.Instrument):
    """Raises a real SIGINT before given steps of the scheduler."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps
        self.taken = 0

    def before_task_step(self, task: Any) -> None:
        self.taken += 1
        if self.taken in self.steps:
            signal.raise_signal(signal.SIGINT)


class Count:
    """How many children are alive."""

    def __init__(self) -> None:
        self.live = 0

    async def child(self, behaviour: str, *, task_status: Any) -> None:
        """A child that is slow, graceful, crashing or plain."""
        self.live += 1
        try:
            await trio.sleep(0.1)
            task_status.started()
            match behaviour:
                case "graceful":
                    with current_child().until_stop():
                        await trio.sleep_forever()
                    await trio.sleep(1)
                case "crashing":
                    await trio.sleep(0.3)
                    if current_child().incarnation == 1:
                        raise ValueError
                case _:
                    await trio.sleep_forever()
        finally:
            if behaviour == "slow":
                with trio.CancelScope(shield=True):
                    await trio.sleep(2)
            self.live -= 1


def interrupts(error: BaseException) -> bool:
    """Whether an error is KeyboardInterrupt, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(interrupts(inner) for inner in error.exceptions)
    return isinstance(error, KeyboardInterrupt)


async def bare(count: Count) -> None:
    """A supervisor whose loop is the main task."""
    supervisor = Supervisor(*specs(count), strategy="one_for_all")
    with trio.move_on_after(2):
        await supervisor.run()


async def block(count: Count) -> None:
    """A supervisor beside the main task."""
    async with open_supervisor(*specs(count), strategy="rest_for_one"):
        await trio.sleep(1)


async def pool(count: Count) -> None:
    """A DynamicSupervisor whose loop is the main task."""
    supervisor = DynamicSupervisor()
    with trio.move_on_after(2):
        async with trio.open_nursery() as nursery:

            async def start() -> None:
                for spec in specs(count):
                    await supervisor.start_child(spec)

            async def run(*, task_status: Any) -> None:
                await supervisor.run(task_status=task_status)

            await nursery.start(run)
            nursery.start_soon(start)


def specs(count: Count) -> list[ChildSpec]:
    """Four children, one of each behaviour."""
    behaviours = ("plain", "slow", "graceful", "crashing")
    return [ChildSpec(id=b, run=count.child, args=(b,), restart="transient") for b in behaviours]


@pytest.mark.parametrize("main", [bare, block, pool])
@pytest.mark.parametrize("again", [0, 3, 5])
def test_a_keyboard_interrupt_at_any_step_ends_everything(main: Callable[[Count], Any], again: int) -> None:
    """It never deadlocks, no child lives on, and nothing but interrupts comes out; nor if another one follows."""
    ended = 0
    for step in range(1, STEPS):
        count = Count()
        left: BaseException | None = None
        try:
            clock = trio.testing.MockClock(autojump_threshold=0)
            trio.run(main, count, clock=clock, instruments=[Interrupter(step, step + again)])
        except BaseException as exc:
            left = exc
        assert count.live == 0, f"step {step}"
        if left is not None:
            assert interrupts(left), f"step {step}: {left!r}"
            ended += 1
    assert ended > STEPS // 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_a_fatal_error_of_a_child_is_no_crash(
    error: type[BaseException], diary: Any, autojump_clock: Any
) -> None:
    """It is not restarted: all children stop in order, and it propagates bare."""

    async def fatal() -> None:
        await trio.sleep(1)
        raise error

    with pytest.raises(error):
        await Supervisor(diary.child("a"), ChildSpec(id="b", run=fatal), diary.child("c")).run()
    assert diary == ["+a1", "+c1", "-c1", "-a1"]


async def test_a_fatal_error_in_the_start(diary: Any, autojump_clock: Any) -> None:
    """Before it is ready a child's KeyboardInterrupt is no failed start either."""

    async def fatal(*, task_status: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Supervisor(diary.child("a"), ChildSpec(id="b", run=fatal)).run()
    assert diary == ["+a1", "-a1"]


async def test_a_fatal_error_and_errors_while_stopping_come_as_a_group(autojump_clock: Any) -> None:
    """Neither hides the other."""

    async def fatal() -> None:
        raise KeyboardInterrupt

    async def dirty(*, task_status: Any) -> None:
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            raise ArithmeticError

    with pytest.raises(BaseExceptionGroup) as caught:
        await Supervisor(ChildSpec(id="a", run=dirty), ChildSpec(id="b", run=fatal)).run()
    assert [type(error).__name__ for error in caught.value.exceptions] == [
        "KeyboardInterrupt",
        "ChildStopError",
    ]


async def test_an_error_of_the_machinery_still_stops_everybody(diary: Any, autojump_clock: Any) -> None:
    """Should anything raise in the loop, here its task_status, the children are stopped and it is raised."""

    class Broken:
        """A task_status that raises."""

        def started(self, value: object = None) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Supervisor(diary.child("a"), diary.child("b")).run(task_status=Broken())
    assert diary == ["+a1", "+b1", "-b1", "-a1"]
