"""Plays a scene's plan over a function that reads one stream, under trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from meter import BATCH, REST, Meter, Read

__all__ = ["play", "rest", "run"]


def run(main: Callable[[Meter], Awaitable[None]]) -> None:
    """Run a peer's `main` in this process, and print what it measured."""
    meter = Meter.from_arguments()
    trio.run(main, meter)
    meter.report()


async def rest() -> None:
    """What a slow reader does after each chunk."""
    await trio.sleep(REST)


async def play(meter: Meter, read: Read) -> None:
    """Play the scene."""
    scene = meter.scene
    if scene.plan in ("turns", "tools"):
        for number in range(scene.streams):
            meter.begins()
            await read(number)
        return

    scopes = [trio.CancelScope() for _ in range(scene.streams)]

    async def one(number: int) -> None:
        with scopes[number]:
            await read(number)

    async with trio.open_nursery() as nursery:
        for number in range(scene.streams):
            nursery.start_soon(one, number)
            while number % BATCH == BATCH - 1 and meter.count <= number - BATCH:
                await trio.sleep(0.002)
        if scene.plan in ("leave", "slow"):
            while meter.count < meter.enough:
                await trio.sleep(0.01)
            for number in range(scene.streams):
                meter.leaves(number)
                scopes[number].cancel()
                await trio.sleep(0.001)
