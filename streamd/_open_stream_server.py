"""Opening a stream server of one's own, without a supervisor to put it under."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from streamd.providers import Decoder, ProviderSpec
from streamd.supervisors import RestartLimit, open_supervisor

from ._stream_server import StreamServer
from ._timers import Timeouts

__all__ = ["open_stream_server"]


@asynccontextmanager
async def open_stream_server(
    provider: ProviderSpec,
    model: str,
    *,
    high_watermark: int = 500,
    fixture_path: str | os.PathLike[str] | None = None,
    timeouts: Timeouts | None = None,
    decoder: Decoder | None = None,
    name: str | None = None,
) -> AsyncGenerator[StreamServer, None]:
    """Run a `StreamServer` beside a block: `async with open_stream_server(...) as server`.

    When the block is left, in any way, the response is cancelled unless it has ended, and every task of the server has
    ended and its connection is closed. Exceptions of the block leave it as they are.

    Args:
        provider: As for `StreamServer`, as are all others.
        model: The model's name there.
        high_watermark: How many chunks may be decoded and unread.
        fixture_path: Where a recording is written.
        timeouts: The timers.
        decoder: What continues a body that broke off.
        name: How the server is called.

    Raises:
        ConfigError: The provider or an option cannot be used.
    """
    server = StreamServer(
        provider,
        model,
        high_watermark=high_watermark,
        fixture_path=fixture_path,
        timeouts=timeouts,
        decoder=decoder,
        name=name,
    )
    # A provider may be given with its key: no traceback through the block below is to show it.
    del provider
    async with open_supervisor(server.child_spec(), restarts=RestartLimit(0), name="stream servers"):
        yield server
