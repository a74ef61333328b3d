"""What can go wrong between a request and its chunks, as far as the bytes tell.

    StreamdError                   everything this library raises
    ├── ConfigError                the caller's: a bad model, key, tool, message or option; nothing was sent
    ├── APIError                   the provider's: it answered, and the answer is an error
    │   ├── AuthenticationError    401, 403: the key is missing, wrong, or may not do this
    │   ├── BadRequestError        400, 413, 422 and the rest of 4xx: the request can never succeed as it is
    │   ├── NotFoundError          404: no such model or path
    │   ├── RateLimitError         429: too fast; see `retry_after`
    │   ├── QuotaError             402, or 429 with a spent quota: waiting does not help
    │   ├── OverloadedError        503, 529: the provider has no room now
    │   └── ServerError            408, 409, 424, 425, 5xx: the provider failed
    └── StreamError                the answer began, but is no good stream
        ├── Truncated              it ended without the provider's terminal evidence
        ├── NotAStream             the body is something else: a web page, say
        ├── MalformedEvent         an event cannot be read
        ├── EventTooLarge          an event passed the size limit
        └── SequenceGap            the provider's own numbering shows a hole

An error that arrives inside a 200 stream has the class it would have had as a status, with `in_stream` set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from .chunks import Chunk, Usage
    from .messages import Message

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "EventTooLarge",
    "MalformedEvent",
    "NotAStream",
    "NotFoundError",
    "OverloadedError",
    "Phase",
    "QuotaError",
    "RateLimitError",
    "SequenceGap",
    "ServerError",
    "StreamError",
    "StreamdError",
    "Truncated",
]

Phase = Literal["configure", "connect", "send", "headers", "stream", "tool"]
"""How far an attempt had come: before anything was sent, while connecting, while sending the request, while waiting
for the response's head, while receiving its body, or while running tools."""


class StreamdError(Exception):
    """The base of every error this library raises.

    The runtime fills in what it knows before a caller sees the error: `phase`, `attempt` (counted from 1; 0 when
    nothing was attempted), `partial` (the assistant's turn under way as far as it had come,
    empty where none was; None only where there was no session yet), and `usage` (the last the provider
    reported). `retryable` says whether the same request may succeed later. `chunks` is what the decoding call that
    raised had decoded before it, in order.
    """

    retryable: bool = False
    phase: Phase | None = None
    attempt: int = 0
    partial: Message | None = None
    usage: Usage | None = None
    chunks: Sequence[Chunk] = ()


class ConfigError(StreamdError, ValueError):
    """The request cannot be made as it was asked for; nothing was sent."""

    phase: Phase | None = "configure"


class APIError(StreamdError):
    """The provider answered with an error.

    `status_code` is the HTTP status, or the status that the error stands for where it arrived inside a 200 stream
    (`in_stream`). `code` is the provider's own code or type. `retry_after` is the number of seconds the provider
    asked to wait for. `request_id` is what its support asks for.
    """

    default_status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        in_stream: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code: int = self.default_status if status_code is None else status_code
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.in_stream = in_stream

    def __str__(self) -> str:
        facts = [f"status {self.status_code}"]
        facts += [f"code {self.code}"] if self.code else []
        facts += [f"request {self.request_id}"] if self.request_id else []
        return f"{self.message} ({', '.join(facts)})"


class AuthenticationError(APIError):
    """The key is missing, wrong, or may not do this (401, 403)."""

    default_status = 401


class BadRequestError(APIError):
    """The request can never succeed as it is (400, 413, 422)."""

    default_status = 400


class NotFoundError(APIError):
    """There is no such model or path (404)."""

    default_status = 404


class RateLimitError(APIError):
    """Too many requests or tokens in too short a time (429)."""

    default_status = 429
    retryable = True


class QuotaError(APIError):
    """The account's quota or credit is spent (402, or 429 that says so): waiting does not help."""

    default_status = 402


class OverloadedError(APIError):
    """The provider has no room for the request now (503, 529)."""

    default_status = 529
    retryable = True


class ServerError(APIError):
    """The provider failed (408, 409, 424, 425, 5xx)."""

    default_status = 500
    retryable = True


class StreamError(StreamdError):
    """The response began as it should, and then was no good stream."""

    phase: Phase | None = "stream"


class Truncated(StreamError):
    """The stream ended without the provider's own terminal evidence: the answer is not whole."""

    retryable = True


class NotAStream(StreamError):
    """The body is not an event stream: a web page or a document, say. The message quotes its beginning."""

    retryable = True


class MalformedEvent(StreamError):
    """An event cannot be read. `offset` is the byte of the body at which the event ended."""

    retryable = True

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at byte {offset})")
        self.offset = offset


class EventTooLarge(StreamError):
    """One event, line or tool call passed its size limit; the rest of the stream was not read."""


class SequenceGap(StreamError):
    """The provider numbers its events, and a number is missing."""

    retryable = True
