"""What is read of a line of Ollama's chat: https://docs.ollama.com/api/chat.

Fields that are not named here are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["EVENTS", "OllamaCall", "OllamaEvent", "OllamaFunction", "OllamaMessage", "decode_line"]


class OllamaFunction(Struct, gc=False):
    """What is called; the arguments are an object, with some servers that copy Ollama its JSON text."""

    name: str | None = None
    arguments: Any = None


class OllamaCall(Struct, gc=False):
    """An entry of `tool_calls`, which is a whole call; older servers give no id."""

    id: str | None = None
    function: OllamaFunction | None = None


class OllamaMessage(Struct, gc=False):
    """What a line adds; an image is its file's bytes in base64."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[OllamaCall] | None = None
    images: list[str] | None = None


class OllamaLine(Struct, gc=False):
    """A line, as far as it tells whether the line only goes on with the message."""

    message: OllamaMessage | None = None
    done: bool | None = None
    error: Any = None
    logprobs: list[Any] | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None


class OllamaEvent(OllamaLine, gc=False):
    """One line, or the whole document of an answer that is not streamed. Durations are in nanoseconds."""

    model: str | None = None
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_duration: int | None = None
    eval_duration: int | None = None
    object: str | None = None
    type: str | None = None


EVENTS = msgspec.json.Decoder(OllamaEvent)
decode_line = msgspec.json.Decoder(OllamaLine).decode
