"""A body as its content coding leaves it, for a world without HTTP."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

__all__ = ["CannotUnpack", "unpacked"]

_EITHER = 47
"""What zlib calls a stream of gzip's or its own, told by its head."""

_OPAQUE = frozenset(("br", "zstd"))
_MOST = 1024 * 1024
"""Bytes that one piece may become."""


class CannotUnpack(Exception):
    """What follows is damaged, or becomes too much."""


def unpacked(pieces: Sequence[bytes], coding: str | None) -> Iterator[bytes]:
    """The pieces of a body without its coding; one that nobody knows leaves them as they are.

    Args:
        pieces: As they come.
        coding: What `Content-Encoding` says; None for nothing.

    Raises:
        CannotUnpack: No more can be had, after what was given.
    """
    name = (coding or "").lower()
    if name in _OPAQUE:
        raise CannotUnpack
    if name not in ("gzip", "deflate"):
        yield from pieces
        return
    unpacker = zlib.decompressobj(_EITHER)
    for piece in pieces:
        data = bytearray()
        try:
            for byte in piece:
                data += unpacker.decompress(bytes((byte,)), _MOST)
                if unpacker.unconsumed_tail or len(data) > _MOST:
                    raise CannotUnpack
        except zlib.error:
            yield bytes(data)
            raise CannotUnpack from None
        yield bytes(data)
