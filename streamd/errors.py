"""Every error a session can end in.

    StreamdError                   everything this library raises
    ├── ConfigError                yours: a bad model, key, tool, message or option; nothing was sent
    ├── TransportError             the network's, or the peer's below the provider's own words
    │   ├── ConnectFailed          no connection: name, refusal, TLS, or the connect timer
    │   ├── ConnectionLost         the connection broke: before, in, or after the response's head
    │   ├── Stalled                a timer fired; `which` names it
    │   ├── ProtocolViolation      what came is not HTTP, or breaks its rules or our limits
    │   ├── RedirectRefused        the server points elsewhere; nothing was sent there
    │   └── EncodingRefused        the body is compressed although we asked for it plain
    ├── APIError                   the provider's: it answered, and the answer is an error
    │   ├── AuthenticationError · BadRequestError · NotFoundError
    │   └── RateLimitError · QuotaError · OverloadedError · ServerError
    ├── StreamError                the answer began, but is no good stream
    │   ├── Truncated              it ended without the provider's terminal evidence
    │   └── NotAStream · MalformedEvent · EventTooLarge · SequenceGap
    ├── OutputError                the answer is whole, but not what `output_type` asked for
    ├── AdmissionError             a runtime did not open the session; nothing was sent
    │   ├── TooManySessions        as many live as may
    │   ├── SessionExists          one of this id lives
    │   └── RuntimeClosed          its block has been, or is being, left
    ├── ToolError                  a tool cannot be declared or offered as it is
    ├── RecordingFailed            a session was not recorded; it is told, never raised
    ├── ModelUnavailable           the local model could not be fetched, or its server does not run
    └── ActorCrashed               a part of the session raised what it never should: a bug, here or in a provider

What a provider's decoder can raise is defined in `streamd.providers.errors`; the rest is here. `trio.Cancelled` and
the exceptions of your own code are never wrapped.
"""

from typing import Literal

from streamd.providers import StopReason
from streamd.providers.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    EventTooLarge,
    MalformedEvent,
    NotAStream,
    NotFoundError,
    OverloadedError,
    Phase,
    QuotaError,
    RateLimitError,
    SequenceGap,
    ServerError,
    StreamdError,
    StreamError,
    Truncated,
)

__all__ = [
    "APIError",
    "ActorCrashed",
    "AdmissionError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ConnectFailed",
    "ConnectionLost",
    "EncodingRefused",
    "EventTooLarge",
    "MalformedEvent",
    "ModelUnavailable",
    "NotAStream",
    "NotFoundError",
    "OutputError",
    "OverloadedError",
    "Phase",
    "ProtocolViolation",
    "QuotaError",
    "RateLimitError",
    "RecordingFailed",
    "RedirectRefused",
    "RuntimeClosed",
    "SequenceGap",
    "ServerError",
    "SessionExists",
    "Stalled",
    "StreamError",
    "StreamdError",
    "Timer",
    "TooManySessions",
    "ToolError",
    "TransportError",
    "Truncated",
]

Timer = Literal["first_chunk", "idle", "progress", "total"]
"""The timers that end in `Stalled`; see `streamd.Timeouts`. The fifth, `connect`, ends in `ConnectFailed`."""


class TransportError(StreamdError):
    """The request did not get through, or the response did not come back whole."""

    def __init__(self, message: str, *, phase: Phase | None = None) -> None:
        super().__init__(message)
        self.phase: Phase | None = phase


class ConnectFailed(TransportError):
    """No connection was made: the name, the refusal, the TLS handshake or the connect timer.

    Nothing was sent, so another attempt is safe; `retryable` is false where it would fail the same way (a
    certificate that does not verify). `which` is `connect` where that timer fired.
    """

    retryable: bool = True

    def __init__(
        self, message: str, *, retryable: bool = True, which: Literal["connect"] | None = None
    ) -> None:
        super().__init__(message, phase="connect")
        self.retryable = retryable
        self.which = which


class ConnectionLost(TransportError):
    """The connection broke after it was made; `phase` tells whether sending, awaiting the head, or in the body."""

    retryable = True


class Stalled(TransportError):
    """A timer fired. `which` names it, `seconds` is its setting."""

    retryable = True

    def __init__(self, which: Timer, seconds: float, *, phase: Phase | None = None) -> None:
        super().__init__(f"the {which} timer fired after {seconds:g} s", phase=phase)
        self.which: Timer = which
        self.seconds = seconds

    def __reduce__(self) -> tuple[object, ...]:
        return Stalled, (self.which, self.seconds), self.__dict__


class ProtocolViolation(TransportError):
    """What the server sent is not HTTP/1.1, breaks its rules, or passes our limits."""

    retryable = True


class RedirectRefused(TransportError):
    """The server answered with a redirect. It is never followed, as it would carry the key and the prompt away."""


class EncodingRefused(TransportError):
    """The response is compressed although it was asked for plain."""


class OutputError(StreamdError):
    """The answer came whole, but is not what `output_type` asked for.

    `path` leads to what does not fit, such as `$.items[2].price`; it is `$` where that is the answer itself. `text` is
    what the model said: its text, or the arguments of the call that was to be its answer. `stop_reason` is why its
    turn ended: `length`, `refusal`, `content_filter` and `max_rounds` are reasons of their own, and asking again is of
    no use there. `partial` is the whole message.
    """

    phase: Phase | None = "stream"

    def __init__(
        self, message: str, *, path: str = "$", text: str = "", stop_reason: StopReason | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.text = text
        self.stop_reason = stop_reason


class AdmissionError(StreamdError):
    """A runtime did not open a session. Nothing of it was started, and nothing was sent."""

    phase: Phase | None = "configure"


class TooManySessions(AdmissionError):
    """As many sessions live as the runtime may hold, and it does not wait; one more may be admitted later."""

    retryable = True


class SessionExists(AdmissionError):
    """A session of this id lives in the runtime: cancel it, or choose another id."""


class RuntimeClosed(AdmissionError):
    """The runtime's block has been left, or is being left: no session is opened in it any more."""


class ToolError(StreamdError, ValueError):
    """A tool cannot be declared or offered as it is: no type hints, a name twice, a result no JSON can hold."""


class ModelUnavailable(StreamdError):
    """The local model could not be fetched, or its server did not start or did not stay up.

    The message ends with the last lines that the process concerned wrote: the package installer's, or the server's.
    """

    phase: Phase | None = "configure"


class RecordingFailed(StreamdError):
    """A session could not be recorded: the file cannot be written, or the session was too long.

    It is never raised: the session goes on without, and tells it as `session.recording_error`.
    """


class ActorCrashed(StreamdError):
    """A part of the session raised something it never should: a bug, here or in a provider of your own.

    The exception itself is the `__cause__`.
    """
