"""HTTP/1.1 for httpx over trio streams, made for responses that stream."""

import ssl
from typing import final

import httpx

from ._http1 import refusal
from ._http_connections import Connections
from ._http_dial import Connect, Origin, connect_tcp
from ._http_exchange import Exchange
from .errors import ConfigError, ConnectionLost

__all__ = ["OPENED", "HTTPTransport", "Opened"]

OPENED = "streamd.opened"
"""The extension of a request by which its maker is told of the responses that came, whatever becomes of them."""

Opened = list[httpx.AsyncByteStream]

_PORTS = {"http": 80, "https": 443}


@final
class HTTPTransport(httpx.AsyncBaseTransport):
    """An `httpx` transport for streamed responses: HTTP/1.1, trio only, one request at a time on a connection.

    Use it as `httpx.AsyncClient(transport=HTTPTransport())`, from any number of tasks of one `trio.run`. The only task
    it starts sends a request of over 64 KiB while the answer is awaited, and ends before the response is returned.
    `aclose`, which the client calls, closes every connection, those in use included.

    A connection is used again only after a verified clean end: the response was complete by its own framing, the
    request was sent whole, the server keeps the connection open, and nothing has come since. Any other is closed at
    once, without a goodbye. A request that finds its kept connection dead before one byte of response is sent once
    more, on a new connection; nothing else is ever sent twice.

    Of a request's `timeout` extension only `connect` is heeded: the seconds that name, TCP and TLS may take together.
    Everything else is the caller's to bound (`trio.fail_after`): cancelling at any point, in a request or in a read of
    its body, closes the connection.

    A request's body is sent with its length; one given as an iterator is read into memory first. A server may refuse a
    large one (with a status of 300 or more) before it has read it: that ends the upload, and is the response, though
    the server reads no further. A `Location` that cannot be read is left out of a response. A response's body
    comes as one `bytes` per network read of at most 64 KiB, as it came: nothing is decompressed, no redirect followed.
    A response's head (or anything else between two pieces of body) may hold 64 KiB. There are no proxies and no
    HTTP/2; `httpx.AsyncHTTPTransport` has both.

    Errors are raised by `handle_async_request` and by reading the response's body.

    Raises:
        ConfigError: The request cannot be sent as it is.
        ConnectFailed: There is no connection, or the transport was closed.
        ConnectionLost: The connection broke; see its `phase`. A body that ends with the connection, having neither
            length nor chunks, ends normally: only its content can tell whether it is whole.
        ProtocolViolation: The response is not HTTP/1.1, or passes a limit.

    Args:
        ssl_context: For `https`; None for httpx's own, which verifies the server's certificate.
        keep_alive: Seconds for which an idle connection may be used again.
        max_idle: How many idle connections are kept for one origin (scheme, host and port). Connections in use are
            not bounded.
        connect: Makes the connection below TLS from a host and a port: for tests, or for another way to the server.
            Only connections over a `trio.SocketStream`, or over a stream with a method `is_still() -> bool`, are used
            again: others cannot be checked for what may lie on them.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        keep_alive: float = 15.0,
        max_idle: int = 32,
        connect: Connect = connect_tcp,
    ) -> None:
        self._connections = Connections(
            connect=connect, ssl_context=ssl_context, keep_alive=keep_alive, max_idle=max_idle
        )

    @property
    def connections_used(self) -> int:
        """How many connections are in use."""
        return self._connections.used

    @property
    def connections_idle(self) -> int:
        """How many connections are kept for another request; they are looked at only when one is made."""
        return self._connections.idle

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its response when the head has come; see the class for what it raises.

        The response must be closed, or its body read to the end.

        Args:
            request: To an absolute `http` or `https` URL.
        """
        method = request.method.encode(errors="replace")
        reason = refusal(method, request.url.raw_path, request.headers.raw)
        if reason is not None:
            raise ConfigError(reason)
        origin = _origin(request.url)
        if not isinstance(request.stream, httpx.AsyncByteStream):
            raise ConfigError("the request's body must be bytes or an async iterator of bytes")
        await request.aread()
        response = await self._exchange(request, origin, method)
        assert isinstance(response.stream, Exchange)
        request.extensions.get(OPENED, []).append(response.stream)
        return response

    async def _exchange(self, request: httpx.Request, origin: Origin, method: bytes) -> httpx.Response:
        connection = await self._connections.kept(origin)
        if connection is not None:
            exchange = Exchange(self._connections, connection, method)
            try:
                return await exchange.run(request)
            except ConnectionLost:
                if exchange.answered:
                    raise
        timeout = request.extensions.get("timeout", {}).get("connect")
        connection = await self._connections.new(origin, timeout)
        return await Exchange(self._connections, connection, method).run(request)

    async def aclose(self) -> None:
        """Close every connection, forcefully; whoever reads from one gets `ConnectionLost`. No request can follow."""
        await self._connections.aclose()


def _origin(url: httpx.URL) -> Origin:
    if url.scheme not in _PORTS or not url.raw_host:
        raise ConfigError("the request's URL is not an absolute http or https URL")
    port = _PORTS[url.scheme] if url.port is None else url.port
    if not 0 < port < 65536:
        raise ConfigError(f"the port {port} of the request's URL is not one from 1 to 65535")
    return Origin(url.scheme, url.raw_host.decode("ascii"), port)
