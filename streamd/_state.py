"""What a session knows of itself: written by its actors, read by its `Session`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import trio

from streamd.providers import Chunk, Message, Metadata, StopReason, Usage, fold

from .errors import APIError, StreamdError

__all__ = ["SessionState", "Status"]

Status = Literal["init", "streaming", "done", "cancelled", "error"]
"""`init` until the first response's head came, `streaming` until the end, then how it ended."""


class SessionState:
    """The state of one session's actors, in one place.

    `messages` are the turns that are complete, in conversation order; `turn` is every chunk of the turn under way,
    or of the last one, and `turn_open` tells which. The counters run over all attempts.
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
        "history",
        "messages",
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
        self.history = tuple(history)
        self.messages: list[Message] = []
        self.turn: list[Chunk] = []
        self.turn_open = False
        self.delivered = False
        self.usage = Usage()
        self.status: Status = "init"
        self.stop_reason: StopReason | None = None
        self.error: StreamdError | None = None
        self.finished = trio.Event()
        self.rounds = 0
        self.attempts = 0
        self.retries = 0
        self.bytes_received = 0
        self.chunks_decoded = 0
        self.status_code: int | None = None
        self.headers: Mapping[str, str] = {}
        self.started_at = trio.current_time()
        self.first_chunk_at: float | None = None
        self.ended_at: float | None = None

    def begin_attempt(self) -> None:
        """Another request is about to be made for the turn."""
        self.attempts += 1
        self.turn = []
        self.turn_open = True
        self.delivered = False

    def begin_stream(self, status_code: int, headers: Mapping[str, str]) -> None:
        """A response's head came."""
        self.status_code = status_code
        self.headers = headers
        if self.status == "init":
            self.status = "streaming"

    def complete_turn(self) -> Message:
        """The turn under way is complete: keep its message and count its usage."""
        message = fold(self.turn)
        self.messages.append(message)
        self.turn_open = False
        self.usage += message.usage or Usage()
        self.stop_reason = message.stop_reason
        self.rounds += 1
        return message

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
        return next((chunk for chunk in self.turn if isinstance(chunk, Metadata)), Metadata())

    @property
    def snapshot(self) -> Message:
        """The assistant's message as far as it was decoded."""
        return fold(self.turn)

    @property
    def usage_so_far(self) -> Usage:
        """The usage of complete turns, and what was last reported of the one under way."""
        return self.usage + (self.snapshot.usage or Usage()) if self.turn_open else self.usage

    def _complete_error(self, error: StreamdError) -> None:
        error.attempt = self.attempts
        error.partial = self.snapshot if self.turn_open else Message("assistant", ())
        error.usage = self.usage_so_far
        if error.phase is None and isinstance(error, APIError):
            error.phase = "stream" if error.in_stream else "headers"
