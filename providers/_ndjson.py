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
        lines = self.lines(self.raw(data))
        if self._failure is not None and not lines:
            raise self._failure
        return lines

    def raw(self, data: bytes) -> list[bytes]:
        """The lines these bytes complete as they came, blank ones and carriage returns included.

        Raises:
            EventTooLarge: As `feed` does.
        """
        if self._failure is not None:
            raise self._failure
        if b"\n" in data:
            whole = bytes(self._tail) + data if self._tail else data
            texts = whole.split(b"\n")
            self._tail = bytearray(texts.pop())
            self._end += len(whole) - len(self._tail)
            if len(whole) > self._limit:
                self._check(texts)
        else:
            texts = []
            self._tail += data
        if len(self._tail) > self._limit + 1:  # a carriage return may still be the line's end
            self._fail()
        return texts

    def lines(self, texts: list[bytes]) -> list[ServerSentEvent]:
        """The lines among the last of those that came last.

        Args:
            texts: What `raw` gave, or the last of it.
        """
        events: list[ServerSentEvent] = []
        end = self._end - sum(map(len, texts)) - len(texts)
        for text in texts:
            start, end = end, end + len(text) + 1
            if text[-1:] != b"}" or not start:  # as of nearly every line
                text = text.removesuffix(b"\r")
                line = self._line(text, start, end)
            else:
                line = ServerSentEvent(text, b"", b"", end)
            if line is not None:
                events.append(line)
        return events

    def pending(self) -> ServerSentEvent | None:
        """The line the body ended in, as if a line feed had followed; None where there is none."""
        text = bytes(self._tail).removesuffix(b"\r")
        return self._line(text, self._end, self._end + len(self._tail)) if len(text) <= self._limit else None

    def _check(self, texts: list[bytes]) -> None:
        """Leave out the first line that is too long, and all after it."""
        for place, text in enumerate(texts):
            if len(text.removesuffix(b"\r")) > self._limit:
                self._end -= sum(len(lost) + 1 for lost in texts[place:])
                del texts[place:]
                self._fail()
                break

    def _line(self, text: bytes, start: int, end: int) -> ServerSentEvent | None:
        if not start:
            text = text.removeprefix(_BOM)
        return ServerSentEvent(text, end=end) if text and not text.isspace() else None

    def _fail(self) -> None:
        self._tail.clear()
        self._failure = self._failure or EventTooLarge(f"an event is larger than {self._limit} bytes")
