"""The scripted server of `streamd.testing` as tests use it: scripts in order, and TLS with an authority of its own."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

import trustme

from streamd.testing import _server
from streamd.testing._connection import Connection as Connection
from streamd.testing._server import Network as Network
from streamd.testing._server import Scripts
from streamd.testing._server import Server as Server
from streamd.testing._steps import CLOSE as CLOSE
from streamd.testing._steps import FIN as FIN
from streamd.testing._steps import HEAD_ONLY as HEAD_ONLY
from streamd.testing._steps import KEEP_OPEN as KEEP_OPEN
from streamd.testing._steps import RST as RST
from streamd.testing._steps import UNREAD as UNREAD
from streamd.testing._steps import Delay as Delay
from streamd.testing._steps import Flood as Flood
from streamd.testing._steps import Pause as Pause
from streamd.testing._steps import Request as Request
from streamd.testing._steps import Script as Script
from streamd.testing._steps import Step as Step
from streamd.testing._steps import chunk as chunk
from streamd.testing._steps import chunked as chunked
from streamd.testing._steps import response as response
from streamd.testing._steps import segments as segments

__all__ = [
    "CLOSE",
    "FIN",
    "HEAD_ONLY",
    "KEEP_OPEN",
    "RST",
    "UNREAD",
    "Connection",
    "Delay",
    "Flood",
    "Network",
    "Pause",
    "Request",
    "Script",
    "Server",
    "Step",
    "chunk",
    "chunked",
    "memory_network",
    "response",
    "segments",
    "serve",
    "sse",
    "tls_contexts",
]


@cache
def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context for `localhost` and 127.0.0.1, and a client's that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", "memory.test").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@asynccontextmanager
async def serve(*scripts: Script, tls: bool = False) -> AsyncIterator[Server]:
    """Listen on a free port of the loopback and play scripts; the clients of a `tls` server use `tls_contexts()[1]`.

    Leaving the block closes every connection.
    """
    context = tls_contexts()[0] if tls else None
    async with _server.loopback(Scripts(scripts), ssl_context=context) as server:
        yield server


@asynccontextmanager
async def memory_network(
    *scripts: Script, lockstep: bool = False, tls: bool = False
) -> AsyncIterator[Network]:
    """Play scripts in memory, without a socket: for tests under a `trio.testing.MockClock`.

    Args:
        scripts: One for each request, the last for all that follow.
        lockstep: A send returns only when all of it was read, as with sockets of tiny buffers; otherwise the buffers
            have no bound.
        tls: Speak TLS; clients use `tls_contexts()[1]`.
    """
    context = tls_contexts()[0] if tls else None
    buffer = 0 if lockstep else float("inf")
    async with _server.memory_network(Scripts(scripts), buffer=buffer, ssl_context=context) as network:
        yield network


def sse(*events: str | tuple[str, str]) -> bytes:
    """An event stream: data alone, or the event's name and data."""
    lines = [("", each) if isinstance(each, str) else each for each in events]
    return "".join(
        (f"event: {name}\n" if name else "") + f"data: {data}\n\n" for name, data in lines
    ).encode()
