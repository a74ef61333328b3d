"""The parser: the actor that turns the producer's bytes into chunks for the consumer."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from streamd.providers import Chunk, Decoder

from ._edge import ConsumerEdge
from ._producer import HTTPEvent
from ._state import PRELUDE, SessionState
from ._timers import Clock
from .errors import StreamdError

__all__ = ["parse"]

LINGER = 0.05
"""Seconds. Servers that send the body's end at all send it at once, though often in a packet of its own."""


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
            if decoder.done:
                await _linger(events)
                break
            await edge.room()


async def _linger(events: trio.MemoryReceiveChannel[HTTPEvent]) -> None:
    """Give the body a moment to end after the turn did: only then can its connection be used again."""
    with trio.move_on_after(LINGER):
        async for event in events:
            if not event or isinstance(event, StreamdError):
                return


class _Parser:
    """One decoder between two channels; nothing in it waits."""

    __slots__ = ("_clock", "_decoder", "_edge", "_state")

    def __init__(self, decoder: Decoder, edge: ConsumerEdge, state: SessionState, clock: Clock) -> None:
        self._decoder = decoder
        self._edge = edge
        self._state = state
        self._clock = clock

    def feed(self, data: bytes) -> None:
        """Decode the bytes of one read."""
        if self._state.finished.is_set():
            return  # cancelled while these bytes were on their way
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
        if self._state.finished.is_set():
            return
        try:
            chunks = self._decoder.close()
        except StreamdError as error:
            self._deliver(error.chunks)
            raise
        self._deliver(chunks)
        self._state.complete_turn()

    def lose(self, error: StreamdError) -> None:
        """The body broke off, or never came; which matters only where the turn was not complete."""
        if not self._decoder.terminal:
            raise error
        self.close()

    def _deliver(self, chunks: Sequence[Chunk]) -> None:
        if not chunks:
            return
        state = self._state
        state.turn.add(chunks)
        state.chunks_decoded += len(chunks)
        output = not all(isinstance(chunk, PRELUDE) for chunk in chunks)
        if output:
            self._clock.note_progress()
        if not state.delivered:
            if not output:
                state.hold(chunks)
                return
            chunks = state.deliver(chunks)
        self._edge.push(chunks)
