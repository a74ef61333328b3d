"""Amazon Bedrock, as it streams: ConverseStream, and a model's own events in those of InvokeModel.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from streamd.providers import Chunk, Stop, StopReason, Text, Thinking, ToolCall, ToolCallDelta, Usage

from ._aws_frames import aws_event, aws_exception
from ._failures import Failure
from ._render_anthropic import anthropic_answered, anthropic_events
from ._scenario import CallPart, Part, TextPart, ThinkingPart, Turn
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["BEDROCK_CONVERSE", "BEDROCK_INVOKE"]

_REASONS: dict[StopReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
}

_EXCEPTIONS = {
    "overloaded": "serviceUnavailableException",
    "rate_limit": "throttlingException",
    "server_error": "internalServerException",
    "invalid_request": "validationException",
    "auth": "accessDeniedException",
    "not_found": "resourceNotFoundException",
}

_CONTENT = "application/vnd.amazon.eventstream"


def _events(turn: Turn) -> Iterator[WireEvent]:
    yield aws_event("start", "messageStart", {"role": "assistant"})
    closed: list[Chunk] = []
    for index, part in enumerate(turn.parts):
        yield from _block(index, part, len(closed))
        if isinstance(part, CallPart):
            closed.append(ToolCall(len(closed), part.id, part.name, part.arguments))
    raw = _REASONS.get(turn.stop_reason, "end_turn")
    stop = Stop(turn.stop_reason, None, raw)
    yield aws_event("finish", "messageStop", {"stopReason": raw}, (*closed, stop), terminal=True)
    counts = {
        "inputTokens": turn.usage.input_tokens,
        "outputTokens": turn.usage.output_tokens,
        "totalTokens": turn.usage.total_tokens,
    }
    told = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    yield aws_event(
        "usage", "metadata", {"usage": counts, "metrics": {"latencyMs": 5}}, (told,), terminal=True
    )


def _block(index: int, part: Part, place: int) -> Iterator[WireEvent]:
    proof: tuple[Chunk, ...] = ()
    match part:
        case TextPart(pieces):
            for piece in pieces:
                yield _delta("text", index, {"text": piece}, Text(piece))
        case ThinkingPart(pieces, signature):
            for piece in pieces:
                yield _delta("thinking", index, {"reasoningContent": {"text": piece}}, Thinking(piece))
            if signature is not None:
                yield _delta("signature", index, {"reasoningContent": {"signature": signature}})
                proof = (Thinking("", signature),)
        case CallPart():
            use = {"toolUse": {"toolUseId": part.id, "name": part.name}}
            opened = ToolCallDelta(place, part.id, part.name, "")
            begun = {"contentBlockIndex": index, "start": use}
            yield aws_event("call", "contentBlockStart", begun, (opened,))
            for fragment in part.fragments:
                delta = ToolCallDelta(place, None, None, fragment)
                yield _delta("arguments", index, {"toolUse": {"input": fragment}}, delta)
    yield aws_event("close", "contentBlockStop", {"contentBlockIndex": index}, proof)


def _delta(kind: EventKind, index: int, delta: dict[str, Any], *gives: Chunk) -> WireEvent:
    payload = {"contentBlockIndex": index, "delta": delta}
    return aws_event(kind, "contentBlockDelta", payload, gives)


def _chunk(
    kind: EventKind,
    payload: dict[str, Any],
    gives: tuple[Chunk, ...] = (),
    *,
    terminal: bool = False,
    fatal: bool = False,
) -> WireEvent:
    """One of Anthropic's own events, as InvokeModel passes it on."""
    inner = base64.b64encode(msgspec.json.encode(payload)).decode()
    return aws_event(kind, "chunk", {"bytes": inner}, gives, terminal=terminal, fatal=fatal)


def _invoke_events(turn: Turn, number: int) -> tuple[WireEvent, ...]:
    counts = {"inputTokenCount": turn.usage.input_tokens, "outputTokenCount": turn.usage.output_tokens}
    metrics = {**counts, "invocationLatency": 50, "firstByteLatency": 5}
    return tuple(anthropic_events(turn, number, _chunk, {"amazon-bedrock-invocationMetrics": metrics}))


class _Content(Struct, rename="camel"):
    tool_use: dict[str, Any] | None = None


class _Message(Struct):
    content: list[_Content] = []


class _Body(Struct):
    messages: list[_Message] = []


def _answered(body: bytes) -> int:
    messages = msgspec.json.decode(body, type=_Body).messages
    return sum(any(part.tool_use is not None for part in message.content) for message in messages)


def _refusal(failure: Failure) -> bytes:
    name = _EXCEPTIONS[failure.name]
    return msgspec.json.encode({"__type": name[0].upper() + name[1:], "message": "The request failed."})


def _error(failure: Failure) -> WireEvent:
    return aws_exception(_EXCEPTIONS[failure.name], "The request failed.")


def _converse(url: str, key: str) -> Any:
    return "bedrock", {"base_url": url, "api_key": key, "region": "us-east-1"}


def _invoke(url: str, key: str) -> Any:
    return "bedrock-invoke", {"base_url": url, "api_key": key, "region": "us-east-1"}


BEDROCK_CONVERSE = Wire(
    name="bedrock-converse",
    decoder="bedrock-converse",
    content_type=_CONTENT,
    events=lambda turn, _number: tuple(_events(turn)),
    answered=_answered,
    error=_error,
    refusal=_refusal,
    # An event of a name that nobody knows is to be ignored.
    keepalive=aws_event("keepalive", "heartbeat", {}),
    provider=_converse,
)
"""The wire `bedrock-converse`."""

BEDROCK_INVOKE = Wire(
    name="bedrock-invoke",
    decoder="bedrock-invoke",
    content_type=_CONTENT,
    events=_invoke_events,
    answered=anthropic_answered,
    error=_error,
    refusal=_refusal,
    keepalive=_chunk("keepalive", {"type": "ping"}),
    provider=_invoke,
    model="anthropic.claude-tiny-1",
)
"""The wire `bedrock-invoke`, with a model of Anthropic's behind it."""
