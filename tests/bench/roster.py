"""Who is measured: each client's module, what it is called, where it is installed and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PEERS", "Peer"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A client.

    `imports` is what its user imports, `distributions` what must be installed for that. Those that the budgets
    name play most `rounds`. One that takes long plays its `share`th part of a scene. One that is
    `apart` is installed in an environment of its own.
    """

    module: str
    title: str
    imports: str
    distributions: tuple[str, ...]
    rounds: int = 2
    share: int = 1
    apart: bool = False


PEERS = {
    "socket": Peer("socket_trio", "bare trio socket", "trio, httpx, msgspec", ("trio", "msgspec"), rounds=5),
    "streamd": Peer("streamd_session", "streamd", "streamd", ("streamd-llm",), rounds=5),
    "runtime": Peer("streamd_runtime", "streamd, in a runtime", "", ("streamd-llm",)),
    "aiohttp": Peer("aiohttp_asyncio", "aiohttp", "aiohttp", ("aiohttp",)),
    "httpx": Peer("httpx_trio", "httpx on trio", "trio, httpx", ("httpx",), rounds=1),
    "httpx2": Peer("httpx2_trio", "httpx2 on trio", "trio, httpx2", ("httpx2",)),
    "openai": Peer("openai_asyncio", "openai", "openai", ("openai",), rounds=5),
    "anthropic": Peer("anthropic_asyncio", "anthropic", "anthropic", ("anthropic",), rounds=1),
    "litellm": Peer("litellm_asyncio", "litellm", "litellm", ("litellm",), rounds=1, share=2, apart=True),
    "pydantic-ai": Peer(
        "pydantic_asyncio", "pydantic-ai", "pydantic_ai", ("pydantic-ai-slim",), rounds=1, share=2
    ),
}
"""By the name that they have in the results. The bare socket imports what streamd is made of."""
