"""A good turn on each wire, of parts that a test can spoil: `Hello`, then ` there`, then its end."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support import bedrock, cohere, gemini, ollama
from tests.support.decoding import named, sse

__all__ = ["GOOD", "Turn", "garbage"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One wire's events, as objects, and how one of them is framed.

    `first` and `second` each add a text; `last` are those that end the turn. `frame` takes an event as an object or as
    its JSON text. `unknown` is an event of a type that is not known.
    """

    first: dict[str, Any]
    second: dict[str, Any]
    last: tuple[dict[str, Any], ...]
    frame: Callable[[Any], bytes]
    unknown: dict[str, Any]
    begin: tuple[dict[str, Any], ...] = ()

    def body(self, *between: bytes) -> bytes:
        """The whole turn, with these bytes after its first text."""
        return self.head() + b"".join(between) + self.tail()

    def head(self) -> bytes:
        """The turn up to its first text."""
        return b"".join(map(self.frame, (*self.begin, self.first)))

    def tail(self) -> bytes:
        """The second text, and the end."""
        return b"".join(map(self.frame, (self.second, *self.last)))


def _text(payload: Any) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload)


def _line(payload: Any) -> bytes:
    return _text(payload).encode("utf-8", "surrogatepass") + b"\n"


def _sse(payload: Any) -> bytes:
    return b"data: " + _text(payload).encode("utf-8", "surrogatepass") + b"\n\n"


def _converse(payload: Any) -> bytes:
    """An event whose name stands in its object, as in the Nova models' own; text is one of a known name."""
    if isinstance(payload, dict) and len(payload) == 1:
        ((name, fields),) = payload.items()
        return bedrock.message(_text(fields).encode(), event_type=name, message_type="event")
    return bedrock.message(_text(payload).encode(), event_type="contentBlockDelta", message_type="event")


def _chunk(payload: Any) -> bytes:
    inner = base64.b64encode(_text(payload).encode("utf-8", "surrogatepass")).decode()
    return bedrock.message(json.dumps({"bytes": inner}).encode(), event_type="chunk", message_type="event")


def _chat(text: str, **more: Any) -> dict[str, Any]:
    return {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, **more}]}


def _anthropic(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def _responses(text: str) -> dict[str, Any]:
    at = {"item_id": "i", "output_index": 0, "content_index": 0}
    return {"type": "response.output_text.delta", **at, "delta": text}


def _block(text: str) -> dict[str, Any]:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": text}}}


_MESSAGE = ({"type": "message_start", "message": {"id": "r", "model": "m"}},)
_END = ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"})
_METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 2}}
_NEW = {"type": "from_next_year", "delta": {"text": 5}, "index": 7}

GOOD: dict[str, Turn] = {
    "anthropic-messages": Turn(
        _anthropic("Hello"), _anthropic(" there"), _END, lambda payload: _named(payload), _NEW, _MESSAGE
    ),
    "bedrock-converse": Turn(
        _block("Hello"),
        _block(" there"),
        ({"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": {"inputTokens": 3}}}),
        _converse,
        {"fromNextYear": {"delta": {"text": 5}}},
        ({"messageStart": {"role": "assistant"}},),
    ),
    "bedrock-invoke": Turn(
        _anthropic("Hello"), _anthropic(" there"), (_END[0], _END[1] | _METRICS), _chunk, _NEW, _MESSAGE
    ),
    "cohere-v2": Turn(
        cohere.adds("content-delta", 0, content={"text": "Hello"}),
        cohere.adds("content-delta", 0, content={"text": " there"}),
        (cohere.last(),),
        lambda payload: _named(payload),
        _NEW,
        (cohere.START,),
    ),
    "gemini": Turn(
        gemini.one_part(text="Hello"),
        gemini.one_part(text=" there"),
        (gemini.candidate(finish="STOP"),),
        _sse,
        {"fromNextYear": {"candidates": 5}},
    ),
    "ollama-chat": Turn(
        ollama.said(content="Hello"),
        ollama.said(content=" there"),
        (ollama.last(),),
        _line,
        {"fromNextYear": 5},
    ),
    "openai-chat": Turn(
        _chat("Hello"),
        _chat(" there"),
        (_chat("", finish_reason="stop"),),
        _sse,
        {"fromNextYear": {"choices": 5}},
    ),
    "openai-responses": Turn(
        _responses("Hello"),
        _responses(" there"),
        ({"type": "response.completed", "response": {"id": "r", "status": "completed"}},),
        _sse,
        _NEW,
    ),
}
"""By the name of the wire."""


def _named(payload: Any) -> bytes:
    return named(payload) if isinstance(payload, dict) and "type" in payload else sse(_text(payload))


def garbage(wire: str, text: bytes) -> bytes:
    """One event that holds these bytes in the place of JSON."""
    if wire == "bedrock-converse":
        return bedrock.message(text, event_type="contentBlockDelta", message_type="event")
    if wire == "bedrock-invoke":
        inner = json.dumps({"bytes": base64.b64encode(text).decode()}).encode()
        return bedrock.message(inner, event_type="chunk", message_type="event")
    return text + b"\n" if wire == "ollama-chat" else b"data: " + text + b"\n\n"
