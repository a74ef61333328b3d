"""One JSON array of objects, from bytes to its elements as they come."""

from __future__ import annotations

import re

from ._excerpt import excerpt
from ._framing import Block, Framing, ServerSentEvent
from .errors import MalformedEvent, NotAStream

__all__ = ["JSONArrayDecoder"]

_GAP = re.compile(
    rb"[\s,\xef\xbb\xbf]*+"
)  # what may stand between elements, and a byte order mark before them
# Up to the next brace, or to a string that has not ended; a string's own braces do not count.
_PLAIN = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)  # up to a string's end
_OPEN, _QUOTE, _ARRAY, _ARRAY_END = b'{"[]'


class JSONArrayDecoder(Framing):
    """Bytes in, elements out: `[{…},` and so on, which Google streams where it is not asked for server-sent events.

    An element is given as soon as its last brace came, as an event without a name. Any cut of the body gives the same
    elements, in time linear in its bytes: no byte of an element is looked at more than twice, however it comes. Only
    braces and strings are looked at; whether an element is JSON is for its reader to say. What follows the array is
    not read.

    Args:
        max_event_bytes: The most one element may take.
    """

    def __init__(self, *, max_event_bytes: int = 8 * 1024 * 1024) -> None:
        super().__init__(max_event_bytes)
        self._buffer = bytearray()
        self._dropped = 0  # bytes of the body before the buffer
        self._at = 0  # how far the buffer was looked at
        self._start = 0  # of the element that has not ended
        self._since = 0  # where the block of the next element begins, with what stands before it
        self._depth = 0
        self._in_string = False
        self._begun = False
        self._any = False

    @property
    def ended(self) -> bool:
        """Whether the array was closed."""
        return self.over and self.failure is None

    def blocks(self, data: bytes) -> list[Block]:
        """The elements these bytes complete, in order, each with what stands before it.

        After them `failure` may be, besides what is too large, `NotAStream` where the first element is no object, and
        `MalformedEvent` where a later one is none.
        """
        blocks: list[Block] = []
        if not self.over:
            self._buffer += data
            self._since = 0
            self._look(blocks)
        return blocks

    def parse(self, block: bytes) -> tuple[bytes, bytes]:
        """The element alone."""
        return b"", block[block.index(b"{") :]

    def pending(self) -> ServerSentEvent | None:
        """Nothing: an element without its last brace is not whole."""
        return None

    def _look(self, blocks: list[Block]) -> None:
        while self._step(blocks):
            pass
        if self._depth and len(self._buffer) - self._start > self._limit:
            self._fail(self._too_large())
        done = self._start if self._depth else self._at
        del self._buffer[:done]
        self._dropped += done
        self._at -= done
        self._start = 0
        if self.failure is not None:
            self._buffer.clear()

    def _step(self, blocks: list[Block]) -> bool:
        """Look on to the next place that tells something; False at the end of the bytes, or of the array."""
        if not self._depth:
            return self._between()
        buffer = self._buffer
        pattern = _STRING if self._in_string else _PLAIN
        found = pattern.match(buffer, self._at)
        assert found is not None  # it matches the empty text too
        at = self._at = found.end()
        if at == len(buffer) or (self._in_string and buffer[at] != _QUOTE):  # or in an escape
            return False
        self._at += 1
        if buffer[at] == _QUOTE:
            self._in_string = not self._in_string
        elif buffer[at] == _OPEN:
            self._depth += 1
        else:
            self._depth -= 1
            return bool(self._depth) or self._element(blocks)
        return True

    def _between(self) -> bool:
        buffer = self._buffer
        found = _GAP.match(buffer, self._at)
        assert found is not None
        at = self._at = found.end()
        if at == len(buffer):
            return False
        self._at += 1
        if buffer[at] == _OPEN and self._begun:
            self._start, self._depth = at, 1
            return True
        if buffer[at] == _ARRAY and not self._begun:
            self._begun = True
            return True
        if buffer[at] == _ARRAY_END and self._begun:
            self.over = True
        else:
            self._fail_element(bytes(buffer[at : at + 400]))
        return False

    def _element(self, blocks: list[Block]) -> bool:
        if self._at - self._start > self._limit:
            self._fail(self._too_large())
            return False
        self._any = True
        blocks.append((b"", b"", bytes(self._buffer[self._since : self._at])))
        self._since = self._at
        self._end = self._dropped + self._at
        return True

    def _fail_element(self, rest: bytes) -> None:
        if self._any:
            told = f"an event cannot be read: an object was expected: {excerpt(rest)}"
            self._fail(MalformedEvent(told, offset=self._dropped + self._at))
        else:
            self._fail(NotAStream(f"the body is not an event stream: {excerpt(rest)}"))
