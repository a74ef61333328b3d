"""OpenAI's Responses API, as a server streams it.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Iterator
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
from ._resume_openai_responses import RESPONSES_IN_THE_BACKGROUND
from ._scenario import CallPart, ThinkingPart, Turn
from ._sse import COMMENT, sse_event
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["OPENAI_RESPONSES"]

_MODEL = "tiny-1"

_INCOMPLETE: dict[StopReason, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}

_CODES = {
    "overloaded": "overloaded",
    "rate_limit": "rate_limit_exceeded",
    "server_error": "server_error",
    "invalid_request": "invalid_prompt",
    "auth": "invalid_api_key",
    "not_found": "model_not_found",
}

_Told = tuple[EventKind, dict[str, Any], tuple[Chunk, ...]]


def _events(turn: Turn, number: int) -> tuple[WireEvent, ...]:
    told = [*_begin(number)]
    output: list[dict[str, Any]] = []
    closed: list[Chunk] = []
    for index, part in enumerate(turn.parts):
        if isinstance(part, CallPart):
            item, events = _call(index, part, len(closed))
            closed.append(ToolCall(len(closed), part.id, part.name, part.arguments))
        elif isinstance(part, ThinkingPart):
            item, events = _reasoning(index, part.pieces, part.signature)
        else:
            item, events = _message(index, part.pieces)
        output.append(item)
        told += events
    told.append(_end(turn, number, output, closed))
    return tuple(
        sse_event(
            kind, {**payload, "sequence_number": place}, gives, name=payload["type"], terminal=kind == "end"
        )
        for place, (kind, payload, gives) in enumerate(told)
    )


def _begin(number: int) -> Iterator[_Told]:
    id_ = f"resp_{number}"
    response: dict[str, Any] = {
        "id": id_,
        "object": "response",
        "status": "in_progress",
        "model": _MODEL,
        "output": [],
    }
    yield "start", {"type": "response.created", "response": response}, (Metadata(id_, _MODEL),)
    yield "start", {"type": "response.in_progress", "response": response}, ()


def _end(turn: Turn, number: int, output: list[dict[str, Any]], closed: list[Chunk]) -> _Told:
    reason = _INCOMPLETE.get(turn.stop_reason)
    status = "completed" if reason is None else "incomplete"
    response: dict[str, Any] = {
        "id": f"resp_{number}",
        "object": "response",
        "status": status,
        "incomplete_details": None if reason is None else {"reason": reason},
        "model": _MODEL,
        "output": output,
        "usage": {
            "input_tokens": turn.usage.input_tokens,
            "output_tokens": turn.usage.output_tokens,
            "total_tokens": turn.usage.total_tokens,
        },
    }
    usage = Usage(turn.usage.input_tokens, turn.usage.output_tokens)
    stop = Stop(turn.stop_reason, None, reason or status)
    return "end", {"type": f"response.{status}", "response": response}, (usage, *closed, stop)


def _message(index: int, pieces: tuple[str, ...]) -> tuple[dict[str, Any], list[_Told]]:
    item: dict[str, Any] = {"id": f"msg_{index}", "type": "message", "role": "assistant"}
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    text = "".join(pieces)
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    done: dict[str, Any] = {**item, "status": "completed", "content": [part]}
    events: list[_Told] = [
        _item("added", index, {**item, "status": "in_progress", "content": []}),
        ("start", {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}, ()),
        *(
            ("text", {"type": "response.output_text.delta", **at, "delta": piece}, (Text(piece),))
            for piece in pieces
        ),
        ("close", {"type": "response.output_text.done", **at, "text": text}, ()),
        ("close", {"type": "response.content_part.done", **at, "part": part}, ()),
        _item("done", index, done),
    ]
    return done, events


def _reasoning(
    index: int, pieces: tuple[str, ...], signature: str | None
) -> tuple[dict[str, Any], list[_Told]]:
    item: dict[str, Any] = {"id": f"rs_{index}", "type": "reasoning", "summary": []}
    at = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    text = "".join(pieces)
    done: dict[str, Any] = {**item, "summary": [{"type": "summary_text", "text": text}]}
    if signature is not None:
        done["encrypted_content"] = signature
    name = "response.reasoning_summary_text"
    # What closes the block, with the seal where there is one, comes with the item.
    sealed = Thinking("", signature, item["id"])
    events: list[_Told] = [
        _item("added", index, item),
        *(
            ("thinking", {"type": f"{name}.delta", **at, "delta": piece}, (Thinking(piece),))
            for piece in pieces
        ),
        ("close", {"type": f"{name}.done", **at, "text": text}, ()),
        ("close", {"type": "response.output_item.done", "output_index": index, "item": done}, (sealed,)),
    ]
    return done, events


def _call(index: int, part: CallPart, place: int) -> tuple[dict[str, Any], list[_Told]]:
    item: dict[str, Any] = {
        "id": f"fc_{index}",
        "type": "function_call",
        "call_id": part.id,
        "name": part.name,
    }
    at = {"item_id": item["id"], "output_index": index}
    text = "".join(part.fragments)
    done = {**item, "arguments": text, "status": "completed"}
    name = "response.function_call_arguments"
    opened = {
        "type": "response.output_item.added",
        "output_index": index,
        "item": {**item, "arguments": "", "status": "in_progress"},
    }
    events: list[_Told] = [
        ("call", opened, (ToolCallDelta(place, part.id, part.name, ""),)),
        *(
            (
                "arguments",
                {"type": f"{name}.delta", **at, "delta": piece},
                (ToolCallDelta(place, None, None, piece),),
            )
            for piece in part.fragments
        ),
        ("close", {"type": f"{name}.done", **at, "arguments": text}, ()),
        _item("done", index, done),
    ]
    return done, events


def _item(what: str, index: int, item: dict[str, Any]) -> _Told:
    kind: EventKind = "close" if what == "done" else "start"
    return kind, {"type": f"response.output_item.{what}", "output_index": index, "item": item}, ()


class _Item(Struct):
    type: str = ""


class _Body(Struct):
    input: str | list[_Item] = ""
    previous_response_id: str | None = None


def _answered(body: bytes) -> int:
    asked = msgspec.json.decode(body, type=_Body)
    # The id of a response is its turn's number: what the provider keeps is not sent again.
    kept = int((asked.previous_response_id or "resp_0").removeprefix("resp_"))
    kinds = [] if isinstance(asked.input, str) else [item.type for item in asked.input]
    calls = [kind == "function_call" for kind in kinds]
    return kept + sum(here and not before for before, here in zip([False, *calls], calls, strict=False))


def _told(failure: Failure) -> dict[str, Any]:
    return {"type": "error", "code": _CODES[failure.name], "message": "The request failed.", "param": None}


def _refusal(failure: Failure) -> bytes:
    error = {
        "message": "The request failed.",
        "type": failure.name,
        "param": None,
        "code": _CODES[failure.name],
    }
    return msgspec.json.encode({"error": error})


def _provider(url: str, key: str) -> Any:
    return "openai-responses", {"base_url": url, "api_key": key}


OPENAI_RESPONSES = Wire(
    name="openai-responses",
    decoder="openai-responses",
    content_type="text/event-stream; charset=utf-8",
    events=_events,
    answered=_answered,
    error=lambda failure: sse_event("error", _told(failure), name="error", fatal=True),
    refusal=_refusal,
    keepalive=COMMENT,
    provider=_provider,
    resuming=RESPONSES_IN_THE_BACKGROUND,
)
"""The wire `openai-responses`."""
