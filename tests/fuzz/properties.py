"""What holds for the decoder of every wire, whatever the bytes.

Chunks or a typed error come of them and nothing else; the same whatever the cut; and of a body that breaks off a
beginning of the chunks, without a tool call that the whole body does not give.
"""

from __future__ import annotations

import random
from typing import get_args

import msgspec

from streamd.providers import (
    Chunk,
    MalformedEvent,
    Refusal,
    Stop,
    StreamdError,
    Text,
    ToolCall,
    ToolCallDelta,
    Usage,
    fold,
)
from tests.support.decoding import decode, random_pieces, single_bytes

__all__ = ["check"]

_CONTENT = tuple(kind for kind in get_args(Chunk) if kind not in (ToolCall, Stop))
_SHORT = 1500
_LONGEST_MESSAGE = 2000


def check(wire: str, body: bytes, seed: int) -> None:
    """Decode a body in several ways, and compare.

    Raises:
        AssertionError: A property does not hold.
    """
    chunks, error = decode(wire, body)
    _check_result(chunks, error)

    rng = random.Random(seed)
    parts = [random_pieces(body, seed)]
    if len(body) <= _SHORT:
        parts.append(single_bytes(body))
    for pieces in parts:
        again, again_error = decode(wire, pieces)
        assert again == chunks, "another cut gives other chunks"
        assert type(again_error) is type(error), f"another cut fails by {again_error!r}, not {error!r}"
        assert _offset(again_error) == _offset(error), f"another cut says {again_error}, not {error}"

    prefix = body[: rng.randrange(len(body) + 1)]
    _check_prefix(*decode(wire, prefix), chunks, error)


def _check_result(chunks: list[Chunk], error: StreamdError | None) -> None:
    assert msgspec.json.decode(msgspec.json.encode(chunks), type=list[Chunk]) is not None
    fold(chunks)
    stops = [place for place, chunk in enumerate(chunks) if isinstance(chunk, Stop)]
    assert stops == ([] if error else [len(chunks) - 1]), "a turn has one end, or an error"
    if error is not None:
        told = str(error)
        assert told
        assert told.isprintable(), "an error's text is one line"
        assert len(told) < _LONGEST_MESSAGE


def _offset(error: StreamdError | None) -> int | None:
    return error.offset if isinstance(error, MalformedEvent) else None


def _check_prefix(
    chunks: list[Chunk],
    error: StreamdError | None,
    whole: list[Chunk],
    whole_error: StreamdError | None,
) -> None:
    _check_result(chunks, error)
    # A turn that may end here gives what was held back; in the whole more of it may come.
    kinds = (Text, Refusal, ToolCallDelta, Usage) if error is None else _CONTENT
    content = [chunk for chunk in chunks if isinstance(chunk, kinds)]
    expected = [chunk for chunk in whole if isinstance(chunk, kinds)]
    if whole_error is not None:
        # A last event is taken without its blank line; in the whole, what follows spoils it.
        content = content[: len(expected)]
    assert content == expected[: len(content)], "a prefix gives what the whole does not"
    if error is None and whole_error is None and len(content) == len(expected):
        calls = [chunk for chunk in whole if isinstance(chunk, ToolCall)]
        assert all(chunk in calls for chunk in chunks if isinstance(chunk, ToolCall)), (
            "a call that is no call"
        )
    if error is not None:
        assert not any(isinstance(chunk, ToolCall) for chunk in chunks), "a turn that fails has no calls"
