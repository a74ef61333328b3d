"""An event for what most never wait for."""

from __future__ import annotations

import trio

__all__ = ["LateEvent"]


class LateEvent:
    """A `trio.Event` that is made when the first task waits for it: it is several times as large as this."""

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        self._set = False
        self._event: trio.Event | None = None

    def set(self) -> None:
        """Wake all who wait, and let nobody wait any more."""
        self._set = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Wait until it is set. Cancelling stops the wait, nothing else."""
        if self._event is None:
            self._event = trio.Event()
            if self._set:
                self._event.set()
        await self._event.wait()
