"""Where events begin and end in the bytes of a body, whichever way it is streamed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from msgspec import Struct

from .errors import EventTooLarge, StreamError

__all__ = ["Block", "Framing", "ServerSentEvent", "grown"]

Block = tuple[bytes, bytes, bytes]
"""The bytes of one event: its name and its data where these are all there is to it, else both empty and the bytes as
they came, which `parse` reads."""


class ServerSentEvent(Struct, frozen=True, gc=False):
    """One event as it was dispatched.

    `data` is the payload as bytes, its lines joined by a line feed. `event` is the event's name; empty means
    `message`. `id` is the last event id seen so far, which persists. `end` is the place in the body, in bytes, after
    the event's blank line; a CRLF counts as one byte there.
    """

    data: bytes
    event: bytes = b""
    id: bytes = b""
    end: int = 0


def grown(tail: bytes | bytearray, data: bytes) -> bytearray:
    """What is left of the last read with the next one behind it; what grows often is not copied each time."""
    tail = tail if isinstance(tail, bytearray) else bytearray(tail)
    tail += data
    return tail


class Framing(ABC):
    """Bytes in, events out; any cut of the body gives the same events, in time linear in its bytes.

    A decoder takes `blocks`, as nearly all events need no more reading than finding them; `feed` is for everybody else.

    Args:
        max_event_bytes: The most one event may take.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._limit = max_event_bytes
        self._end = 0  # the place in the body after the last block
        self._id = b""
        self.over: bool = False
        """Whether nothing more is read: the body has ended by itself, or failed."""
        self.failure: StreamError | None = None
        """The error that ended the stream; the next `feed` raises it."""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events these bytes complete, in order.

        Raises:
            EventTooLarge: An event passed the limit. Events complete before it are returned first: where there are
                any, this is raised by the next call, and `failure` holds it until then. So it is with every error.
        """
        events: list[ServerSentEvent] = []
        blocks = [] if self.failure is not None else self.blocks(data)
        end = self._end - sum(map(self._size, blocks))
        for name, text, block in blocks:
            end += self._size((name, text, block))
            found = self.parse(block) if block else (name, text)
            if found is not None:
                events.append(ServerSentEvent(found[1], found[0], self._id, end))
        if self.failure is not None and not events:
            raise self.failure
        return events

    @abstractmethod
    def blocks(self, data: bytes) -> list[Block]:
        """The blocks these bytes complete; what goes wrong behind them is in `failure` then."""

    @abstractmethod
    def parse(self, block: bytes) -> tuple[bytes, bytes] | None:
        """The name and the data of the event that a block is, or None: it is none, but a comment, say."""

    @abstractmethod
    def pending(self) -> ServerSentEvent | None:
        """The event the body ended in, as if its end had followed; None where there is none.

        It may be half an event: this is for who can tell a whole one from half a one.
        """

    def end_before(self, blocks: Iterator[Block]) -> int:
        """The place in the body where these begin, which are the last of the blocks that came last."""
        return self._end - sum(map(self._size, blocks))

    def _size(self, block: Block) -> int:
        """How many bytes of the body a block takes."""
        return len(block[2])

    def _fail(self, error: StreamError) -> None:
        self.over = True
        self.failure = error

    def _too_large(self) -> EventTooLarge:
        return EventTooLarge(f"an event is larger than {self._limit} bytes")
