"""Gemini's answers, as a server streams them: as server-sent events, or as one JSON array.

https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

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
from ._scenario import CallPart, TextPart, ThinkingPart, Turn
from ._sse import COMMENT, sse_event
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["GEMINI", "GEMINI_ARRAY"]

_MODEL = "tiny-1"

_REASONS: dict[StopReason, str] = {"length": "MAX_TOKENS", "content_filter": "SAFETY"}

_STATUSES = {
    "overloaded": (503, "UNAVAILABLE"),
    "rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "server_error": (500, "INTERNAL"),
    "invalid_request": (400, "INVALID_ARGUMENT"),
    "auth": (401, "UNAUTHENTICATED"),
    "not_found": (404, "NOT_FOUND"),
}

_Payload = tuple[EventKind, dict[str, Any], tuple[Chunk, ...], bool]


def _payloads(turn: Turn, number: int) -> Iterator[_Payload]:
    """The events as their JSON, with what they are for, what they give, and whether they are terminal."""
    head = {"modelVersion": _MODEL, "responseId": f"response-{number}"}
    first: tuple[Chunk, ...] = (Metadata(head["responseId"], _MODEL),)
    closed: list[Chunk] = []
    for part in turn.parts:
        for kind, told, gives in _parts(part, len(closed)):
            content = {"role": "model", "parts": [told]}
            yield kind, {"candidates": [{"content": content, "index": 0}], **head}, (*first, *gives), False
            first = ()
        if isinstance(part, CallPart):
            closed.append(ToolCall(len(closed), part.id, part.name, part.arguments))
    counts = {
        "promptTokenCount": turn.usage.input_tokens,
        "candidatesTokenCount": turn.usage.output_tokens,
        "totalTokenCount": turn.usage.total_tokens,
    }
    raw = _REASONS.get(turn.stop_reason, "STOP")
    content = {"role": "model", "parts": [{"text": ""}]}
    candidate = {"content": content, "finishReason": raw, "index": 0}
    usage = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    ending = (*first, usage, *closed, Stop(turn.stop_reason, None, raw))
    yield "finish", {"candidates": [candidate], "usageMetadata": counts, **head}, ending, True


def _parts(
    part: TextPart | ThinkingPart | CallPart, place: int
) -> Iterator[tuple[EventKind, dict[str, Any], tuple[Chunk, ...]]]:
    match part:
        case TextPart(pieces):
            for piece in pieces:
                yield "text", {"text": piece}, (Text(piece),)
        case ThinkingPart(pieces, signature):
            for piece in pieces[:-1]:
                yield "thinking", {"text": piece, "thought": True}, (Thinking(piece),)
            signed = {"thoughtSignature": signature} if signature else {}
            yield (
                "thinking",
                {"text": pieces[-1], "thought": True, **signed},
                (Thinking(pieces[-1], signature),),
            )
        case CallPart():
            call = {"id": part.id, "name": part.name, "args": part.arguments}
            text = msgspec.json.encode(part.arguments).decode()
            yield "call", {"functionCall": call}, (ToolCallDelta(place, part.id, part.name, text),)


def _sse_events(turn: Turn, number: int) -> tuple[WireEvent, ...]:
    return tuple(
        sse_event(kind, payload, gives, terminal=terminal)
        for kind, payload, gives, terminal in _payloads(turn, number)
    )


def _array_events(turn: Turn, number: int) -> tuple[WireEvent, ...]:
    events = [
        WireEvent(
            (b",\r\n" if place else b"[") + msgspec.json.format(msgspec.json.encode(payload), indent=2),
            kind,
            gives,
            terminal,
        )
        for place, (kind, payload, gives, terminal) in enumerate(_payloads(turn, number))
    ]
    return (*events, WireEvent(b"\n]", "end", terminal=True))


class _Part(Struct, rename="camel"):
    function_call: dict[str, Any] | None = None


class _Content(Struct):
    role: str = "user"
    parts: list[_Part] = []


class _Body(Struct):
    contents: list[_Content] = []


def _answered(body: bytes) -> int:
    contents = msgspec.json.decode(body, type=_Body).contents
    return sum(
        content.role == "model" and any(part.function_call is not None for part in content.parts)
        for content in contents
    )


def _told(failure: Failure) -> dict[str, Any]:
    code, status = _STATUSES[failure.name]
    return {"error": {"code": code, "message": "The request failed.", "status": status}}


def _array_error(failure: Failure) -> WireEvent:
    return WireEvent(b",\r\n" + msgspec.json.encode(_told(failure)) + b"\n]", "error", fatal=True)


_FRAME = re.compile(rb"(?P<first>(?:\xef\xbb\xbf)?\s*\[)|,(?:\r\n)?")


def _joined(events: tuple[WireEvent, ...]) -> tuple[WireEvent, ...]:
    framed: list[WireEvent] = []
    begun = False
    for event in events:
        frame = _FRAME.match(event.data)
        if frame is not None:
            if (frame["first"] is None) != begun:
                event = replace(event, data=(b",\r\n" if begun else b"[") + event.data[frame.end() :])
            begun = True
        framed.append(event)
    return tuple(framed)


def _provider(url: str, key: str) -> Any:
    return "gemini", {"base_url": url, "api_key": key}


GEMINI = Wire(
    name="gemini",
    decoder="gemini",
    content_type="text/event-stream",
    events=_sse_events,
    answered=_answered,
    error=lambda failure: sse_event("error", _told(failure), fatal=True),
    refusal=lambda failure: msgspec.json.encode(_told(failure)),
    keepalive=COMMENT,
    provider=_provider,
)
"""The wire `gemini`, as server-sent events."""

GEMINI_ARRAY = replace(
    GEMINI,
    name="gemini-array",
    content_type="application/json; charset=UTF-8",
    events=_array_events,
    error=_array_error,
    # White space, which may stand between any two elements.
    keepalive=WireEvent(b"\n", "keepalive"),
    joined=_joined,
)
"""The same as one JSON array, which is Google's default: an element is whole at its last brace."""
