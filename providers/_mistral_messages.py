"""What Mistral wants written otherwise in a conversation: https://docs.mistral.ai/api/#tag/chat."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from .chunks import Refusal, Text, Thinking
from .messages import Message

__all__ = ["mistral_content", "mistral_id"]

_ID = re.compile(r"[A-Za-z0-9]{9}")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def mistral_id(id_: str) -> str:
    """The id of a tool call as Mistral takes it: of nine letters and digits.

    Its own are of that form and stay. Of another provider's it is a digest, the same for a call and for its result.
    """
    if _ID.fullmatch(id_):
        return id_
    number = int.from_bytes(hashlib.sha256(id_.encode("utf-8", "replace")).digest(), "big")
    digits: list[str] = []
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


def mistral_content(message: Message) -> str | list[dict[str, Any]] | None:
    """What an assistant's turn said: a list of parts where it thought, else its text; None where it said nothing.

    Thinking that is signed is another provider's, and is left out. A refusal is text, as the wire has no field for it.
    """
    parts: list[dict[str, Any]] = []
    for part in message.content:
        match part:
            case Text(text) | Refusal(text):
                if parts and parts[-1]["type"] == "text":
                    parts[-1]["text"] += text
                elif text:
                    parts.append({"type": "text", "text": text})
            case Thinking(text, None):
                if text:
                    parts.append({"type": "thinking", "thinking": [{"type": "text", "text": text}]})
            case _:
                pass
    if not parts:
        return None
    return str(parts[0]["text"]) if len(parts) == 1 and parts[0]["type"] == "text" else parts
