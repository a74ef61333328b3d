"""AWS's binary event stream, written: https://smithy.io/2.0/aws/amazon-eventstream.html."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any
from zlib import crc32

import msgspec

from streamd.providers import Chunk

from ._wire_event import EventKind, WireEvent

__all__ = ["aws_event", "aws_exception", "aws_frame"]

_STRING = 7


def aws_frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message: its lengths, its headers, the payload, and both checksums."""
    fields = b"".join(
        struct.pack(">B", len(name))
        + name.encode()
        + struct.pack(">BH", _STRING, len(value))
        + value.encode()
        for name, value in headers.items()
    )
    lengths = struct.pack(">II", 16 + len(fields) + len(payload), len(fields))
    message = lengths + struct.pack(">I", crc32(lengths)) + fields + payload
    return message + struct.pack(">I", crc32(message))


def aws_event(
    kind: EventKind,
    name: str,
    payload: Any,
    gives: tuple[Chunk, ...] = (),
    *,
    terminal: bool = False,
    fatal: bool = False,
) -> WireEvent:
    """One event of this name with a JSON payload."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return WireEvent(aws_frame(headers, msgspec.json.encode(payload)), kind, gives, terminal, fatal)


def aws_exception(name: str, message: str) -> WireEvent:
    """An exception in the stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return WireEvent(aws_frame(headers, msgspec.json.encode({"message": message})), "error", fatal=True)
