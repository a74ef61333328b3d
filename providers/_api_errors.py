"""Which class an API error has: by the provider's own code first, by the HTTP status after it.

The codes are those of OpenAI (platform.openai.com/docs/guides/error-codes), Anthropic
(docs.anthropic.com/en/api/errors), OpenRouter (openrouter.ai/docs/api/reference/errors-and-debugging), Google
(google.rpc.Code) and Bedrock (its exceptions), which the compatible servers repeat.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._excerpt import excerpt
from ._json import UNREADABLE, as_list, as_object, as_text, load
from ._retry_after import retry_delay
from .errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
)

__all__ = [
    "api_error",
    "body_retry_after",
    "error_fields",
    "in_stream_error",
    "is_error_object",
    "parse_error_body",
]

_NAMES: dict[type[APIError], str] = {
    AuthenticationError: """
        access_denied account_deactivated api_key_invalid authentication forbidden invalid_api_key
        invalid_authentication permission permission_denied unauthenticated unauthorized
    """,
    BadRequestError: """
        bad_request content_filter content_policy_violation context_length_exceeded exceed_context_size
        failed_precondition invalid_argument invalid_prompt invalid_request out_of_range request_too_large
        string_above_max_length tool_use_failed unprocessable_entity unsupported_parameter unsupported_value validation
        empty_image_file failed_to_download_image image_content_policy_violation image_file_not_found
        image_file_too_large image_parse image_too_large image_too_small invalid_base64_image invalid_image
        invalid_image_format invalid_image_mode invalid_image_url unsupported_image_media_type
    """,
    NotFoundError: "deployment_not_found model_not_found not_found resource_not_found",
    # Google says RESOURCE_EXHAUSTED both for a rate and for a spent quota; its advice is to wait
    RateLimitError: """
        rate_limit rate_limit_exceeded rate_limit_reached rate_limited requests resource_exhausted throttling tokens
        too_many_requests
    """,
    QuotaError: """
        billing billing_hard_limit_reached billing_not_active exceeded_current_quota insufficient_balance
        insufficient_credits insufficient_quota payment_required service_quota_exceeded
    """,
    OverloadedError: """
        engine_overloaded insufficient_system_resource model_not_ready model_overloaded overloaded service_unavailable
        slow_down unavailable
    """,
    ServerError: """
        abort aborted api cancelled data_loss deadline_exceeded internal internal_server model model_stream
        model_timeout network server timeout upstream vector_store_timeout
    """,
}


def _plain(code: str) -> str:
    """A code without case, underscores and the words `error` and `exception` at its end."""
    return code.lower().replace("_", "").replace("-", "").removesuffix("error").removesuffix("exception")


_CODES = {_plain(name): kind for kind, names in _NAMES.items() for name in names.split()}

_STATUSES: dict[int, type[APIError]] = {
    401: AuthenticationError,
    402: QuotaError,
    403: AuthenticationError,
    404: NotFoundError,
    408: ServerError,
    409: ServerError,
    424: ServerError,  # Bedrock's, where the model failed
    425: ServerError,
    429: RateLimitError,
    499: ServerError,  # Google's, where what it asked of its own servers was cancelled
    503: OverloadedError,
    529: OverloadedError,
}

_SPECIFIC = (QuotaError, OverloadedError, NotFoundError, AuthenticationError)
"""Classes a code may give to an answer whose status says something more general."""


def api_error(
    *,
    status: int | None,
    code: str | None,
    message: str,
    request_id: str | None = None,
    retry_after: float | None = None,
    in_stream: bool = False,
) -> APIError:
    """The typed error for what a provider said.

    A known `code` decides the class where there is no status, and where it says more than the status does (a 429
    that is a spent quota, a 500 that is an overload). Otherwise the status decides. An answer of 402 that names a
    time to wait is a rate limit.

    Args:
        status: The HTTP status, or the status named inside a 200 stream; None where neither is known.
        code: The provider's own code or type; numbers are given as text.
        message: What the provider said.
        request_id: What the provider's support asks for.
        retry_after: Seconds the provider asked to wait.
        in_stream: Whether the error arrived inside a 200 stream.
    """
    by_code = _class_of_code(code)
    by_status = _class_of_status(status) if status is not None else None
    chosen = by_status or by_code or ServerError
    if by_status is not None and by_code is not None and issubclass(by_code, _SPECIFIC):
        chosen = by_code
    if chosen is QuotaError and status == 402 and retry_after is not None:
        chosen = RateLimitError
    return chosen(
        message or "the provider gave no message",
        status_code=status,
        code=code,
        request_id=request_id,
        retry_after=retry_after,
        in_stream=in_stream,
    )


def in_stream_error(body: bytes, *, request_id: str | None = None) -> APIError:
    """The typed error for an error object that arrived in the body of a 200 answer, whatever its shape."""
    try:
        data = load(body)
    except UNREADABLE:
        data = None
    message, code, status = error_fields(data)
    request_id = as_text(as_object(data).get("request_id")) or request_id
    return api_error(
        status=status,
        code=code,
        message=message or excerpt(body),
        request_id=request_id,
        retry_after=retry_delay(data),
        in_stream=True,
    )


def is_error_object(data: bytes) -> bool:
    """Whether an event that is none of its wire's is the object by which vLLM and SGLang report an error on any."""
    return b'"object"' in data and as_object(load(data)).get("object") == "error"


def body_retry_after(body: bytes) -> float | None:
    """The seconds to wait that an error's body asks for, or None. Never raises."""
    try:
        return retry_delay(load(body))
    except UNREADABLE:
        return None


def parse_error_body(body: bytes) -> tuple[str, str | None]:
    """The message and the code of an error's body, whatever its shape.

    Takes `{"error": {...}}`, `{"error": "..."}`, `{"object": "error", ...}`, `{"type": "error", "error": {...}}`,
    `{"message": ...}`, `{"detail": ...}` (FastAPI's, list or text) and a list holding one of them (Google's). Of
    anything else the message is a short sanitised excerpt. Never raises.
    """
    try:
        data = load(body)
    except UNREADABLE:
        return excerpt(body), None
    message, code, status = error_fields(data)
    return message or excerpt(body), code or (None if status is None else str(status))


def error_fields(data: object) -> tuple[str | None, str | None, int | None]:
    """The message, the code and the status of an error object as decoded from JSON; each None where it has none.

    Of several names for the kind of error the one that is in the table of codes is taken, else the first. A number
    from 400 to 599 is a status.
    """
    data = next(iter(as_list(data)), data)
    if isinstance(data, str):
        return _quoted(data), None, None
    outer = as_object(data)
    error = outer.get("error")
    told = as_text(error)
    inner = as_object(error) or outer
    message = _message(inner) or _message(outer) or (told and _quoted(told))
    found = [as_object(detail).get("reason") for detail in as_list(inner.get("details"))]  # Google's
    found += [inner.get(key) for key in ("code", "type", "status", "status_code")]
    found.append(as_object(inner.get("metadata")).get("error_type"))  # OpenRouter's
    found.append(told if told is not None and _plain(told) in _CODES else None)
    names = [
        str(name)
        for name in found
        if isinstance(name, str | int) and not isinstance(name, bool) and name != ""
    ]
    status = next((number for name in names if 400 <= (number := _number(name)) <= 599), None)
    texts = [name for name in names if not _number(name) and name != "error"]
    numbers = [name for name in names if _number(name) not in (0, status)]
    code = next((name for name in texts if _plain(name) in _CODES), next(iter(texts + numbers), None))
    return message, None if code is None else _quoted(code, 80), status


def _message(data: dict[str, Any]) -> str | None:
    for key in ("message", "detail", "error_message"):
        value = data.get(key)
        if isinstance(value, str) and value:
            return _quoted(value)
        if found := as_list(value) or as_object(value):
            return excerpt(msgspec.json.encode(found), 1000)
    return None


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= 9 else 0


def _quoted(text: str, limit: int = 1000) -> str:
    return excerpt(text.encode("utf-8", "replace"), limit)


def _class_of_code(code: str | None) -> type[APIError] | None:
    if code is None:
        return None
    return _class_of_status(_number(code)) or _CODES.get(_plain(code))


def _class_of_status(status: int) -> type[APIError] | None:
    known = _STATUSES.get(status)
    if known is None and 400 <= status <= 499:
        return BadRequestError
    if known is None and 500 <= status <= 599:
        return ServerError
    return known
