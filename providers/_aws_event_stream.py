"""AWS's binary event stream, from bytes to messages: https://smithy.io/2.0/aws/amazon-eventstream.html."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID
from zlib import crc32

from msgspec import Struct

from .errors import EventTooLarge, MalformedEvent

__all__ = ["AWSEventStream", "EventMessage", "HeaderValue"]

HeaderValue = bool | int | bytes | str | datetime | UUID
"""What a header of a message can hold: each of the format's ten types is one of these."""

_PRELUDE = struct.Struct(
    ">III"
)  # the length of all, the length of the headers, the CRC-32 of these eight bytes
_CRC = struct.Struct(">I")
_LENGTH = struct.Struct(">H")
_FIXED = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_BYTES, _STRING, _TIMESTAMP, _UUID = 6, 7, 8, 9
_MAX_HEADERS = 128 * 1024
_PRELUDE_SIZE, _CRC_SIZE = _PRELUDE.size, _CRC.size
_OVERHEAD = _PRELUDE_SIZE + _CRC_SIZE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Headers = tuple[Mapping[str, HeaderValue], bytes | None]  # and the name of the event, if it is one
_REMEMBERED = 32  # headers repeat from message to message: few kinds, and the same fields in each
_REMEMBERED_PRELUDES = 256  # and so do lengths
_SHORT = 512


class EventMessage(Struct, frozen=True, gc=False):
    """One message.

    `event` is the name of the event it is, None where it is something else: an exception, say. `end` is the place in
    the body, in bytes, after the message.
    """

    headers: Mapping[str, HeaderValue]
    payload: bytes
    event: bytes | None = None
    end: int = 0

    def text(self, name: str) -> str:
        """The header of this name where it is a text, else an empty one."""
        return _text(self.headers, name)


class AWSEventStream:
    """Bytes in, messages out; any cut of the stream gives the same messages, in time linear in its bytes.

    Both checksums of every message are compared. After a message that is damaged nothing is read any more: where the
    next one begins is not to be known, and is not guessed.

    Args:
        max_event_bytes: The most one message may take. The specification allows payloads of 16 MiB; AWS's own Python
            library takes 24.
    """

    def __init__(self, *, max_event_bytes: int = 24 * 1024 * 1024) -> None:
        self._limit = max_event_bytes
        self._rest = bytearray()  # the message that is not whole yet
        self._need = _PRELUDE_SIZE  # how much of it there must be before it is worth another look
        self._end = 0  # the place in the body after the last message
        self._preludes: dict[bytes, tuple[int, int]] = {}
        self._headers: dict[bytes, _Headers] = {}
        self._failure: MalformedEvent | EventTooLarge | None = None

    @property
    def failure(self) -> MalformedEvent | EventTooLarge | None:
        """The error that ended the stream; the next `feed` raises it."""
        return self._failure

    @property
    def pending(self) -> int:
        """How many bytes there are of a message that is not whole."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[EventMessage]:
        """The messages these bytes complete, in order.

        Raises:
            MalformedEvent: A checksum, a length or a header is wrong.
            EventTooLarge: A message passed the limit. For both, messages that were whole before it are returned
                first: where there are any, this is raised by the next call, and `failure` holds it until then.
        """
        if self._failure is not None:
            raise self._failure
        rest = self._rest
        if rest:
            if len(rest) + len(data) < self._need:
                rest += data
                return []
            data = bytes(rest) + data
            rest.clear()
        messages: list[EventMessage] = []
        try:
            at = self._read(data, messages)
        except (MalformedEvent, EventTooLarge) as error:
            self._failure = error
            if not messages:
                raise
        else:
            if at < len(data):
                rest += data[at:]
        return messages

    def _read(self, data: bytes, messages: list[EventMessage]) -> int:
        """Read all whole messages, and give the place where the rest begins."""
        at, size, start = 0, len(data), self._end
        while size - at >= _PRELUDE_SIZE:
            body = at + _PRELUDE_SIZE
            prelude = data[at:body]
            total, headers = self._preludes.get(prelude) or self._read_prelude(prelude)
            if size - at < total:
                self._need = total
                return at
            payload = body + headers
            end = at + total - _CRC_SIZE
            if crc32(data[at:end]) != _CRC.unpack_from(data, end)[0]:
                raise self._malformed("the checksum of a message is wrong", total)
            told = data[body:payload]
            fields, event = self._headers.get(told) or self._read_headers(told, total)
            at += total
            self._end = start + at
            messages.append(EventMessage(fields, data[payload:end], event, start + at))
        self._need = _PRELUDE_SIZE
        return at

    def _read_prelude(self, data: bytes) -> tuple[int, int]:
        """The lengths of a message and of its headers."""
        total, headers, checksum = _PRELUDE.unpack(data)
        if crc32(data[:8]) != checksum:
            raise self._malformed("the checksum of a message's head is wrong", _PRELUDE_SIZE)
        if headers > _MAX_HEADERS or total < _OVERHEAD + headers:
            raise self._malformed("the lengths in a message's head make no sense", _PRELUDE_SIZE)
        if total > self._limit:
            raise EventTooLarge(f"an event is larger than {self._limit} bytes")
        if len(self._preludes) < _REMEMBERED_PRELUDES:
            self._preludes[data] = total, headers
        return total, headers

    def _read_headers(self, data: bytes, total: int) -> _Headers:
        try:
            fields = MappingProxyType(_parsed(data))
        except (struct.error, ValueError, IndexError, OverflowError) as error:
            raise self._malformed("the headers of a message cannot be read", total) from error
        found = fields, _event_of(fields)
        if len(self._headers) < _REMEMBERED and len(data) <= _SHORT:
            self._headers[data] = found
        return found

    def _malformed(self, why: str, read: int) -> MalformedEvent:
        return MalformedEvent(why, offset=self._end + read)


def _text(fields: Mapping[str, HeaderValue], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _event_of(fields: Mapping[str, HeaderValue]) -> bytes | None:
    """The name of the event that a message is; one that is called an exception is none."""
    name = _text(fields, ":event-type")
    plain = _text(fields, ":message-type") in ("event", "") and not name.endswith("Exception")
    return name.encode() if plain else None


def _parsed(data: bytes) -> dict[str, HeaderValue]:
    fields: dict[str, HeaderValue] = {}
    at = 0
    while at < len(data):
        length = data[at]
        name = _taken(data, at + 1, length).decode()
        if not name or name in fields:
            raise ValueError("a header without a name, or twice")
        at += 1 + length
        kind = data[at]
        fields[name], at = _value(kind, data, at + 1)
    return fields


def _value(kind: int, data: bytes, at: int) -> tuple[HeaderValue, int]:
    """The value of this type that begins here, and the place after it."""
    if kind in (0, 1):
        return kind == 0, at
    if kind in _FIXED:
        return _FIXED[kind].unpack_from(data, at)[0], at + _FIXED[kind].size
    if kind in (_BYTES, _STRING):
        (length,) = _LENGTH.unpack_from(data, at)
        value = _taken(data, at + 2, length)
        return value if kind == _BYTES else value.decode(), at + 2 + length
    if kind == _TIMESTAMP:
        (milliseconds,) = _FIXED[5].unpack_from(data, at)
        return _EPOCH + timedelta(milliseconds=milliseconds), at + 8
    if kind == _UUID:
        return UUID(bytes=_taken(data, at, 16)), at + 16
    raise ValueError("a header of an unknown type")


def _taken(data: bytes, at: int, length: int) -> bytes:
    value = data[at : at + length]
    if len(value) < length:
        raise ValueError("a header is cut")
    return value
