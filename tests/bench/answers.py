"""What the server says, made beforehand, in OpenAI's and in Anthropic's wire format.

A chunk of text is the same word or its twin in both, in an event of 330 bytes: what OpenAI's usually have, with a field
of padding; Anthropic's are padded with spaces, as it pads its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from scenes import Scene

__all__ = ["ARGUMENTS", "CHAT", "MESSAGES", "Wire", "whole"]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
SIZE = 330
WORDS = (" word", " verb")
"""Two that take turns: a client may take the same chunk, a hundred times over, for a model that is stuck."""

ARGUMENTS = '{"one": 20, "other": 22}'
"""What the tool `add` is called with; they come in pieces of four characters."""
PIECES = [ARGUMENTS[at : at + 4] for at in range(0, len(ARGUMENTS), 4)]


@dataclass(frozen=True, slots=True)
class Wire:
    """The parts of an answer: `call` lacks the number that makes its id its own."""

    start: bytes
    pair: tuple[bytes, bytes]
    end: bytes
    call: bytes

    def words(self, number: int) -> bytes:
        """So many chunks of text."""
        return (self.pair[0] + self.pair[1]) * (number // 2) + self.pair[0] * (number % 2)

    def turn(self, scene: Scene, request: dict[str, Any]) -> bytes:
        """A whole answer: the next call of a tool, or text."""
        if scene.plan != "tools":
            return self.start + self.words(scene.chunks) + self.end
        results = sum(message["role"] == "tool" for message in request["messages"])
        if results < scene.chunks:
            return self.start + self.call.replace(b"call_000", b"call_%03d" % results) + LAST
        return self.start + self.words(1) + self.end


def framed(data: bytes) -> bytes:
    """One chunk of the chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def compact(value: object) -> bytes:
    """JSON without a space."""
    return json.dumps(value, separators=(",", ":")).encode()


def _completion(delta: dict[str, Any], finish: str | None = None) -> bytes:
    event = {
        "id": "chatcmpl-0123456789abcdefghijklmnopqrs",
        "object": "chat.completion.chunk",
        "created": 1_780_000_000,
        "model": "bench",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "",
    }
    event["obfuscation"] = "x" * max(0, SIZE - len(compact(event)) - len("data: \n\n"))
    return framed(b"data: %b\n\n" % compact(event))


def _called(function: dict[str, str], **more: str) -> bytes:
    return _completion({"tool_calls": [{"index": 0, **more, "function": function}]})


CHAT = Wire(
    start=HEAD,
    pair=(_completion({"content": WORDS[0]}), _completion({"content": WORDS[1]})),
    end=_completion({}, "stop") + framed(b"data: [DONE]\n\n") + LAST,
    call=_called({"name": "add", "arguments": ""}, id="call_000", type="function")
    + b"".join(_called({"arguments": piece}) for piece in PIECES)
    + _completion({}, "tool_calls")
    + framed(b"data: [DONE]\n\n"),
)
"""`/v1/chat/completions`"""


def _event(kind: str, **fields: Any) -> bytes:
    data = compact({"type": kind, **fields})
    padding = b" " * max(0, SIZE - len(data) - len(f"event: {kind}\ndata: \n\n"))
    return framed(b"event: %b\ndata: %b%b}\n\n" % (kind.encode(), data[:-1], padding))


def _text(word: str) -> bytes:
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})


MESSAGES = Wire(
    start=HEAD
    + _event(
        "message_start",
        message={
            "id": "msg_0123456789abcdefghijklmn",
            "type": "message",
            "role": "assistant",
            "model": "bench",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 8, "output_tokens": 1},
        },
    )
    + _event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    pair=(_text(WORDS[0]), _text(WORDS[1])),
    end=_event("content_block_stop", index=0)
    + _event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 9},
    )
    + _event("message_stop")
    + LAST,
    call=b"",
)
"""`/v1/messages`; no tools are called there."""


def whole(inbox: bytearray) -> tuple[bytes, dict[str, Any], Wire] | None:
    """The request that has come, taken out of the inbox: its first line, its body, and the wire it asks for."""
    head, found, body = inbox.partition(b"\r\n\r\n")
    if not found or len(body) < _length(head):
        return None
    request = json.loads(body) if body else {}
    inbox.clear()
    line = bytes(head.partition(b"\r\n")[0])
    return line, request, MESSAGES if b"/messages" in line else CHAT


def _length(head: bytearray) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0
