"""A whole answer as one JSON document: what a server gives that does not stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from streamd.providers import Chunk, Stop, Text, Thinking, ToolCall, Usage

from ._wire_event import WireEvent

__all__ = ["DOCUMENTS", "document"]


def document(wire: str, events: Sequence[WireEvent]) -> WireEvent:
    """The answer that these events give, as one document of a wire that is in `DOCUMENTS`."""
    gives = tuple(chunk for event in events for chunk in event.gives)
    return WireEvent(msgspec.json.encode(DOCUMENTS[wire](gives)), "end", gives, terminal=True)


def _counted(gives: Sequence[Chunk]) -> Usage:
    return next((chunk for chunk in reversed(gives) if isinstance(chunk, Usage)), Usage())


def _reason(gives: Sequence[Chunk]) -> str | None:
    return next((chunk.raw_reason for chunk in gives if isinstance(chunk, Stop)), None)


def _openai_chat(gives: Sequence[Chunk]) -> dict[str, Any]:
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": msgspec.json.encode(call.arguments).decode()},
        }
        for call in gives
        if isinstance(call, ToolCall)
    ]
    text = "".join(chunk.text for chunk in gives if isinstance(chunk, Text))
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if thought := "".join(chunk.text for chunk in gives if isinstance(chunk, Thinking)):
        message["reasoning_content"] = thought
    usage = _counted(gives)
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "tiny-1",
        "choices": [
            {
                "index": 0,
                "message": message | ({"tool_calls": calls} if calls else {}),
                "finish_reason": _reason(gives),
            }
        ],
        "usage": {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens},
    }


def _anthropic(gives: Sequence[Chunk]) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    thoughts = [chunk for chunk in gives if isinstance(chunk, Thinking)]
    if thoughts:
        signature = next((each.signature for each in reversed(thoughts) if each.signature), "")
        thought = "".join(each.text for each in thoughts)
        content.append({"type": "thinking", "thinking": thought, "signature": signature})
    for chunk in gives:
        match chunk:
            case Text(text):
                content.append({"type": "text", "text": text})
            case ToolCall():
                content.append(
                    {"type": "tool_use", "id": chunk.id, "name": chunk.name, "input": chunk.arguments}
                )
            case _:
                pass
    usage = _counted(gives)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "tiny-1",
        "content": content,
        "stop_reason": _reason(gives),
        "stop_sequence": None,
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
    }


DOCUMENTS: dict[str, Callable[[Sequence[Chunk]], dict[str, Any]]] = {
    "openai-chat": _openai_chat,
    "anthropic-messages": _anthropic,
}
"""The wires that have one here, and what it is made of."""
