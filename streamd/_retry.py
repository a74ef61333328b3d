"""Whether, and when, a failed attempt is made again."""

from __future__ import annotations

import math

from msgspec import Struct

from .errors import APIError, ConfigError, StreamdError

__all__ = ["Retry"]


class Retry(Struct, frozen=True, kw_only=True):
    """How failed attempts are repeated, as long as the consumer was given nothing of them.

    A session makes at most `max_retries` more attempts over all its rounds. The wait before one is drawn evenly from
    zero to `initial` doubled with each retry, at most `maximum` seconds ("full jitter"), and never less than what the
    provider asked for; where it asked for more than `max_retry_after` seconds the session fails at once.
    """

    max_retries: int = 2
    initial: float = 0.5
    maximum: float = 8.0
    max_retry_after: float = 120.0

    def __post_init__(self) -> None:
        seconds = ("initial", "maximum", "max_retry_after")
        if not (
            isinstance(getattr(self, "max_retries"), int)  # noqa: B009  (callers without a type checker)
            and all(isinstance(getattr(self, each), int | float) for each in seconds)
            and self.max_retries >= 0
            and 0 <= self.initial <= self.maximum < math.inf
            and self.max_retry_after >= 0
        ):
            raise ConfigError(
                "Retry needs a whole max_retries >= 0, 0 <= initial <= maximum, both finite, and "
                f"max_retry_after >= 0, not {self!r}"
            )

    def delay(self, error: StreamdError, retries: int, draw: float) -> float | None:
        """The seconds to wait before the next attempt, or None for no further attempt.

        Args:
            error: What ended the last attempt.
            retries: How many retries the session has made so far.
            draw: A number drawn evenly from [0, 1).
        """
        if not error.retryable or retries >= self.max_retries:
            return None
        asked = error.retry_after if isinstance(error, APIError) else None
        if asked is not None and (asked > self.max_retry_after or math.isinf(asked)):
            return None
        backoff = draw * min(self.maximum, self.initial * 2.0**retries)
        return max(asked or 0.0, backoff)
