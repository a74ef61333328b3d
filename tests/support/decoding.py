"""Bytes of a stream in, chunks and the error out."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

from streamd.providers import WIRES, Chunk, StreamdError


def sse(*payloads: Any, end: str = "\n") -> bytes:
    """An event stream with one `data:` line for each payload; what is no text is written as JSON."""
    lines = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
    return "".join(f"data: {line}{end}{end}" for line in lines).encode()


def named(*payloads: dict[str, Any]) -> bytes:
    """An event stream as Anthropic sends it: each event named by the type of its payload."""
    return b"".join(f"event: {p['type']}\ndata: {json.dumps(p)}\n\n".encode() for p in payloads)


def decode(wire: str, parts: bytes | Iterable[bytes]) -> tuple[list[Chunk], StreamdError | None]:
    """Decode a whole body, given in these parts: every chunk, those an error carries too, and that error."""
    decoder = WIRES[wire]()
    chunks: list[Chunk] = []
    try:
        for part in [parts] if isinstance(parts, bytes) else parts:
            chunks += decoder.feed(part)
        chunks += decoder.close()
    except StreamdError as error:
        chunks += error.chunks
        return chunks, error
    return chunks, None


def single_bytes(body: bytes) -> list[bytes]:
    """The body byte by byte."""
    return [body[at : at + 1] for at in range(len(body))]


def random_pieces(body: bytes, seed: int) -> list[bytes]:
    """The body in pieces of random sizes, from one byte to a few kilobytes."""
    rng = random.Random(seed)
    pieces: list[bytes] = []
    at = 0
    while at < len(body):
        size = rng.choice((1, 2, 3, 7, 40, 400, 4096))
        pieces.append(body[at : at + size])
        at += size
    return pieces
