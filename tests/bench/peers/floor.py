"""What any client must do at least: find the events in the bytes, and decode each."""

from __future__ import annotations

import msgspec

__all__ = ["Events"]


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

    def feed(self, data: bytes) -> list[str]:
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
