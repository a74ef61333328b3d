"""Plays a scene's plan over a function that reads one stream, under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from meter import BATCH, REST, Meter, Read

__all__ = ["play", "rest", "run"]


def run(main: Callable[[Meter], Awaitable[None]]) -> None:
    """Run a peer's `main` in this process, and print what it measured."""
    meter = Meter.from_arguments()
    asyncio.run(_awaited(main(meter)))
    meter.report()


async def rest() -> None:
    """What a slow reader does after each chunk."""
    await asyncio.sleep(REST)


async def play(meter: Meter, read: Read) -> None:
    """Play the scene."""
    scene = meter.scene
    if scene.plan in ("turns", "tools"):
        for number in range(scene.streams):
            meter.begins()
            await read(number)
        return
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        for number in range(scene.streams):
            tasks.append(group.create_task(_awaited(read(number))))
            while number % BATCH == BATCH - 1 and meter.count <= number - BATCH:
                await asyncio.sleep(0.002)
        if scene.plan in ("leave", "slow"):
            while meter.count < meter.enough:
                await asyncio.sleep(0.01)
            for number, task in enumerate(tasks):
                meter.leaves(number)
                task.cancel()
                await asyncio.sleep(0.001)


async def _awaited(read: Awaitable[None]) -> None:
    await read
