"""What any client must do at least: find the events in the bytes, and decode each."""

from __future__ import annotations

import json

import msgspec

__all__ = ["Calls", "Events", "request"]


class Delta(msgspec.Struct):
    """The part of a choice that is new."""

    content: str | None = None


class Choice(msgspec.Struct):
    """One of the answers."""

    delta: Delta
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """One event."""

    choices: list[Choice]


class Events:
    """Splits bytes at blank lines and decodes what follows `data: `; the rest is passed over."""

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(Completion).decode
        self._rest = b""
        self.done = False

    def feed(self, data: bytes | bytearray) -> list[str]:
        """The texts in the bytes so far."""
        *parts, self._rest = (self._rest + data).split(b"\n\n")
        texts = []
        for part in parts:
            event = part[part.index(b"data: ") + 6 :]
            if event == b"[DONE]":
                self.done = True
                break
            text = self._decode(event).choices[0].delta.content
            if text:
                texts.append(text)
        return texts


class Calls:
    """The same for an answer that may be the call of a tool: its id and arguments are put together."""

    def __init__(self) -> None:
        self._rest = b""
        self.done = False
        self.id, self.arguments = "", ""

    def feed(self, data: bytes | bytearray) -> None:
        """Take in more bytes."""
        *parts, self._rest = (self._rest + data).split(b"\n\n")
        for part in parts:
            event = part[part.index(b"data: ") + 6 :]
            if event == b"[DONE]":
                self.done = True
                break
            for call in msgspec.json.decode(event)["choices"][0]["delta"].get("tool_calls", ()):
                self.id = call.get("id") or self.id
                self.arguments += call["function"]["arguments"]


def request(model: str, messages: list[dict[str, object]], **more: object) -> bytes:
    """The bytes that ask for a completion."""
    data = json.dumps({"model": model, "stream": True, "messages": messages, **more}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(data)
    return head + data
