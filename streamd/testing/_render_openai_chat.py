"""OpenAI's chat completions, as a server streams them.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from streamd.providers import (
    Chunk,
    Metadata,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Usage,
)

from ._failures import Failure
from ._rounds import rounds_answered
from ._scenario import CallPart, TextPart, ThinkingPart, Turn
from ._sse import COMMENT, sse_event
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["OPENAI_CHAT"]

_MODEL = "tiny-1"

_REASONS: dict[StopReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}

_CODES: dict[str, tuple[str, str | None]] = {
    "overloaded": ("overloaded_error", "overloaded"),
    "rate_limit": ("requests", "rate_limit_exceeded"),
    "server_error": ("server_error", "server_error"),
    "invalid_request": ("invalid_request_error", None),
    "auth": ("authentication_error", "invalid_api_key"),
    "not_found": ("invalid_request_error", "model_not_found"),
}


def _delta(
    id_: str,
    kind: EventKind,
    delta: dict[str, Any],
    *gives: Chunk,
    finish: str | None = None,
    terminal: bool = False,
) -> WireEvent:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": id_, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": _MODEL}
    return sse_event(kind, {**head, "choices": [choice]}, gives, terminal=terminal)


def _events(turn: Turn, number: int) -> Iterator[WireEvent]:
    id_ = f"chatcmpl-{number}"
    yield _delta(id_, "start", {"role": "assistant", "content": ""}, Metadata(id_, _MODEL))
    closed: list[Chunk] = []
    for part in turn.parts:
        match part:
            case TextPart(pieces):
                for piece in pieces:
                    yield _delta(id_, "text", {"content": piece}, Text(piece))
            case ThinkingPart(pieces):
                for piece in pieces:
                    yield _delta(id_, "thinking", {"reasoning_content": piece}, Thinking(piece))
            case CallPart():
                place = len(closed)
                yield from _call(id_, part, place)
                closed.append(ToolCall(place, part.id, part.name, part.arguments))
    reason = _REASONS.get(turn.stop_reason, "stop")
    yield _delta(
        id_, "finish", {}, *closed, Stop(turn.stop_reason, None, reason), finish=reason, terminal=True
    )
    counts = {
        "prompt_tokens": turn.usage.input_tokens,
        "completion_tokens": turn.usage.output_tokens,
        "total_tokens": turn.usage.total_tokens,
    }
    head = {"id": id_, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": _MODEL}
    told = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    yield sse_event("usage", {**head, "choices": [], "usage": counts}, (told,), terminal=True)
    yield sse_event("end", "[DONE]", terminal=True)


def _call(id_: str, part: CallPart, place: int) -> Iterator[WireEvent]:
    head = {
        "index": place,
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": ""},
    }
    yield _delta(id_, "call", {"tool_calls": [head]}, ToolCallDelta(place, part.id, part.name, ""))
    for fragment in part.fragments:
        entry = {"index": place, "function": {"arguments": fragment}}
        yield _delta(id_, "arguments", {"tool_calls": [entry]}, ToolCallDelta(place, None, None, fragment))


def _told(failure: Failure) -> dict[str, Any]:
    kind, code = _CODES[failure.name]
    return {"error": {"message": "The request failed.", "type": kind, "param": None, "code": code}}


def _error(failure: Failure) -> WireEvent:
    return sse_event("error", _told(failure), fatal=True)


def _provider(url: str, key: str) -> Any:
    return "openai-compatible", {"base_url": url, "api_key": key}


OPENAI_CHAT = Wire(
    name="openai-chat",
    decoder="openai-chat",
    content_type="text/event-stream",
    events=lambda turn, number: tuple(_events(turn, number)),
    answered=rounds_answered,
    error=_error,
    refusal=lambda failure: msgspec.json.encode(_told(failure)),
    keepalive=COMMENT,
    provider=_provider,
)
"""The wire `openai-chat`."""
