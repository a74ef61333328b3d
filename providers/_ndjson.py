"""JSON objects one a line, from bytes to lines: https://github.com/ndjson/ndjson-spec."""

from __future__ import annotations

from ._framing import Block, Framing, ServerSentEvent

__all__ = ["NDJSONDecoder"]

_BOM = b"\xef\xbb\xbf"


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
        self._tail = bytearray()  # the line that has not ended

    def whole(self, data: bytes) -> bytes:
        """The lines these bytes complete, as they came."""
        if self._tail or not data.endswith(b"\n"):
            data = self._cut(data)
        if not self._end and data.startswith(_BOM):
            self._end = len(_BOM)
            data = data[self._end :]
        size = len(data)
        self._end += size
        return data if size <= self._limit else self._checked(data)

    def lines(self, whole: bytes) -> list[Block]:
        """Each of these lines by itself."""
        return [(b"", b"", line + b"\n") for line in whole.split(b"\n")[:-1]]

    def blocks(self, data: bytes) -> list[Block]:
        """The lines these bytes complete, in order."""
        return self.lines(self.whole(data))

    def parse(self, block: bytes) -> tuple[bytes, bytes] | None:
        """The line without its end; None where it is blank."""
        line = block.removesuffix(b"\n").removesuffix(b"\r")
        return (b"", line) if line and not line.isspace() else None

    def pending(self) -> ServerSentEvent | None:
        """The line the body ended in, as if a line feed had followed; None where there is none."""
        text = bytes(self._tail)
        found = self.parse(text if self._end else text.removeprefix(_BOM))
        if found is None or len(found[1]) > self._limit:
            return None
        return ServerSentEvent(found[1], end=self._end + len(text))

    def _cut(self, data: bytes) -> bytes:
        """What there is up to the last line feed; the rest is kept for the next read."""
        tail = self._tail
        known = len(tail)
        tail += data
        size = tail.rfind(b"\n", known) + 1
        whole = bytes(memoryview(tail)[:size])
        del tail[:size]
        if len(tail) > self._limit + 1:  # a carriage return may still be the line's end
            tail.clear()
            self._fail(self._too_large())
        return whole

    def _checked(self, whole: bytes) -> bytes:
        """All before the first line that is too long."""
        size = 0
        for _, _, line in self.lines(whole):
            if len(line.removesuffix(b"\n").removesuffix(b"\r")) > self._limit:
                self._end -= len(whole) - size
                self._tail.clear()
                self._fail(self._too_large())
                break
            size += len(line)
        return whole[:size]
