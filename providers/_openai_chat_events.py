"""What is read of an event of OpenAI's chat completions, and of the servers that speak as it does.

https://platform.openai.com/docs/api-reference/chat-streaming. Fields that are not named here are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["EVENTS", "NAMED_EVENTS", "ChatChoice", "ChatDelta", "ChatEvent", "ChatTool", "NamedChatEvent"]


class ChatFunction(Struct, gc=False):
    """A piece of a call; some servers give the arguments as an object."""

    name: str | None = None
    arguments: Any = None


class ChatTool(Struct, gc=False):
    """An entry of `tool_calls`; `extra_content` is Gemini's, behind whatever server."""

    index: int | None = None
    id: str | None = None
    function: ChatFunction | None = None
    extra_content: Any = None


class ChatDelta(Struct, gc=False):
    """What a choice adds. The fields stand as they do on the wire, where they are found the quickest.

    Content is a list of parts with Mistral and Databricks when the model thinks. `reasoning_text` and
    `reasoning_opaque` are GitHub Copilot's, `reasoning_details` and `images` OpenRouter's, `executed_tools` Groq's.
    """

    content: str | list[Any] | None = None
    tool_calls: list[ChatTool] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    reasoning_opaque: str | None = None
    reasoning_details: list[Any] | None = None
    refusal: str | None = None
    function_call: ChatFunction | None = None
    annotations: list[Any] | None = None
    images: list[Any] | None = None
    audio: dict[str, Any] | None = None
    executed_tools: list[Any] | None = None


class ChatChoice(Struct, gc=False):
    """One of the answers; `message` stands in the place of `delta` where the answer is not streamed."""

    index: int | None = None
    delta: ChatDelta | None = None
    logprobs: Any = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    message: ChatDelta | None = None
    error: Any = None


class ChatGroq(Struct, gc=False):
    """Groq's own field, where its older API puts the usage."""

    usage: dict[str, Any] | None = None


class ChatEvent(Struct, gc=False):
    """One event, or the whole document of an answer that is not streamed."""

    object: str | None = None
    choices: list[ChatChoice] | None = None
    usage: dict[str, Any] | None = None
    type: str | None = None
    error: Any = None
    citations: list[Any] | None = None
    search_results: list[Any] | None = None
    web_search: list[Any] | None = None
    x_groq: ChatGroq | None = None


class NamedChatEvent(ChatEvent, gc=False):
    """An event with what names the response, which each of them repeats."""

    id: str | None = None
    model: str | None = None


EVENTS = msgspec.json.Decoder(ChatEvent)
NAMED_EVENTS = msgspec.json.Decoder(NamedChatEvent)
