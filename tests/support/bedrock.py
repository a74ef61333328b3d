"""Bodies as Amazon Bedrock streams them: messages of AWS's binary event stream."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any
from zlib import crc32

from hypothesis import strategies as st

__all__ = [
    "chunk",
    "converse_bodies",
    "event",
    "exception",
    "framed",
    "header",
    "invoke_bodies",
    "message",
    "nova",
]


def header(name: str, value: str) -> bytes:
    """A header that is a text."""
    text = value.encode()
    return bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(text)) + text


def framed(headers: bytes, payload: bytes) -> bytes:
    """A message with both of its checksums."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack(">I", crc32(prelude))
    return head + headers + payload + struct.pack(">I", crc32(head + headers + payload))


def message(payload: bytes, **headers: str) -> bytes:
    """A message with these headers, an underscore standing for the dash in a name."""
    names = {f":{name.replace('_', '-')}": value for name, value in headers.items()}
    return framed(b"".join(header(name, value) for name, value in names.items()), payload)


def event(name: str, **fields: Any) -> bytes:
    """An event of this name."""
    payload = json.dumps({**fields, "p": "abc"}).encode()
    kind = "application/json"
    return message(payload, event_type=name, content_type=kind, message_type="event")


def exception(name: str, text: str = "it failed") -> bytes:
    """A failure inside the stream."""
    payload = json.dumps({"message": text}).encode()
    return message(payload, exception_type=name, content_type="application/json", message_type="exception")


def chunk(inner: Any) -> bytes:
    """An event that holds one of a model's own; what is no text is written as JSON."""
    text = inner if isinstance(inner, str) else json.dumps(inner)
    return event("chunk", bytes=base64.b64encode(text.encode()).decode())


def nova(name: str, **fields: Any) -> bytes:
    """An event of Nova's own."""
    return chunk({name: fields})


_TEXTS = st.sampled_from(["a", "é", "\u2028", "\U0001f600", "{", '"x":1', "}", '{"x":1}', ""])
_USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
_METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 2}}


def _delta(index: int, **delta: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}


@st.composite
def _blocks(draw: st.DrawFn, index: int) -> list[tuple[str, dict[str, Any]]]:
    kind = draw(st.sampled_from(["text", "thinking", "toolUse", "server", "citation", "image"]))
    texts = draw(st.lists(_TEXTS, max_size=3))
    start: list[tuple[str, dict[str, Any]]] = []
    match kind:
        case "text":
            deltas = [_delta(index, text=text) for text in texts]
        case "thinking":
            deltas = [_delta(index, reasoningContent={"text": text}) for text in texts]
            last = draw(st.sampled_from([{"signature": "c2ln"}, {"redactedContent": "b3Bh"}, {}]))
            deltas.append(_delta(index, reasoningContent=last))
        case "toolUse" | "server":
            type_ = {"type": "server_tool_use"} if kind == "server" else {}
            use = {"toolUseId": f"t{index}", "name": "f", **type_}
            start = [("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": use}})]
            deltas = [_delta(index, toolUse={"input": text}) for text in texts]
        case "citation":
            where = {"web": {"url": "https://x.test"}}
            deltas = [_delta(index, citation={"title": text, "location": where}) for text in texts]
        case _:
            start = [
                ("contentBlockStart", {"contentBlockIndex": index, "start": {"image": {"format": "png"}}})
            ]
            deltas = [_delta(index, image={"source": {"bytes": draw(st.sampled_from(["AAEC", "AA", "%"]))}})]
    end = [("contentBlockStop", {"contentBlockIndex": index})] if draw(st.booleans()) else []
    return [*start, *deltas, *end]


@st.composite
def _turns(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index in range(draw(st.integers(0, 3))):
        events += draw(_blocks(index))
    events += draw(st.sampled_from([[], [("aNewEvent", {"x": 1})]]))
    reason = draw(st.sampled_from(["end_turn", "tool_use", "max_tokens", "guardrail_intervened", "odd"]))
    stop = ("messageStop", {"stopReason": reason})
    return events + draw(
        st.sampled_from([[], [stop], [stop, ("metadata", {"usage": _USAGE, "metrics": {}})]])
    )


_TAILS = st.sampled_from(
    [b"", b"\0", event("metadata")[:11], exception("throttlingException"), event("metadata")[:-1] + b"x"]
)


@st.composite
def converse_bodies(draw: st.DrawFn) -> bytes:
    """Whole and broken turns, and what is no stream."""
    body = b"".join(event(name, **fields) for name, fields in draw(_turns())) + draw(_TAILS)
    return draw(
        st.sampled_from([body, body, body, body, b"<html>", b'{"message": "no"}', b'{"output": {}}', b"no"])
    )


def _anthropic() -> list[dict[str, Any]]:
    block: dict[str, Any] = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    return [
        {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": block},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{}"},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop", **_METRICS},
    ]


_PLAIN: list[list[dict[str, Any]]] = [
    _anthropic(),
    [{"generation": "a", "stop_reason": None}, {"generation": "b", "stop_reason": "stop", **_METRICS}],
    [{"outputText": "a"}, {"outputText": "b", "completionReason": "LENGTH", **_METRICS}],
    [{"outputs": [{"text": "a"}]}, {"outputs": [{"text": "", "stop_reason": "stop"}], **_METRICS}],
    [{"choices": [{"message": {"content": "a"}}]}, {"choices": [{"stop_reason": "stop"}], **_METRICS}],
    [
        {"choices": [{"delta": {"content": "a"}}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}], **_METRICS},
    ],
    [{"error": {"message": "no"}}],
    [{"new": 1}, {"new": 2, **_METRICS}],
]


@st.composite
def invoke_bodies(draw: st.DrawFn) -> bytes:
    """The same of models of every make."""
    events: list[dict[str, Any]] = draw(
        st.sampled_from(_PLAIN) | _turns().map(lambda turn: [{name: told} for name, told in turn])
    )
    events = [dict(each) for each in events]
    if draw(st.booleans()):
        events[-1]["amazon-bedrock-guardrailAction"] = "INTERVENED"
    body = b"".join(map(chunk, events)) + draw(_TAILS)
    return draw(st.sampled_from([body, body, body, body, chunk("{"), event("chunk", bytes="%"), b"[]"]))
