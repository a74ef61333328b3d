"""Server-sent events, from bytes to events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

from msgspec import Struct

from ._json import UNREADABLE, as_list, as_object, load
from .errors import EventTooLarge

__all__ = ["SSEDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"
_RETRY_DIGITS = 15


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
            JSON error object that stands between events. The specification ignores both; llama.cpp reports failures
            with the one, Google with the other.
    """

    def __init__(self, *, max_event_bytes: int = 8 * 1024 * 1024, error_field: bool = False) -> None:
        self._limit = max_event_bytes
        self._error_field = error_field
        self._head: bytes | None = (
            b""  # the first bytes, until it is known whether they are a byte order mark
        )
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
        tail = self._tail
        events: list[ServerSentEvent] = []
        if b"\n\n" not in data and not (data.startswith(b"\n") and tail.endswith(b"\n")):
            tail += data
        else:
            blocks = (bytes(tail) + data if tail else data).split(b"\n\n")
            self._tail = bytearray(blocks.pop())
            self._dispatch(blocks, events)
        if len(self._tail) > self._limit + 2:
            self._fail()
        if self.failure is not None and not events:
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

    def _dispatch(self, blocks: list[bytes], events: list[ServerSentEvent]) -> None:
        end = self._end
        limit = self._limit
        for block in blocks:
            end += len(block) + 2
            if len(block) > limit:
                self._fail()
                break
            if block[:6] == b"data: " and b"\n" not in block:
                events.append(ServerSentEvent(block[6:], b"", self._id, end))
            elif (event := self._parse(block, end)) is not None:
                events.append(event)
        self._end = end

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
            return ServerSentEvent(block, b"error", self._id, end) if self._is_error(block) else None
        return ServerSentEvent(data[0] if len(data) == 1 else b"\n".join(data), name, self._id, end)

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
