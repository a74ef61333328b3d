"""What a scripted server does for one request, step by step.

A script is a list of steps. The server reads each request whole before it plays (unless the script begins with `UNREAD`
or `HEAD_ONLY`), so that closing sends a FIN and not an RST. After the last step the connection is kept for the next
request.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import trio
import trio.testing

__all__ = [
    "CLOSE",
    "FIN",
    "HEAD_ONLY",
    "KEEP_OPEN",
    "RST",
    "UNREAD",
    "Delay",
    "Flood",
    "Leap",
    "Mark",
    "Pause",
    "Request",
    "Script",
    "Step",
    "chunk",
    "chunked",
    "response",
    "segments",
]


class Mark(Enum):
    """The steps that are no bytes and wait for nothing of their own."""

    UNREAD = "first step: do not read the request"
    HEAD_ONLY = "first step: read the request's head, and leave its body unread"
    FIN = "end our side, then read until the client closes"
    RST = "reset the connection"
    CLOSE = "close the connection (over TLS, with its goodbye)"
    KEEP_OPEN = "say nothing more, until the client closes"


UNREAD, HEAD_ONLY, FIN, RST, CLOSE, KEEP_OPEN = Mark


@dataclass(frozen=True)
class Request:
    """A request as it came. Header names are lower-case; of a header that came twice the last counts."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The connection's place in `Server.connections`."""


class Pause:
    """A step that waits until `release()`; `await reached.wait()` waits until the server is there."""

    def __init__(self) -> None:
        self.reached = trio.Event()
        self._released = trio.Event()

    def release(self) -> None:
        """Let every connection that waits here, now or later, go on."""
        self._released.set()

    async def __call__(self, stream: trio.abc.Stream, request: Request | None) -> None:
        self.reached.set()
        await self._released.wait()


@dataclass(frozen=True)
class Delay:
    """A step that waits for so many seconds."""

    seconds: float

    async def __call__(self, stream: trio.abc.Stream, request: Request | None) -> None:
        await trio.sleep(self.seconds)


@dataclass(frozen=True)
class Leap:
    """A step that sets the clock forward by so many seconds, at once; only a `trio.testing.MockClock` can do that."""

    seconds: float

    async def __call__(self, stream: trio.abc.Stream, request: Request | None) -> None:
        # Let whoever is to read what was sent before do so in its own time.
        await trio.sleep(0.001)
        clock = trio.lowlevel.current_clock()
        if isinstance(clock, trio.testing.MockClock):
            clock.jump(self.seconds)


@dataclass(frozen=True)
class Flood:
    """A step that sends the same bytes again and again until the client goes away, or `times` times.

    It pauses `every` so many seconds before each, and falls silent for good once it has sent `most` bytes.
    """

    data: bytes
    times: float = math.inf
    every: float = 0.0
    most: float = math.inf

    async def __call__(self, stream: trio.abc.Stream, request: Request | None) -> None:
        sent = 0
        while sent < self.times:
            if self.every:
                await trio.sleep(self.every)
            await stream.send_all(self.data)
            sent += 1
            if sent * len(self.data) >= self.most:
                await trio.sleep_forever()


Step = bytes | Mark | Callable[[trio.abc.Stream, Request | None], Awaitable[None]]
"""Bytes to send, one of the marks, or an async function of the connection and the request."""

Script = Sequence[Step]
"""What happens for one request."""


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


def segments(data: bytes, size: int = 1) -> list[Step]:
    """Bytes as steps of `size` bytes each, so that they are sent one by one."""
    return [data[start : start + size] for start in range(0, len(data), size)]
