"""What a session knows of itself: written by its actors, read by its `Session`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import trio

from streamd.providers import Chunk, Folding, Message, Metadata, StopReason, Usage

from .errors import APIError, Phase, StreamdError

__all__ = ["PRELUDE", "SessionState", "Status"]

Status = Literal["init", "streaming", "done", "cancelled", "error"]
"""`init` until the first response's head came, `streaming` until the end, then how it ended."""

PRELUDE = (Metadata, Usage)
"""What may be taken back: a turn of which nothing else was delivered can be attempted again unseen. It is no output."""


class SessionState:
    """The state of one session's actors, in one place.

    `messages` are the turns that are complete, in conversation order; `turn` is the turn under way, or the last one,
    and `turn_open` tells which. `held` is the prelude that the consumer was not given yet, the last of each kind, which
    can still be taken back. The counters run over all attempts.
    """

    __slots__ = (
        "attempts",
        "bytes_received",
        "chunks_decoded",
        "delivered",
        "ended_at",
        "error",
        "finished",
        "first_chunk_at",
        "headers",
        "held",
        "history",
        "messages",
        "phase",
        "retries",
        "rounds",
        "started_at",
        "status",
        "status_code",
        "stop_reason",
        "turn",
        "turn_open",
        "usage",
    )

    def __init__(self, history: Sequence[Message]) -> None:
        self.history: tuple[Message, ...] = tuple(history)
        self.messages: list[Message] = []
        self.turn: Folding = Folding()
        self.held: dict[type[Chunk], Chunk] = {}
        self.phase: Phase = "connect"
        self.turn_open: bool = False
        self.delivered: bool = False
        self.usage: Usage = Usage()
        self.status: Status = "init"
        self.stop_reason: StopReason | None = None
        self.error: StreamdError | None = None
        self.finished: trio.Event = trio.Event()
        self.rounds: int = 0
        self.attempts: int = 0
        self.retries: int = 0
        self.bytes_received: int = 0
        self.chunks_decoded: int = 0
        self.status_code: int | None = None
        self.headers: Mapping[str, str] = {}
        self.started_at: float = trio.current_time()
        self.first_chunk_at: float | None = None
        self.ended_at: float | None = None

    def begin_attempt(self) -> None:
        """Another request is about to be made for the turn."""
        self.attempts += 1
        self.phase = "connect"
        self.turn = Folding()
        self.held = {}
        self.turn_open = True
        self.delivered = False

    def begin_stream(self, status_code: int, headers: Mapping[str, str]) -> None:
        """A response's head came."""
        self.status_code = status_code
        self.headers = headers
        self.phase = "stream"
        if self.status == "init":
            self.status = "streaming"

    def hold(self, prelude: Sequence[Chunk]) -> None:
        """Keep the prelude of a turn back."""
        self.held.update((type(chunk), chunk) for chunk in prelude)

    def deliver(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        """The turn's first output, after what was held: from here on the turn cannot be taken back."""
        self.delivered = True
        if self.first_chunk_at is None:
            self.first_chunk_at = trio.current_time()
        held, self.held = self.held, {}
        return [*held.values(), *chunks]

    def complete_turn(self) -> None:
        """The turn under way is complete: keep its message and count its usage."""
        message = self.snapshot
        self.messages.append(message)
        self.turn_open = False
        self.usage = self.usage + (message.usage or Usage())
        self.stop_reason = message.stop_reason
        self.rounds += 1

    def finish(self, status: Status, error: StreamdError | None = None) -> bool:
        """Note how the session ended; False where it had ended before."""
        if self.finished.is_set():
            return False
        if error is not None:
            self._complete_error(error)
        self.status = status
        self.error = error
        self.ended_at = trio.current_time()
        if status == "cancelled":
            self.stop_reason = "cancelled"
        self.finished.set()
        return True

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The message that is answered, without the history before it."""
        return self.history[-1:]

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (trio.current_time() if self.ended_at is None else self.ended_at) - self.started_at

    @property
    def time_to_first_chunk(self) -> float | None:
        """Seconds from the start to the first chunk handed to the consumer."""
        return None if self.first_chunk_at is None else self.first_chunk_at - self.started_at

    @property
    def told(self) -> Metadata:
        """What the provider said of the last response."""
        return self.turn.metadata or Metadata()

    @property
    def snapshot(self) -> Message:
        """The assistant's message as far as it was decoded."""
        return self.turn.message()

    @property
    def usage_so_far(self) -> Usage:
        """The usage of complete turns, and what was last reported of the one under way."""
        return self.usage + (self.turn.usage or Usage()) if self.turn_open else self.usage

    def _complete_error(self, error: StreamdError) -> None:
        error.attempt = self.attempts
        error.partial = self.snapshot if self.turn_open else Message("assistant", ())
        error.usage = self.usage_so_far
        if error.phase is None:
            error.phase = "headers" if isinstance(error, APIError) and not error.in_stream else self.phase
