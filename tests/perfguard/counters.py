"""Counts what a run does: no clock is read, and the same code gives the same counts."""

from __future__ import annotations

import gc
import importlib
import math
import sys
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import repeat
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

import trio
import trio._core._run

from tests.perfguard.committed import INSTRUCTIONS
from tests.perfguard.scenes import Scene

__all__ = ["COUNTS", "count"]

COUNTS = {
    "steps": "steps of trio's scheduler",
    "loops": "runs of its loop",
    "calls": "calls and resumptions of Python functions",
    "ccalls": "calls of functions in C",
    "opcodes": "instructions of bytecode",
    "blocks": "blocks of memory kept",
    "bytes": "bytes of memory kept",
    INSTRUCTIONS: "instructions of the machine, by callgrind, with the collector off",
}
"""What is counted, by name."""


class Steps(trio.abc.Instrument):
    """Counts scheduler steps, and runs of the scheduler's loop."""

    def __init__(self) -> None:
        self.steps = 0
        self.loops = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task is resumed."""
        self.steps += 1

    def before_io_wait(self, timeout: float) -> None:
        """The loop has nothing left to run in this turn."""
        self.loops += 1


class Leap(trio.abc.Clock):
    """Virtual time: where nothing can run, it is the next deadline.

    `trio.testing.MockClock` does the same in more passes of the loop, and brings pytest along.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        """Nothing is to be begun."""

    def current_time(self) -> float:
        """The virtual time."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """No time, where there is a deadline; trio asks only while no task can run."""
        if deadline == math.inf:
            return deadline
        self._now = max(self._now, deadline)
        return 0.0


class Kept:
    """Counts what is allocated at the moment at which a scene says so."""

    def __init__(self) -> None:
        self.blocks = 0
        self.bytes = 0

    def __call__(self) -> None:
        gc.collect()
        gc.collect()
        self.blocks = sys.getallocatedblocks()
        self.bytes = tracemalloc.get_traced_memory()[0]


def play(scene: Scene, n: int, settled: Callable[[], None], *instruments: trio.abc.Instrument) -> None:
    """Play a scene in virtual time, and with one order of everything."""
    # Whether the tasks that can run do so in reverse is drawn by trio, at each pass of its loop: here they never do, or
    # a run that is longer would differ in more than its length.
    run: Any = trio._core._run
    run._r = SimpleNamespace(random=repeat(1.0).__next__)
    trio.run(scene.play, n, settled, clock=Leap(), instruments=instruments)


def nothing() -> None:
    """What a scene is told to do where nothing that is kept is counted."""


def steps(scene: Scene, n: int) -> dict[str, int]:
    """The scheduler's steps."""
    seen = Steps()
    play(scene, n, nothing, seen)
    return {"steps": seen.steps, "loops": seen.loops}


def calls(scene: Scene, n: int) -> dict[str, int]:
    """The calls, as a profiler sees them: resuming a coroutine is one."""
    seen = {"call": 0, "c_call": 0, "return": 0, "c_return": 0, "c_exception": 0}

    def note(frame: FrameType, what: str, argument: object) -> None:
        seen[what] += 1

    sys.setprofile(note)
    try:
        play(scene, n, nothing)
    finally:
        sys.setprofile(None)
    return {"calls": seen["call"], "ccalls": seen["c_call"]}


@contextmanager
def traced(note: Callable[[], object]) -> Generator[None]:
    """Call this before each instruction of bytecode: by a trace function, as Python 3.11 has no other way."""

    def local(frame: FrameType, what: str, argument: object) -> Any:
        if what == "opcode":
            note()
        return local

    def begin(frame: FrameType, what: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    sys.settrace(begin)
    try:
        yield
    finally:
        sys.settrace(None)


@contextmanager
def monitored(note: Callable[[], object]) -> Generator[None]:
    """Call this before each instruction of bytecode: by `sys.monitoring`, as of Python 3.12."""
    monitoring: Any = importlib.import_module(
        "sys"
    ).monitoring  # Python 3.11, which the checkers assume, has none

    def instruction(code: CodeType, offset: int) -> None:
        note()

    mine = monitoring.PROFILER_ID
    monitoring.use_tool_id(mine, "perfguard")
    monitoring.register_callback(mine, monitoring.events.INSTRUCTION, instruction)
    monitoring.set_events(mine, monitoring.events.INSTRUCTION)
    try:
        yield
    finally:
        monitoring.set_events(mine, 0)
        monitoring.register_callback(mine, monitoring.events.INSTRUCTION, None)
        monitoring.free_tool_id(mine)


def opcodes(scene: Scene, n: int) -> dict[str, int]:
    """The instructions of bytecode."""
    seen = 0

    def note() -> None:
        nonlocal seen
        seen += 1

    with monitored(note) if hasattr(sys, "monitoring") else traced(note):
        play(scene, n, nothing)
    return {"opcodes": seen}


def kept(scene: Scene, n: int) -> dict[str, int]:
    """What is kept when the scene has settled: the allocator's blocks, and the bytes that tracemalloc follows."""
    seen = Kept()
    tracemalloc.start()
    try:
        play(scene, n, seen)
    finally:
        tracemalloc.stop()
    return {"blocks": seen.blocks, "bytes": seen.bytes}


def count(scene: Scene) -> dict[str, float]:
    """What one more unit of a scene costs: the difference of two runs, of which one is twice as long.

    What a scene costs however long it is, such as an opening, is in neither. Each is played before it is counted, as
    the first time also imports and fills caches.
    """
    few, many = scene.size, 2 * scene.size
    found: dict[str, float] = {}
    play(scene, few, nothing)
    play(scene, many, nothing)
    gc.collect()
    gc.disable()
    try:
        for counted in (steps, calls, opcodes, kept):
            less, more = counted(scene, few), counted(scene, many)
            found |= {name: (more[name] - less[name]) / (scene.size * scene.units) for name in less}
    finally:
        gc.enable()
    return found
