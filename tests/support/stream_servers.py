"""Stream servers that are fed by hand."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from streamd import (
    Chunk,
    HTTPData,
    HTTPHeaders,
    HTTPStatus,
    Metadata,
    StreamdError,
    StreamServer,
    Text,
    open_stream_server,
)
from tests.support.sessions import KEY

PROVIDER: Any = ("openai-compatible", {"base_url": "http://memory.test/v1", "api_key": KEY})
"""A provider that speaks chat completions."""


@asynccontextmanager
async def fed_server(*bodies: bytes, **options: Any) -> AsyncGenerator[StreamServer, None]:
    """A server whose response has begun, and which was given these reads of its body."""
    async with open_stream_server(PROVIDER, "tiny-1", **options) as server:
        await server.http_event(HTTPStatus(200))
        await server.http_event(HTTPHeaders({"Content-Type": "text/event-stream"}))
        for body in bodies:
            await server.http_event(HTTPData(body))
        yield server


async def drain(server: StreamServer) -> tuple[list[str], StreamdError | None]:
    """The texts that are left of a response, and what ended it."""
    chunks: list[Chunk] = []
    error: StreamdError | None = None
    try:
        async for chunk in server:
            chunks.append(chunk)
    except StreamdError as exc:
        error = exc
    return [chunk.text for chunk in chunks if isinstance(chunk, Text)], error


async def next_text(server: StreamServer) -> str:
    """The next chunk, which is a text."""
    while isinstance(chunk := await server.next(), Metadata):
        pass
    assert isinstance(chunk, Text)
    return chunk.text


async def blocked() -> None:
    """Return once every other task waits for something."""
    await trio.testing.wait_all_tasks_blocked()


def noting(log: list[str], name: str, call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """A call that writes its name down when it has returned."""

    async def noted() -> None:
        await call()
        log.append(name)

    return noted
