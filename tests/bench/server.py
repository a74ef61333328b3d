"""A model that costs nothing: it answers chat completions with chunks made beforehand, at the pace a scene asks for.

One thread, one selector, one heap of timers. It runs in a process of its own so that its CPU is nobody's.
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

from limits import raise_file_limit
from scenes import FIREHOSE, Scene

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PAUSE = 0.3
"""Seconds between the last stream's first chunk and the paced ones, and again before the streams end."""


def framed(event: bytes) -> bytes:
    """One event as one chunk of the chunked encoding."""
    data = b"data: " + event + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One event of a chat completion, of the size they usually have: 330 bytes."""
    event = {
        "id": "chatcmpl-0123456789abcdefghijklmnopqrs",
        "object": "chat.completion.chunk",
        "created": 1_780_000_000,
        "model": "bench",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "",
    }
    size = len(json.dumps(event, separators=(",", ":")))
    event["obfuscation"] = "x" * max(0, 330 - size - len("data: \n\n"))
    return framed(json.dumps(event, separators=(",", ":")).encode())


WORD = chunk({"content": " word"})
END = chunk({}, "stop") + framed(b"[DONE]") + b"0\r\n\r\n"


class Connection:
    """One client's socket: what came and is not yet a request, what is to be sent, and which stream it carries."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server, self.sock = server, sock
        self.inbox, self.outbox = bytearray(), bytearray()
        self.label: str | None = None

    def send(self, data: bytes) -> None:
        """Send now what fits, and the rest when the client has read."""
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
            head, found, body = self.inbox.partition(b"\r\n\r\n")
            if found and len(body) >= length(head):
                self.inbox.clear()
                self.server.request(self, head, bytes(body))


def length(head: bytes) -> int:
    """The Content-Length of a request, 0 when it has none."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


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

    def request(self, connection: Connection, head: bytes, body: bytes) -> None:
        """Answer a chat completion, or the question who has left (and when) since it was last asked."""
        if head.startswith(b"GET"):
            left, self.left = self.left, {}
            answer = json.dumps(left).encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
            return
        scene, run, number = Scene.read(json.loads(body)["model"])
        connection.label = f"{run}:{number}"
        if scene.plan == "turns":
            connection.label = None
            connection.send(HEAD + WORD * scene.chunks + END)
            return
        streams = self.runs.setdefault(run, [])
        streams.append(connection)
        connection.send(HEAD + WORD)
        if len(streams) == scene.streams:
            del self.runs[run]
            start = time.monotonic() + PAUSE
            self.after(start, lambda: self.play(scene, streams, start, 0))

    def play(self, scene: Scene, streams: list[Connection], start: float, sent: int) -> None:
        """Send every chunk that is due, then wait for the next; after the last, end the streams."""
        total = scene.streams * scene.chunks
        if scene.rate == FIREHOSE:
            streams[0].send(WORD * total + END)
            return
        due = min(total, int((time.monotonic() - start) * scene.rate) + 1)
        for number in range(sent, due):
            connection = streams[number % scene.streams]
            if connection.sock.fileno() != -1:
                connection.send(WORD)
        if due < total and any(connection.sock.fileno() != -1 for connection in streams):
            self.after(start + due / scene.rate, lambda: self.play(scene, streams, start, due))
        else:
            self.after(time.monotonic() + PAUSE, lambda: self.end(streams))

    def end(self, streams: list[Connection]) -> None:
        """Finish every stream that is still there."""
        for connection in streams:
            connection.label = None
            if connection.sock.fileno() != -1:
                connection.send(END)

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
    print(server.listener.getsockname()[1], flush=True)
    with suppress(KeyboardInterrupt):
        server.serve()
    sys.exit(0)
