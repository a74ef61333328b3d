"""What one wire makes of its events, in the hands of a decoder."""

from __future__ import annotations

from typing import Protocol

from .chunks import Chunk

__all__ = ["EventMachine"]


class EventMachine(Protocol):
    """What one wire makes of its events; the shell does the rest.

    `event` and `document` append the chunks to `out` as they go, so that what came before a failure is kept. They may
    raise an `APIError`, and whatever reading JSON raises.
    """

    done: bool
    """Nothing that follows can change the turn."""

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event of the stream."""
        ...

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """The whole body, where the server answered with one JSON document and not a stream.

        Raises:
            NotAStream: It is no answer of this API.
        """
        ...

    @property
    def terminal(self) -> bool:
        """Whether the provider has given its evidence that the turn is complete, so that the body may end here."""
        ...

    def finish(self, out: list[Chunk]) -> None:
        """The body has ended after terminal evidence: give what was held back, and `Stop`."""
        ...
