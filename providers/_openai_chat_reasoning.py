"""Reasoning that goes back as it came: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens.

And the proofs of it on the calls of Gemini's models: https://ai.google.dev/gemini-api/docs/thought-signatures.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._json import UNREADABLE, as_object, as_text
from .chunks import Chunk, RedactedThinking, Thinking
from .messages import Message

__all__ = ["ReasoningDetails", "call_extra", "call_signature", "reasoning_details"]

_MARK = "reasoning."
_SUMMARY = "reasoning.summary"
_KEPT = ("type", "id", "format", "index", "signature", "data")


class ReasoningDetails:
    """The entries of `reasoning_details`, while they arrive in pieces.

    A block is as many pieces as have one type and one index. Everything of it but its text is needed to send it back,
    and is its `signature`, as JSON; an encrypted block is the whole of its `data`, as JSON.
    """

    __slots__ = ("_open", "_said", "begun")

    def __init__(self) -> None:
        self.begun = False
        """Whether a block is open."""
        self._open: dict[str, Any] = {}
        self._said = False

    def add(self, details: list[Any], told: str, out: list[Chunk]) -> None:
        """Tell of the next pieces; `told` is the text of all of them, where the server says it a second time."""
        entries = [as_object(detail) for detail in details]
        texts = [as_text(entry.get("text")) or as_text(entry.get("summary")) or "" for entry in entries]
        if told:
            # It is the first text's own, and no other's: it mostly is the only one.
            first = next((place for place, text in enumerate(texts) if text), None)
            texts = [told if place == first else "" for place in range(len(texts))]
            if first is None:
                out.append(Thinking(told))
        for entry, text in zip(entries, texts, strict=True):
            self._add(entry, text, out)

    def _add(self, entry: dict[str, Any], text: str, out: list[Chunk]) -> None:
        kept = {
            name: value for name in _KEPT if isinstance(value := entry.get(name), str | int) and value != ""
        }
        signature, data = as_text(entry.get("signature")), as_text(entry.get("data"))
        if not str(kept.get("type")).startswith(_MARK):
            if text or signature:
                out.append(Thinking(text, signature))
            if data:
                out.append(RedactedThinking(data))
            return
        if data:
            self.close(out)
            out.append(RedactedThinking(_written(kept)))
            return
        is_other = any(self._open.get(name) != kept.get(name) for name in ("type", "index"))
        if is_other or (text and "signature" in self._open):
            self.close(out)
        self._open |= kept
        self.begun = True
        if text:
            self._said = True
            out.append(Thinking(text))

    def close(self, out: list[Chunk]) -> None:
        """End the block that is open: something else began, or the turn is over."""
        if self._said or "signature" in self._open:
            out.append(Thinking("", _written(self._open)))
        self._open, self._said, self.begun = {}, False, False


def reasoning_details(message: Message) -> list[dict[str, Any]]:
    """The entries that the message's reasoning came from, in order; other providers' reasoning is left out."""
    details: list[dict[str, Any]] = []
    for part in message.content:
        match part:
            case Thinking(text, signature):
                detail = _read(signature)
                if not detail:
                    continue
                name = "summary" if detail["type"] == _SUMMARY else "text"
                last = details[-1] if details else {}
                if not text and "signature" not in last and _same(last, detail):
                    last |= detail  # the signature came late
                else:
                    details.append({**detail, name: text})
            case RedactedThinking(data):
                details += filter(None, [_read(data)])
            case _:
                pass
    return details


def call_signature(extra_content: object) -> str | None:
    """What is to go back with a call, as JSON; None where nothing is."""
    signature = as_text(as_object(as_object(extra_content).get("google")).get("thought_signature"))
    return None if signature is None else _written({"google": {"thought_signature": signature}})


def call_extra(signature: str | None) -> dict[str, Any]:
    """What goes back with a call that came by this wire; another wire's signature is none of it."""
    extra = _object(signature)
    return {"extra_content": extra} if "google" in extra else {}


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("type", "index"))


def _written(detail: dict[str, Any]) -> str:
    return msgspec.json.encode(detail).decode()


def _read(text: str | None) -> dict[str, Any]:
    """The entry that `text` holds, or an empty one."""
    detail = _object(text)
    return detail if str(detail.get("type")).startswith(_MARK) else {}


def _object(text: str | None) -> dict[str, Any]:
    if not text or not text.startswith("{"):
        return {}
    try:
        return as_object(msgspec.json.decode(text))
    except UNREADABLE:
        return {}
