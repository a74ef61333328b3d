"""Whether, and when, a failed attempt is made again."""

from __future__ import annotations

import math
import re

from msgspec import Struct

from .errors import APIError, ConfigError, StreamdError

__all__ = ["Retry"]


TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What the name of a header field is made of (RFC 9110 section 5.1)."""


class Retry(Struct, frozen=True, kw_only=True):
    """How failed attempts are repeated: unseen, as long as the consumer was given nothing of the turn.

    The wait before a retry is drawn evenly from zero to `initial` doubled with each retry, at most `maximum` seconds
    ("full jitter"), and never less than what the provider asked for; where it asked for more than `max_retry_after`
    seconds there is none. `retryable` of the error says whether another attempt may succeed at all.

    Args:
        max_retries: How many more attempts a session makes, over all its rounds and models, of all kinds together.
        initial: Seconds: the longest first wait.
        maximum: Seconds: the longest wait of our own.
        max_retry_after: Seconds: the longest wait that a provider may ask for.
        restart: Whether a turn that breaks after output of it was given is asked for again, from its beginning. The
            stream then has a `Reset`, which voids what came of the turn. Only that turn is repeated: tools run once it
            is complete, and none is run twice. It is not repeated where the provider has run a tool of its own in it,
            or where its calls are the caller's to run and one was given.
        resume: Whether a response that goes on at the provider without a connection (OpenAI's `background`) is read on
            from where it broke. The consumer sees nothing of it: no chunk is missing, none comes twice.
        idempotency_header: The header field in which all attempts at one request carry the same random key, such as
            `"Idempotency-Key"`: for gateways that answer a request once, however often it comes. None for none.
    """

    max_retries: int = 2
    initial: float = 0.5
    maximum: float = 8.0
    max_retry_after: float = 120.0
    restart: bool = False
    resume: bool = True
    idempotency_header: str | None = None

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
        if not all(isinstance(getattr(self, each), bool) for each in ("restart", "resume")):
            raise ConfigError(f"Retry needs restart and resume to be True or False, not {self!r}")
        name = getattr(self, "idempotency_header")  # noqa: B009  (as above)
        if name is not None and not (isinstance(name, str) and TOKEN.fullmatch(name)):
            raise ConfigError(f"Retry.idempotency_header is the name of a header field or None, not {name!r}")

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
