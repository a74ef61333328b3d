"""Plays a scene's plan over a function that reads one stream, under trio or asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import trio
from meter import Meter

__all__ = ["Read", "in_asyncio", "in_trio"]

Read = Callable[[int], Awaitable[None]]
"""Opens the stream of a number, reads it to its end, and calls `meter.chunk()` for each chunk of text."""

BATCH = 64
"""So many streams are opened at once: no more than any system's queue of new connections holds."""


async def in_trio(meter: Meter, read: Read) -> None:
    """Play the scene under trio."""
    scene = meter.scene
    if scene.plan == "turns":
        for number in range(scene.streams):
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
        if scene.plan == "leave":
            while meter.count < scene.streams + scene.rate:
                await trio.sleep(0.01)
            for number in range(scene.streams):
                meter.leaves(number)
                scopes[number].cancel()
                await trio.sleep(0.001)


async def in_asyncio(meter: Meter, read: Read) -> None:
    """Play the scene under asyncio; nobody leaves early here."""
    scene = meter.scene
    if scene.plan == "turns":
        for number in range(scene.streams):
            await read(number)
        return
    async with asyncio.TaskGroup() as group:
        for number in range(scene.streams):
            group.create_task(_awaited(read(number)))
            while number % BATCH == BATCH - 1 and meter.count <= number - BATCH:
                await asyncio.sleep(0.002)


async def _awaited(read: Awaitable[None]) -> None:
    await read
