"""Server-sent events, from bytes to events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import re

from msgspec import Struct

from ._json import UNREADABLE, as_list, as_object, load
from .errors import EventTooLarge

__all__ = ["SSEDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"
_RETRY_DIGITS = 15
# An event as nearly all are: a name or none, and one line of data. Its marks and line ends are so many bytes.
_USUAL = re.compile(rb"^(?:event: ([^\n]++)\n)?data: ([^\n]*+)\n\n", re.MULTILINE)
_DATA_MARKS, _NAME_MARKS = len(b"data: \n\n"), len(b"event: \n")


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


class SSEDecoder:
    """Bytes in, events out; any cut of the stream gives the same events, in time linear in its bytes.

    Lines end with LF, CRLF or CR and with nothing else: U+2028 and its like are text. A CR ends a line at once, and an
    LF that follows it is swallowed, so that no event waits for the next read. A leading byte order mark is dropped.
    Comments and unknown fields are ignored, an `id` that holds a NUL too. An event that was not ended by a blank line
    is not dispatched; `pending` gives it to who knows better.

    Args:
        max_event_bytes: The most one event may take, comments before it included.
        error_field: Whether an `error:` line is read as an event named `error` with that line as its data, and so a
            JSON error object that stands between events; a web page there is an event that cannot be read. The
            specification ignores all three; llama.cpp reports failures with the first, Google with the second, a
            proxy that loses its server with the third.
    """

    def __init__(self, *, max_event_bytes: int = 8 * 1024 * 1024, error_field: bool = False) -> None:
        self._limit = max_event_bytes
        self._error_field = error_field
        # The first bytes, until it is known whether they are a byte order mark.
        self._head: bytes | None = b""
        self._tail = bytearray()  # what follows the last blank line, line ends normalised to LF
        self._after_cr = False
        self._id = b""
        self._end = 0
        self._failure: EventTooLarge | None = None
        self._retry: int | None = None

    @property
    def retry(self) -> int | None:
        """The reconnection time the stream asked for, in milliseconds."""
        return self._retry

    @property
    def failure(self) -> EventTooLarge | None:
        """The error that ended the stream; the next `feed` raises it."""
        return self._failure

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events these bytes complete, in order.

        Raises:
            EventTooLarge: An event passed the limit. Events complete before it are returned first: where there are
                any, this is raised by the next call, and `failure` holds it until then.
        """
        if self._failure is not None:
            raise self._failure
        if self._head is not None:
            data = self._skip_bom(data)
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 10:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 13
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[ServerSentEvent] = []
        tail = self._tail
        known = len(tail) - 1  # where a blank line may begin that was not there before
        tail += data
        end = tail.rfind(b"\n\n", known if known > 0 else 0) + 2
        if end > 1:
            del tail[: self._dispatch(end, events)]
        if len(tail) > self._limit + 2:
            self._fail()
        if not events and self.failure is not None:
            raise self.failure
        return events

    def pending(self) -> ServerSentEvent | None:
        """The event the body ended in, as if a blank line had followed; None where there is none.

        The specification discards it, as it may be half an event. Some servers leave out the last blank line, so that
        a reader who can tell a whole event from half a one may want it.
        """
        if len(self._tail) > self._limit:
            return None
        return self._parse(bytes(self._tail), self._end + len(self._tail))

    def _skip_bom(self, data: bytes) -> bytes:
        head = (self._head or b"") + data
        if len(head) < 3 and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        if head.startswith(_BOM):
            self._end = 3
            return head[3:]
        return head

    def _dispatch(self, size: int, events: list[ServerSentEvent]) -> int:
        """Read the first so many bytes of the tail, which end with a blank line; say how many that were."""
        end = self._end
        id_ = self._id
        for name, data in _USUAL.findall(self._tail, 0, size):
            end += len(data) + _DATA_MARKS + (len(name) + _NAME_MARKS if name else 0)
            events.append(ServerSentEvent(data, name, id_, end))
        if end - self._end == size <= self._limit:  # they fill the bytes, so nothing stands between them
            self._end = end
            return size
        events.clear()
        *blocks, rest = bytes(self._tail[:size]).split(b"\n\n")
        for block in blocks:
            self._end += len(block) + 2
            if len(block) > self._limit:
                self._fail()
                break
            event = self._parse(block, self._end)
            if event is not None:
                events.append(event)
        return size - len(rest)

    def _parse(self, block: bytes, end: int) -> ServerSentEvent | None:
        name = b""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            if value[:1] == b" ":
                value = value[1:]
            if field == b"data":
                data.append(value)
            elif field == b"event":
                name = value
            elif field == b"id":
                if b"\0" not in value:
                    self._id = value
            elif field == b"retry":
                if value.isdigit() and len(value) <= _RETRY_DIGITS:
                    self._retry = int(value)
            elif field == b"error" and self._error_field:
                name = b"error"
                data.append(value)
        if not data:
            return self._between(block, end)
        return ServerSentEvent(data[0] if len(data) == 1 else b"\n".join(data), name, self._id, end)

    def _between(self, block: bytes, end: int) -> ServerSentEvent | None:
        """What is no event, but stands between two: an error object, or a web page, which nobody can read."""
        if self._error_field and block.lstrip().startswith(b"<"):
            return ServerSentEvent(block, b"", self._id, end)
        return ServerSentEvent(block, b"error", self._id, end) if self._is_error(block) else None

    def _is_error(self, block: bytes) -> bool:
        if not self._error_field or b'"error"' not in block or block.strip()[:1] not in (b"{", b"["):
            return False
        try:
            found = load(block)
        except UNREADABLE:
            return False
        return bool(as_object(next(iter(as_list(found)), found)).get("error"))

    def _fail(self) -> None:
        self._tail.clear()
        self._failure = self._failure or EventTooLarge(f"an event is larger than {self._limit} bytes")
