"""Errors as a recording holds them, and as errors again."""

from __future__ import annotations

from collections.abc import Callable

from ._recording import Failure
from .errors import (
    ActorCrashed,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    Phase,
    ProtocolViolation,
    Stalled,
    StreamdError,
    Timer,
    TransportError,
)

__all__ = ["error_of", "failure_of"]

_CLASSES: dict[str, Callable[[str], StreamdError]] = {
    each.__name__: each
    for each in (ActorCrashed, ConfigError, ConnectFailed, ConnectionLost, ProtocolViolation)
}
"""What no byte of a body tells. The rest is raised anew by whoever reads the body."""


def failure_of(error: StreamdError) -> Failure:
    """What a recording keeps of an error; its message is not masked yet."""
    which: Timer | None = error.which if isinstance(error, Stalled) else None
    return Failure(
        error=type(error).__name__,
        message=str(error),
        phase=error.phase,
        retryable=error.retryable,
        timer=which,
        seconds=error.seconds if isinstance(error, Stalled) else None,
    )


def error_of(failure: Failure) -> StreamdError:
    """The error that was recorded."""
    phase: Phase | None = failure.phase
    if failure.timer is not None and failure.seconds is not None:
        return Stalled(failure.timer, failure.seconds, phase=phase)
    error = _CLASSES.get(failure.error, TransportError)(failure.message)
    error.phase = phase
    error.retryable = failure.retryable
    return error
