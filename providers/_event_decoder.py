"""What every decoder around an event machine does alike: when it is done, and how it fails."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ._event_machine import EventMachine
from ._excerpt import excerpt
from .chunks import Chunk
from .errors import EventTooLarge, MalformedEvent, StreamdError

__all__ = ["EventDecoder", "malformed"]


class EventDecoder(ABC):
    """A `Decoder` but for its framing.

    Args:
        machine: The wire's own part.
    """

    def __init__(self, machine: EventMachine) -> None:
        self._machine = machine
        self._spent = False

    @property
    def done(self) -> bool:
        """Whether the provider's terminal evidence was seen: nothing that follows can change the turn."""
        return self._machine.done

    @property
    def terminal(self) -> bool:
        """Whether the turn is complete should the body break off here: more may follow, but need not."""
        return self._machine.done or self._machine.terminal

    def feed(self, data: bytes, /) -> list[Chunk]:
        """Decode the next bytes of the body.

        Raises:
            APIError: The provider reports a failure inside the stream.
            MalformedEvent: An event is damaged, or cannot be read.
            EventTooLarge: An event, a tool call's arguments or a document passed its limit.
            NotAStream: The body is a web page or other text.
        """
        out: list[Chunk] = []
        if self._spent or self._machine.done:
            return out
        try:
            self._take(data, out)
        except (MalformedEvent, EventTooLarge) as error:
            self._spent = True
            if self._machine.terminal:
                # The turn is complete: what is damaged behind its end cannot fail it.
                self._machine.finish(out)
                return out
            error.chunks = out
            raise
        except StreamdError as error:
            self._spent = True
            error.chunks = out
            raise
        return out

    def close(self) -> list[Chunk]:
        """Say that the body has ended.

        Raises:
            Truncated: The terminal evidence never came.
            NotAStream: The body was something else than a stream of this API.
            APIError: The body was an error object.
        """
        out: list[Chunk] = []
        if self._spent or self._machine.done:
            return out
        self._spent = True
        try:
            self._end(out)
        except StreamdError as error:
            error.chunks = out
            raise
        return out

    @abstractmethod
    def _take(self, data: bytes, out: list[Chunk]) -> None:
        """Take the next bytes of the body, and append their chunks as they come."""

    @abstractmethod
    def _end(self, out: list[Chunk]) -> None:
        """The body has ended: append what is left."""


def malformed(error: BaseException, quoted: bytes, offset: int) -> MalformedEvent:
    """The typed error for an event that cannot be read, by what reading it failed with and the event's own bytes."""
    why = "it is nested too deep" if isinstance(error, RecursionError) else excerpt(str(error).encode(), 100)
    return MalformedEvent(f"an event cannot be read: {why}: {excerpt(quoted)}", offset=offset)
