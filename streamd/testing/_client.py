"""The client that a run gives an application: streamd's requests go streamd's way, all others go httpx's own."""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import httpcore
import httpx
import trio

from streamd import HTTPTransport
from streamd._http_dial import Askable
from streamd._http_transport import OPENED

__all__ = ["RunTransport"]

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]


class RunTransport(httpx.AsyncBaseTransport):
    """A transport of httpx whose connections are a run's.

    A request that streamd makes goes through `streamd.HTTPTransport`. Any other goes through what httpx has by default
    (`httpcore`'s pool), so that an application of httpx meets its errors, its time limits and its decoding, as it does
    with a client of its own.

    Args:
        connect: Makes a connection from a host and a port.
    """

    def __init__(self, connect: Connect) -> None:
        self._own = HTTPTransport(connect=connect)
        self._connect = connect
        self._pool: httpcore.AsyncConnectionPool | None = None

    @property
    def connections_idle(self) -> int:
        """How many connections are kept for another request."""
        pooled = [] if self._pool is None else self._pool.connections
        return self._own.connections_idle + sum(connection.is_idle() for connection in pooled)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its response when the head has come; cancelling it closes the connection."""
        if OPENED in request.extensions:
            return await self._own.handle_async_request(request)
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(network_backend=_Backend(self._connect))
        url, content = request.url, await request.aread()
        extensions: dict[str, Any] = {**request.extensions}
        with _raised_by_httpx():
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=_Sent(content),
                    extensions=extensions,
                )
            )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(cast("httpx.AsyncByteStream", response.stream)),
            extensions=cast("Any", response).extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._own.aclose()
        if self._pool is not None:
            await self._pool.aclose()


class _Sent:
    """A request's body, in one piece. No generator: httpcore lets go of one that it was cancelled in."""

    def __init__(self, content: bytes) -> None:
        self._left = [content]

    def __aiter__(self) -> _Sent:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _raised_by_httpx():
            async for piece in self._stream:
                yield piece

    async def aclose(self) -> None:
        with _raised_by_httpx():
            await self._stream.aclose()


@contextmanager
def _raised_by_httpx() -> Generator[None, None, None]:
    """Raise what httpx raises: its errors have the names of those below."""
    try:
        yield
    except Exception as error:
        kind: Any = getattr(httpx, type(error).__name__, None)
        if kind is None or type(error).__module__.partition(".")[0] != "httpcore":
            raise
        raise kind(str(error)) from error


class _Way(httpcore.AsyncNetworkStream):
    """A connection, as httpcore has it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _raised_by_httpcore(httpcore.ReadTimeout, httpcore.ReadError), _within(timeout):
            data = await self._stream.receive_some(max_bytes)
        return bytes(data)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _raised_by_httpcore(httpcore.WriteTimeout, httpcore.WriteError), _within(timeout):
            await self._stream.send_all(buffer)

    async def aclose(self) -> None:
        # httpcore closes in a shield: what takes its time could not be cancelled. Its own way of closing takes none.
        await trio.aclose_forcefully(self._stream)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("the server of a run speaks no TLS: ask at World.url")

    def get_extra_info(self, info: str) -> Any:
        if info != "is_readable":
            return None
        if isinstance(self._stream, trio.SocketStream):
            return self._stream.socket.is_readable()
        return isinstance(self._stream, Askable) and not self._stream.is_still()


class _Backend(httpcore.AsyncNetworkBackend):
    """Where httpcore gets its connections."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _raised_by_httpcore(httpcore.ConnectTimeout, httpcore.ConnectError), _within(timeout):
            stream = await self._connect(host, port)
        return _Way(stream)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


def _within(seconds: float | None) -> AbstractContextManager[object]:
    return trio.fail_after(math.inf if seconds is None else seconds)


@contextmanager
def _raised_by_httpcore(late: type[Exception], broken: type[Exception]) -> Generator[None, None, None]:
    try:
        yield
    except trio.TooSlowError as error:
        raise late(str(error)) from error
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
        raise broken(str(error.__cause__ or error)) from error
