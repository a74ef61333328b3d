"""What is read of an event of Bedrock's ConverseStream, and of an answer that is not streamed.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html. Fields that are not named here
are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = [
    "ANSWERS",
    "EVENTS",
    "ConverseAnswer",
    "ConverseBlock",
    "ConverseDelta",
    "ConverseEvent",
    "ConverseReasoning",
    "ConverseStart",
    "ConverseToolUse",
]


class ConverseToolUse(Struct, gc=False, rename="camel"):
    """A call as it begins; its `input` is a piece of text in a delta, and an object where it is whole."""

    tool_use_id: str | None = None
    name: str | None = None
    type: str | None = None
    input: Any = None


class ConverseReasoning(Struct, gc=False, rename="camel"):
    """A piece of reasoning, of its signature, or of a block that is encrypted (base64)."""

    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None
    reasoning_text: dict[str, Any] | None = None


class ConverseStart(Struct, gc=False, rename="camel"):
    """What a block is that begins; texts and reasoning begin without it."""

    tool_use: ConverseToolUse | None = None
    tool_result: dict[str, Any] | None = None
    image: dict[str, Any] | None = None


class ConverseDelta(Struct, gc=False, rename="camel"):
    """What an event adds to a block."""

    text: str | None = None
    tool_use: ConverseToolUse | None = None
    tool_result: list[Any] | None = None
    reasoning_content: ConverseReasoning | None = None
    citation: dict[str, Any] | None = None
    image: dict[str, Any] | None = None


class ConverseEvent(Struct, gc=False, rename="camel"):
    """One event of any kind; which it is, its name says."""

    content_block_index: int | None = None
    start: ConverseStart | None = None
    delta: ConverseDelta | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    trace: dict[str, Any] | None = None


class ConverseBlock(Struct, gc=False, rename="camel"):
    """A block of an answer that is whole."""

    text: str | None = None
    tool_use: ConverseToolUse | None = None
    tool_result: dict[str, Any] | None = None
    reasoning_content: ConverseReasoning | None = None
    citations_content: dict[str, Any] | None = None
    image: dict[str, Any] | None = None


class _Message(Struct, gc=False):
    content: list[ConverseBlock] | None = None


class _Output(Struct, gc=False):
    message: _Message | None = None


class ConverseAnswer(Struct, gc=False, rename="camel"):
    """An answer that is not streamed."""

    output: _Output | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None
    trace: dict[str, Any] | None = None


EVENTS = msgspec.json.Decoder(ConverseEvent)
ANSWERS = msgspec.json.Decoder(ConverseAnswer)
