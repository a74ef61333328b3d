"""Sessions against a scripted server: in memory for virtual time, or on the loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from streamd import Chunk, HTTPTransport, Runtime, Session, StreamdError, open_runtime, open_session
from tests.support.leaks import no_leaks
from tests.support.server import Network, Script, memory_network

KEY = "sk-canary-5ecre7"
"""A key that must be seen nowhere."""


def chat_model(url: str) -> Any:
    """A model of a server that speaks chat completions."""
    return ("openai-compatible", {"base_url": url, "api_key": KEY}), "tiny-1"


def messages_model(url: str) -> Any:
    """A model of a server that speaks Anthropic's messages."""
    return ("anthropic", {"base_url": url, "api_key": KEY}), "tiny-1"


@asynccontextmanager
async def scripted_network(*scripts: Script) -> AsyncIterator[tuple[Network, httpx.AsyncClient]]:
    """A scripted server in memory, and a client that reaches nothing else."""
    async with memory_network(*scripts) as network:
        transport = HTTPTransport(connect=network.connect)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            yield network, client


@asynccontextmanager
async def scripted_session(*scripts: Script, prompt: Any = "Hi", **options: Any) -> AsyncIterator[Session]:
    """A session with a scripted server in memory."""
    async with (
        scripted_network(*scripts) as (network, client),
        open_session(chat_model(network.url), prompt, client=client, **options) as session,
    ):
        yield session


@asynccontextmanager
async def scripted_runtime(*scripts: Script, **options: Any) -> AsyncIterator[tuple[Runtime, Network, Any]]:
    """A runtime whose sessions reach a scripted server in memory, which nothing outlives; and the server's model."""
    async with (
        scripted_network(*scripts) as (network, client),
        no_leaks(),
        open_runtime(connections=client, **options) as runtime,
    ):
        yield runtime, network, chat_model(network.url)


async def read(session: Session) -> tuple[list[Chunk], StreamdError | None]:
    """Everything a session yields, and what ended it."""
    chunks: list[Chunk] = []
    try:
        async for chunk in session:
            chunks.append(chunk)
    except StreamdError as error:
        return chunks, error
    return chunks, None
