"""Ollama's chat, as a server streams it: one JSON object a line.

https://docs.ollama.com/api/chat
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
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["OLLAMA_CHAT"]

_HEAD: dict[str, Any] = {"model": "tiny-1", "created_at": "2026-01-01T00:00:00Z"}

_REASONS: dict[StopReason, str] = {"length": "length"}


def _line(
    kind: EventKind, payload: dict[str, Any], *gives: Chunk, terminal: bool = False, fatal: bool = False
) -> WireEvent:
    return WireEvent(msgspec.json.encode(payload) + b"\n", kind, gives, terminal, fatal)


def _adds(kind: EventKind, message: dict[str, Any], *gives: Chunk) -> WireEvent:
    whole = {"role": "assistant", "content": "", **message}
    return _line(kind, {**_HEAD, "message": whole, "done": False}, *gives)


def _events(turn: Turn) -> Iterator[WireEvent]:
    yield _adds("start", {}, Metadata(None, "tiny-1"))
    closed: list[Chunk] = []
    for part in turn.parts:
        match part:
            case TextPart(pieces):
                for piece in pieces:
                    yield _adds("text", {"content": piece}, Text(piece))
            case ThinkingPart(pieces):
                for piece in pieces:
                    yield _adds("thinking", {"thinking": piece}, Thinking(piece))
            case CallPart():
                place = len(closed)
                function = {"index": place, "name": part.name, "arguments": part.arguments}
                text = msgspec.json.encode(part.arguments).decode()
                delta = ToolCallDelta(place, part.id, part.name, text)
                yield _adds("call", {"tool_calls": [{"id": part.id, "function": function}]}, delta)
                closed.append(ToolCall(place, part.id, part.name, part.arguments))
    raw = _REASONS.get(turn.stop_reason, "stop")
    told = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    counts = {"prompt_eval_count": turn.usage.input_tokens, "eval_count": turn.usage.output_tokens}
    durations = {"total_duration": 5_000_000, "load_duration": 1_000_000}
    message = {"role": "assistant", "content": ""}
    ended = {**_HEAD, "message": message, "done": True, "done_reason": raw, **durations, **counts}
    yield _line("finish", ended, told, *closed, Stop(turn.stop_reason, None, raw), terminal=True)


def _told(failure: Failure) -> dict[str, Any]:
    return {"error": f"the request failed: {failure.name}"}


def _provider(url: str, key: str) -> Any:
    return "ollama", {"base_url": url, "api_key": key}


OLLAMA_CHAT = Wire(
    name="ollama-chat",
    decoder="ollama-chat",
    content_type="application/x-ndjson",
    events=lambda turn, _number: tuple(_events(turn)),
    answered=rounds_answered,
    error=lambda failure: _line("error", _told(failure), fatal=True),
    refusal=lambda failure: msgspec.json.encode(_told(failure)),
    keepalive=_adds("keepalive", {}),
    provider=_provider,
    # An error is a text, and nothing says of which kind it is.
    tells=frozenset(("server_error",)),
)
"""The wire `ollama-chat`."""
