"""The decoder of Bedrock's wires: binary framing, its exceptions, and what is no stream at all."""

from __future__ import annotations

from binascii import a2b_base64

from ._api_errors import api_error, error_fields, in_stream_error
from ._aws_event_stream import AWSEventStream, EventMessage
from ._event_decoder import EventDecoder, malformed
from ._event_machine import EventMachine
from ._excerpt import excerpt
from ._json import UNREADABLE, as_list, as_object, as_text, load
from .chunks import Chunk
from .errors import APIError, EventTooLarge, NotAStream, Truncated

__all__ = ["BedrockDecoder"]

_QUOTED = 400
_LARGEST_FIRST_BYTE = 1
"""Of a message's length, which has four bytes: 32 MiB are more than any message takes."""

_STATUSES = {
    "accessdeniedexception": 403,
    "internalserverexception": 500,
    "modelerrorexception": 424,
    "modelnotreadyexception": 429,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "resourcenotfoundexception": 404,
    "servicequotaexceededexception": 400,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
"""docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html#API_runtime_ConverseStream_Errors"""


class BedrockDecoder(EventDecoder):
    """A `Decoder` for wires that are AWS's binary event stream.

    A message's length begins with a zero byte, and no JSON, page or other text does: the first byte of the body
    decides what it is. A message that is an exception ends the turn as the `APIError` of its status, whatever came
    before it, unless the turn was complete by then.

    Args:
        machine: The wire's own part; the name of an event is its `:event-type`.
        max_event_bytes: The most one message, or a whole document, may take.
    """

    def __init__(self, machine: EventMachine, *, max_event_bytes: int = 24 * 1024 * 1024) -> None:
        super().__init__(machine)
        self._limit = max_event_bytes
        self._frames = AWSEventStream(max_event_bytes=max_event_bytes)
        self._text: bytearray | None = None  # collects a body that is no event stream
        self._streaming = False
        self._any = False  # whether there was a message

    def _take(self, data: bytes, out: list[Chunk]) -> None:
        if not self._streaming:
            self._begin(data, out)
            return
        machine = self._machine
        for message in self._frames.feed(data):
            self._any = True
            name = message.event
            if name is None:
                _raise_exception(message)
                continue
            try:
                machine.event(name, message.payload, out)
            except UNREADABLE as error:
                raise malformed(error, _shown(message), message.end) from error
            if machine.done:
                return
        if self._frames.failure is not None:
            raise self._frames.failure

    def _begin(self, data: bytes, out: list[Chunk]) -> None:
        if self._text is None and data:
            self._streaming = data[0] <= _LARGEST_FIRST_BYTE
            self._text = None if self._streaming else bytearray()
        if self._streaming:
            self._take(data, out)
        elif self._text is not None:
            self._collect(self._text, data)

    def _end(self, out: list[Chunk]) -> None:
        if self._text is not None:
            self._read_document(bytes(self._text), out)
        elif self._machine.terminal:
            self._machine.finish(out)
        elif self._any:
            raise Truncated("the stream ended without the provider's terminal event: the answer is not whole")
        else:
            raise Truncated("the stream ended before its first whole event")

    def _collect(self, text: bytearray, data: bytes) -> None:
        text += data
        start = bytes(text[:_QUOTED]).removeprefix(b"\xef\xbb\xbf").lstrip()
        if len(text) > _QUOTED and start[:1] not in (b"{", b"["):
            raise _no_stream(bytes(text))
        if len(text) > self._limit:
            raise EventTooLarge(f"the body is one JSON document larger than {self._limit} bytes")

    def _read_document(self, body: bytes, out: list[Chunk]) -> None:
        text = body.removeprefix(b"\xef\xbb\xbf")
        if text.lstrip()[:1] not in (b"{", b"["):
            raise _no_stream(text)
        try:
            told = load(text)
            found = as_object(next(iter(as_list(told)), told))
            names = ("message", "Message", "__type", "error", "Output")
            if any(found.get(name) for name in names) and "output" not in found and "content" not in found:
                raise _document_error(found, text)
            self._machine.document(text, out)
        except UNREADABLE as error:
            raise NotAStream(f"the body is not an event stream: {excerpt(text)}") from error


def _raise_exception(message: EventMessage) -> None:
    """Raise what a message reports; one that is neither event nor exception says nothing.

    Of the two kinds one is named by `:exception-type` with an object as its payload, the other by `:error-code` and
    `:error-message`, without one.
    """
    kind = message.text(":message-type")
    code = message.text(":exception-type") or message.text(":error-code") or message.text(":event-type")
    if kind not in ("exception", "error") and not code.endswith("Exception"):
        return
    try:
        told = as_object(load(message.payload)) if message.payload else {}
    except UNREADABLE:
        told = {}
    said = [as_text(told.get(name)) for name in ("message", "Message", "originalMessage")]
    text = next((each for each in said if each), None) or message.text(":error-message")
    if not text and not told:
        text = excerpt(message.payload)
    raise api_error(
        status=_STATUSES.get(code.lower()),
        code=excerpt(code.encode(), 80) or None,
        message=excerpt(text.encode("utf-8", "replace"), 1000),
        in_stream=True,
    )


def _document_error(found: dict[str, object], text: bytes) -> APIError:
    """AWS's error object names its kind `__type`, after a namespace and a `#`."""
    kind = as_text(found.get("__type")) or as_text(as_object(found.get("Output")).get("__type"))
    if kind is None and ("error" in found or found.get("object") == "error"):
        return in_stream_error(text)
    code = kind and kind.rpartition("#")[2]
    message = error_fields(found)[0] or as_text(found.get("Message"))
    return api_error(
        status=_STATUSES.get((code or "").lower()),
        code=code and excerpt(code.encode("utf-8", "replace"), 80),
        message=excerpt((message or "").encode("utf-8", "replace"), 1000) or excerpt(text),
        in_stream=True,
    )


def _no_stream(text: bytes) -> NotAStream:
    what = "is a web page, not" if text.lstrip().startswith(b"<") else "is not"
    return NotAStream(f"the body {what} an event stream: {excerpt(text)}")


def _shown(message: EventMessage) -> bytes:
    """What to quote of a message: a model's own event is in base64, where neither words nor secrets are found."""
    try:
        inner = as_text(as_object(load(message.payload)).get("bytes")) or ""
        return a2b_base64(inner, strict_mode=True) or message.payload
    except UNREADABLE:
        return message.payload
