"""What a session amounts to, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from streamd.providers import Message, StopReason, Usage

from ._edge import ConsumerEdge
from ._turn import Status, Turn
from .errors import StreamdError

__all__ = ["Response", "SessionMetadata", "SessionStatistics", "metadata_of", "statistics_of"]


class Response(Struct, frozen=True, kw_only=True):
    """The whole answer.

    `message` is the last assistant turn. `messages` is what the session added to the conversation, from the prompt's
    last message on: give it back, after the history, to go on. `usage` is summed over all rounds. `provider_state` is
    what the provider wants back with the next request, such as `previous_response_id`; empty where it keeps none.
    `output` is the answer as a value of the session's `output_type`; None without one, and where the session was
    cancelled or left its tool calls to the caller. `voided_usage` is what providers reported of attempts that came to
    nothing: it is not part of `usage`, and may be on the bill.
    """

    message: Message
    messages: tuple[Message, ...]
    usage: Usage
    stop_reason: StopReason | None
    output: Any = None
    provider_state: Mapping[str, Any] = {}
    voided_usage: Usage = Usage()

    @property
    def text(self) -> str:
        """The visible text of the last turn."""
        return self.message.text


class SessionMetadata(Struct, frozen=True, kw_only=True):
    """What is known of a session whose transport has ended, well or not.

    `headers` are the last response's, by lower-case name. Durations are in seconds. `error` is what ended the session,
    if an error did; `usage` is then the last the provider reported. `voided_usage` is what providers reported of
    attempts that came to nothing: it is not part of `usage`, and may be on the bill. `provider` and `model` are those
    that answered, or were asked last.
    """

    provider: str
    model: str
    response_id: str | None
    status: Status
    status_code: int | None
    headers: Mapping[str, str]
    usage: Usage
    voided_usage: Usage = Usage()
    stop_reason: StopReason | None
    error: StreamdError | None
    time_to_first_chunk: float | None
    duration: float


class SessionStatistics(Struct, frozen=True, kw_only=True):
    """A session's counters at one moment.

    `chunks_queued` of at most `high_watermark` (plus what one network read held) wait for the consumer;
    `tasks_waiting_receive` wait for chunks. Durations are in seconds. `voided_usage` is what providers reported of
    attempts that came to nothing, which `usage` does not count.
    """

    status: Status
    rounds: int
    attempts: int
    bytes_received: int
    chunks_decoded: int
    chunks_queued: int
    high_watermark: int
    tasks_waiting_receive: int
    usage: Usage
    voided_usage: Usage = Usage()
    time_to_first_chunk: float | None
    duration: float


def metadata_of(turn: Turn, provider: str, model: str) -> SessionMetadata:
    """What is known of one response, asked of this provider for this model."""
    told = turn.told
    return SessionMetadata(
        provider=provider,
        model=told.model or model,
        response_id=told.response_id,
        status=turn.status,
        status_code=turn.status_code,
        headers=dict(turn.headers),
        usage=turn.usage,
        stop_reason=turn.stop_reason,
        error=turn.error,
        time_to_first_chunk=turn.time_to_first_chunk,
        duration=turn.duration,
    )


def statistics_of(turn: Turn, edge: ConsumerEdge) -> SessionStatistics:
    """The counters of one response, whose chunks go to this edge."""
    return SessionStatistics(
        status=turn.status,
        rounds=int(turn.status == "done"),
        attempts=int(turn.status != "init"),
        bytes_received=turn.bytes_received,
        chunks_decoded=turn.chunks_decoded,
        chunks_queued=len(edge),
        high_watermark=edge.high_watermark,
        tasks_waiting_receive=edge.receivers_waiting,
        usage=turn.usage,
        time_to_first_chunk=turn.time_to_first_chunk,
        duration=turn.duration,
    )
