"""Recording sessions with scripted servers, and playing them."""

import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from streamd import Chunk, Session, open_session, replay
from streamd._recording import Recording, load_recording
from tests.support.server import Script
from tests.support.sessions import chat_model, read, scripted_network

__all__ = ["Seen", "play", "record", "seen"]


TOLD = (
    "phase",
    "retryable",
    "attempt",
    "partial",
    "usage",
    "status_code",
    "code",
    "request_id",
    "retry_after",
)
"""What else an error says."""


class Seen(Struct, frozen=True):
    """What a session's reader saw: what a replay must show again."""

    chunks: list[Chunk]
    error: Any
    status: str
    stop_reason: str | None
    usage: Any
    messages: Any


async def seen(session: Session, leave: Callable[[Session], Awaitable[None]] | None = None) -> Seen:
    """Read a session to its end; `leave` is called first, and may cancel it."""
    if leave is not None:
        await leave(session)
    chunks, error = await read(session)
    metadata = await session.metadata()
    return Seen(
        chunks,
        None
        if error is None
        else (type(error).__name__, str(error), *(getattr(error, name, None) for name in TOLD)),
        metadata.status,
        metadata.stop_reason,
        metadata.usage,
        session.messages,
    )


async def record(
    path: Path, *scripts: Script, model: Any = chat_model, leave: Any = None, **options: Any
) -> tuple[Seen, Recording]:
    """Record a session with a scripted server: what its reader saw, and what is in the file."""
    async with scripted_network(*scripts) as (network, client):
        async with open_session(model(network.url), "Hi", client=client, record=path, **options) as session:
            first = await seen(session, leave)
        assert session.recording_error is None
    return first, load_recording(path)


async def play(path: Path, *, speed: float = math.inf, **options: Any) -> Seen:
    """Play a recording to its end: what its reader saw."""
    async with replay(path, speed=speed, **options) as session:
        return await seen(session)
