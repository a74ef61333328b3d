"""What one response came to: written by the actors of its pipeline, read by whoever holds that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import trio

from streamd.providers import Chunk, Folding, Message, Metadata, StopReason, Usage

from ._late_event import LateEvent
from .errors import APIError, Phase, StreamdError

__all__ = ["PRELUDE", "Status", "Turn"]

Status = Literal["init", "streaming", "done", "cancelled", "error"]
"""`init` until the first response's head came, `streaming` until the end, then how it ended."""

PRELUDE = (Metadata, Usage)
"""What may be taken back: a turn of which nothing else was delivered can be attempted again unseen. It is no output."""


class Turn:
    """The state of one response, in one place.

    `held` is the prelude that the consumer was not given yet, the last of each kind, where it can still be taken back.
    """

    __slots__ = (
        "_folding",
        "bytes_received",
        "chunks_decoded",
        "ended_at",
        "error",
        "finished",
        "first_chunk_at",
        "headers",
        "held",
        "started_at",
        "status",
        "status_code",
    )

    def __init__(self) -> None:
        self._folding = Folding()
        self.held: dict[type[Chunk], Chunk] = {}
        self.status: Status = "init"
        self.error: StreamdError | None = None
        self.finished: LateEvent = LateEvent()
        self.status_code: int | None = None
        self.headers: Mapping[str, str] = {}
        self.bytes_received: int = 0
        self.chunks_decoded: int = 0
        self.started_at: float = trio.current_time()
        self.first_chunk_at: float | None = None
        self.ended_at: float | None = None

    def continued(self) -> Turn:
        """The same turn, told on by another response: what was decoded and delivered of it stays."""
        turn = Turn()
        turn._folding = self._folding
        turn.held = self.held
        turn.started_at = self.started_at
        turn.first_chunk_at = self.first_chunk_at
        return turn

    def begin(self) -> None:
        """The response's head, or its first part, came."""
        if self.status == "init":
            self.status = "streaming"

    def add(self, chunks: Sequence[Chunk]) -> None:
        """These chunks were decoded."""
        self._folding.add(chunks)
        self.chunks_decoded += len(chunks)

    def note_output(self) -> None:
        """The model's first output is delivered: from here on the turn cannot be taken back."""
        if self.first_chunk_at is None:
            self.first_chunk_at = trio.current_time()

    def finish(self, status: Status, error: StreamdError | None = None) -> bool:
        """Note how the response ended; False where it had ended before."""
        if self.ended_at is not None:
            return False
        self.status = status
        self.ended_at = trio.current_time()
        self.error = error
        if error is not None:
            error.attempt = error.attempt or 1
            error.partial = self.snapshot
            error.usage = self.usage
            if error.phase is None:
                error.phase = "headers" if isinstance(error, APIError) and not error.in_stream else self.phase
        self.finished.set()
        return True

    @property
    def phase(self) -> Phase:
        """How far it had come."""
        return "connect" if self.status_code is None and not self.bytes_received else "stream"

    @property
    def delivered(self) -> bool:
        """Whether output of it was given to the consumer."""
        return self.first_chunk_at is not None

    @property
    def told(self) -> Metadata:
        """What the provider said of the response."""
        return self._folding.metadata or Metadata()

    @property
    def usage(self) -> Usage:
        """The usage that was last reported."""
        return self._folding.usage or Usage()

    @property
    def snapshot(self) -> Message:
        """The assistant's message as far as it was decoded."""
        return self._folding.message()

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the model stopped, so far as it said."""
        return "cancelled" if self.status == "cancelled" else self.snapshot.stop_reason

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (trio.current_time() if self.ended_at is None else self.ended_at) - self.started_at

    @property
    def time_to_first_chunk(self) -> float | None:
        """Seconds from the start to the model's first output."""
        return None if self.first_chunk_at is None else self.first_chunk_at - self.started_at
