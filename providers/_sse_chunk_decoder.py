"""The decoder of wires that are text: framing, what is no stream at all, and every failure as a typed error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ._api_errors import in_stream_error
from ._event_decoder import EventDecoder, malformed
from ._event_machine import EventMachine
from ._excerpt import excerpt
from ._framing import Framing, ServerSentEvent
from ._json import UNREADABLE, as_list, as_object, is_text, load
from ._json_array import JSONArrayDecoder
from ._ndjson import NDJSONDecoder
from ._sse import SSEDecoder
from .chunks import Chunk
from .errors import APIError, EventTooLarge, NotAStream, Truncated

__all__ = ["SSEChunkDecoder"]

_MAX_BYTES = 8 * 1024 * 1024
_QUOTED = 400
_TELLING = 8  # as many bytes as tell a field's name from other text
_FIELD = re.compile(rb"(?:^|[\r\n])(?:data|event|id|retry|error)?:")


class SSEChunkDecoder(EventDecoder):
    """A `Decoder` for wires that are server-sent events.

    The first byte that is no white space decides what the body is: `<` is a web page, `{` or `[` one JSON document,
    anything else an event stream. The last event is taken without its blank line only where it completes the turn.

    Args:
        machine: The wire's own part.
        arrays: Whether the server may stream a JSON array in the place of events: then `[` begins one.
        lines: Given where the server streams a JSON object a line in the place of events: then `{` begins the first
            of them, except where its line ends right after it, as in a document that was written to be read. It is
            given the lines that come in one read together, which are UTF-8, takes those that only go on with the
            answer, and gives back the first that does more: that is an event of the machine.
        max_event_bytes: The most one event, or a whole document, may take.
    """

    def __init__(
        self,
        machine: EventMachine,
        *,
        arrays: bool = False,
        lines: Callable[[Iterator[bytes], list[Chunk]], bytes | None] | None = None,
        max_event_bytes: int = _MAX_BYTES,
    ) -> None:
        super().__init__(machine)
        self._limit = max_event_bytes
        self._arrays = arrays
        self._lines = lines
        self._frames: Framing = SSEDecoder(max_event_bytes=max_event_bytes, error_field=True)
        self._ndjson: NDJSONDecoder | None = None  # where these are the frames
        self._head = b""  # the body's beginning, to decide by and to quote
        self._body: bytearray | None = None  # collects a body that is no event stream
        self._is_page = False
        self._streaming = False
        self._any = False  # whether there was an event

    def _take(self, data: bytes, out: list[Chunk]) -> None:
        if self._ndjson is not None:
            self._take_lines(self._ndjson, data, out)
            return
        if not self._streaming:
            self._begin(data, out)
            return
        frames, machine = self._frames, self._machine
        if not self._any and len(self._head) < _QUOTED:
            self._head += data[: _QUOTED - len(self._head)]
        blocks = iter(frames.blocks(data))
        for name, text, other in blocks:
            if other:
                found = frames.parse(other)
                if found is None:
                    continue
                name, text = found
            self._any = True
            try:
                machine.event(name, text, out)
            except UNREADABLE as error:
                raise malformed(error, text, frames.end_before(blocks)) from error
            if machine.done:
                return
        if frames.over:
            if frames.failure is not None:
                raise frames.failure
            if machine.terminal:
                machine.finish(out)

    def _take_lines(self, frames: NDJSONDecoder, data: bytes, out: list[Chunk]) -> None:
        """Take lines as `_take` takes blocks, but for those that the machine takes together.

        Whether they are text is asked of them all at once; where they are not, each is taken by itself.
        """
        machine, take = self._machine, self._lines
        assert take is not None
        lines = frames.lines(data)
        whole = b"".join(lines)
        together = whole.isascii() or is_text(whole)
        rest = iter(lines)
        while (line := take(rest, out) if together else next(rest, None)) is not None:
            text = frames.strip(line)
            if not text:
                continue
            self._any = True
            try:
                machine.event(b"", text, out)
            except UNREADABLE as error:
                raise malformed(error, text, frames.end_before_line(rest)) from error
            if machine.done:
                return
        if frames.failure is not None:
            raise frames.failure

    def _begin(self, data: bytes, out: list[Chunk]) -> None:
        if self._body is not None:
            self._collect(data)
            return
        self._head += data
        start = self._head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if (not start and len(self._head) < _QUOTED) or b"\xef\xbb\xbf".startswith(self._head):
            return
        line = start[1:].lstrip(b" \t")
        if start[:1] == b"[" and self._arrays:
            self._frames = JSONArrayDecoder(max_event_bytes=self._limit)
        elif start[:1] == b"{" and self._lines is not None and not line and len(self._head) < _QUOTED:
            return
        elif start[:1] == b"{" and self._lines is not None and line[:1] not in b"\r\n":
            self._frames = self._ndjson = NDJSONDecoder(max_event_bytes=self._limit)
        elif start[:1] in (b"<", b"{", b"["):
            self._body = bytearray()
            self._is_page = start.startswith(b"<")
            self._collect(self._head)
            return
        self._streaming = True
        data, self._head = self._head, b""
        self._take(data, out)

    def _collect(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        body += data
        if len(body) > self._limit:
            raise EventTooLarge(f"the body is one JSON document larger than {self._limit} bytes")
        if self._is_page and len(body) > _QUOTED:
            raise _web_page(bytes(body))

    def _end(self, out: list[Chunk]) -> None:
        machine = self._machine
        if self._body is not None:
            self._read_document(bytes(self._body), out)
            return
        if not self._streaming and self._head:
            self._frames.feed(self._head)
        last = self._frames.pending()
        if last is not None and self._is_document(last):
            self._read_document(last.data, out)
            return
        self._end_with(last, out)
        if machine.done:
            return
        if machine.terminal:
            machine.finish(out)
        elif self._any:
            raise Truncated("the stream ended without the provider's terminal event: the answer is not whole")
        elif self._is_other_text():
            raise NotAStream(f"the body is not an event stream: {excerpt(self._head)}")
        else:
            raise Truncated("the stream ended before its first whole event")

    def _is_document(self, last: ServerSentEvent) -> bool:
        """Whether the body is one line without an end that is whole: it may be anything that is JSON."""
        return self._ndjson is not None and not self._any and last.data.endswith(b"}")

    def _is_other_text(self) -> bool:
        if isinstance(self._frames, JSONArrayDecoder):
            return self._frames.ended  # without one element
        if self._ndjson is not None:
            return False
        return len(self._head.strip()) >= _TELLING and not _FIELD.search(self._head)

    def _end_with(self, last: ServerSentEvent | None, out: list[Chunk]) -> None:
        """Take the event that has no blank line, if it is whole and the turn is complete with it."""
        if last is None:
            return
        chunks: list[Chunk] = []
        try:
            self._machine.event(last.event, last.data, chunks)
        except APIError:
            out += chunks
            raise
        except (Truncated, *UNREADABLE):
            return
        if self._machine.terminal or self._machine.done:
            out += chunks

    def _read_document(self, body: bytes, out: list[Chunk]) -> None:
        text = body.removeprefix(b"\xef\xbb\xbf")
        if self._is_page:
            raise _web_page(text)
        try:
            document = load(text)
            found = as_object(document)
            if (
                found.get("error")
                or "error" in (found.get("object"), found.get("type"))
                or _holds_error(document)
            ):
                raise in_stream_error(text)
            self._machine.document(text, out)
        except UNREADABLE as error:
            raise NotAStream(f"the body is not an event stream: {excerpt(text)}") from error


def _holds_error(document: object) -> bool:
    return bool(as_object(next(iter(as_list(document)), None)).get("error"))


def _web_page(body: bytes) -> NotAStream:
    return NotAStream(f"the body is a web page, not an event stream: {excerpt(body)}")
