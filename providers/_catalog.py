"""The providers known by name, one row each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from ._openai_chat_request import ChatQuirks
from ._urls import url_fault

__all__ = ["PROVIDERS", "ProviderInfo", "ProviderRow", "base_url_from", "known_providers"]


class ProviderRow(Struct, frozen=True, kw_only=True):
    """What must be known of a provider to speak with it.

    Args:
        wire: The name of its wire, one of `WIRES`.
        base_url: Where it is; None where there is no telling.
        key_env: The environment variables a key is read from, in order.
        token_env: The variables a bearer token is read from, after those, where the key itself is sent otherwise.
        base_url_env: The variables a base URL is read from, in order.
        header_env: Variables sent as a header each, where they are set.
        key_required: Whether nothing can be asked without a key.
        quirks: Where a server of chat completions differs from the others.
    """

    wire: Literal["openai-chat", "anthropic-messages"] = "openai-chat"
    base_url: str | None = None
    key_env: tuple[str, ...] = ()
    token_env: tuple[str, ...] = ()
    base_url_env: tuple[str, ...] = ()
    header_env: tuple[tuple[str, str], ...] = ()
    key_required: bool = True
    quirks: ChatQuirks = ChatQuirks()


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
        wire="anthropic-messages",
        base_url="https://api.anthropic.com",
        key_env=("ANTHROPIC_API_KEY",),
        token_env=("ANTHROPIC_AUTH_TOKEN",),
        base_url_env=("ANTHROPIC_BASE_URL",),
    ),
    "openai": ProviderRow(
        base_url="https://api.openai.com/v1",
        key_env=("OPENAI_API_KEY",),
        base_url_env=("OPENAI_BASE_URL",),
        header_env=(("OPENAI_ORG_ID", "openai-organization"), ("OPENAI_PROJECT_ID", "openai-project")),
        quirks=_NEW_MAX_TOKENS,
    ),
    "cerebras": ProviderRow(
        base_url="https://api.cerebras.ai/v1", key_env=("CEREBRAS_API_KEY",), quirks=_NEW_MAX_TOKENS
    ),
    # A turn that called a tool is refused without its reasoning: api-docs.deepseek.com/guides/thinking_mode
    "deepseek": ProviderRow(
        base_url="https://api.deepseek.com",
        key_env=("DEEPSEEK_API_KEY",),
        quirks=ChatQuirks(thinking="reasoning_content"),
    ),
    "fireworks": ProviderRow(
        base_url="https://api.fireworks.ai/inference/v1", key_env=("FIREWORKS_API_KEY",)
    ),
    "groq": ProviderRow(
        base_url="https://api.groq.com/openai/v1", key_env=("GROQ_API_KEY",), quirks=_NEW_MAX_TOKENS
    ),
    # It refuses fields it does not know, and sends the usage unasked: docs.mistral.ai/api
    "mistral": ProviderRow(
        base_url="https://api.mistral.ai/v1",
        key_env=("MISTRAL_API_KEY",),
        quirks=ChatQuirks(stream_options=False),
    ),
    "openrouter": ProviderRow(base_url="https://openrouter.ai/api/v1", key_env=("OPENROUTER_API_KEY",)),
    "together": ProviderRow(base_url="https://api.together.xyz/v1", key_env=("TOGETHER_API_KEY",)),
    "xai": ProviderRow(base_url="https://api.x.ai/v1", key_env=("XAI_API_KEY",), quirks=_NEW_MAX_TOKENS),
    # Servers of one's own: the base URL is where each listens when it is told nothing else.
    "llamacpp": ProviderRow(
        base_url="http://127.0.0.1:8080/v1", key_env=("LLAMA_API_KEY",), key_required=False
    ),
    "lmstudio": ProviderRow(
        base_url="http://127.0.0.1:1234/v1", key_env=("LM_API_TOKEN",), key_required=False
    ),
    "ollama": ProviderRow(
        base_url="http://127.0.0.1:11434/v1",
        key_env=("OLLAMA_API_KEY",),
        base_url_env=("OLLAMA_HOST",),
        key_required=False,
    ),
    "vllm": ProviderRow(base_url="http://127.0.0.1:8000/v1", key_env=("VLLM_API_KEY",), key_required=False),
    # Its server has an address only while it runs: the runtime starts it, and gives the base URL.
    "local": ProviderRow(key_required=False),
    "openai-compatible": ProviderRow(
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
            _shown_base_url(row, environ),
            row.key_env + row.token_env,
            row.base_url_env,
            row.key_required,
            any(environ.get(variable) for variable in row.key_env + row.token_env),
        )
        for name, row in PROVIDERS.items()
    )


def base_url_from(row: ProviderRow, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """The base URL the environment or the row gives, and where it came from."""
    for variable in row.base_url_env:
        if environ.get(variable):
            url = environ[variable]
            return (_ollama_url(url) if variable == "OLLAMA_HOST" else url), variable
    return row.base_url, "the table of providers"


def _ollama_url(host: str) -> str:
    """A base URL from Ollama's `[scheme://]host[:port]`; a server told to listen everywhere is asked at loopback."""
    scheme, mark, rest = host.rpartition("://")
    name, slash, path = rest.partition("/")
    bare, colon, port = name.rpartition(":")
    if not colon or (bare.count(":") and not bare.endswith("]")):
        bare, port = name, "" if mark else "11434"
    address = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "[::]": "[::1]"}.get(bare, bare)
    return f"{scheme or 'http'}://{address}{':' + port if port else ''}{slash}{path}"


def _shown_base_url(row: ProviderRow, environ: Mapping[str, str]) -> str | None:
    url, _source = base_url_from(row, environ)
    return url if url is not None and url_fault(url) is None else None
