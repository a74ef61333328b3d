"""What a session knows of itself: written by its conversation, read by its `Session`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import trio

from streamd.providers import Message, StopReason, Usage

from ._fallback import Candidate
from ._late_event import LateEvent
from ._turn import Status, Turn
from .errors import StreamdError

__all__ = ["SessionState"]


class SessionState:
    """The state of one session over all its turns, in one place.

    `messages` are the turns that are complete, in conversation order; `turn` is the turn under way, or the last one,
    and `turn_open` tells which. The counters run over all attempts. `candidate` is the model that is asked; `voided`
    has, by the number of the attempt that followed, the error of each turn that was taken back after its first output.
    """

    __slots__ = (
        "_answered",
        "_bytes_before",
        "_chunks_before",
        "_ended",
        "_first_chunk_at",
        "asked_again",
        "attempts",
        "candidate",
        "ended_at",
        "error",
        "finished",
        "history",
        "messages",
        "output",
        "provider_state",
        "retries",
        "rounds",
        "started_at",
        "stop_reason",
        "turn",
        "usage",
        "voided",
        "voided_usage",
    )

    def __init__(self, candidate: Candidate) -> None:
        self.candidate: Candidate = candidate
        self.history: tuple[Message, ...] = tuple(candidate.context.messages)
        self.messages: list[Message] = []
        # What the provider keeps of the conversation, by the last turn that is complete.
        self.provider_state: Mapping[str, Any] = candidate.context.provider_state
        # The answer as a value, where one was asked for, and how often another was asked for in its place.
        self.output: Any = None
        self.asked_again: int = 0
        self.turn: Turn = Turn()
        self.usage: Usage = Usage()
        self.voided: dict[int, StreamdError] = {}
        self.voided_usage: Usage = Usage()
        self.stop_reason: StopReason | None = None
        self.error: StreamdError | None = None
        self.finished: LateEvent = LateEvent()
        self.rounds: int = 0
        self.attempts: int = 0
        self.retries: int = 0
        self.started_at: float = trio.current_time()
        self.ended_at: float | None = None
        self._ended: Status | None = None
        # Of the turns before the one under way.
        self._answered: bool = False
        self._bytes_before: int = 0
        self._chunks_before: int = 0
        self._first_chunk_at: float | None = None

    def begin_attempt(self, turn: Turn) -> None:
        """Another request is about to be made."""
        self._answered = self.status != "init"
        self._bytes_before = self.bytes_received
        self._chunks_before = self.chunks_decoded
        self._first_chunk_at = self.first_chunk_at
        self.attempts += 1
        self.turn = turn

    def complete_turn(self) -> None:
        """The turn under way is complete: keep its message and count its usage."""
        message = self.turn.snapshot
        self.messages.append(message)
        self.usage = self.usage + (message.usage or Usage())
        self.stop_reason = message.stop_reason
        self.rounds += 1

    def finish(self, status: Status, error: StreamdError | None = None) -> bool:
        """Note how the session ended; False where it had ended before."""
        if self.ended_at is not None:
            return False
        self.turn.finish(status, error)
        if error is not None:
            error.attempt = self.attempts
            error.partial = (
                self.turn.snapshot if self.turn_open else error.partial or Message("assistant", ())
            )
            error.usage = self.usage_so_far
            error.phase = error.phase or (self.turn.phase if self.turn_open else "tool")
        self._ended = status
        self.error = error
        self.ended_at = trio.current_time()
        if status == "cancelled":
            self.stop_reason = "cancelled"
        self.finished.set()
        return True

    @property
    def status(self) -> Status:
        """`init` until the first response's head came, `streaming` until the end, then how the session ended."""
        if self._ended is not None:
            return self._ended
        return "streaming" if self._answered or self.turn.status != "init" else "init"

    @property
    def turn_open(self) -> bool:
        """Whether the turn is not complete."""
        return self.turn.status != "done"

    @property
    def prompt(self) -> tuple[Message, ...]:
        """The message that is answered, without the history before it."""
        return self.history[-1:]

    @property
    def bytes_received(self) -> int:
        """Bytes of all bodies."""
        return self._bytes_before + self.turn.bytes_received

    @property
    def chunks_decoded(self) -> int:
        """Chunks of all bodies."""
        return self._chunks_before + self.turn.chunks_decoded

    @property
    def first_chunk_at(self) -> float | None:
        """When the first output was handed to the consumer."""
        return self.turn.first_chunk_at if self._first_chunk_at is None else self._first_chunk_at

    @property
    def duration(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (trio.current_time() if self.ended_at is None else self.ended_at) - self.started_at

    @property
    def time_to_first_chunk(self) -> float | None:
        """Seconds from the start to the first chunk handed to the consumer."""
        return None if self.first_chunk_at is None else self.first_chunk_at - self.started_at

    @property
    def snapshot(self) -> Message:
        """The assistant's message as far as it was decoded."""
        return self.turn.snapshot

    @property
    def usage_so_far(self) -> Usage:
        """The usage of complete turns, and what was last reported of the one under way."""
        return self.usage + self.turn.usage if self.turn_open else self.usage
