"""Server-sent events, from bytes to events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import re

from ._framing import Block, Framing, ServerSentEvent, grown
from ._json import UNREADABLE, as_list, as_object, load

__all__ = ["SSEDecoder"]

_BOM = b"\xef\xbb\xbf"
_LF, _CR = b"\n\r"  # to look for a byte is quicker than for bytes
_RETRY_DIGITS = 15
# An event as nearly all are: a name or none, and one line of data. Or whatever stands before a blank line, or one line
# feed that is left where there are more than two. So every byte of what ends with a blank line is in some block.
_BLOCKS = re.compile(rb"(?:event: ([^\n]++)\n)?data: ([^\n]*+)\n\n|([^\n]*+(?:\n[^\n]++)*+\n\n|\n)")
_DATA_MARKS, _NAME_MARKS = len(b"data: \n\n"), len(b"event: \n")


class SSEDecoder(Framing):
    """Bytes in, events out; any cut of the stream gives the same events, in time linear in its bytes.

    Lines end with LF, CRLF or CR and with nothing else: U+2028 and its like are text. A CR ends a line at once, and an
    LF that follows it is swallowed, so that no event waits for the next read. A leading byte order mark is dropped.
    Comments and unknown fields are ignored, an `id` that holds a NUL too. An event that was not ended by a blank line
    is not dispatched, as the specification says; some servers leave the last one out, and `pending` gives that event.

    Args:
        max_event_bytes: The most one event may take, comments before it included.
        error_field: Whether an `error:` line is read as an event named `error` with that line as its data, and so a
            JSON error object that stands between events; a web page there is an event that cannot be read. The
            specification ignores all three; llama.cpp reports failures with the first, Google with the second, a
            proxy that loses its server with the third.
    """

    def __init__(self, *, max_event_bytes: int = 8 * 1024 * 1024, error_field: bool = False) -> None:
        super().__init__(max_event_bytes)
        self._error_field = error_field
        # The first bytes, until it is known whether they are a byte order mark.
        self._head: bytes | None = b""
        self._tail: bytes | bytearray = b""  # what follows the last blank line, line ends normalised to LF
        self._after_cr = False
        self._retry: int | None = None

    @property
    def retry(self) -> int | None:
        """The reconnection time the stream asked for, in milliseconds."""
        return self._retry

    def blocks(self, data: bytes) -> list[Block]:
        """The events these bytes complete, in order, and what stands between them."""
        if self._head is not None:
            data = self._skip_bom(data)
        if self._after_cr or _CR in data:
            data = self._with_line_feeds(data)
        if self._tail or data[-2:] != b"\n\n":
            data = self._whole(data)
        size = len(data)
        self._end += size
        blocks = _BLOCKS.findall(data)
        if size > self._limit:
            self._check(blocks)
        return blocks

    def parse(self, block: bytes) -> tuple[bytes, bytes] | None:
        """The name and the data of the event that a block is, or None: it is none, but a comment, say."""
        block = block.removesuffix(b"\n\n")
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
        return (name, b"\n".join(data)) if data else self._between(block)

    def pending(self) -> ServerSentEvent | None:
        """The event the body ended in, as if a blank line had followed; None where there is none."""
        tail = bytes(self._tail)
        found = self.parse(tail) if len(tail) <= self._limit else None
        return None if found is None else ServerSentEvent(found[1], found[0], self._id, self._end + len(tail))

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

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == _LF:
                data = data[1:]
        if _CR in data:
            self._after_cr = data[-1] == _CR
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _whole(self, data: bytes) -> bytes:
        """What there is up to the last blank line; the rest is kept for the next read."""
        tail = self._tail
        size = data.rfind(b"\n\n") + 2
        if size < 2:
            size = 1 if data[:1] == b"\n" == tail[-1:] else 0
        if size:
            whole = b"".join((tail, data[:size]))
            tail = self._tail = data[size:]
        else:
            whole = b""
            tail = self._tail = grown(tail, data)
        if len(tail) > self._limit + 2:
            self._tail = b""
            self._fail(self._too_large())
        return whole

    def _check(self, blocks: list[Block]) -> None:
        """Leave out the first block that is too large, and all after it."""
        for place, block in enumerate(blocks):
            if self._size(block) > self._limit + 2:
                self._end = self.end_before(iter(blocks[place:]))
                del blocks[place:]
                self._tail = b""
                self._fail(self._too_large())
                break

    def _size(self, block: Block) -> int:
        name, data, other = block
        return len(other) or len(data) + _DATA_MARKS + (len(name) + _NAME_MARKS if name else 0)

    def _between(self, block: bytes) -> tuple[bytes, bytes] | None:
        """What is no event, but stands between two: an error object, or a web page, which nobody can read."""
        if self._error_field and block.lstrip().startswith(b"<"):
            return b"", block
        return (b"error", block) if self._is_error(block) else None

    def _is_error(self, block: bytes) -> bool:
        if not self._error_field or b'"error"' not in block or block.strip()[:1] not in (b"{", b"["):
            return False
        try:
            found = load(block)
        except UNREADABLE:
            return False
        return bool(as_object(next(iter(as_list(found)), found)).get("error"))
