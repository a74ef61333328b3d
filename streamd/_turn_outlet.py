"""Where the chunks of one turn go, as far as they can no longer be taken back."""

from __future__ import annotations

from collections.abc import Sequence

from streamd.providers import Chunk

from ._edge import ConsumerEdge
from ._session_state import SessionState
from ._turn import Turn
from .errors import StreamdError

__all__ = ["TurnOutlet"]


class TurnOutlet:
    """The consumer's edge as one turn gives to it: the turn's prelude is held back, for it can still be taken back."""

    __slots__ = ("_edge", "_state", "_turn")

    def __init__(self, turn: Turn, edge: ConsumerEdge, state: SessionState) -> None:
        self._turn = turn
        self._edge = edge
        self._state = state

    async def room(self) -> None:
        """Wait until it does not."""
        await self._edge.room()

    def push(self, chunks: Sequence[Chunk], size: int, /) -> bool:
        """Hold the prelude, the last of each kind; from the first output on give everything, as it comes.

        True if the edge stands at the watermark.
        """
        held = self._turn.held
        if self._turn.first_chunk_at is None:
            held.update((type(chunk), chunk) for chunk in chunks)
            return False
        if held:
            chunks = (*held.values(), *chunks)
            held.clear()
        return self._edge.push(chunks, size)

    def end(self, error: StreamdError | None = None) -> None:
        """Keep a turn that is complete; what an error or a cancellation means is the conversation's to say."""
        if self._turn.status == "done":
            self._state.complete_turn()
