"""Faults of the framings that are no server-sent events: JSON lines, a JSON array, and AWS's event stream."""

from __future__ import annotations

import struct
from collections.abc import Callable
from zlib import crc32

from msgspec.structs import replace

from ._aws_frames import aws_frame
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, TOO_LARGE, fails_with
from ._payload import AWS_WIRES, before_terminal, first_terminal
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["FRAMING"]

_Apply = Callable[[Reply, Strike], Reply]
_LINES = ("ollama-chat",)
_ARRAY = ("gemini-array",)
_BOM = b"\xef\xbb\xbf"
_SEPARATED = '{"x_unread":"a\u2028b\u2029c\x85d"}'.encode()


def _each(change: Callable[[bytes], bytes]) -> _Apply:
    def apply(reply: Reply, _strike: Strike) -> Reply:
        events = tuple(replace(event, data=change(event.data)) for event in reply.events)
        return replace(reply, events=events)

    return apply


def _first(change: Callable[[bytes], bytes]) -> _Apply:
    def apply(reply: Reply, _strike: Strike) -> Reply:
        first, *rest = reply.events
        return replace(reply, events=(replace(first, data=change(first.data)), *rest), splits=(1, 2))

    return apply


def _last(change: Callable[[bytes], bytes]) -> _Apply:
    def apply(reply: Reply, _strike: Strike) -> Reply:
        *rest, last = reply.events
        return replace(reply, events=(*rest, replace(last, data=change(last.data))))

    return apply


def _between(data: bytes, *, fatal: bool = False) -> _Apply:
    """Put bytes before the place, which is before the terminal evidence and after the first event."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        at = max(1, min(strike.event(reply), first_terminal(reply)))
        event = WireEvent(data, "noise", fatal=fatal)
        return replace(reply, events=(*reply.events[:at], event, *reply.events[at:]))

    return apply


def _spoils(change: Callable[[bytes], bytes]) -> _Apply:
    """Spoil one event, at which a client must end."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        at = before_terminal(reply, strike.event(reply), strike.wire)
        if at is None:
            return reply
        event = replace(reply.events[at], gives=(), terminal=False, fatal=True)
        event = replace(event, data=change(event.data))
        return replace(reply, events=(*reply.events[:at], event, *reply.events[at + 1 :]))

    return apply


def _halved(reply: Reply, strike: Strike) -> Reply:
    """The body ends in the middle of an event, as HTTP says that a body ends."""
    at = before_terminal(reply, strike.event(reply), strike.wire)
    if at is None:
        return reply
    event = reply.events[at]
    half = replace(event, data=event.data[: len(event.data) // 2], gives=(), terminal=False)
    return replace(reply, events=(*reply.events[:at], half))


def _flip(reply: Reply, strike: Strike) -> Reply:
    """One bit of a message is another; both checksums see any."""
    at = before_terminal(reply, strike.event(reply), strike.wire)
    if at is None:
        return reply
    data = bytearray(reply.events[at].data)
    data[strike.rng.randrange(len(data))] ^= 1 << strike.rng.randrange(8)
    return _spoils(lambda _data: bytes(data))(reply, strike)


def _headed(total: int, headers: int) -> bytes:
    """The head of a message, with the checksum that it should have."""
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", crc32(lengths))


def _kinds_of_headers() -> bytes:
    """A message of a name that nobody knows, with a header of each of the format's ten types."""
    values = (
        b"\x00",
        b"\x01",
        b"\x02\x07",
        b"\x03\x00\x07",
        b"\x04\x00\x00\x00\x07",
        b"\x05" + bytes(7) + b"\x07",
        b"\x06\x00\x02ab",
        b"\x07\x00\x02ab",
        b"\x08" + bytes(7) + b"\x07",
        b"\x09" + bytes(range(16)),
    )
    fields = b"".join(struct.pack(">B", 2) + f"h{place}".encode() + each for place, each in enumerate(values))
    name = struct.pack(">B", 11) + b":event-type" + b"\x07\x00\x07novelty"
    kind = struct.pack(">B", 13) + b":message-type" + b"\x07\x00\x05event"
    headers = fields + name + kind
    message = _headed(16 + len(headers) + 2, len(headers)) + headers + b"{}"
    return message + struct.pack(">I", crc32(message))


def _too_long(limit: int, head: bytes) -> _Apply:
    def apply(reply: Reply, strike: Strike) -> Reply:
        size = int(strike.number(limit + 1) * 1024 * 1024)
        return _between(head + b"x" * size, fatal=True)(reply, strike)

    return apply


_PLACES = ("event:0", "event:1", "event:50%", "kind:finish")
_ERROR = aws_frame(
    {":message-type": "error", ":error-code": "InternalError", ":error-message": "The request failed."}, b""
)


def _unnoticed(
    name: str, summary: str, wires: tuple[str, ...], apply: _Apply, sweep: tuple[str, ...] = ()
) -> FaultKind:
    return FaultKind(
        name=f"sse.{name}",
        summary=summary,
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=apply,
        sweep=sweep,
        wires=wires,
    )


def _seen(
    name: str,
    summary: str,
    wires: tuple[str, ...],
    apply: _Apply,
    *errors: str,
    sweep: tuple[str, ...] = _PLACES,
) -> FaultKind:
    return FaultKind(
        name=f"sse.{name}",
        summary=summary,
        phase="body",
        retry="NO" if errors == TOO_LARGE else "R4",
        expect=fails_with(*(errors or ("MalformedEvent",)), final=errors == TOO_LARGE),
        apply=apply,
        sweep=sweep,
        wires=wires,
    )


FRAMING: tuple[FaultKind, ...] = (
    _unnoticed(
        "ndjson_crlf", "Lines end in CR LF.", _LINES, _each(lambda data: data.replace(b"\n", b"\r\n"))
    ),
    _unnoticed(
        "ndjson_blank_lines", "Blank lines come between two.", _LINES, _between(b"\n\r\n \n"), _PLACES
    ),
    _unnoticed(
        "ndjson_bom", "A byte order mark is before the first line.", _LINES, _first(lambda data: _BOM + data)
    ),
    _unnoticed(
        "ndjson_separator",
        "Characters stand in a line that other formats take for line ends.",
        _LINES,
        _between(_SEPARATED + b"\n"),
        _PLACES,
    ),
    _unnoticed("ndjson_unterminated", "The last line does not end.", _LINES, _last(lambda data: data[:-1])),
    _seen("ndjson_cut", "The body ends in the middle of a line.", _LINES, _halved, "Truncated"),
    _seen("ndjson_glued", "A line break is missing.", _LINES, _spoils(lambda data: data[:-1] + data)),
    _seen(
        "ndjson_sse", "A server-sent event is among the lines.", _LINES, _between(b"data: {}\n\n", fatal=True)
    ),
    _seen(
        "ndjson_html", "A web page is among the lines.", _LINES, _between(b"<html>\n</html>\n", fatal=True)
    ),
    _seen(
        "ndjson_endless_line",
        "A line does not end within a client's limit, or so many MiB.",
        _LINES,
        _too_long(8, b'{"x_unread":"'),
        *TOO_LARGE,
        sweep=("event:1",),
    ),
    _unnoticed(
        "array_compact",
        "Only a comma is between two elements.",
        _ARRAY,
        _each(lambda data: data.replace(b"\r\n", b"")),
    ),
    _unnoticed(
        "array_bom", "A byte order mark is before the array.", _ARRAY, _first(lambda data: _BOM + data)
    ),
    _unnoticed(
        "array_blank", "White space is before the array.", _ARRAY, _first(lambda data: b" \r\n\t" + data)
    ),
    _unnoticed(
        "array_unclosed", "The array does not end.", _ARRAY, _last(lambda data: data.removesuffix(b"]"))
    ),
    _seen("array_cut", "The body ends in the middle of an element.", _ARRAY, _halved, "Truncated"),
    _seen("array_text", "Other text is among the elements.", _ARRAY, _between(b",\r\nerror", fatal=True)),
    _seen("array_html", "A web page is among the elements.", _ARRAY, _between(b"<html></html>", fatal=True)),
    _seen(
        "array_endless_element",
        "An element does not end within a client's limit, or so many MiB.",
        _ARRAY,
        _too_long(32, b',\r\n{"x_unread":"'),
        *TOO_LARGE,
        sweep=("event:1",),
    ),
    _seen(
        "aws_bad_prelude_crc",
        "The checksum of a message's head is wrong.",
        AWS_WIRES,
        _spoils(lambda data: data[:8] + bytes([data[8] ^ 1]) + data[9:]),
    ),
    _seen(
        "aws_bad_message_crc",
        "The checksum of a message is wrong.",
        AWS_WIRES,
        _spoils(lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    ),
    _seen(
        "aws_bitflip", "One bit of a message is another.", AWS_WIRES, _flip, "MalformedEvent", "NotAStream"
    ),
    _seen("aws_cut_frame", "The body ends in the middle of a message.", AWS_WIRES, _halved, "Truncated"),
    _seen(
        "aws_bad_lengths",
        "A message's headers are longer than the message.",
        AWS_WIRES,
        _between(_headed(64, 128), fatal=True),
    ),
    _seen(
        "aws_huge_length",
        "A message says that it is 4 GiB long.",
        AWS_WIRES,
        _between(_headed(0xFFFFFFFF, 16), fatal=True),
        *TOO_LARGE,
    ),
    _seen(
        "aws_sse_in_binary",
        "A gateway puts a server-sent event between two messages.",
        AWS_WIRES,
        _between(b'data: {"error":"gone"}\n\n', fatal=True),
    ),
    _seen(
        "aws_error",
        "A message is an error that is no exception.",
        AWS_WIRES,
        _between(_ERROR, fatal=True),
        "APIError",
    ),
    _unnoticed(
        "aws_headers",
        "A message of a name that nobody knows has headers of all types.",
        AWS_WIRES,
        _between(_kinds_of_headers()),
        _PLACES,
    ),
)
"""Those kinds of the layer `sse` that are of other framings."""
