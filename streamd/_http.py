"""Speaking HTTP through any client of httpx's shape, and reading its failures as ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol, Self

from streamd.providers import HTTPRequest, Secret

from ._http_transport import OPENED, Opened
from .errors import (
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    EncodingRefused,
    Phase,
    ProtocolViolation,
    StreamdError,
    TransportError,
)

__all__ = ["HTTPClient", "HTTPResponse", "open_response"]


class HTTPClient(Protocol):
    """What a session needs of a client: `httpx.AsyncClient` and `httpx2.AsyncClient` have it."""

    def build_request(
        self, method: str, url: str, *, headers: Any = ..., content: Any = ..., extensions: Any = ...
    ) -> Any:
        """Make a request of the client's own kind."""
        ...

    async def send(self, request: Any, *, stream: bool = ..., follow_redirects: bool = ...) -> Any:
        """Send it, and return when the response's head came."""
        ...


class HTTPResponse:
    """The head of a response, and its body as an iterator over network reads: what came over the wire, as it came.

    It is a block. Leaving that closes the connection, or gives it back where the body was read to its verified end; and
    what the client raised inside leaves it as an error of ours.

    Args:
        response: A streamed response of an `HTTPClient`.
    """

    __slots__ = ("_response", "body", "headers", "status")

    def __init__(self, response: Any) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.body: AsyncIterator[bytes] = response.stream.__aiter__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        with _typed_errors("stream"):
            try:
                if (aclose := getattr(self.body, "aclose", None)) is not None:
                    await aclose()
            finally:
                await self._response.aclose()
        if error is not None and (ours := _typed(error, "stream")) is not None:
            raise ours from _cause(ours, error)


async def open_response(
    client: HTTPClient, request: HTTPRequest, *, user_agent: str, connect: float | None
) -> HTTPResponse:
    """Send a request, and return when the response's head came; nothing is decompressed, and no redirect followed.

    Args:
        client: Who sends it.
        request: What is sent. Its secrets are revealed here, and nowhere else.
        user_agent: Sent where the request names none.
        connect: How long connecting may take, in seconds.

    Returns:
        The response, whose block must be entered.

    Raises:
        TransportError: Connecting, sending or receiving failed; in this call, or while the body is read.
        ConfigError: The client cannot send such a request.

    Cancelling it closes the connection.
    """
    opened: Opened = []
    with _typed_errors("headers"):
        message = _message(client, request, user_agent, connect, opened)
        try:
            response = await client.send(message, stream=True, follow_redirects=False)
        except BaseException:
            # httpx logs the response once it is there, and closes nothing where a logging handler raises.
            for each in opened:
                await each.aclose()
            raise
        finally:
            del message  # it is as large as the conversation, and was sent
    return HTTPResponse(response)


def _message(
    client: HTTPClient, request: HTTPRequest, user_agent: str, connect: float | None, opened: Opened
) -> Any:
    """The request as the client's own object; the revealed secrets leave no other frame than this."""
    headers = [
        (name, value.reveal() if isinstance(value, Secret) else value) for name, value in request.headers
    ]
    if not any(name.lower() == "user-agent" for name, _ in headers):
        headers.append(("user-agent", user_agent))
    limits = {"connect": connect, "read": None, "write": None, "pool": connect}
    return client.build_request(
        request.method,
        request.url,
        headers=headers,
        content=request.body,
        extensions={"timeout": limits, OPENED: opened},
    )


class _typed_errors:  # noqa: N801  (a context manager is named like the function it stands for)
    """Turn what an HTTP client raises into our own errors; ours, and everything else, pass."""

    __slots__ = ("_phase",)

    def __init__(self, phase: Phase) -> None:
        self._phase: Phase = phase

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None and (ours := _typed(error, self._phase)) is not None:
            raise ours from _cause(ours, error)


def _typed(error: BaseException, phase: Phase) -> StreamdError | None:
    """The error of ours that stands for a client's; None for any other, which ours are too."""
    if isinstance(error, UnicodeError):
        return _unusable(error, phase)  # a host that cannot be encoded
    for base in type(error).__mro__:
        if base.__module__.split(".")[0] in ("httpx", "httpx2") and base.__name__ in _FOREIGN:
            return _FOREIGN[base.__name__](error, phase)
    return None


def _cause(ours: StreamdError, error: BaseException) -> BaseException | None:
    """The client's error as the cause of ours, unless it, or a frame of it, may quote the key."""
    return None if isinstance(ours, ConfigError) else error


def _connect_failed(exc: BaseException, phase: Phase) -> TransportError:
    return ConnectFailed(
        f"could not connect: {exc}" if str(exc) else f"could not connect ({type(exc).__name__})"
    )


def _connect_timed_out(exc: BaseException, phase: Phase) -> TransportError:
    return ConnectFailed(
        f"could not connect: the connect timer fired ({type(exc).__name__})", which="connect"
    )


def _lost(exc: BaseException, phase: Phase) -> TransportError:
    return ConnectionLost(f"the connection broke ({type(exc).__name__}): {exc}", phase=phase)


def _sending(exc: BaseException, phase: Phase) -> TransportError:
    return ConnectionLost(f"the connection broke while sending ({type(exc).__name__})", phase="send")


def _violation(exc: BaseException, phase: Phase) -> TransportError:
    return ProtocolViolation(f"the server broke the protocol: {exc}", phase=phase)


def _peer(exc: BaseException, phase: Phase) -> TransportError:
    closed = "closed" in str(exc) or "disconnected" in str(exc)
    return _lost(exc, phase) if closed else _violation(exc, phase)


def _encoding(exc: BaseException, phase: Phase) -> TransportError:
    return EncodingRefused("the response's encoding could not be read", phase=phase)


def _unusable(exc: BaseException, phase: Phase) -> StreamdError:
    return ConfigError(f"the HTTP client cannot send this request ({type(exc).__name__})")


_FOREIGN = {
    # By name, as httpx and httpx2 have the same tree of classes and share none of them.
    "ConnectError": _connect_failed,
    "ConnectTimeout": _connect_timed_out,
    "PoolTimeout": _connect_timed_out,
    "ProxyError": _connect_failed,
    "WriteError": _sending,
    "WriteTimeout": _sending,
    "RemoteProtocolError": _peer,
    "DecodingError": _encoding,
    "LocalProtocolError": _unusable,
    "UnsupportedProtocol": _unusable,
    "InvalidURL": _unusable,
    "TransportError": _lost,
    "StreamError": _lost,
}
