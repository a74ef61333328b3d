"""How many rounds of tools a request holds already, where assistant messages carry their calls in `tool_calls`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["rounds_answered"]


class _Message(Struct):
    tool_calls: list[Any] | None = None


class _Body(Struct):
    messages: list[_Message] = []


def rounds_answered(body: bytes) -> int:
    """The messages of a request's body that call tools."""
    return sum(bool(message.tool_calls) for message in msgspec.json.decode(body, type=_Body).messages)
