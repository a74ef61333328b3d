"""JSON objects one a line, from bytes to lines: https://github.com/ndjson/ndjson-spec."""

from __future__ import annotations

from ._sse import ServerSentEvent
from .errors import EventTooLarge

__all__ = ["NDJSONDecoder"]

_BOM = b"\xef\xbb\xbf"


class NDJSONDecoder:
    """Bytes in, lines out; any cut of the body gives the same lines, in time linear in its bytes.

    Lines end with LF or CRLF and with nothing else: U+2028 and its like are text. A leading byte order mark and blank
    lines are dropped. A line is given as an event without a name. One that was not ended is not given; `pending`
    gives it to who can tell a whole line from half a one.

    Args:
        max_event_bytes: The most one line may take.
    """

    def __init__(self, *, max_event_bytes: int = 8 * 1024 * 1024) -> None:
        self._limit = max_event_bytes
        self._tail = bytearray()  # the line that has not ended
        self._end = 0  # of the last line that has
        self._failure: EventTooLarge | None = None

    @property
    def failure(self) -> EventTooLarge | None:
        """The error that ended the stream; the next `feed` raises it."""
        return self._failure

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The lines these bytes complete, in order.

        Raises:
            EventTooLarge: A line passed the limit. Lines complete before it are returned first: where there are any,
                this is raised by the next call, and `failure` holds it until then.
        """
        if self._failure is not None:
            raise self._failure
        events: list[ServerSentEvent] = []
        if b"\n" in data:
            lines = (bytes(self._tail) + data if self._tail else data).split(b"\n")
            self._tail = bytearray(lines.pop())
            self._take(lines, events)
        else:
            self._tail += data
        if len(self._tail) > self._limit + 1:  # a carriage return may still be the line's end
            self._fail()
        if self.failure is not None and not events:
            raise self.failure
        return events

    def pending(self) -> ServerSentEvent | None:
        """The line the body ended in, as if a line feed had followed; None where there is none."""
        text = bytes(self._tail).removesuffix(b"\r")
        return self._line(text, self._end, self._end + len(self._tail)) if len(text) <= self._limit else None

    def _take(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        end = self._end
        for text in lines:
            start, end = end, end + len(text) + 1
            if text[-1:] != b"}" or not start:  # as of nearly every line
                text = text.removesuffix(b"\r")
                line = self._line(text, start, end)
            else:
                line = ServerSentEvent(text, b"", b"", end)
            if len(text) > self._limit:
                self._fail()
                break
            if line is not None:
                events.append(line)
        self._end = end

    def _line(self, text: bytes, start: int, end: int) -> ServerSentEvent | None:
        if not start:
            text = text.removeprefix(_BOM)
        return ServerSentEvent(text, end=end) if text and not text.isspace() else None

    def _fail(self) -> None:
        self._tail.clear()
        self._failure = self._failure or EventTooLarge(f"an event is larger than {self._limit} bytes")
