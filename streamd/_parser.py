"""The parser: the actor that turns the producer's bytes into chunks for the consumer."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from streamd.providers import Chunk, Decoder, Metadata, Usage

from ._edge import ConsumerEdge
from ._producer import HTTPEvent
from ._state import SessionState
from ._timers import Clock
from .errors import StreamdError

__all__ = ["parse"]

PRELUDE = (Metadata, Usage)
"""What may be taken back: a turn that delivered nothing else can be attempted again unseen."""


async def parse(
    events: trio.MemoryReceiveChannel[HTTPEvent],
    decoder: Decoder,
    edge: ConsumerEdge,
    state: SessionState,
    clock: Clock,
) -> None:
    """Decode one response to its end, and hand its chunks to the consumer as they come.

    Returns when the decoder has the provider's terminal evidence, whether or not the server closes: nothing after it
    can fail a finished turn.

    Raises:
        StreamdError: The decoder's error or the producer's, after every chunk before it was handed over.
    """
    parser = _Parser(decoder, edge, state, clock)
    with events:
        async for event in events:
            if isinstance(event, StreamdError):
                parser.lose(event)
                break
            if not event:
                parser.close()
                break
            parser.feed(event)
            await edge.room()
            if decoder.done:
                break


class _Parser:
    """One decoder between two channels; nothing in it waits."""

    __slots__ = ("_clock", "_decoder", "_edge", "_held", "_state")

    def __init__(self, decoder: Decoder, edge: ConsumerEdge, state: SessionState, clock: Clock) -> None:
        self._decoder = decoder
        self._edge = edge
        self._state = state
        self._clock = clock
        self._held: list[Chunk] = []

    def feed(self, data: bytes) -> None:
        """Decode the bytes of one read."""
        try:
            chunks = self._decoder.feed(data)
        except StreamdError as error:
            self._deliver(error.chunks)
            raise
        self._deliver(chunks)
        if self._decoder.done:
            self._state.complete_turn()

    def close(self) -> None:
        """The body ended as HTTP says a body ends: the decoder knows whether the turn did."""
        try:
            chunks = self._decoder.close()
        except StreamdError as error:
            self._deliver(error.chunks)
            raise
        self._deliver(chunks)
        self._state.complete_turn()

    def lose(self, error: StreamdError) -> None:
        """The body broke off, which matters only where the turn was not complete."""
        try:
            self.close()
        except StreamdError:
            raise error from error.__cause__

    def _deliver(self, chunks: Sequence[Chunk]) -> None:
        if not chunks:
            return
        self._clock.note_progress()
        state = self._state
        state.turn.extend(chunks)
        state.chunks_decoded += len(chunks)
        if not state.delivered:
            self._held.extend(chunks)
            if all(isinstance(chunk, PRELUDE) for chunk in chunks):
                return
            state.delivered = True
            if state.first_chunk_at is None:
                state.first_chunk_at = trio.current_time()
            chunks = self._held
        self._edge.push(chunks)
