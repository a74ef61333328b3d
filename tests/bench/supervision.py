"""What supervision costs beside bare trio: children, restarts, and calls of an actor.

`python supervision.py SCENE NUMBER PEER` plays one scene in its own process and prints what it measured, as JSON.
"""

from __future__ import annotations

import gc
import itertools
import json
import logging
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Never

import trio
from report import Results

from streamd.supervisors import (
    Actor,
    ActorRef,
    ChildSpec,
    Reply,
    RestartLimit,
    open_dynamic_supervisor,
    open_supervisor,
)

__all__ = ["lines", "measure"]

MANY, FEW = 10_000, 1_000
RESTARTS, CALLS = 3_000, 20_000
SCENES = (
    ("children", FEW),
    ("children", MANY),
    ("collected", MANY),
    ("restarts", RESTARTS),
    ("calls", CALLS),
)
PEERS = {"bare": "bare trio", "supervised": "supervised"}


def measure(results: Results, *, quick: bool) -> None:
    """Let both play each scene in fresh processes, taking turns."""
    for _, (scene, number), peer in itertools.product(range(1 if quick else 5), SCENES, PEERS):
        played = number // 5 if quick and number in (RESTARTS, CALLS) else number
        print(f"\r\033[Ksupervision: {number:,} {scene}, {PEERS[peer]}", end="", file=sys.stderr)
        command = [sys.executable, Path(__file__).name, scene, str(played), peer]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{scene}, {peer}: {done.stderr}")
        for quantity, value in json.loads(done.stdout).items():
            results.add(f"{number} {scene}", peer, quantity, value)


def lines(results: Results) -> Iterable[str]:
    """The part of the report about supervision."""

    def micro(value: float) -> str:
        return f"{value * 1e6:.1f} µs"

    rows: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
        (f"{FEW} children", "start", f"CPU to start each of {FEW:,} children", micro),
        (f"{MANY} children", "start", f"CPU to start each of {MANY:,}", micro),
        (f"{FEW} children", "stop", f"CPU to stop each of {FEW:,}, one by one", micro),
        (f"{MANY} children", "stop", f"CPU to stop each of {MANY:,}, one by one", micro),
        (f"{MANY} collected", "both", "both together, garbage collector on", micro),
        (f"{RESTARTS} restarts", "latency", "crash → running again, median", micro),
        (f"{CALLS} calls", "per_second", "questions answered, one asker", lambda n: f"{n:,.0f} /s"),
    )
    yield f"{'supervision':46}" + "".join(f"{label:>18}" for label in PEERS.values()) + f"{'ratio':>18}"
    for scene, quantity, label, show in rows:
        one, other = (results.median(scene, peer, quantity) for peer in PEERS)
        if one is None or other is None:
            continue
        cost = other / one if quantity != "per_second" else one / other
        yield f"{label:46}{show(one):>18}{show(other):>18}{f'{cost:.1f} x':>18}"
    growth = [
        _over(*(results.median(f"{number} children", peer, "both") for number in (MANY, FEW)))
        for peer in PEERS
    ]
    if None not in growth:
        verdict = "pass" if growth[-1] is not None and growth[-1] <= 1.5 else "FAIL"
        cells = "".join(f"{f'{ratio:.2f} x':>18}" for ratio in growth)
        yield f"{f'CPU of {MANY:,} / {FEW:,}, each; at most 1.5 x':46}{cells}{verdict:>18}"


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


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
    ("children", "bare"): bare_children,
    ("children", "supervised"): supervised_children,
    ("collected", "bare"): bare_children,
    ("collected", "supervised"): supervised_children,
    ("restarts", "bare"): bare_restarts,
    ("restarts", "supervised"): supervised_restarts,
    ("calls", "bare"): bare_calls,
    ("calls", "supervised"): supervised_calls,
}

if __name__ == "__main__":
    # Restarts are logged; how long that takes is up to the handlers.
    logging.getLogger().addHandler(logging.NullHandler())
    the_scene, the_number, the_peer = sys.argv[1:]
    if the_scene == "children":
        gc.disable()
    print(json.dumps(dict(trio.run(PLAYS[the_scene, the_peer], int(the_number)))))
