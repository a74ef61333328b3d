"""The wire formats there are, by name."""

from collections.abc import Callable

from ._anthropic_decoder import AnthropicMachine
from ._bedrock_converse_decoder import ConverseMachine
from ._bedrock_decoder import BedrockDecoder
from ._bedrock_invoke_decoder import InvokeMachine
from ._cohere_decoder import CohereMachine
from ._gemini_decoder import MAX_EVENT_BYTES, GeminiMachine
from ._ollama_decoder import OllamaMachine
from ._openai_chat_decoder import OpenAIChatMachine
from ._openai_responses_resume import ResponsesDecoder
from ._provider import Decoder
from ._sse_chunk_decoder import SSEChunkDecoder

__all__ = ["WIRES"]


def _anthropic_messages() -> Decoder:
    return SSEChunkDecoder(AnthropicMachine())


def _bedrock_converse() -> Decoder:
    return BedrockDecoder(ConverseMachine())


def _bedrock_invoke() -> Decoder:
    return BedrockDecoder(InvokeMachine())


def _cohere_v2() -> Decoder:
    return SSEChunkDecoder(CohereMachine())


def _gemini() -> Decoder:
    return SSEChunkDecoder(GeminiMachine(), arrays=True, max_event_bytes=MAX_EVENT_BYTES)


def _ollama_chat() -> Decoder:
    return SSEChunkDecoder(OllamaMachine(), lines=True)


def _openai_chat() -> Decoder:
    return SSEChunkDecoder(OpenAIChatMachine())


WIRES: dict[str, Callable[[], Decoder]] = {
    "anthropic-messages": _anthropic_messages,
    "bedrock-converse": _bedrock_converse,
    "bedrock-invoke": _bedrock_invoke,
    "cohere-v2": _cohere_v2,
    "gemini": _gemini,
    "ollama-chat": _ollama_chat,
    "openai-chat": _openai_chat,
    "openai-responses": ResponsesDecoder,
}
"""A fresh decoder for one response body, by the name of its wire."""
