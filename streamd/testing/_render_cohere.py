"""Cohere's chat, as a server streams it.

https://docs.cohere.com/v2/docs/streaming
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
from ._scenario import CallPart, Part, TextPart, ThinkingPart, Turn
from ._sse import COMMENT, sse_event
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["COHERE_V2"]

_REASONS: dict[StopReason, str] = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


def _event(
    kind: EventKind,
    name: str,
    fields: dict[str, Any],
    *gives: Chunk,
    terminal: bool = False,
    fatal: bool = False,
) -> WireEvent:
    return sse_event(kind, {"type": name, **fields}, gives, name=name, terminal=terminal, fatal=fatal)


def _events(turn: Turn, number: int) -> Iterator[WireEvent]:
    id_ = f"00000000-0000-4000-8000-{number:012d}"
    empty: dict[str, Any] = {
        "role": "assistant",
        "content": [],
        "tool_plan": "",
        "tool_calls": [],
        "citations": [],
    }
    yield _event("start", "message-start", {"id": id_, "delta": {"message": empty}}, Metadata(id_, None))
    closed: list[Chunk] = []
    for index, part in enumerate(turn.parts):
        yield from _part(index, part, len(closed))
        if isinstance(part, CallPart):
            closed.append(ToolCall(len(closed), part.id, part.name, part.arguments))
    raw = _REASONS.get(turn.stop_reason, "COMPLETE")
    counts = {"input_tokens": turn.usage.input_tokens, "output_tokens": turn.usage.output_tokens}
    delta = {"finish_reason": raw, "usage": {"billed_units": counts, "tokens": counts}}
    told = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    stop = Stop(turn.stop_reason, None, raw)
    yield _event("finish", "message-end", {"delta": delta}, told, *closed, stop, terminal=True)


def _part(index: int, part: Part, place: int) -> Iterator[WireEvent]:
    match part:
        case TextPart(pieces):
            yield _block("start", "content-start", index, {"type": "text", "text": ""})
            for piece in pieces:
                yield _block("text", "content-delta", index, {"text": piece}, Text(piece))
            yield _event("close", "content-end", {"index": index})
        case ThinkingPart(pieces):
            yield _block("start", "content-start", index, {"type": "thinking", "thinking": ""})
            for piece in pieces:
                yield _block("thinking", "content-delta", index, {"thinking": piece}, Thinking(piece))
            yield _event("close", "content-end", {"index": index})
        case CallPart():
            named = {"name": part.name, "arguments": ""}
            call: dict[str, Any] = {"id": part.id, "type": "function", "function": named}
            opened = ToolCallDelta(place, part.id, part.name, "")
            yield _call("call", "tool-call-start", index, call, opened)
            for fragment in part.fragments:
                further: dict[str, Any] = {"function": {"arguments": fragment}}
                delta = ToolCallDelta(place, None, None, fragment)
                yield _call("arguments", "tool-call-delta", index, further, delta)
            yield _event("close", "tool-call-end", {"index": index})


def _block(kind: EventKind, name: str, index: int, content: dict[str, Any], *gives: Chunk) -> WireEvent:
    return _event(kind, name, {"index": index, "delta": {"message": {"content": content}}}, *gives)


def _call(kind: EventKind, name: str, index: int, call: dict[str, Any], *gives: Chunk) -> WireEvent:
    return _event(kind, name, {"index": index, "delta": {"message": {"tool_calls": call}}}, *gives)


def _error(failure: Failure) -> WireEvent:
    delta = {"finish_reason": "ERROR", "error": f"the request failed: {failure.name}"}
    return _event("error", "message-end", {"delta": delta}, fatal=True)


def _provider(url: str, key: str) -> Any:
    return "cohere", {"base_url": url, "api_key": key}


COHERE_V2 = Wire(
    name="cohere-v2",
    decoder="cohere-v2",
    content_type="text/event-stream",
    events=lambda turn, number: tuple(_events(turn, number)),
    answered=rounds_answered,
    error=_error,
    refusal=lambda failure: msgspec.json.encode({"message": f"the request failed: {failure.name}"}),
    keepalive=COMMENT,
    provider=_provider,
    # The end of a failed message has one reason, and a text.
    tells=frozenset(("server_error",)),
)
"""The wire `cohere-v2`."""
