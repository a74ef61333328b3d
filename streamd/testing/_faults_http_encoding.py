"""Faults of HTTP's content codings: a body that is compressed though it was asked for plain."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._kind import FaultKind, Strike
from ._outcomes import fails_with
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["ENCODINGS"]

_GZIP, _ZLIB = 31, 15
_MEBIBYTE = 1024 * 1024


def _named(reply: Reply, coding: str) -> Reply:
    return replace(reply, headers=(*reply.headers, ("Content-Encoding", coding)))


def _packed(events: tuple[WireEvent, ...], window: int) -> tuple[WireEvent, ...]:
    """The events compressed each in a piece that can be read once it came, and what ends the whole."""
    packer = zlib.compressobj(wbits=window)
    pieces = [
        replace(event, data=packer.compress(event.data) + packer.flush(zlib.Z_SYNC_FLUSH)) for event in events
    ]
    return (*pieces, WireEvent(packer.flush(), "noise"))


def _compressed(coding: str, window: int) -> Callable[[Reply, Strike], Reply]:
    def apply(reply: Reply, _strike: Strike) -> Reply:
        return _named(replace(reply, events=_packed(reply.events, window)), coding)

    return apply


def _cut(reply: Reply, strike: Strike) -> Reply:
    """Leave out the last bytes of the event at the place, and all that follows."""
    at = strike.event(reply)
    events = _packed(reply.events, _GZIP)
    half = events[at].data[: len(events[at].data) // 2]
    return _named(replace(reply, events=(*events[:at], WireEvent(half, "noise"))), "gzip")


def _corrupt(reply: Reply, strike: Strike) -> Reply:
    at = min(strike.event(reply), len(reply.events) - 1)
    events = _packed(reply.events, _GZIP)
    # The first byte of a gzip stream's head, or of a block: 7 is a kind of block that there is not.
    noise = WireEvent(b"\x07" * 16, "noise", fatal=True)
    return _named(replace(reply, events=(*events[:at], noise, *events[at + 1 :])), "gzip")


def _bomb(reply: Reply, strike: Strike) -> Reply:
    data = _inflating(int(strike.number(64)))
    return _named(replace(reply, events=(WireEvent(data, "noise", fatal=True),)), "gzip")


@functools.lru_cache(maxsize=2)
def _inflating(mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=_GZIP)
    block = b" " * _MEBIBYTE
    return b"".join(packer.compress(block) for _ in range(mebibytes)) + packer.flush()


def _opaque(reply: Reply, strike: Strike) -> Reply:
    noise = WireEvent(strike.rng.randbytes(512), "noise", fatal=True)
    return _named(replace(reply, events=(noise,)), strike.fault.name.partition(".")[2])


def _unknown(reply: Reply, _strike: Strike) -> Reply:
    return _named(reply, "x-own")


def _cut_short(_delivery: Delivery, _strike: Strike) -> Expect:
    return Expect(("EncodingRefused", "Truncated"), refusable=True)


def _refusable(_delivery: Delivery, _strike: Strike) -> Expect:
    # Who refuses it would be given the same again; who unpacks it has the whole answer, or one that is spoiled.
    return Expect(("EncodingRefused",), refusable=True, final=True)


_REFUSED = fails_with("EncodingRefused", final=True)

ENCODINGS: tuple[FaultKind, ...] = (
    FaultKind(
        name="http.gzip",
        summary="The body is compressed (gzip): a client may refuse it, or unpack it.",
        phase="head",
        retry="NO",
        expect=_refusable,
        apply=_compressed("gzip", _GZIP),
    ),
    FaultKind(
        name="http.deflate",
        summary="The body is compressed (deflate): a client may refuse it, or unpack it.",
        phase="head",
        retry="NO",
        expect=_refusable,
        apply=_compressed("deflate", _ZLIB),
    ),
    FaultKind(
        name="http.br",
        summary="The body is said to be compressed (Brotli), and cannot be unpacked.",
        phase="head",
        retry="NO",
        expect=_REFUSED,
        apply=_opaque,
    ),
    FaultKind(
        name="http.zstd",
        summary="The body is said to be compressed (Zstandard), and cannot be unpacked.",
        phase="head",
        retry="NO",
        expect=_REFUSED,
        apply=_opaque,
    ),
    FaultKind(
        name="http.unknown_encoding",
        summary="The body is said to have a coding that nobody knows, and has none: a client may refuse or read it.",
        phase="head",
        retry="NO",
        expect=_refusable,
        apply=_unknown,
    ),
    FaultKind(
        name="http.gzip_cut",
        summary="The body is compressed, and ends as HTTP says a body ends in the middle of an event.",
        phase="body",
        retry="NO",
        expect=_cut_short,
        apply=_cut,
        sweep=("event:0", "event:1", "event:50%", "event:-1", "event:100%"),
    ),
    FaultKind(
        name="http.gzip_corrupt",
        summary="The body is compressed, and cannot be unpacked from some event on.",
        phase="body",
        retry="NO",
        expect=_refusable,
        apply=_corrupt,
        sweep=("event:0", "event:1", "event:50%"),
    ),
    FaultKind(
        name="http.gzip_bomb",
        summary="The body is some kilobytes that become so many mebibytes of blanks; 64 if no value is given.",
        phase="body",
        retry="NO",
        expect=_refusable,
        apply=_bomb,
    ),
)
"""The kinds of the layer `http` that are about compression."""
