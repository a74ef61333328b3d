"""What all streams that are decoded are made of: words, a tool call's arguments, and events of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

__all__ = ["ARGUMENTS", "PAD", "Stream", "arguments", "as_json", "data_lines", "named_lines", "words"]

Stream = list[bytes]
"""A body, event by event."""

_TOKENS = (
    " The",
    " river",
    " runs",
    " from",
    " the",
    " hills",
    ",",
    " past",
    " Köln",
    " and",
    " on",
    ".\n",
    ' "So"',
)
ARGUMENTS = '{"town": "Köln", "days": 3, "units": "metric"}'
PAD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def words(number: int) -> Iterator[str]:
    """The words of the answer."""
    return islice(cycle(_TOKENS), number)


def arguments() -> Iterator[str]:
    """The arguments of the tool call, four characters at a time."""
    return (ARGUMENTS[at : at + 4] for at in range(0, len(ARGUMENTS), 4))


def as_json(value: Any) -> bytes:
    """JSON as providers send it, without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def data_lines(events: list[dict[str, Any]], end: bytes) -> Stream:
    """Events of data alone, and what ends them."""
    return [b"data: %b\n\n" % as_json(event) for event in events] + [end]


def named_lines(events: list[dict[str, Any]]) -> Stream:
    """Events that are named as their type says."""
    return [b"event: %b\ndata: %b\n\n" % (event["type"].encode(), as_json(event)) for event in events]
