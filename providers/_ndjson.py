"""JSON objects one a line, from bytes to lines: https://github.com/ndjson/ndjson-spec."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from ._framing import Block, Framing, ServerSentEvent, grown

__all__ = ["NDJSONDecoder"]

_BOM = b"\xef\xbb\xbf"
_LF = ord("\n")


class NDJSONDecoder(Framing):
    """Bytes in, lines out; any cut of the body gives the same lines, in time linear in its bytes.

    Lines end with LF or CRLF and with nothing else: U+2028 and its like are text. A leading byte order mark and blank
    lines are dropped. A line is given as an event without a name. One that was not ended is not given; `pending`
    gives it to who can tell a whole line from half a one.

    Args:
        max_event_bytes: The most one line may take.
    """

    def __init__(self, *, max_event_bytes: int = 8 * 1024 * 1024) -> None:
        super().__init__(max_event_bytes)
        self._tail: bytes | bytearray = b""  # the line that has not ended
        self._read = 0  # how many bytes there were
        self._begun = False

    def lines(self, data: bytes) -> list[bytes]:
        """The lines these bytes complete, as they came."""
        tail = self._tail
        self._read += len(data)
        size = len(tail) + len(data)
        lines = [*BytesIO(data)]  # in a third of the time that `split` takes
        rest = lines.pop() if data and data[-1] != _LF else b""
        if lines:
            self._tail = rest
            if tail:
                lines[0] = b"".join((tail, lines[0]))
        else:
            self._tail = grown(tail, rest)
        if not self._begun and lines:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BOM)
        if size > self._limit:
            self._check(lines)
        return lines

    def strip(self, line: bytes) -> bytes:
        """A line without its end; empty where it is blank."""
        return b"" if line.isspace() else line.removesuffix(b"\n").removesuffix(b"\r")

    def end_before_line(self, lines: Iterator[bytes]) -> int:
        """The place in the body where these begin, which are the last of the lines that came last."""
        return self._read - len(self._tail) - sum(map(len, lines))

    def blocks(self, data: bytes) -> list[Block]:
        """The lines these bytes complete, in order."""
        lines = self.lines(data)
        self._end = self._read - len(self._tail)
        return [(b"", b"", line) for line in lines]

    def parse(self, block: bytes) -> tuple[bytes, bytes] | None:
        """The line that a block is; None where it is blank."""
        line = self.strip(block)
        return (b"", line) if line else None

    def pending(self) -> ServerSentEvent | None:
        """The line the body ended in, as if a line feed had followed; None where there is none."""
        text = bytes(self._tail)
        line = self.strip(text if self._begun else text.removeprefix(_BOM))
        return ServerSentEvent(line, end=self._read) if 0 < len(line) <= self._limit else None

    def _check(self, lines: list[bytes]) -> None:
        """Leave out the first line that is too long, and all after it."""
        for place, line in enumerate(lines):
            if len(line.removesuffix(b"\n").removesuffix(b"\r")) > self._limit:
                self._read -= sum(map(len, lines[place:])) + len(self._tail)
                del lines[place:]
                self._tail = b""
                self._fail(self._too_large())
                break
        if len(self._tail) > self._limit + 1:  # a carriage return may still be the line's end
            self._tail = b""
            self._fail(self._too_large())
