"""Opening a stream server of one's own, without a supervisor to put it under."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio

from streamd.supervisors import RestartLimit, open_supervisor

from ._signature import takes_arguments_of
from ._stream_server import StreamServer

__all__ = ["open_stream_server"]


@takes_arguments_of(StreamServer)
@asynccontextmanager
@trio.lowlevel.enable_ki_protection
async def open_stream_server(*args: Any, **options: Any) -> AsyncGenerator[StreamServer, None]:
    """Run a `StreamServer` beside a block: `async with open_stream_server(...) as server`.

    It takes the arguments of `StreamServer`. When the block is left, in any way, the response is cancelled unless it
    has ended, and every task of the server has ended and its connection is closed. Exceptions of the block leave it as
    they are.

    Raises:
        ConfigError: The provider or an option cannot be used.
    """
    try:
        server = StreamServer(*args, **options)
    finally:
        # A provider may be given with its key: no traceback through this frame is to show it.
        del args, options
    async with open_supervisor(server.child_spec(), restarts=RestartLimit(0), name="stream servers"):
        yield server
