"""One answer of a server, described: what faults transform, and what is then played.

A reply has two lengths. Its *body* is its events' bytes, one after the other; its *raw* stream is what goes through the
connection: the head, and the body as HTTP/1.1 frames it. Places are counted in either.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

from msgspec import Struct

from ._wire_event import WireEvent

__all__ = ["Connecting", "Cut", "Edit", "Ending", "Layout", "Repeat", "Reply", "Wait", "layout"]

Connecting = Literal[
    "ok", "refuse", "dns", "blackhole", "tls_certificate", "tls_cut", "tls_alert", "no_files"
]
"""What becomes of connecting: it works, is refused, the name is not known, nobody answers, TLS's handshake fails (the
certificate does not verify, the connection ends in the midst of it, the server says no), or the process has too many
files open for another socket."""

Ending = Literal["fin", "rst", "stall", "close", "stale"]
"""How a connection ends, or does not: a FIN, a reset, silence, a close as the server's own program closes, or a close
when the next request comes, of which nothing is read."""


class Cut(Struct, frozen=True):
    """The server says nothing beyond this place: `at` bytes of the body, or of the raw stream where `raw` is set."""

    at: int
    how: Ending
    raw: bool = False


class Wait(Struct, frozen=True):
    """The server waits before it sends this byte of the body; before the head where `at` is negative.

    Where it `leaps`, the clock does all at once, as when a machine was suspended; only a virtual one can.
    """

    at: int
    seconds: float
    leaps: bool = False


class Repeat(Struct, frozen=True):
    """Before the event with this byte of the body the server sends another again and again, `every` so many seconds.

    It does so `times` times; forever where that is None, and nothing of the body follows then. With `every` being zero
    it floods.
    """

    at: int
    event: WireEvent
    every: float
    times: int | None = None


class Edit(Struct, frozen=True):
    """Bytes of the raw stream are not what they should be: from `at` on `remove` of them are `insert` instead.

    Where it is `fatal`, a client that reads so far must end with an error, and has only the events before.
    """

    at: int
    remove: int = 0
    insert: bytes = b""
    fatal: bool = True


class Reply(Struct, frozen=True, kw_only=True):
    """One answer, immutable: use `msgspec.structs.replace` to make another.

    Args:
        connect: What becomes of the connection that the request is to be sent on; nothing else counts if it is not
            `ok`. Only faults whose phase is `connect` are asked in time to change it.
        connect_delay: Seconds before it becomes so.
        close_delay: Seconds that closing it takes the client, unless it does so by force; settled as `connect` is.
        narrow: Whether sending waits until the server has read, as if no buffer were between; settled as `connect` is.
        reading: How much of the request the server reads before it answers: all of it, its head, or nothing. As
            `connect`, it is settled before the request comes.
        status: The status code.
        reason: The reason phrase.
        headers: The head's fields, but for those of the framing.
        head: The head as bytes, up to and with the empty line; made of the above if None.
        events: The body.
        framing: Whether each event comes as a chunk, or the length is told, or the end of the connection is the end.
        length: What `Content-Length` tells, where that is not the truth.
        cut: Where the server stops.
        waits: Where it waits.
        repeat: Where it repeats itself.
        splits: Bytes of the body before which a network read ends.
        coalesced: Whether all of it comes in one network read, as far as it can; otherwise each event has its own.
        edits: What is wrong in the raw stream; their places are those of the stream without them.
        surplus: Sent after the last byte of the response.
        surplus_again: Seconds after which that is sent once more; the first time it then comes in one network read with
            the response's end. None for once, in a read of its own.
        after: What becomes of the connection after the last byte; None keeps it for the next request.
    """

    connect: Connecting = "ok"
    connect_delay: float = 0.0
    close_delay: float = 0.0
    narrow: bool = False
    reading: Literal["whole", "head", "none"] = "whole"
    status: int = 200
    reason: str = "OK"
    headers: tuple[tuple[str, str], ...] = ()
    head: bytes | None = None
    events: tuple[WireEvent, ...] = ()
    framing: Literal["chunked", "length", "close"] = "chunked"
    length: int | None = None
    cut: Cut | None = None
    waits: tuple[Wait, ...] = ()
    repeat: Repeat | None = None
    splits: tuple[int, ...] = ()
    coalesced: bool = False
    edits: tuple[Edit, ...] = ()
    surplus: bytes = b""
    surplus_again: float | None = None
    after: Ending | None = None

    @property
    def body(self) -> bytes:
        """The body: all events, one after the other."""
        return b"".join(event.data for event in self.events)

    def offset(self, event: int) -> int:
        """Where an event begins in the body; its length for the event after the last."""
        return sum(len(each.data) for each in self.events[:event])

    def header(self, name: str) -> str | None:
        """The value of a field of the head, by its name in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Layout(Struct, frozen=True):
    """Where the body's bytes are in the raw stream.

    `raw` is the stream, without a reply's edits. `head` is how many of its bytes are the head. For each event `starts`
    has the place of its first byte in the body, `frames` the place in the raw stream where its frame begins, and
    `places` where its first byte is.
    """

    raw: bytes
    head: int
    size: int
    starts: tuple[int, ...]
    frames: tuple[int, ...]
    places: tuple[int, ...]
    end: int

    def raw_of(self, at: int) -> int:
        """The place in the raw stream before which `at` bytes of the body have gone, and no part of what follows."""
        if at >= self.size:
            return self.end
        event = bisect_right(self.starts, at) - 1
        inside = at - self.starts[event]
        return self.places[event] + inside if inside else self.frames[event]

    def between(self, at: int) -> int:
        """The place in the raw stream before the event that this byte of the body is in."""
        event = bisect_right(self.starts, at) - 1
        return self.end if at >= self.size else self.frames[event]

    def body_of(self, raw: int) -> int:
        """How many bytes of the body are among the first `raw` bytes of the raw stream."""
        event = bisect_right(self.places, raw) - 1
        if event < 0:
            return 0
        following = self.starts[event + 1] if event + 1 < len(self.starts) else self.size
        return min(self.starts[event] + raw - self.places[event], following)


def layout(reply: Reply) -> Layout:
    """Lay a reply out as HTTP/1.1 frames it."""
    events = [event for event in reply.events if event.data]
    size = sum(len(event.data) for event in events)
    raw = bytearray(_head(reply, size) if reply.head is None else reply.head)
    head = len(raw)
    starts: list[int] = []
    frames: list[int] = []
    places: list[int] = []
    at = 0
    for event in events:
        starts.append(at)
        frames.append(len(raw))
        if reply.framing == "chunked":
            raw += b"%x\r\n" % len(event.data)
        places.append(len(raw))
        raw += event.data
        if reply.framing == "chunked":
            raw += b"\r\n"
        at += len(event.data)
    end = len(raw)
    if reply.framing == "chunked":
        raw += b"0\r\n\r\n"
    return Layout(bytes(raw), head, size, tuple(starts), tuple(frames), tuple(places), end)


def _head(reply: Reply, size: int) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {reply.reason}",
        *(f"{name}: {value}" for name, value in reply.headers),
    ]
    match reply.framing:
        case "chunked":
            lines.append("Transfer-Encoding: chunked")
        case "length":
            lines.append(f"Content-Length: {size if reply.length is None else reply.length}")
        case "close":
            lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
