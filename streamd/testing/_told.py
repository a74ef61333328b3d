"""Failures as the many servers tell of them that speak a wire after their own fashion."""

from __future__ import annotations

from msgspec import Struct

from streamd.errors import ConfigError

from ._kind import Strike

__all__ = ["TOLD", "Told", "told_of"]


class Told(Struct, frozen=True):
    """One failure in the words that are common: its type, its code, its status, Google's status, and what it is.

    `error` is the name of a class in `streamd.errors`, `retryable` whether the same request may succeed later.
    """

    type: str
    code: str | None
    status: int
    google: str
    error: str
    retryable: bool = True


TOLD: dict[str, Told] = {
    "overloaded": Told("overloaded_error", "overloaded", 503, "UNAVAILABLE", "OverloadedError"),
    "rate_limit": Told(
        "rate_limit_error",
        "rate_limit_exceeded",
        429,
        "RESOURCE_EXHAUSTED",
        "RateLimitError",
    ),
    "api_error": Told("api_error", None, 500, "INTERNAL", "ServerError"),
    "server_error": Told("server_error", "server_error", 500, "INTERNAL", "ServerError"),
    "invalid_request": Told(
        "invalid_request_error",
        "invalid_request",
        400,
        "INVALID_ARGUMENT",
        "BadRequestError",
        retryable=False,
    ),
    "context_length": Told(
        "invalid_request_error",
        "context_length_exceeded",
        400,
        "INVALID_ARGUMENT",
        "BadRequestError",
        retryable=False,
    ),
    "auth": Told(
        "authentication_error",
        "invalid_api_key",
        401,
        "UNAUTHENTICATED",
        "AuthenticationError",
        retryable=False,
    ),
    "quota": Told(
        "insufficient_quota", "insufficient_quota", 402, "PAYMENT_REQUIRED", "QuotaError", retryable=False
    ),
    "unknown": Told("novel_error", "novel_code", 500, "NOVEL", "ServerError"),
}
"""The failures by name."""


def told_of(strike: Strike) -> Told:
    """The failure that a fault's value names; `overloaded` if it names none.

    Raises:
        ConfigError: There is none of that name.
    """
    name = strike.fault.value or "overloaded"
    if name not in TOLD:
        raise ConfigError(f"the fault {strike.fault}: the failures are {', '.join(TOLD)}")
    return TOLD[name]
