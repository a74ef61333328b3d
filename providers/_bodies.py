"""How each wire writes a turn down. What writes it is imported when it is first asked for, as with `WIRES`."""

from __future__ import annotations

from msgspec.structs import replace

from ._quirks import AnthropicQuirks, ChatQuirks, ConverseQuirks, GeminiQuirks, InvokeQuirks, ResponsesQuirks
from .messages import Context, Options

__all__ = [
    "anthropic_messages",
    "anthropic_vertex",
    "bedrock_converse",
    "bedrock_invoke",
    "cohere_v2",
    "gemini",
    "ollama_chat",
    "openai_chat",
    "openai_responses",
]


def anthropic_messages(provider: str, context: Context, options: Options, quirks: AnthropicQuirks) -> bytes:
    """See `anthropic_body`."""
    from ._anthropic_request import anthropic_body

    return anthropic_body(provider, context, options, quirks)


def anthropic_vertex(provider: str, context: Context, options: Options, quirks: AnthropicQuirks) -> bytes:
    """See `anthropic_body`."""
    return anthropic_messages(provider, context, options, replace(quirks, version="vertex-2023-10-16"))


def bedrock_converse(provider: str, context: Context, options: Options, quirks: ConverseQuirks) -> bytes:
    """See `converse_body`."""
    from ._bedrock_converse_request import converse_body

    return converse_body(provider, context, options, quirks)


def bedrock_invoke(provider: str, context: Context, options: Options, quirks: InvokeQuirks) -> bytes:
    """See `invoke_body`."""
    from ._bedrock_invoke_request import invoke_body

    return invoke_body(provider, context, options, quirks)


def cohere_v2(provider: str, context: Context, options: Options, _quirks: None) -> bytes:
    """See `cohere_body`."""
    from ._cohere_request import cohere_body

    return cohere_body(provider, context, options)


def gemini(provider: str, context: Context, options: Options, quirks: GeminiQuirks) -> bytes:
    """See `gemini_body`."""
    from ._gemini_request import gemini_body

    return gemini_body(provider, context, options, quirks)


def ollama_chat(provider: str, context: Context, options: Options, _quirks: None) -> bytes:
    """See `ollama_body`."""
    from ._ollama_request import ollama_body

    return ollama_body(provider, context, options)


def openai_chat(provider: str, context: Context, options: Options, quirks: ChatQuirks) -> bytes:
    """See `openai_chat_body`."""
    from ._openai_chat_request import openai_chat_body

    return openai_chat_body(provider, context, options, quirks)


def openai_responses(provider: str, context: Context, options: Options, quirks: ResponsesQuirks) -> bytes:
    """See `openai_responses_body`."""
    from ._openai_responses_request import openai_responses_body

    return openai_responses_body(provider, context, options, quirks)
