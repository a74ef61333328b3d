"""A raw HTTP/1.1 server that plays scripts: what a client must stand, byte by byte.

A script is what happens for one request: a list of steps. The first request to arrive gets the first script, the
second the second, and so on; the last script serves every request after it. The server reads each request whole before
it plays (unless the script begins with `UNREAD` or `HEAD_ONLY`), so that closing sends a FIN and not an RST. After the
last step the connection is kept for the next request.

    async with serve([response(200, body=b"hi")]) as server:
        ...  # server.url, server.requests, server.connections

`serve` is a TCP server on the loopback; `memory_network` is the same in memory, for virtual time.
"""

import math
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache

import trio
import trio.testing
import trustme

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
    "chunked",
    "memory_network",
    "response",
    "segments",
    "serve",
    "sse",
    "tls_contexts",
]


class _Step(Enum):
    UNREAD = "first step: do not read the request"
    HEAD_ONLY = "first step: read the request's head, and leave its body unread"
    FIN = "end our side, then read until the client closes"
    RST = "reset the connection"
    CLOSE = "close the connection (over TLS, with its goodbye)"
    KEEP_OPEN = "say nothing more, until the client closes"


UNREAD, HEAD_ONLY, FIN, RST, CLOSE, KEEP_OPEN = _Step


class Pause:
    """Wait here until `release()`; `await reached.wait()` waits until the server is here."""

    def __init__(self) -> None:
        self.reached = trio.Event()
        self._released = trio.Event()

    def release(self) -> None:
        """Let every connection that waits here, now or later, go on."""
        self._released.set()

    async def __call__(self, stream: trio.abc.Stream, request: "Request | None") -> None:
        self.reached.set()
        await self._released.wait()


@dataclass(frozen=True)
class Delay:
    """Wait for so many seconds."""

    seconds: float

    async def __call__(self, stream: trio.abc.Stream, request: "Request | None") -> None:
        await trio.sleep(self.seconds)


@dataclass(frozen=True)
class Flood:
    """Send the same bytes again and again until the client goes away, or `times` times; pausing before each."""

    data: bytes
    times: float = math.inf
    every: float = 0.0

    async def __call__(self, stream: trio.abc.Stream, request: "Request | None") -> None:
        sent = 0
        while sent < self.times:
            if self.every:
                await trio.sleep(self.every)
            await stream.send_all(self.data)
            sent += 1


Step = bytes | _Step | Callable[[trio.abc.Stream, "Request | None"], Awaitable[None]]
"""Bytes to send, one of the constants, or an async function of the connection and the request."""

Script = Sequence[Step]


@dataclass(frozen=True)
class Request:
    """A request as it came. Header names are lower-case; of a header that came twice the last counts."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The connection's place in `Server.connections`."""


@dataclass
class Connection:
    """A connection as the server saw it."""

    opened_at: float
    sent: int = 0
    """Bytes handed to the network; those in the socket's buffers are among them."""
    received: int = 0
    closed: trio.Event = field(default_factory=trio.Event)
    """The client has closed or reset the connection, or the server has."""
    client_closed: trio.Event = field(default_factory=trio.Event)
    """The client has closed or reset the connection. Seen while a script plays and between requests."""
    client_closed_at: float | None = None


class Server:
    """What a server has seen so far, and where it is."""

    def __init__(self, url: str, scripts: Sequence[Script], ssl_context: ssl.SSLContext | None) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.connections: list[Connection] = []
        self._scripts = [list(script) for script in scripts]
        self._played = 0
        self._ssl_context = ssl_context
        self._changed = trio.Event()

    @property
    def open_connections(self) -> int:
        """How many connections have ended neither here nor there."""
        return sum(not connection.closed.is_set() for connection in self.connections)

    async def wait_requests(self, count: int) -> None:
        """Wait until so many requests have come, in all."""
        while len(self.requests) < count:
            await self._changed.wait()

    async def wait_connections_closed(self) -> None:
        """Wait until every connection made so far has ended."""
        for connection in list(self.connections):
            await connection.closed.wait()

    async def handle(self, stream: trio.abc.Stream) -> None:
        """Serve one connection to its end."""
        record = Connection(opened_at=trio.current_time())
        index = len(self.connections)
        self.connections.append(record)
        below = stream
        try:
            if self._ssl_context is not None:
                stream = trio.SSLStream(below, self._ssl_context, server_side=True)
            await self._serve(_Counted(stream, below, record), index)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            _client_gone(record)
        finally:
            record.closed.set()
            await trio.aclose_forcefully(below)

    def _peek(self) -> list[Step]:
        return self._scripts[min(self._played, len(self._scripts) - 1)]

    def _next_script(self) -> list[Step]:
        script = self._peek()
        self._played += 1
        return script

    def _arrived(self, request: Request) -> None:
        self.requests.append(request)
        self._changed.set()
        self._changed = trio.Event()

    async def _serve(self, stream: "_Counted", index: int) -> None:
        while True:
            request: Request | None = None
            if self._peek()[:1] != [UNREAD]:
                head_only = self._peek()[:1] == [HEAD_ONLY]
                request = await stream.read_request(index, head_only=head_only)
                if request is None:
                    _client_gone(stream.record)
                    return
                self._arrived(request)
            script = self._next_script()
            watched = script[:1] not in ([UNREAD], [HEAD_ONLY])
            more = False
            async with trio.open_nursery() as nursery:
                if watched:
                    nursery.start_soon(stream.watch, nursery.cancel_scope)
                try:
                    more = await self._play(stream, script, request)
                except trio.BrokenResourceError:
                    _client_gone(stream.record)
                nursery.cancel_scope.cancel()
            if stream.record.client_closed.is_set() or not more:
                return

    async def _play(self, stream: "_Counted", script: list[Step], request: Request | None) -> bool:
        for step in script:
            match step:
                case bytes():
                    await stream.send_all(step)
                case _Step.UNREAD | _Step.HEAD_ONLY:
                    pass
                case _Step.CLOSE:
                    await stream.stream.aclose()
                    return False
                case _Step.RST:
                    await stream.reset()
                    return False
                case _Step.FIN | _Step.KEEP_OPEN:
                    if step is FIN:
                        await stream.send_eof()
                    if script[0] in (UNREAD, HEAD_ONLY):
                        await stream.drain()
                    else:
                        # `watch` reads until the client closes, and then cancels this.
                        await trio.sleep_forever()
                case _:
                    await step(stream, request)
        return True


def _client_gone(record: Connection) -> None:
    if not record.client_closed.is_set():
        record.client_closed_at = trio.current_time()
        record.client_closed.set()


class _Counted(trio.abc.Stream):
    """A connection with what was read ahead, counting what goes through."""

    def __init__(self, stream: trio.abc.Stream, below: trio.abc.Stream, record: Connection) -> None:
        self.stream = stream
        self.record = record
        self._below = below
        self._ahead = bytearray()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        # In slices, so that the count of bytes sent is near the truth while the client does not read.
        for start in range(0, len(data), 16384):
            piece = data[start : start + 16384]
            await self.stream.send_all(piece)
            self.record.sent += len(piece)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self.stream.receive_some(max_bytes or 65536)
        self.record.received += len(data)
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.stream.aclose()

    async def send_eof(self) -> None:
        """Send a FIN; over TLS without TLS's goodbye."""
        assert isinstance(self._below, trio.abc.HalfCloseableStream)
        await self._below.send_eof()

    async def reset(self) -> None:
        """Break the connection so that the client sees a reset."""
        if isinstance(self._below, trio.SocketStream):
            self._below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif isinstance(self._below, _MemoryStream):
            self._below.reset_peer()
        await trio.aclose_forcefully(self._below)

    async def drain(self) -> None:
        """Read until the client closes."""
        while await self.receive_some():
            pass
        _client_gone(self.record)

    async def watch(self, scope: trio.CancelScope) -> None:
        """Read ahead, so that the client's closing is seen at once; it ends the script."""
        try:
            while data := await self.receive_some():
                self._ahead += data
        except trio.BrokenResourceError:
            pass
        except trio.ClosedResourceError:
            return
        _client_gone(self.record)
        scope.cancel()

    async def read_request(self, index: int, *, head_only: bool) -> Request | None:
        """The next request; None if the client closes instead."""
        while (end := self._ahead.find(b"\r\n\r\n")) < 0:
            if not await self._more():
                return None
        head = bytes(self._ahead[:end]).decode("latin-1")
        del self._ahead[: end + 4]
        line, *lines = head.split("\r\n")
        method, target, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
        length = 0 if head_only else int(headers.get("content-length", 0))
        while len(self._ahead) < length:
            if not await self._more():
                return None
        body = bytes(self._ahead[:length])
        del self._ahead[:length]
        return Request(method, target, headers, body, index)

    async def _more(self) -> bool:
        data = await self.receive_some()
        self._ahead += data
        return bool(data)


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
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=1024)
        host, port = listeners[0].socket.getsockname()
        server = Server(f"{'https' if tls else 'http'}://{host}:{port}", scripts, context)
        await nursery.start(trio.serve_listeners, server.handle, listeners)
        try:
            yield server
        except Exception as exc:
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        # Outside the nursery, so that the test sees its own exception and no group.
        raise failure


class Network(Server):
    """A server in memory. `HTTPTransport(connect=network.connect)` leads every host and port to it."""

    def __init__(
        self, scripts: Sequence[Script], nursery: trio.Nursery, *, lockstep: bool, tls: bool
    ) -> None:
        url = f"{'https' if tls else 'http'}://memory.test"
        super().__init__(url, scripts, tls_contexts()[0] if tls else None)
        self.hosts: list[tuple[str, int]] = []
        self._nursery = nursery
        self._lockstep = lockstep

    async def connect(self, host: str, port: int) -> trio.abc.Stream:
        """A connection to the server, whatever the host."""
        self.hosts.append((host, port))
        await trio.lowlevel.checkpoint()
        pair = trio.testing.lockstep_stream_pair if self._lockstep else trio.testing.memory_stream_pair
        ours, theirs = (_MemoryStream(end) for end in pair())
        theirs.peer = ours
        self._nursery.start_soon(self.handle, theirs)
        return ours


class _MemoryStream(trio.abc.HalfCloseableStream):
    """One end of a connection in memory, which the other end can reset."""

    def __init__(self, stream: trio.abc.HalfCloseableStream) -> None:
        self._stream = stream
        self._reset = False
        self.peer: _MemoryStream | None = None

    def reset_peer(self) -> None:
        """What the other end reads or writes from now on fails, once what was sent before is read."""
        assert self.peer is not None
        self.peer._reset = True

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._reset:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError("reset by the peer")
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        if not data and self._reset:
            raise trio.BrokenResourceError("reset by the peer")
        return data

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


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
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield Network(scripts, nursery, lockstep=lockstep, tls=tls)
        except Exception as exc:
            failure = exc
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


def response(
    status: int = 200,
    headers: dict[str, str] | None = None,
    body: bytes | None = b"",
    *,
    reason: str = "OK",
) -> bytes:
    """A response with `Content-Length`; with `body=None` a head alone, for a body that follows in other steps."""
    fields = dict(headers or {})
    if body is not None:
        fields.setdefault("Content-Length", str(len(body)))
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body or b"")


def chunked(
    *parts: bytes, headers: dict[str, str] | None = None, status: int = 200, last: bool = True
) -> bytes:
    """A response whose body is these chunks; without the last chunk, and so cut, if `last` is false."""
    fields = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **(headers or {})}
    head = response(status, fields, None)
    return head + b"".join(chunk(part) for part in parts) + (b"0\r\n\r\n" if last else b"")


def chunk(part: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(part), part)


def sse(*events: str | tuple[str, str]) -> bytes:
    """An event stream: data alone, or the event's name and data."""
    lines = [("", each) if isinstance(each, str) else each for each in events]
    return "".join(
        (f"event: {name}\n" if name else "") + f"data: {data}\n\n" for name, data in lines
    ).encode()


def segments(data: bytes, size: int = 1) -> list[Step]:
    """Bytes as steps of `size` bytes each, so that they are sent one by one."""
    return [data[start : start + size] for start in range(0, len(data), size)]
