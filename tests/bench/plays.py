"""Plays a scene of supervision, or the same with bare trio: `python plays.py SCENE NUMBER PEER`.

Prints what it measured, as JSON.
"""

from __future__ import annotations

import gc
import json
import logging
import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Never

import trio

from streamd.supervisors import (
    Actor,
    ActorRef,
    ChildSpec,
    Reply,
    RestartLimit,
    open_dynamic_supervisor,
    open_supervisor,
)

# Children: started one after the other, all alive, then stopped one after the other. The garbage collector is off but
# in "collected": it goes through all that is alive ever again, so that the more there is the more each one costs,
# whoever made it.


async def bare_children(number: int) -> Iterator[tuple[str, float]]:
    """Tasks of one nursery, each in a scope of its own and with an event for its end."""
    scopes = [trio.CancelScope() for _ in range(number)]
    ends = [trio.Event() for _ in range(number)]

    async def child(scope: trio.CancelScope, end: trio.Event) -> None:
        with scope:
            await trio.sleep_forever()
        end.set()

    times = [time.process_time()]
    async with trio.open_nursery() as nursery:
        for scope, end in zip(scopes, ends, strict=True):
            nursery.start_soon(child, scope, end)
            await trio.lowlevel.checkpoint()
        times.append(time.process_time())
        for scope, end in zip(scopes, ends, strict=True):
            scope.cancel()
            await end.wait()
        times.append(time.process_time())
    return per_child(number, times)


async def supervised_children(number: int) -> Iterator[tuple[str, float]]:
    """Children of a DynamicSupervisor."""
    times = [time.process_time()]
    async with open_dynamic_supervisor() as pool:
        refs = [await pool.start_child(ChildSpec(id=str(n), run=trio.sleep_forever)) for n in range(number)]
        times.append(time.process_time())
        for ref in refs:
            await pool.stop_child(ref)
        times.append(time.process_time())
    return per_child(number, times)


def per_child(number: int, times: list[float]) -> Iterator[tuple[str, float]]:
    """The seconds for each child."""
    begun, alive, ended = times
    yield "start", (alive - begun) / number
    yield "stop", (ended - alive) / number
    yield "both", (ended - begun) / number


# Restarts: from the raise to the first line of the next incarnation


class Crasher:
    """A child that crashes as soon as everybody else has had a turn."""

    def __init__(self, number: int) -> None:
        self.left = number
        self.crashed = math.nan
        self.latencies: list[float] = []
        self.done = trio.Event()

    async def run(self) -> None:
        """One incarnation."""
        self.latencies.append(time.perf_counter() - self.crashed)
        if self.left == 0:
            self.done.set()
            await trio.sleep_forever()
        self.left -= 1
        await trio.lowlevel.checkpoint()
        self.crashed = time.perf_counter()
        raise ValueError

    def result(self) -> Iterator[tuple[str, float]]:
        """The median latency."""
        yield "latency", statistics.median(self.latencies[1:])


async def bare_restarts(number: int) -> Iterator[tuple[str, float]]:
    """A loop around `except`, with a new task for each incarnation."""
    crasher = Crasher(number)

    async def loop() -> None:
        while True:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(crasher.run)
            except* ValueError:
                pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(loop)
        await crasher.done.wait()
        nursery.cancel_scope.cancel()
    return crasher.result()


async def supervised_restarts(number: int) -> Iterator[tuple[str, float]]:
    """A permanent child, one_for_one, at once."""
    crasher = Crasher(number)
    limit = RestartLimit(number, per=math.inf)
    async with open_supervisor(ChildSpec(id="crasher", run=crasher.run), restarts=limit):
        await crasher.done.wait()
    return crasher.result()


# Calls: one asker, one who answers


async def bare_calls(number: int) -> Iterator[tuple[str, float]]:
    """Two memory channels, one for the questions and one for the answers."""
    ask, asked = trio.open_memory_channel[int](64)
    answer, answered = trio.open_memory_channel[int](64)

    async def serve() -> None:
        async for question in asked:
            await answer.send(question + 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        started = time.perf_counter()
        for question in range(number):
            await ask.send(question)
            assert await answered.receive() == question + 1
        seconds = time.perf_counter() - started
        ask.close()
    return iter([("per_second", number / seconds)])


class Adder(Actor[int, Never, int]):
    """Answers with one more."""

    async def handle_call(self, message: int, reply: Reply[int]) -> None:
        """Answer at once."""
        reply(message + 1)


async def supervised_calls(number: int) -> Iterator[tuple[str, float]]:
    """Calls of an actor."""
    adder = ActorRef(Adder)
    async with open_supervisor(adder.child_spec("adder")):
        started = time.perf_counter()
        for question in range(number):
            assert await adder.call(question) == question + 1
        seconds = time.perf_counter() - started
    return iter([("per_second", number / seconds)])


PLAYS: dict[tuple[str, str], Callable[[int], Awaitable[Iterator[tuple[str, float]]]]] = {
    ("children", "bare trio"): bare_children,
    ("children", "supervisors"): supervised_children,
    ("collected", "bare trio"): bare_children,
    ("collected", "supervisors"): supervised_children,
    ("restarts", "bare trio"): bare_restarts,
    ("restarts", "supervisors"): supervised_restarts,
    ("calls", "bare trio"): bare_calls,
    ("calls", "supervisors"): supervised_calls,
}

if __name__ == "__main__":
    # Restarts are logged; how long that takes is up to the handlers.
    logging.getLogger().addHandler(logging.NullHandler())
    the_scene, the_number, the_peer = sys.argv[1:]
    if the_scene == "children":
        gc.disable()
    print(json.dumps(dict(trio.run(PLAYS[the_scene, the_peer], int(the_number)))))
