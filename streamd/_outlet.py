"""What a parser gives to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamd.providers import Chunk

from .errors import StreamdError

__all__ = ["Outlet"]


class Outlet(Protocol):
    """Where the chunks of a response go: an edge, or what stands before one."""

    def push(self, chunks: Sequence[Chunk], size: int, /) -> bool:
        """Take the chunks of one read, which came in so many bytes; True if more is to wait for room."""
        ...

    async def room(self) -> None:
        """Wait until there is room for more."""
        ...

    def end(self, error: StreamdError | None = None) -> None:
        """The response has ended: complete, or with an error."""
        ...
