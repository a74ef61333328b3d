"""Anthropic's messages, as a server streams them.

https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

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
from ._scenario import CallPart, Part, TextPart, ThinkingPart, Turn
from ._sse import sse_event
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["ANTHROPIC_MESSAGES", "Framed", "anthropic_answered", "anthropic_events", "anthropic_told"]

_MODEL = "tiny-1"

_REASONS: dict[StopReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "refusal": "refusal",
    "pause": "pause_turn",
}

_TYPES = {
    "overloaded": "overloaded_error",
    "rate_limit": "rate_limit_error",
    "server_error": "api_error",
    "invalid_request": "invalid_request_error",
    "auth": "authentication_error",
    "not_found": "not_found_error",
}

Framed = Callable[..., WireEvent]
"""Frames one payload: its kind, the payload, and what it gives; `terminal` and `fatal` by name."""


def _frame(
    kind: EventKind,
    payload: dict[str, Any],
    gives: tuple[Chunk, ...] = (),
    *,
    terminal: bool = False,
    fatal: bool = False,
) -> WireEvent:
    return sse_event(kind, payload, gives, name=payload["type"], terminal=terminal, fatal=fatal)


def anthropic_events(
    turn: Turn, number: int, frame: Framed = _frame, last: Mapping[str, Any] | None = None
) -> Iterator[WireEvent]:
    """A turn event by event.

    Args:
        turn: The turn.
        number: Its number in the scenario.
        frame: How each event is framed, which Bedrock does in its own way.
        last: What stands in the last event besides, as Bedrock adds its metrics. Calls are then confirmed only there,
            as a guardrail may still void them.
    """
    id_ = f"msg_{number}"
    usage = {"input_tokens": turn.usage.input_tokens, "output_tokens": 0}
    message: dict[str, Any] = {
        "id": id_,
        "type": "message",
        "role": "assistant",
        "model": _MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    begun = (Metadata(id_, _MODEL), Usage(turn.usage.input_tokens, 0))
    yield frame("start", {"type": "message_start", "message": message}, begun)
    closed: list[Chunk] = []
    for index, part in enumerate(turn.parts):
        yield from _block(index, part, len(closed), frame)
        if isinstance(part, CallPart):
            closed.append(ToolCall(len(closed), part.id, part.name, part.arguments))
    raw = _REASONS.get(turn.stop_reason, "end_turn")
    ended = {
        "type": "message_delta",
        "delta": {"stop_reason": raw, "stop_sequence": None},
        "usage": {"output_tokens": turn.usage.output_tokens},
    }
    told = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    ending: tuple[Chunk, ...] = (*closed, Stop(turn.stop_reason, None, raw))
    if closed and last is not None:
        yield frame("finish", ended, (told,))
    else:
        yield frame("finish", ended, (told, *ending), terminal=True)
        ending = ()
    yield frame("end", {"type": "message_stop", **(last or {})}, ending, terminal=True)


def _block(index: int, part: Part, place: int, frame: Framed) -> Iterator[WireEvent]:
    opened: dict[str, Any]
    deltas: list[tuple[EventKind, dict[str, Any], Chunk]]
    first: tuple[Chunk, ...] = ()
    kind: EventKind = "start"
    match part:
        case TextPart(pieces):
            opened = {"type": "text", "text": ""}
            deltas = [("text", {"type": "text_delta", "text": piece}, Text(piece)) for piece in pieces]
        case ThinkingPart(pieces, signature):
            opened = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [
                ("thinking", {"type": "thinking_delta", "thinking": piece}, Thinking(piece))
                for piece in pieces
            ]
            if signature is not None:
                signed = {"type": "signature_delta", "signature": signature}
                deltas.append(("signature", signed, Thinking("", signature)))
        case CallPart():
            opened = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
            kind, first = "call", (ToolCallDelta(place, part.id, part.name, ""),)
            deltas = [
                (
                    "arguments",
                    {"type": "input_json_delta", "partial_json": fragment},
                    ToolCallDelta(place, None, None, fragment),
                )
                for fragment in part.fragments
            ]
    yield frame(kind, {"type": "content_block_start", "index": index, "content_block": opened}, first)
    proof: tuple[Chunk, ...] = ()
    for each, delta, chunk in deltas:
        # A signature is given with the end of its block, as it may come in pieces.
        proof, gives = ((chunk,), ()) if each == "signature" else (proof, (chunk,))
        yield frame(each, {"type": "content_block_delta", "index": index, "delta": delta}, gives)
    yield frame("close", {"type": "content_block_stop", "index": index}, proof)


class _Block(Struct):
    type: str = ""


class _Message(Struct):
    role: str
    content: str | list[_Block] = ""


class _Body(Struct):
    messages: list[_Message] = []


def anthropic_answered(body: bytes) -> int:
    """How many turns of tool calls the body of a request holds."""
    messages = msgspec.json.decode(body, type=_Body).messages
    return sum(
        message.role == "assistant"
        and not isinstance(message.content, str)
        and any(block.type == "tool_use" for block in message.content)
        for message in messages
    )


def anthropic_told(failure: Failure) -> dict[str, Any]:
    """An error, as an event and as the body of a refusal."""
    return {"type": "error", "error": {"type": _TYPES[failure.name], "message": "The request failed."}}


def _provider(url: str, key: str) -> Any:
    return "anthropic", {"base_url": url, "api_key": key}


ANTHROPIC_MESSAGES = Wire(
    name="anthropic-messages",
    decoder="anthropic-messages",
    content_type="text/event-stream; charset=utf-8",
    events=lambda turn, number: tuple(anthropic_events(turn, number)),
    answered=anthropic_answered,
    error=lambda failure: _frame("error", anthropic_told(failure), fatal=True),
    refusal=lambda failure: msgspec.json.encode(anthropic_told(failure)),
    keepalive=_frame("keepalive", {"type": "ping"}),
    provider=_provider,
)
"""The wire `anthropic-messages`."""
