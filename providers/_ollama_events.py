"""What is read of a line of Ollama's chat: https://docs.ollama.com/api/chat.

Fields that are not named here are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["EVENTS", "OllamaCall", "OllamaEvent", "OllamaFunction", "OllamaMessage", "read_line"]


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


class OllamaEvent(Struct, gc=False):
    """One line, or the whole document of an answer that is not streamed. Durations are in nanoseconds."""

    message: OllamaMessage | None = None
    done: bool | None = None
    model: str | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_duration: int | None = None
    eval_duration: int | None = None
    logprobs: list[Any] | None = None
    error: Any = None
    object: str | None = None
    type: str | None = None


class OllamaPiece(Struct, gc=False):
    """What a message's next piece adds."""

    content: str = ""
    thinking: str = ""
    tool_calls: None = None
    images: None = None


class OllamaLine(Struct, gc=False):
    """A line that only goes on with the message, as nearly all do: one that tells anything else does not fit."""

    message: OllamaPiece
    done: bool
    prompt_eval_count: None = None
    eval_count: None = None
    logprobs: None = None
    error: None = None
    object: None = None
    type: None = None


EVENTS = msgspec.json.Decoder(OllamaEvent)
read_line = msgspec.json.Decoder(OllamaLine).decode
