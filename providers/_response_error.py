"""A response whose status is an error, as a typed error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from ._api_errors import api_error, body_retry_after, parse_error_body
from ._excerpt import excerpt
from ._redact import redact
from ._retry_after import retry_after
from ._secret import Secret
from .errors import APIError

__all__ = ["response_error"]

_REQUEST_IDS = (
    "x-request-id",
    "request-id",
    "anthropic-request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-generation-id",
    "cf-ray",
)
_MESSAGE = 300  # characters of the provider's own words that are kept
_SHOULD_RETRY = {"true": True, "false": False}


def response_error(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]
) -> APIError:
    """The typed error for a response that is not 200.

    The message is the provider's own, at most 300 characters without control characters, and with anything like a
    key masked. `x-should-retry` (OpenAI's and Anthropic's) overrules `retryable`.

    Args:
        status: The HTTP status.
        headers: The response's headers, with lower-case names.
        body: What was read of the response's body; JSON of any shape, text or a web page.
        secrets: What was sent and must not show, as some answers repeat it.
    """
    hidden = tuple(secrets)
    message, code = parse_error_body(body)
    request_id = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), None)
    wait = retry_after(headers, time.time())
    error = api_error(
        status=status,
        code=None if code is None else redact(code, hidden),
        message=_short(redact(message, hidden)),
        request_id=None if request_id is None else _short(redact(request_id, hidden)),
        retry_after=body_retry_after(body) if wait is None else wait,
    )
    error.retryable = _SHOULD_RETRY.get(headers.get("x-should-retry", ""), error.retryable)
    return error


def _short(text: str) -> str:
    return excerpt(text.encode("utf-8", "replace"), _MESSAGE)
