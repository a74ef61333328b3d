"""What a stream server gives to: where its chunks go, and who writes down what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from streamd.providers import Chunk, HTTPRequest

from .errors import StreamdError

__all__ = ["Outlet", "Recording"]


class Outlet(Protocol):
    """Where the chunks of a response go."""

    @property
    def full(self) -> bool:
        """Whether to wait for room before more is pushed."""
        ...

    def push(self, chunks: Sequence[Chunk], /) -> None:
        """Take the chunks of one read."""
        ...

    async def room(self) -> None:
        """Wait until there is room for more."""
        ...

    def end(self, error: StreamdError | None = None) -> None:
        """The response has ended: complete, or with an error."""
        ...


class Recording(Protocol):
    """Who writes down the requests and responses that pass."""

    def request(self, request: HTTPRequest, /) -> None:
        """A request is about to be sent."""
        ...

    def head(self, status: int, headers: Mapping[str, str], /) -> None:
        """The response's head came; the headers by lower-case name."""
        ...

    def data(self, data: bytes, /) -> None:
        """Bytes of the body came: one read of the network."""
        ...

    def end(self, error: StreamdError | None, /) -> None:
        """The response has ended: complete, cancelled, or with an error."""
        ...
