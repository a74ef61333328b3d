"""The wire formats there are, by name. What reads a wire is imported when it is first read: most programs speak one."""

from collections.abc import Callable

from ._provider import Decoder
from ._sse_chunk_decoder import SSEChunkDecoder

__all__ = ["WIRES"]


def _anthropic_messages() -> Decoder:
    from ._anthropic_decoder import AnthropicMachine

    return SSEChunkDecoder(AnthropicMachine())


def _bedrock_converse() -> Decoder:
    from ._bedrock_converse_decoder import ConverseMachine
    from ._bedrock_decoder import BedrockDecoder

    return BedrockDecoder(ConverseMachine())


def _bedrock_invoke() -> Decoder:
    from ._bedrock_decoder import BedrockDecoder
    from ._bedrock_invoke_decoder import InvokeMachine

    return BedrockDecoder(InvokeMachine())


def _cohere_v2() -> Decoder:
    from ._cohere_decoder import CohereMachine

    return SSEChunkDecoder(CohereMachine())


def _gemini() -> Decoder:
    from ._gemini_decoder import MAX_EVENT_BYTES, GeminiMachine

    return SSEChunkDecoder(GeminiMachine(), arrays=True, max_event_bytes=MAX_EVENT_BYTES)


def _ollama_chat() -> Decoder:
    from ._ollama_decoder import OllamaMachine

    machine = OllamaMachine()
    return SSEChunkDecoder(machine, lines=machine.lines)


def _openai_chat() -> Decoder:
    from ._openai_chat_decoder import OpenAIChatMachine

    return SSEChunkDecoder(OpenAIChatMachine())


def _openai_responses() -> Decoder:
    from ._openai_responses_resume import ResponsesDecoder

    return ResponsesDecoder()


WIRES: dict[str, Callable[[], Decoder]] = {
    "anthropic-messages": _anthropic_messages,
    "bedrock-converse": _bedrock_converse,
    "bedrock-invoke": _bedrock_invoke,
    "cohere-v2": _cohere_v2,
    "gemini": _gemini,
    "ollama-chat": _ollama_chat,
    "openai-chat": _openai_chat,
    "openai-responses": _openai_responses,
}
"""A fresh decoder for one response body, by the name of its wire."""
