"""What is read of an event of Anthropic's messages.

https://docs.anthropic.com/en/docs/build-with-claude/streaming. Fields that are not named here are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from .chunks import StopReason

__all__ = ["EVENTS", "MESSAGES", "REASONS", "AnthropicEvent", "ContentBlock", "ContentDelta", "WholeMessage"]

REASONS: dict[str, StopReason] = {
    "compaction": "pause",
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "pause",
    "refusal": "refusal",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}


class Container(Struct, gc=False):
    """Where the provider's own tools run."""

    id: str | None = None


class ContentBlock(Struct, gc=False):
    """A content block as it begins, or whole where the answer is not streamed."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    input: Any = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    citations: list[Any] | None = None
    caller: dict[str, Any] | None = None


class ContentDelta(Struct, gc=False):
    """What an event adds to a block, or to the message (`stop_reason`)."""

    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: Any = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    container: Container | None = None


class WholeMessage(Struct, gc=False):
    """The message as it begins, or whole where the answer is not streamed."""

    type: str = ""
    id: str | None = None
    model: str | None = None
    content: list[ContentBlock] | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    container: Container | None = None


class AnthropicEvent(Struct, gc=False):
    """One event of any type."""

    type: str = ""
    index: int | None = None
    message: WholeMessage | None = None
    content_block: ContentBlock | None = None
    delta: ContentDelta | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


EVENTS = msgspec.json.Decoder(AnthropicEvent)
MESSAGES = msgspec.json.Decoder(WholeMessage)
