"""The providers known by name, one row each."""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

from ._openai_chat_request import ChatQuirks
from ._place import shown_base_url
from ._row import ProviderRow

__all__ = ["PROVIDERS", "ProviderInfo", "known_providers"]


class ProviderInfo(Struct, frozen=True):
    """A provider as the present environment has it; `key_set` says whether a key is there, `base_url` where it is.

    `base_url` is None where none is known, or where the environment's cannot be used.
    """

    name: str
    wire: str
    base_url: str | None
    key_env: tuple[str, ...]
    base_url_env: tuple[str, ...]
    key_required: bool
    key_set: bool


_NEW_MAX_TOKENS = ChatQuirks(max_tokens="max_completion_tokens")

PROVIDERS: dict[str, ProviderRow] = {
    "anthropic": ProviderRow(
        title="Anthropic",
        key_header="x-api-key",
        wire="anthropic-messages",
        base_url="https://api.anthropic.com",
        key_env=("ANTHROPIC_API_KEY",),
        token_env=("ANTHROPIC_AUTH_TOKEN",),
        base_url_env=("ANTHROPIC_BASE_URL",),
    ),
    "openai": ProviderRow(
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        header_env=(("OPENAI_ORG_ID", "openai-organization"), ("OPENAI_PROJECT_ID", "openai-project")),
        quirks=_NEW_MAX_TOKENS,
    ),
    "cerebras": ProviderRow(
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        key_env=("CEREBRAS_API_KEY",),
        quirks=_NEW_MAX_TOKENS,
    ),
    # A turn that called a tool is refused without its reasoning: api-docs.deepseek.com/guides/thinking_mode
    "deepseek": ProviderRow(
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        key_env=("DEEPSEEK_API_KEY",),
        quirks=ChatQuirks(thinking="reasoning_content"),
    ),
    "fireworks": ProviderRow(
        title="Fireworks", base_url="https://api.fireworks.ai/inference/v1", key_env=("FIREWORKS_API_KEY",)
    ),
    "groq": ProviderRow(
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        key_env=("GROQ_API_KEY",),
        quirks=_NEW_MAX_TOKENS,
    ),
    # It refuses fields it does not know, and sends the usage unasked: docs.mistral.ai/api
    "mistral": ProviderRow(
        title="Mistral",
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        quirks=ChatQuirks(stream_options=False),
    ),
    "openrouter": ProviderRow(
        title="OpenRouter", base_url="https://openrouter.ai/api/v1", key_env=("OPENROUTER_API_KEY",)
    ),
    "together": ProviderRow(
        title="Together", base_url="https://api.together.xyz/v1", key_env=("TOGETHER_API_KEY",)
    ),
    "xai": ProviderRow(
        title="xAI", base_url="https://api.x.ai/v1", key_env=("XAI_API_KEY",), quirks=_NEW_MAX_TOKENS
    ),
    # Servers of one's own: the base URL is where each listens when it is told nothing else.
    "llamacpp": ProviderRow(
        title="llama.cpp", base_url="http://127.0.0.1:8080/v1", key_env=("LLAMA_API_KEY",), key_required=False
    ),
    "lmstudio": ProviderRow(
        title="LM Studio", base_url="http://127.0.0.1:1234/v1", key_env=("LM_API_TOKEN",), key_required=False
    ),
    "ollama": ProviderRow(
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        key_env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_HOST",),
        key_required=False,
    ),
    "vllm": ProviderRow(
        title="vLLM", base_url="http://127.0.0.1:8000/v1", key_env=("VLLM_API_KEY",), key_required=False
    ),
    # Its server has an address only while it runs: the runtime starts it, and gives the base URL.
    "local": ProviderRow(title="The local model", key_required=False),
    "openai-compatible": ProviderRow(
        title="Any compatible server",
        key_env=("OPENAI_COMPATIBLE_API_KEY",),
        base_url_env=("OPENAI_COMPATIBLE_BASE_URL",),
        key_required=False,
    ),
}
"""The providers this library knows by itself. Others register by the entry-point group `streamd.providers`."""


def known_providers(environ: Mapping[str, str] | None = None) -> tuple[ProviderInfo, ...]:
    """Every provider of `PROVIDERS` as the environment has it, in the order of the table.

    Args:
        environ: The environment; the process's own where None.
    """
    environ = os.environ if environ is None else environ
    return tuple(
        ProviderInfo(
            name,
            row.wire,
            shown_base_url(row, environ),
            row.key_env + row.token_env,
            row.base_url_env,
            row.key_required,
            any(environ.get(variable) for variable in row.key_env + row.token_env),
        )
        for name, row in PROVIDERS.items()
    )
