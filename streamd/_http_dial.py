"""Making a connection: the name, TCP, TLS, within one time limit; and asking a connection whether it lies still."""

import functools
import math
import os
import select
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol, cast, final, runtime_checkable

import httpx
import msgspec
import trio

from ._http_socket import TCPStream
from ._ungrouped import ungrouped
from .errors import ConfigError, ConnectFailed

__all__ = [
    "Askable",
    "Connect",
    "Origin",
    "can_be_asked",
    "connect_tcp",
    "default_ssl_context",
    "dial",
    "is_still",
    "mute",
]

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Connects to a host (a name or an address) and port; any `OSError` it raises becomes a `ConnectFailed`."""


@runtime_checkable
class Askable(Protocol):
    """A stream without a socket that can tell whether it lies still."""

    def is_still(self) -> bool:
        """Whether it is open with nothing on it to be read."""
        ...


class Origin(msgspec.Struct, frozen=True):
    """Who a connection leads to. Connections are never shared between two origins."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """The verifying TLS context of httpx, made once in a process as reading the authorities' file is slow.

    It honours `SSL_CERT_FILE` and `SSL_CERT_DIR` as they are when it is first needed.
    """
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def connect_tcp(host: str, port: int) -> TCPStream:
    """Connect by TCP, trying a name's addresses as RFC 8305 says ("happy eyeballs"); no delay of small writes.

    Args:
        host: A name or an address.
        port: The port.

    Raises:
        OSError: There is no such name, or no address of it answers.
    """
    with ungrouped():
        return TCPStream(await trio.open_tcp_stream(host, port))


async def dial(
    origin: Origin, *, connect: Connect, ssl_context: ssl.SSLContext | None, timeout: float | None
) -> trio.abc.Stream:
    """Connect to an origin, by TLS where its scheme is `https`. Cancelling it closes what was opened.

    Args:
        origin: Where to.
        connect: Makes the connection below TLS.
        ssl_context: For TLS; None for `default_ssl_context`.
        timeout: Seconds that all of it may take, from the name to the TLS handshake's end; None for no limit.

    Raises:
        ConnectFailed: There is no connection. It is not `retryable` where the server's certificate does not verify.
        ConfigError: The host cannot be encoded for a look-up (IDNA).
    """
    try:
        with trio.fail_after(math.inf if timeout is None else timeout):
            stream = await connect(origin.host, origin.port)
            if origin.scheme == "https":
                return await _encrypt(stream, ssl_context or default_ssl_context(), origin.host)
            return stream
    except trio.TooSlowError as exc:
        message = f"no connection to {origin}: the connect timer fired after {timeout:g} s"
        raise ConnectFailed(message, which="connect") from exc
    except UnicodeError as exc:
        raise ConfigError(f"the host of {origin} is no name that can be looked up: {exc}") from exc
    except (OSError, trio.BrokenResourceError) as exc:
        # A broken handshake has ssl's own error as its cause.
        retryable = not isinstance(exc.__cause__, ssl.SSLCertVerificationError)
        raise ConnectFailed(f"no connection to {origin}: {_reason(exc)}", retryable=retryable) from exc


def _reason(exc: BaseException) -> str:
    cause = exc.__cause__
    if isinstance(cause, ExceptionGroup):
        # One for each address that was tried.
        tried = cast("ExceptionGroup[Exception]", cause).exceptions
        return "; ".join(dict.fromkeys(map(_reason, tried)))
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate does not verify: {cause.verify_message}"
    if isinstance(exc, trio.BrokenResourceError):
        return f"the TLS handshake failed: {cause or 'the connection broke'}"
    if isinstance(exc, OSError) and exc.errno and not isinstance(exc, socket.gaierror):
        return os.strerror(exc.errno)  # trio's own text repeats the address
    return str(exc) or type(exc).__name__


async def _encrypt(stream: trio.abc.Stream, context: ssl.SSLContext, host: str) -> trio.abc.Stream:
    try:
        # https_compatible: servers end connections without TLS's goodbye, and HTTP's own framing tells a whole body.
        tls = trio.SSLStream(_Below(stream), context, server_hostname=host, https_compatible=True)
        await tls.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return tls


def can_be_asked(stream: trio.abc.Stream) -> bool:
    """Whether `is_still` can tell of a stream that `dial` returned: it has a socket, or a method of that name."""
    return isinstance(_bottom(stream), TCPStream | trio.SocketStream | Askable)


def _bottom(stream: trio.abc.Stream) -> trio.abc.Stream:
    below = _below_tls(stream)
    return stream if below is None else below.stream


async def is_still(stream: trio.abc.Stream) -> bool:
    """Whether an idle connection is open with nothing on it to be read, as far as that can be seen from here.

    Bytes or an end that wait on an idle connection mean that it must not be used again. A stream that cannot be
    asked is never still.

    Args:
        stream: What `dial` returned.
    """
    bottom = _bottom(stream)
    if isinstance(bottom, trio.SocketStream):
        poll = select.poll()
        poll.register(bottom.socket.fileno(), select.POLLIN)
        if poll.poll(0):
            return False
    elif not isinstance(bottom, Askable) or not bottom.is_still():
        return False
    below = _below_tls(stream)
    return below is None or await below.is_dry(stream)


def mute(stream: trio.abc.Stream) -> bool:
    """Drop what is being sent through TLS, and all that will be; false where there is no TLS.

    The task that sends goes on at once, as if all were sent, and the stream can be read as before. Were the task
    cancelled instead, `trio.SSLStream` would take the stream for broken in both directions.

    Args:
        stream: What `dial` returned.
    """
    below = _below_tls(stream)
    if below is None:
        return False
    below.mute()
    return True


def _below_tls(stream: trio.abc.Stream) -> "_Below | None":
    if not isinstance(stream, trio.SSLStream):
        return None
    below = cast("trio.SSLStream[trio.abc.Stream]", stream).transport_stream
    return below if isinstance(below, _Below) else None


@final
class _Below(trio.abc.Stream):
    """The stream below TLS, which can be told to give nothing, and to take nothing.

    TLS holds bytes of its own between the socket and the reader. To see whether there are any: read, and look whether
    the read came down here for more.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._dry = False
        self._muted = False
        self._sending = trio.CancelScope()

    def mute(self) -> None:
        """Take no more: what is sent, now or later, is dropped."""
        self._muted = True
        self._sending.cancel()

    async def is_dry(self, above: trio.abc.ReceiveStream) -> bool:
        """Whether the TLS stream above has nothing to read without reading here."""
        self._dry = True
        try:
            await above.receive_some(1)
        except trio.WouldBlock:
            return True
        except trio.BrokenResourceError:
            return False
        finally:
            self._dry = False
        return False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._dry:
            raise trio.WouldBlock
        return await self.stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._muted:
            await trio.lowlevel.checkpoint()
            return
        with trio.CancelScope() as self._sending:
            await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()
