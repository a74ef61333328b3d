"""The failures of which a provider tells by itself: what each is as a status, and which error it is."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["FAILURES", "Failure"]


class Failure(Struct, frozen=True):
    """One kind of failure.

    `name` is what the harness calls it, `status` the HTTP status it has before a stream, `error` the name of the class
    in `streamd.errors` it must become wherever it arrives, `retryable` whether the same request may succeed later.
    """

    name: str
    status: int
    error: str
    retryable: bool


FAILURES: dict[str, Failure] = {
    row.name: row
    for row in (
        Failure("overloaded", 529, "OverloadedError", retryable=True),
        Failure("rate_limit", 429, "RateLimitError", retryable=True),
        Failure("server_error", 500, "ServerError", retryable=True),
        Failure("invalid_request", 400, "BadRequestError", retryable=False),
        Failure("auth", 401, "AuthenticationError", retryable=False),
        Failure("not_found", 404, "NotFoundError", retryable=False),
    )
}
"""The kinds by name: those that every wire has words for."""
