"""From a provider's codes, statuses and bodies to error classes."""

import pytest

from streamd.providers import (
    APIError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from streamd.providers._api_errors import api_error, parse_error_body


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, BadRequestError),
        (401, None, AuthenticationError),
        (402, None, QuotaError),
        (403, None, AuthenticationError),
        (404, None, NotFoundError),
        (408, None, ServerError),
        (409, None, ServerError),
        (413, None, BadRequestError),
        (422, "never heard of", BadRequestError),
        (425, None, ServerError),
        (429, None, RateLimitError),
        (429, "rate_limit_exceeded", RateLimitError),
        (429, "insufficient_quota", QuotaError),
        (400, "invalid_api_key", AuthenticationError),
        (400, "invalid_request_error", BadRequestError),
        (400, "model_not_found", NotFoundError),
        (500, None, ServerError),
        (500, "overloaded_error", OverloadedError),
        (503, None, OverloadedError),
        (529, None, OverloadedError),
        (599, None, ServerError),
        (302, None, ServerError),
        (None, None, ServerError),
        (None, "429", RateLimitError),
        (None, "1302", ServerError),
        (None, "context_length_exceeded", BadRequestError),
        (None, "RESOURCE_EXHAUSTED", RateLimitError),
        (None, "ThrottlingException", RateLimitError),
        (None, "InternalServerError", ServerError),
        (None, "authentication_error", AuthenticationError),
        (None, "never heard of", ServerError),
    ],
)
def test_code_and_status_give_the_class(status: int | None, code: str | None, kind: type[APIError]):
    """A code decides where there is no status, or where it says more than the status."""
    error = api_error(status=status, code=code, message="boo")
    assert type(error) is kind
    assert error.status_code == (kind.default_status if status is None else status)


def test_a_payment_that_names_a_time_to_wait_is_a_rate_limit():
    """OpenRouter's 402 with `Retry-After` passes by itself."""
    assert type(api_error(status=402, code=None, message="", retry_after=3.0)) is RateLimitError


def test_all_that_is_known_is_kept():
    """The error carries what it was made of, and says so where there is no message."""
    error = api_error(status=503, code="x", message="", request_id="r", retry_after=1.5, in_stream=True)
    assert (error.code, error.request_id, error.retry_after, error.in_stream) == ("x", "r", 1.5, True)
    assert str(error) == "the provider gave no message (status 503, code x, request r)"


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (
            b'{"error":{"message":"boo","type":"requests","code":"rate_limit_exceeded"}}',
            "boo",
            "rate_limit_exceeded",
        ),
        (
            b'{"error":{"message":"boo","type":"insufficient_quota","code":"new"}}',
            "boo",
            "insufficient_quota",
        ),
        (b'{"error":{"message":"boo","type":"x","code":null}}', "boo", "x"),
        (b'{"error":"model_not_found"}', "model_not_found", "model_not_found"),
        (b'{"error":"no such thing"}', "no such thing", None),
        (b'{"error":"model_not_found","message":"boo"}', "boo", "model_not_found"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"boo"}}', "boo", "overloaded_error"),
        (b'{"object":"error","message":"boo","type":"NotFoundError","code":404}', "boo", "NotFoundError"),
        (b'{"error":{"code":402,"message":"boo","metadata":{"error_type":"x"}}}', "boo", "x"),
        (b'{"error":{"code":402,"message":"boo"}}', "boo", "402"),
        (b'{"error":{"code":"1302","message":"boo"}}', "boo", "1302"),
        (
            b'[{"error":{"code":429,"message":"boo","status":"RESOURCE_EXHAUSTED"}}]',
            "boo",
            "RESOURCE_EXHAUSTED",
        ),
        (b'{"detail":[{"loc":["body"],"msg":"boo"}]}', '[{"loc":["body"],"msg":"boo"}]', None),
        (b'{"detail":"Not Found"}', "Not Found", None),
        (b'"boo"', "boo", None),
        (b"[]", "[]", None),
        (b"{}", "{}", None),
        (b'{"error":{"type":true,"message":""}}', '{"error":{"type":true,"message":""}}', None),
        (b"<html>\r\nboo\x00</html>", "<html> boo </html>", None),
        (b"", "", None),
    ],
)
def test_the_body_of_an_error_is_read_in_each_of_its_shapes(body: bytes, message: str, code: str | None):
    """The message and the most telling of the codes; of what is no error object, an excerpt."""
    assert parse_error_body(body) == (message, code)


def test_a_long_message_is_cut():
    """No message is longer than a thousand characters, no excerpt longer than two hundred."""
    assert len(parse_error_body(b'{"error":{"message":"' + b"x" * 5000 + b'"}}')[0]) == 1000
    assert len(parse_error_body(b"x" * 5000)[0]) == 200
