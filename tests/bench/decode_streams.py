"""Streams that are decoded: each wire's words one by one, then a tool call and the usage, as its provider sends them.

The events have the fields, the padding and so the size that the provider's own have: from 110 bytes (Cohere) to 500
(Gemini).
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any
from zlib import crc32

from decode_words import ARGUMENTS, PAD, Stream, arguments, as_json, data_lines, named_lines, words

__all__ = ["STREAMS"]

# OpenAI


def _chat(number: int) -> Stream:
    head = {
        "id": "chatcmpl-CqXw0aVt3Zr8Yk1LmN5pQs7DfGh2J",
        "object": "chat.completion.chunk",
        "created": 1_780_000_000,
        "model": "gpt-5.1-mini-2026-01-01",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }

    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return head | {"choices": [choice], "usage": None, "obfuscation": "NbY4vWq"}

    call = {"index": 0, "id": "call_a1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    counts = {
        "prompt_tokens": 20,
        "completion_tokens": number,
        "total_tokens": number + 20,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    events = [event({"role": "assistant", "content": "", "refusal": None})]
    events += [event({"content": word}) for word in words(number)]
    events += [event({"tool_calls": [call]})]
    events += [
        event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in arguments()
    ]
    events += [event({}, "tool_calls"), head | {"choices": [], "usage": counts, "obfuscation": ""}]
    return data_lines(events, b"data: [DONE]\n\n")


def _responses(number: int) -> Stream:
    message, call = (
        "msg_0a1b2c3d4e5f60718293a4b5c6d7e8f900112233",
        "fc_0a1b2c3d4e5f60718293a4b5c6d7e8f900112233",
    )
    in_message = {"item_id": message, "output_index": 0, "content_index": 0}
    in_call = {"item_id": call, "output_index": 1}
    text = "".join(words(number))
    part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    item: dict[str, Any] = {
        "id": message,
        "type": "message",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    function = {
        "id": call,
        "type": "function_call",
        "status": "in_progress",
        "arguments": "",
        "call_id": "call_a1",
    }
    function["name"] = "weather"
    whole = item | {"status": "completed", "content": [part | {"text": text}]}
    called = function | {"status": "completed", "arguments": ARGUMENTS}
    response: dict[str, Any] = {
        "id": "resp_0a1b2c3d4e5f60718293a4b5c6d7e8f900112233",
        "object": "response",
        "created_at": 1_780_000_000,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-5.1-mini-2026-01-01",
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
    counts = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": number,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": number + 20,
    }
    pad = cycle(PAD[at : at + 13] for at in range(40))
    delta = {"type": "response.output_text.delta", **in_message, "logprobs": []}
    piece_of_call = {"type": "response.function_call_arguments.delta", **in_call}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.in_progress", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **in_message, "part": part},
        *(delta | {"delta": word, "obfuscation": next(pad)} for word in words(number)),
        {"type": "response.output_text.done", **in_message, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **in_message, "part": part | {"text": text}},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.output_item.added", "output_index": 1, "item": function},
        *(piece_of_call | {"delta": piece, "obfuscation": next(pad)} for piece in arguments()),
        {"type": "response.function_call_arguments.done", **in_call, "arguments": ARGUMENTS},
        {"type": "response.output_item.done", "output_index": 1, "item": called},
    ]
    ended = response | {"status": "completed", "output": [whole, called], "usage": counts}
    events.append({"type": "response.completed", "response": ended})
    return named_lines([event | {"sequence_number": place} for place, event in enumerate(events)])


# Anthropic, and what passes it on


def _anthropic_events(number: int) -> list[dict[str, Any]]:
    message = {
        "model": "claude-sonnet-4-5-20250929",
        "id": "msg_01AbCdEfGhIjKlMnOpQrStUv",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "output_tokens": 1, "service_tier": "standard"},
    }
    call = {"type": "tool_use", "id": "toolu_01AbCdEfGhIjKlMnOpQrStUv", "name": "weather", "input": {}}

    def deltas(index: int, kind: str, field: str, pieces: Iterator[str]) -> Iterator[dict[str, Any]]:
        for piece in pieces:
            delta = {"type": kind, field: piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}

    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *deltas(0, "text_delta", "text", words(number)),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": call},
        *deltas(1, "input_json_delta", "partial_json", arguments()),
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": number},
        },
        {"type": "message_stop"},
    ]


def _anthropic(number: int) -> Stream:
    return named_lines(_anthropic_events(number))


# Amazon Bedrock


def _framed(kind: str, payload: bytes) -> bytes:
    headers = b""
    for name, value in (
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ):
        headers += struct.pack(">B", len(name)) + name.encode()
        headers += struct.pack(">BH", 7, len(value)) + value.encode()
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = head + struct.pack(">I", crc32(head)) + headers + payload
    return message + struct.pack(">I", crc32(message))


def _converse(number: int) -> Stream:
    counts = {"inputTokens": 20, "outputTokens": number, "totalTokens": number + 20}
    pad = cycle(PAD[:size] for size in range(5, 60, 7))
    events: list[tuple[str, dict[str, Any]]] = [
        ("messageStart", {"role": "assistant"}),
        *(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": word}}) for word in words(number)),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        (
            "contentBlockStart",
            {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "tooluse_a1", "name": "weather"}}},
        ),
        *(
            ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}})
            for piece in arguments()
        ),
        ("contentBlockStop", {"contentBlockIndex": 1}),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"usage": counts, "metrics": {"latencyMs": 900}}),
    ]
    return [_framed(kind, as_json(event | {"p": next(pad)})) for kind, event in events]


def _invoke(number: int) -> Stream:
    events = _anthropic_events(number)
    events[-1]["amazon-bedrock-invocationMetrics"] = {
        "inputTokenCount": 20,
        "outputTokenCount": number,
        "invocationLatency": 900,
        "firstByteLatency": 300,
    }
    pad = cycle(PAD[:size] for size in range(5, 60, 7))
    inner = ({"bytes": b64encode(as_json(event)).decode(), "p": next(pad)} for event in events)
    return [_framed("chunk", as_json(each)) for each in inner]


# Cohere, Google, Ollama


def _cohere(number: int) -> Stream:
    def content(kind: str, index: int, **fields: Any) -> dict[str, Any]:
        return {"type": f"content-{kind}", "index": index} | fields

    call = {"id": "weather_a1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    counts = {
        "billed_units": {"input_tokens": 20, "output_tokens": number},
        "tokens": {"input_tokens": 20, "output_tokens": number},
    }
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    pieces = ({"message": {"tool_calls": {"function": {"arguments": piece}}}} for piece in arguments())
    return named_lines(
        [
            {
                "id": "3f1a5c1e-0a1b-4c2d-8e3f-0123456789ab",
                "type": "message-start",
                "delta": {"message": start},
            },
            content("start", 0, delta={"message": {"content": {"type": "text", "text": ""}}}),
            *(content("delta", 0, delta={"message": {"content": {"text": word}}}) for word in words(number)),
            content("end", 0),
            {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}},
            *({"type": "tool-call-delta", "index": 0, "delta": delta} for delta in pieces),
            {"type": "tool-call-end", "index": 0},
            {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": counts}},
        ]
    )


def _gemini(number: int) -> Stream:
    def event(part: dict[str, Any], tokens: int, **more: Any) -> dict[str, Any]:
        return {
            "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0, **more}],
            "usageMetadata": {
                "promptTokenCount": 20,
                "candidatesTokenCount": tokens,
                "totalTokenCount": 20 + tokens,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 20}],
            },
            "modelVersion": "gemini-3-flash",
            "responseId": "a1b2c3d4e5f6a7b8c9d0e1f2",
        }

    call = {
        "functionCall": {"name": "weather", "args": json.loads(ARGUMENTS)},
        "thoughtSignature": "c2ln" * 20,
    }
    events = [event({"text": word}, place + 1) for place, word in enumerate(words(number))]
    events.append(event(call, number, finishReason="STOP"))
    return [b"data: %b\r\n\r\n" % as_json(each) for each in events]


def _ollama(number: int) -> Stream:
    def line(content: str, **more: Any) -> dict[str, Any]:
        message = {"role": "assistant", "content": content}
        when = "2026-05-20T14:03:22.123456789Z"
        return {"model": "qwen3:0.6b", "created_at": when, "message": message, "done": False} | more

    function = {"index": 0, "name": "weather", "arguments": json.loads(ARGUMENTS)}
    called = line("")
    called["message"]["tool_calls"] = [{"id": "call_a1", "function": function}]
    durations = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
    end = dict.fromkeys(durations, 1_234_567_890) | {"prompt_eval_count": 20, "eval_count": number}
    lines = [*map(line, words(number)), called, line("", done=True, done_reason="stop", **end)]
    return [as_json(each) + b"\n" for each in lines]


STREAMS: dict[str, Callable[[int], Stream]] = {
    "anthropic-messages": _anthropic,
    "bedrock-converse": _converse,
    "bedrock-invoke": _invoke,
    "cohere-v2": _cohere,
    "gemini": _gemini,
    "ollama-chat": _ollama,
    "openai-chat": _chat,
    "openai-responses": _responses,
}
"""A stream of so many words, by the name of its wire."""
