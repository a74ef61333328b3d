"""Server-sent events, written."""

from __future__ import annotations

from typing import Any

import msgspec

from streamd.providers import Chunk

from ._wire_event import EventKind, WireEvent

__all__ = ["COMMENT", "sse_event"]

COMMENT = WireEvent(b": keep-alive\n\n", "keepalive")
"""A comment, as many servers send it so that nobody takes the silence for a lost connection."""


def sse_event(
    kind: EventKind,
    data: Any,
    gives: tuple[Chunk, ...] = (),
    *,
    name: str = "",
    terminal: bool = False,
    fatal: bool = False,
) -> WireEvent:
    """One event with this data: a text as it is, anything else as JSON.

    Args:
        kind: What it is for.
        data: What stands after `data: `.
        gives: What is whole with it.
        name: The event's; it has none if empty.
        terminal: Whether it is terminal evidence.
        fatal: Whether a client ends with an error here.
    """
    text = data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    head = f"event: {name}\n".encode() if name else b""
    return WireEvent(head + b"data: " + text + b"\n\n", kind, gives, terminal, fatal)
