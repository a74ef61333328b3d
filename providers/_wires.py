"""The wire formats there are, by name."""

from collections.abc import Callable

from ._decoder import SSEChunkDecoder
from ._openai_chat_decoder import OpenAIChatMachine
from ._provider import Decoder

__all__ = ["WIRES"]


def _openai_chat() -> Decoder:
    return SSEChunkDecoder(OpenAIChatMachine())


WIRES: dict[str, Callable[[], Decoder]] = {
    "openai-chat": _openai_chat,
}
"""A fresh decoder for one response body, by the name of its wire."""
