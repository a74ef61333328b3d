"""The turns of a recorded session, as a scenario has them."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from streamd._recording import Exchange, Piece, Recording, load_recording
from streamd.errors import ConfigError
from streamd.providers import (
    FORMATS,
    Chunk,
    Stop,
    StreamdError,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)

from ._turn import CallPart, Part, TextPart, ThinkingPart, Turn

__all__ = ["recorded_turns"]


def recorded_turns(path: str | os.PathLike[str]) -> tuple[Turn, ...]:
    """The turns of the session that was recorded in this file.

    Raises:
        ConfigError: The file is no recording, or one of its answers was not whole.
    """
    recording = load_recording(path)
    last = {exchange.round: exchange for exchange in recording.exchanges}
    results = {result.id: result for round_ in recording.tool_results for result in round_}
    turns = tuple(_turn(_chunks(recording, exchange, os.fspath(path)), results) for exchange in last.values())
    if not turns:
        raise ConfigError(f"the recording {os.fspath(path)} has no answer")
    return turns


def _chunks(recording: Recording, exchange: Exchange, path: str) -> list[Chunk]:
    asked = exchange.candidate
    wire = recording.fallbacks[asked - 1].wire if asked else recording.wire
    if wire not in FORMATS:
        raise ConfigError(f"the recording {path} is of no wire that is known here")
    decoder = FORMATS[wire].decoder()
    pieces: tuple[Piece, ...] = () if exchange.response is None else exchange.response.body
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece.raw)
        return chunks if decoder.done else [*chunks, *decoder.close()]
    except StreamdError as error:
        raise ConfigError(
            f"the answer of round {exchange.round} of the recording {path} is not whole, and a scenario is a "
            f"conversation in which nothing goes wrong: {error}"
        ) from error


def _turn(chunks: Sequence[Chunk], results: Mapping[str, ToolResult]) -> Turn:
    usages = [chunk for chunk in chunks if isinstance(chunk, Usage)]
    stop = next(chunk for chunk in reversed(chunks) if isinstance(chunk, Stop))
    usage = stop.usage or (usages[-1] if usages else Usage())
    parts = (*_said(chunks), *_called(chunks, results))
    return Turn(parts, Usage(usage.input_tokens, usage.output_tokens), stop.reason)


def _said(chunks: Sequence[Chunk]) -> Iterator[Part]:
    """Text and reasoning, one part for each run of pieces; a signature closes its part."""
    said = [chunk for chunk in chunks if isinstance(chunk, Text | Thinking)]
    for kind, run in itertools.groupby(said, type):
        pieces: list[str] = []
        for chunk in run:
            pieces += [chunk.text] if chunk.text else []
            if isinstance(chunk, Thinking) and chunk.signature is not None and pieces:
                yield ThinkingPart(tuple(pieces), chunk.signature)
                pieces = []
        if pieces:
            yield ThinkingPart(tuple(pieces)) if kind is Thinking else TextPart(tuple(pieces))


def _called(chunks: Sequence[Chunk], results: Mapping[str, ToolResult]) -> Iterator[Part]:
    deltas = (chunk for chunk in chunks if isinstance(chunk, ToolCallDelta))
    pieces = Counter(delta.index for delta in deltas if delta.fragment)
    for call in chunks:
        if isinstance(call, ToolCall):
            result = results.get(call.id)
            told = "done" if result is None else result.content
            yield CallPart(call.id, call.name, call.arguments, max(1, pieces[call.index]), told)
