"""The connections of a transport: in use, or kept for the next request."""

import ssl
from typing import final

import trio

from ._http_dial import Connect, Origin, can_be_asked, dial, is_still
from .errors import ConnectFailed

__all__ = ["Connection", "Connections"]


@final
class Connection:
    """A connection to an origin, and since when it is idle."""

    __slots__ = ("idle_since", "origin", "stream")

    def __init__(self, origin: Origin, stream: trio.abc.Stream) -> None:
        self.origin = origin
        self.stream = stream
        self.idle_since = 0.0


@final
class Connections:
    """Every open connection of one transport, so that all of them can be closed.

    Idle ones are looked at when they are asked for, and not before: nothing runs in the background. So one may
    stay open past its time, until its origin is asked again or the transport is closed; `max_idle` bounds how many.

    Args:
        connect: Makes a connection below TLS.
        ssl_context: For TLS; None for the default.
        keep_alive: Seconds for which an idle connection may be used again.
        max_idle: How many are kept for one origin.
    """

    def __init__(
        self, *, connect: Connect, ssl_context: ssl.SSLContext | None, keep_alive: float, max_idle: int
    ) -> None:
        self._connect = connect
        self._ssl_context = ssl_context
        self._keep_alive = keep_alive
        self._max_idle = max_idle
        self._closed = False
        self._live: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}

    @property
    def used(self) -> int:
        """How many are in use."""
        return len(self._live)

    @property
    def idle(self) -> int:
        """How many are kept for another request, those among them that no longer can be included."""
        return sum(map(len, self._idle.values()))

    async def kept(self, origin: Origin) -> Connection | None:
        """The idle connection to an origin that was used last; those past their time or not still are closed."""
        while idle := self._idle.get(origin):
            connection = idle.pop()
            self._live.add(connection)
            if not idle:
                del self._idle[origin]
            usable = False
            try:
                usable = self._is_young(connection) and await is_still(connection.stream)
            finally:
                if not usable:
                    await self.discard(connection)
            if usable:
                return connection
        return None

    async def new(self, origin: Origin, timeout: float | None) -> Connection:
        """Connect to an origin.

        Args:
            origin: Where to.
            timeout: Seconds that it may take; None for no limit.

        Raises:
            ConnectFailed: There is no connection, or all were closed for good.
        """
        self._check_open(origin)
        stream = await dial(origin, connect=self._connect, ssl_context=self._ssl_context, timeout=timeout)
        connection = Connection(origin, stream)
        try:
            self._check_open(origin)
        except ConnectFailed:
            await self.discard(connection)
            raise
        self._live.add(connection)
        return connection

    def keep(self, connection: Connection) -> bool:
        """Take a connection back whose response has ended cleanly; false where it is not wanted."""
        idle = self._idle.get(connection.origin, [])
        if self._closed or len(idle) >= self._max_idle or not can_be_asked(connection.stream):
            return False
        self._live.discard(connection)
        connection.idle_since = trio.current_time()
        self._idle.setdefault(connection.origin, []).append(connection)
        return True

    async def discard(self, connection: Connection) -> None:
        """Close a connection, without a goodbye. It waits for nothing, and may be done twice."""
        self._live.discard(connection)
        await trio.aclose_forcefully(connection.stream)

    async def aclose(self) -> None:
        """Close them all, those in use included, and make no more."""
        self._closed = True
        # A forceful close waits for nothing; without the shield, a cancellation would leave the rest open.
        with trio.CancelScope(shield=True):
            for connection in [*self._live, *(each for idle in self._idle.values() for each in idle)]:
                await self.discard(connection)
        self._idle.clear()

    def _check_open(self, origin: Origin) -> None:
        if self._closed:
            raise ConnectFailed(f"no connection to {origin}: the transport is closed", retryable=False)

    def _is_young(self, connection: Connection) -> bool:
        return trio.current_time() - connection.idle_since < self._keep_alive
