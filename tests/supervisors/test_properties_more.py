"""What holds whatever happens, where it needs a scene of its own; the others are in `test_properties`.

I13 nothing is kept of a finished temporary child; I14 the cost of dynamic children is linear; I16 a KeyboardInterrupt
at any step ends everything; I17 the delays of a backoff.
"""

import gc
import math
import random
import signal
import time
import weakref
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.supervisors import (
    Backoff,
    ChildExited,
    ChildRestarting,
    ChildSpec,
    ChildStarting,
    DynamicSupervisor,
    Event,
    RestartLimit,
    SupervisionError,
    Supervisor,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
    open_task_supervisor,
)


def run(main: Any, *args: Any, instruments: Any = ()) -> Any:
    """Run in virtual time."""
    return trio.run(main, *args, clock=trio.testing.MockClock(autojump_threshold=0), instruments=instruments)


# I13 and I14


class Thing:
    """Something to refer to."""


async def end(thing: Thing, how: str) -> None:
    """End in one way or another, with a reference to the thing in every frame."""
    await trio.sleep(1 if how != "stopped" else math.inf)
    if how == "crashed":
        raise ValueError(thing)


@settings(max_examples=60, deadline=None)
@given(
    scenes=st.lists(
        st.tuples(
            st.sampled_from(["supervisor", "dynamic", "tasks"]),
            st.sampled_from(["returned", "crashed", "stopped"]),
        ),
        max_size=6,
    ),
    rnd=st.random_module(),
)
def test_nothing_is_kept_of_a_finished_temporary_child(scenes: list[tuple[str, str]], rnd: object) -> None:
    """I13: whoever held it and however it ended, its arguments and error are freed at once, uncollected."""
    gc.disable()

    async def main() -> None:
        kept: list[weakref.ref[Thing]] = []
        async with (
            open_supervisor() as supervisor,
            open_dynamic_supervisor() as pool,
            open_task_supervisor() as tasks,
        ):
            for number, (holder, how) in enumerate(scenes):
                thing = Thing()
                kept.append(weakref.ref(thing))
                spec = ChildSpec(id=str(number), run=end, args=(thing, how), restart="temporary")
                if holder == "supervisor":
                    await supervisor.start_child(spec)
                    if how == "stopped":
                        await supervisor.stop_child(str(number))
                elif holder == "dynamic":
                    ref = await pool.start_child(spec)
                    if how == "stopped":
                        await pool.stop_child(ref)
                    del ref
                else:
                    handle = tasks.start_soon(end, thing, how)
                    if how == "stopped":
                        handle.cancel()
                    del handle
                del thing, spec
            await trio.sleep(2)
            assert [ref() for ref in kept] == [None] * len(scenes)
            assert (supervisor.children(), pool.children(), tasks.active) == ((), (), 0)

    try:
        run(main)
    finally:
        gc.enable()


async def churn(children: int) -> float:
    """Start that many dynamic children, stop them with their supervisor, and return the seconds of CPU."""
    began = time.process_time()
    async with open_dynamic_supervisor() as pool:
        for _ in range(children):
            await pool.start_child(ChildSpec(id="x", run=trio.sleep_forever))
    return time.process_time() - began


def test_ten_thousand_dynamic_children_cost_what_they_should() -> None:
    """I14: ten times as many children cost no more than fifty times as much, the slack that OTP's suite allows."""
    least = min(trio.run(churn, 1_000) for _ in range(2))
    assert trio.run(churn, 10_000) < 50 * least


async def test_memory_stays_flat_over_many_children() -> None:
    """I13: after twenty thousand children that came and went there are as many objects as after two thousand."""

    async def nothing() -> None:
        pass

    async with open_dynamic_supervisor() as pool, open_task_supervisor() as tasks:
        counts: list[int] = []
        for children in (2_000, 18_000):
            for number in range(children // 2):
                await pool.start_child(ChildSpec(id="x", run=nothing))
                tasks.start_soon(nothing)
                if number % 100 == 0:
                    await trio.testing.wait_all_tasks_blocked()
            await trio.testing.wait_all_tasks_blocked()
            gc.collect()
            counts.append(len(gc.get_objects()))
        assert counts[1] - counts[0] < 100


# I16


class Interrupter(trio.abc.Instrument):
    """Raises a real SIGINT before given steps of the scheduler."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps
        self.taken = 0

    def before_task_step(self, task: Any) -> None:
        self.taken += 1
        if self.taken in self.steps:
            signal.raise_signal(signal.SIGINT)


@dataclass(frozen=True)
class Habit:
    """How a child behaves."""

    start: float
    lives: float
    crashes: bool
    grace: float | None
    shielded: bool


HABITS = st.builds(
    Habit,
    start=st.sampled_from([0.0, 0.1]),
    lives=st.sampled_from([0.1, 0.5, math.inf]),
    crashes=st.booleans(),
    grace=st.sampled_from([None, 0.0, 1.0]),
    shielded=st.booleans(),
)


def only_interrupts(error: BaseException) -> bool:
    """Whether an error is KeyboardInterrupt, or a group with nothing else but what the supervisor has to say."""
    if isinstance(error, BaseExceptionGroup):
        return all(only_interrupts(inner) for inner in error.exceptions)
    return isinstance(error, (KeyboardInterrupt, SupervisionError))


@settings(max_examples=300, deadline=None)
@given(
    habits=st.lists(HABITS, min_size=1, max_size=4),
    shape=st.sampled_from(["one_for_one", "rest_for_one", "one_for_all", "dynamic", "nested"]),
    as_block=st.booleans(),
    steps=st.lists(st.integers(1, 80), min_size=1, max_size=3),
    rnd=st.random_module(),
)
def test_a_keyboard_interrupt_at_any_step_ends_everything(
    habits: list[Habit], shape: Any, as_block: bool, steps: list[int], rnd: object
) -> None:
    """I16: whatever runs when it lands, and if more follow: no deadlock, no child lives on, nothing else comes out."""
    live = 0

    async def child(habit: Habit, *, task_status: Any) -> None:
        nonlocal live
        live += 1
        try:
            await trio.sleep(habit.start)
            task_status.started()
            if habit.grace is None:
                await trio.sleep(habit.lives)
            else:
                with current_child().until_stop():
                    await trio.sleep(habit.lives)
                await trio.sleep(habit.grace)
            if habit.crashes:
                raise ValueError
        finally:
            if habit.shielded:
                with trio.CancelScope(shield=True):
                    await trio.sleep(2)
            live -= 1

    specs = [
        ChildSpec(id=str(number), run=child, args=(habit,), restart="transient")
        for number, habit in enumerate(habits)
    ]

    async def pool() -> None:
        async with open_dynamic_supervisor() as supervisor:
            for spec in specs:
                await supervisor.start_child(spec)
            await trio.sleep(1)

    async def main() -> None:
        strategy = shape if shape.startswith(("one", "rest")) else "one_for_one"
        supervisor = Supervisor(*specs, strategy=strategy)
        with trio.move_on_after(3):
            if shape == "dynamic":
                await pool()
            elif shape == "nested" and as_block:
                async with open_supervisor(supervisor.as_child("inner")):
                    await trio.sleep(1)
            elif shape == "nested":
                await Supervisor(supervisor.as_child("inner")).run()
            elif as_block:
                async with open_supervisor(*specs, strategy=strategy):
                    await trio.sleep(1)
            else:
                await supervisor.run()

    left: BaseException | None = None
    try:
        run(main, instruments=[Interrupter(*steps)])
    except BaseException as exc:
        left = exc
    assert live == 0
    assert left is None or only_interrupts(left), repr(left)


# I17


@settings(max_examples=150, deadline=None)
@given(
    initial=st.floats(0, 4),
    factor=st.floats(1, 4),
    more=st.floats(0, 20),
    jitter=st.floats(0, 2),
    reset_after=st.floats(0.5, 20),
    lives=st.lists(st.sampled_from([0.0, 0.25, 1.0, 30.0]), min_size=1, max_size=8),
    dynamic=st.booleans(),
    rnd=st.random_module(),
)
def test_delays_stay_within_their_bounds_and_begin_again_after_health(
    initial: float, factor: float, more: float, jitter: float, reset_after: float, lives: list[float],
    dynamic: bool, rnd: object,
) -> None:  # fmt: skip  # shorter so
    """I17: the n-th delay in a row is min(maximum, initial * factor ** (n - 1)), or up to 1 + jitter times that."""
    backoff = Backoff(
        initial=initial,
        factor=factor,
        maximum=initial + more,
        jitter=jitter,
        reset_after=reset_after,
        max_consecutive=99,
    )
    events: list[Event] = []
    options: Any = {
        "backoff": backoff,
        "restarts": RestartLimit(99),
        "observer": events.append,
        "rng": random.Random(0),
    }

    async def child() -> None:
        number = current_child().incarnation
        if number > len(lives):
            await trio.sleep_forever()
        await trio.sleep(lives[number - 1])
        raise ValueError

    async def main() -> None:
        spec = ChildSpec(id="a", run=child, restart="permanent")
        supervisor: Supervisor | DynamicSupervisor
        if dynamic:
            supervisor = DynamicSupervisor(**options)
        else:
            supervisor = Supervisor(spec, **options)
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            if isinstance(supervisor, DynamicSupervisor):
                await supervisor.start_child(spec)
            await trio.sleep(10_000)
            supervisor.request_shutdown()

    run(main)
    delays = [event.delay for event in events if isinstance(event, ChildRestarting)]
    assert len(delays) == len(lives)
    row = 0
    for lifetime, delay in zip(lives, delays, strict=True):
        row = 1 if lifetime >= reset_after else row + 1
        base = min(backoff.maximum, initial * factor ** (row - 1))
        assert base <= delay <= base * (1 + jitter) + 1e-9
    times = [(type(event), event.time) for event in events if isinstance(event, (ChildStarting, ChildExited))]
    waits = [later - sooner for (kind, sooner), (_, later) in pairwise(times) if kind is ChildExited]
    assert all(abs(wait - delay) < 1e-6 for wait, delay in zip(waits, delays, strict=True))


@settings(max_examples=80, deadline=None)
@given(
    strategy=st.sampled_from(["one_for_one", "rest_for_one", "one_for_all", "dynamic"]),
    stop_at=st.sampled_from([0.0, 0.5, 1.0, 1.5, 1.999]),
    by=st.sampled_from(["stop_child", "shutdown", "cancel"]),
    rnd=st.random_module(),
)
def test_a_child_stopped_while_it_waits_is_never_started(
    strategy: Any, stop_at: float, by: str, rnd: object
) -> None:
    """I17: neither after stop_child, nor after a shutdown or a cancellation of its supervisor."""
    starts: list[float] = []
    options: Any = {"backoff": Backoff(initial=2, jitter=0), "restarts": RestartLimit(9, per=math.inf)}

    async def child() -> None:
        starts.append(trio.current_time())
        raise ValueError

    async def main() -> None:
        spec = ChildSpec(id="a", run=child, restart="permanent")
        supervisor: Any
        if strategy == "dynamic":
            supervisor = DynamicSupervisor(**options)
        else:
            supervisor = Supervisor(spec, strategy=strategy, **options)
        async with trio.open_nursery() as nursery:
            await nursery.start(supervisor.run)
            ref: Any = await supervisor.start_child(spec) if strategy == "dynamic" else "a"
            await trio.testing.wait_all_tasks_blocked()
            await trio.sleep(stop_at)
            if by == "stop_child":
                assert (await supervisor.stop_child(ref)).kind == "failed"
                await trio.sleep(60)
            if by == "cancel":
                nursery.cancel_scope.cancel()
            supervisor.request_shutdown()
        await trio.sleep(60)

    run(main)
    assert starts == [0.0]
