"""The network of a simulation: the server's playlist decides over connecting, too."""

from __future__ import annotations

import errno
import math
import os
import socket
import ssl
from collections.abc import Callable

import trio

from ._pipe import MemoryStream
from ._play import Play
from ._reply import Connecting
from ._server import Network

__all__ = ["SimulatedNetwork", "connection_error"]


def connection_error(how: Connecting) -> Exception:
    """What the system says where connecting fails so; of TLS, what `trio.SSLStream.do_handshake` raises.

    No handshake is played: that would take a certificate that every application trusts.
    """
    if how == "dns":
        return socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if how in _HANDSHAKES:
        error = trio.BrokenResourceError()
        error.__cause__ = _HANDSHAKES[how]()
        return error
    code = _CODES.get(how, errno.ECONNREFUSED)
    return OSError(code, os.strerror(code))


_CODES: dict[str, int] = {"blackhole": errno.ETIMEDOUT, "no_files": errno.EMFILE}


def _unverified() -> ssl.SSLError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_code, error.verify_message = 18, "self-signed certificate"
    return error


_HANDSHAKES: dict[str, Callable[[], ssl.SSLError]] = {
    "tls_certificate": _unverified,
    "tls_cut": lambda: ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    "tls_alert": lambda: ssl.SSLError(
        1, "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] ssl/tls alert handshake failure"
    ),
}


class SimulatedStream(trio.abc.HalfCloseableStream):
    """The client's end of a connection: it can be asked whether it lies still, as a socket can.

    Args:
        stream: The connection.
        close_delay: Seconds that closing it takes, unless it is cancelled.
    """

    def __init__(self, stream: MemoryStream, close_delay: float) -> None:
        self._stream = stream
        self._close_delay = close_delay

    def is_still(self) -> bool:
        """Whether it is open with nothing on it to be read."""
        return self._stream.is_quiet

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As `MemoryStream` does it."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes."""
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        """Say no more."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close it, in its time; at once where it is cancelled."""
        try:
            await trio.sleep(0 if self._stream.closed else self._close_delay)
        finally:
            self._stream.close()


class SimulatedNetwork(Network):
    """A server in memory that plays a run.

    Args:
        play: The run.
        nursery: Where connections are served.
        buffer: How many bytes may be on their way in one direction.
    """

    def __init__(self, play: Play, nursery: trio.Nursery, *, buffer: float = math.inf) -> None:
        super().__init__(play, nursery, buffer=buffer)
        self._plays = play

    async def handle(self, stream: trio.abc.Stream, index: int | None = None) -> None:
        """Serve one connection to its end, and write that down."""
        index = self.admit() if index is None else index
        try:
            await super().handle(stream, index)
        finally:
            record = self.connections[index]
            who = "the client" if record.client_closed.is_set() else "the server"
            self._plays.note(f"connection {index + 1} closed by {who} after {record.sent} bytes")

    async def connect(self, host: str, port: int) -> trio.abc.Stream:
        """A connection to the server, whatever the host, unless a fault strikes.

        Raises:
            OSError: As the fault says.
        """
        reply = self._plays.open(len(self.connections))
        if reply.connect_delay:
            try:
                await trio.sleep(reply.connect_delay)
            except trio.Cancelled:
                self._plays.gave_up(len(self.connections))
                raise
        match reply.connect:
            case "ok":
                await super().connect(host, port)
                if reply.narrow:
                    self.clients[-1].narrow()
                return SimulatedStream(self.clients[-1], reply.close_delay)
            case "blackhole":
                await trio.sleep_forever()
            case _:
                await trio.lowlevel.checkpoint()
        raise connection_error(reply.connect)
