"""The network of a simulation: the server's playlist decides over connecting, too."""

from __future__ import annotations

import errno
import math
import os
import socket

import trio

from ._play import Play
from ._reply import Connecting
from ._server import Network

__all__ = ["SimulatedNetwork", "connection_error"]


def connection_error(how: Connecting) -> OSError:
    """What the system says where connecting fails so."""
    if how == "dns":
        return socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    code = errno.ETIMEDOUT if how == "blackhole" else errno.ECONNREFUSED
    return OSError(code, os.strerror(code))


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
            await trio.sleep(reply.connect_delay)
        match reply.connect:
            case "ok":
                return await super().connect(host, port)
            case "blackhole":
                await trio.sleep_forever()
            case _:
                await trio.lowlevel.checkpoint()
        raise connection_error(reply.connect)
