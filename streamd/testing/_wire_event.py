"""One event of a response as the wire frames it, and what a client has once its last byte came."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from streamd.providers import Chunk

__all__ = ["EventKind", "WireEvent"]

EventKind = Literal[
    "start",
    "text",
    "thinking",
    "signature",
    "call",
    "arguments",
    "close",
    "finish",
    "usage",
    "end",
    "error",
    "keepalive",
    "noise",
]
"""What an event is for, in one vocabulary for all wires.

`start` opens the response or a block; `call` opens a tool call and `arguments` is a piece of one; `close` ends a
block; `finish` says why the turn ended; `end` ends the response; `error` is an error inside the stream; `keepalive`
holds nothing and keeps the connection busy; `noise` is anything else, which a fault has put there.
"""


class WireEvent(Struct, frozen=True):
    """One event.

    `data` is all of its bytes, framing included. `gives` is what is whole for a client once its last byte has come:
    the harness's expectation, which no decoder was asked for. Closed tool calls and `Stop` are given by the first event
    that is `terminal`: the provider's evidence that the turn is complete. At an event that is `fatal` a client ends
    with an error, and reads no further. `loosely` is what it gives besides to a client that takes it for whole, where
    the body ends without the line ends after it.
    """

    data: bytes
    kind: EventKind
    gives: tuple[Chunk, ...] = ()
    terminal: bool = False
    fatal: bool = False
    loosely: tuple[Chunk, ...] = ()
