"""A model that costs nothing: it answers with chunks made beforehand, at the pace a scene asks for.

One thread, one selector, one heap of timers; TLS has threads of its own. It runs in a process of its own so that its
CPU is nobody's. `python server.py FILE` prints its port and that of TLS, whose authority's certificate is the file.
"""

from __future__ import annotations

import heapq
import itertools
import json
import selectors
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import server_tls
from answers import CHAT, Wire, whole
from limits import raise_file_limit
from scenes import FIREHOSE, Scene

PAUSE, END = 0.3, 0.1
"""Seconds between the last stream's first chunk and the paced ones, and between those and the end of the streams."""

PLENTY = 4_000
"""So many chunks are sent to each reader that is slow: far more than it takes."""


class Connection:
    """One client's socket: what came and is not yet a request, what is to be sent, and which stream it carries."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.inbox, self.outbox = bytearray(), bytearray()
        self.label: str | None = None
        self.wire = CHAT

    def send(self, data: bytes) -> None:
        """Send now what fits, and the rest when the client has read; nothing if it has left."""
        if self.sock.fileno() != -1:
            self.outbox += data
            self.flush()

    def flush(self) -> None:
        """Send what is waiting, as far as the socket takes it."""
        with suppress(BlockingIOError, ConnectionError):
            while self.outbox:
                del self.outbox[: self.sock.send(memoryview(self.outbox)[:262_144].tobytes())]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.outbox else 0)
        if self.server.selector.get_key(self.sock).events != wanted:
            self.server.selector.modify(self.sock, wanted, self)

    def ready(self, events: int) -> None:
        """Do what the selector says can be done."""
        if events & selectors.EVENT_WRITE:
            self.flush()
        if events & selectors.EVENT_READ:
            try:
                data = self.sock.recv(65_536)
            except BlockingIOError:
                return
            except ConnectionError:
                data = b""
            if not data:
                self.server.leave(self)
                return
            self.inbox += data
            if asked := whole(self.inbox):
                self.server.request(self, *asked)


class Server:
    """The listening socket, its connections, and the runs in progress."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, None)
        self.runs: dict[str, list[Connection]] = {}
        self.left: dict[str, float] = {}
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = itertools.count()

    def after(self, when: float, action: Callable[[], None]) -> None:
        """Call `action` at the time `when` of the monotonic clock."""
        heapq.heappush(self.timers, (when, next(self.serial), action))

    def leave(self, connection: Connection) -> None:
        """The client closed its end: note when."""
        if connection.label is not None:
            self.left[connection.label] = time.monotonic()
        self.selector.unregister(connection.sock)
        connection.sock.close()
        connection.outbox.clear()

    def request(self, connection: Connection, line: bytes, body: dict[str, Any], wire: Wire) -> None:
        """Answer a model's request, or the question who has left (and when) since it was last asked."""
        if line.startswith(b"GET"):
            left, self.left = self.left, {}
            answer = json.dumps(left).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
            return
        scene, run, number = Scene.read(body["model"])
        connection.label, connection.wire = f"{run}:{number}", wire
        if scene.plan in ("turns", "tools"):
            connection.label = None
            connection.send(wire.turn(scene, body))
            return
        streams = self.runs.setdefault(run, [])
        streams.append(connection)
        connection.send(wire.start + wire.pair[0])
        if len(streams) == scene.streams:
            del self.runs[run]
            start = time.monotonic() + PAUSE
            self.after(start, lambda: self.play(scene, streams, start, 0))

    def play(self, scene: Scene, streams: list[Connection], start: float, sent: int) -> None:
        """Send every burst that is due, then wait for the next; after the last, end the streams."""
        if scene.rate == FIREHOSE:
            number = PLENTY if scene.plan == "slow" else scene.chunks
            for connection in streams:
                connection.send(connection.wire.words(number) + connection.wire.end)
            return
        total = scene.streams * scene.chunks // scene.burst
        rate = scene.rate / scene.burst
        due = min(total, int((time.monotonic() - start) * rate) + 1)
        for number in range(sent, due):
            turn, place = divmod(number, scene.streams)
            connection, wire = streams[place], streams[place].wire
            connection.send(wire.words(scene.burst) if scene.burst > 1 else wire.pair[turn % 2])
        if due < total and any(connection.sock.fileno() != -1 for connection in streams):
            self.after(start + due / rate, lambda: self.play(scene, streams, start, due))
        else:
            self.after(time.monotonic() + END, lambda: self.end(streams))

    def end(self, streams: list[Connection]) -> None:
        """Finish every stream that is still there."""
        for connection in streams:
            connection.label = None
            connection.send(connection.wire.end)

    def serve(self) -> None:
        """Serve for ever."""
        while True:
            now = time.monotonic()
            wait = max(0.0, self.timers[0][0] - now) if self.timers else None
            for key, events in self.selector.select(wait):
                if key.data is not None:
                    key.data.ready(events)
                    continue
                with suppress(BlockingIOError):
                    while True:
                        sock, _ = self.listener.accept()
                        sock.setblocking(False)
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        self.selector.register(sock, selectors.EVENT_READ, Connection(self, sock))
            while self.timers and self.timers[0][0] <= time.monotonic():
                heapq.heappop(self.timers)[2]()


if __name__ == "__main__":
    raise_file_limit()
    server = Server()
    print(server.listener.getsockname()[1], server_tls.start(Path(sys.argv[1])), flush=True)
    with suppress(KeyboardInterrupt):
        server.serve()
    sys.exit(0)
