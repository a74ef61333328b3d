"""A TCP connection as a trio stream, read with no more system calls than it takes."""

import select
import socket
from typing import final

import trio

__all__ = ["TCPStream"]

_READ_SIZE = 64 * 1024


@final
class TCPStream(trio.abc.Stream):
    """What `trio.SocketStream` is, for a connection whose reader mostly waits.

    A read that got less than it asked for has emptied the socket. The next one waits at once, where
    `trio.SocketStream` first asks for bytes that are not there, at the price of an exception. One task may send while
    another receives; two that do the same are a mistake that this does not look for.

    Args:
        stream: Connected. Its socket is taken over, and it cannot be used any more.
    """

    @trio.lowlevel.enable_ki_protection
    def __init__(self, stream: trio.SocketStream) -> None:
        below = stream.socket
        # Its kind would be asked for otherwise, which the system may not tell of a connection that broke.
        self._socket = socket.socket(below.family, below.type, below.proto, below.detach())
        self._socket.settimeout(0)
        self._fd = self._socket.fileno()  # negative once it is closed
        self._emptied = True

    def is_still(self) -> bool:
        """Whether it is open with nothing on it to be read."""
        if self._fd < 0:
            return False
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return not poll.poll(0)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The next bytes, waited for; `b""` once the peer sends no more. Cancelling loses none.

        Args:
            max_bytes: The most that is read; 64 KiB if None.

        Raises:
            ValueError: That is less than 1.
            trio.BrokenResourceError: The connection broke.
            trio.ClosedResourceError: It was closed on this side, before or meanwhile.
        """
        wanted = _READ_SIZE if max_bytes is None else max_bytes
        if wanted < 1:
            raise ValueError("max_bytes is a positive number")
        if not self._emptied:
            await trio.lowlevel.checkpoint()
        while True:
            if self._fd < 0:
                raise trio.ClosedResourceError
            if self._emptied:
                await trio.lowlevel.wait_readable(self._fd)
            try:
                data = self._socket.recv(wanted)
            except BlockingIOError:
                self._emptied = True
            except OSError as exc:
                raise self._failure(exc) from exc
            else:
                self._emptied = len(data) < wanted
                return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it. Cancelled, nobody knows how much was sent.

        Raises:
            trio.BrokenResourceError: The connection broke.
            trio.ClosedResourceError: It was closed on this side, before or meanwhile.
        """
        await trio.lowlevel.checkpoint()
        if self._fd < 0:
            raise trio.ClosedResourceError
        with memoryview(data) as rest:
            sent = 0
            while sent < len(rest):
                try:
                    sent += self._socket.send(rest[sent:])
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(self._fd)
                except OSError as exc:
                    raise self._failure(exc) from exc

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the socket takes bytes."""
        if self._fd < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_writable(self._fd)

    @trio.lowlevel.enable_ki_protection
    async def aclose(self) -> None:
        """Close the connection; whoever waits on it gets `trio.ClosedResourceError`."""
        if self._fd >= 0:
            trio.lowlevel.notify_closing(self._fd)
            self._fd = -1
            self._socket.close()
        await trio.lowlevel.checkpoint()

    def _failure(self, exc: OSError) -> Exception:
        return trio.ClosedResourceError() if self._fd < 0 else trio.BrokenResourceError(str(exc))
