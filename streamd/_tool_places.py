"""How many calls run at once, threads that were left behind among them."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

__all__ = ["AllLeftBehind", "Place", "Places"]


class AllLeftBehind(Exception):
    """Every place is held by a thread that was left behind, and none may ever be free."""


class Place:
    """A place that is held; `trio.to_thread.run_sync` takes it as the limiter of the one thread that it holds.

    Only so is it known when a thread that nobody awaits has ended.
    """

    __slots__ = ("_left", "_places", "_running")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._running = False
        self._left = False

    async def acquire_on_behalf_of(self, _: object) -> None:
        """A thread is about to start."""
        self._running = True

    def release_on_behalf_of(self, _: object) -> None:
        """The thread has ended, whether or not anybody waited for it."""
        self._running = False
        if self._left:
            self._places.left_behind -= 1
            self._places.free_one()

    def leave(self) -> None:
        """The call is over; its thread may not be."""
        self._left = self._running
        if self._left:
            self._places.left_behind += 1
            self._places.wake()
        else:
            self._places.free_one()


class Places:
    """So many places; None for no bound.

    A plain function that is given up runs on in its thread, as nothing can stop it, and keeps its place until it ends.
    """

    __slots__ = ("_count", "_free", "_waiting", "left_behind")

    def __init__(self, count: int | None) -> None:
        self._count = math.inf if count is None else count
        self._free = self._count
        self._waiting = trio.lowlevel.ParkingLot()
        self.left_behind: int = 0

    @asynccontextmanager
    async def hold(self) -> AsyncGenerator[Place, None]:
        """Hold a place for the block, waited for.

        Raises:
            AllLeftBehind: Threads that were left behind hold all places.
        """
        while self._free < 1:
            if self.left_behind == self._count:
                raise AllLeftBehind
            await self._waiting.park()
        self._free -= 1
        place = Place(self)
        try:
            yield place
        finally:
            place.leave()

    def free_one(self) -> None:
        """A place is free again."""
        self._free += 1
        self._waiting.unpark()

    def wake(self) -> None:
        """Let all who wait look again: there may be nothing left to wait for."""
        self._waiting.unpark_all()
