"""A refused request as a typed error."""

import time
from email.utils import formatdate

import pytest

from streamd.providers import (
    APIError,
    AuthenticationError,
    BadRequestError,
    Context,
    Message,
    Options,
    OverloadedError,
    Provider,
    RateLimitError,
    Secret,
    ServerError,
)
from tests.support.services import anthropic, openai_chat

KEY = "zz-canary-0123456789"
PROVIDERS = [openai_chat("here", "http://127.0.0.1", Secret(KEY)), anthropic(api_key=Secret(KEY))]
each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=["openai-chat", "anthropic"])


@each_provider
@pytest.mark.parametrize(
    ("status", "body", "error", "message", "code"),
    [
        (
            401,
            b'{"error":{"message":"no","type":"x","code":"invalid_api_key"}}',
            AuthenticationError,
            "no",
            "invalid_api_key",
        ),
        (
            529,
            b'{"type":"error","error":{"type":"overloaded_error","message":"full"}}',
            OverloadedError,
            "full",
            "overloaded_error",
        ),
        (429, b'{"object":"error","message":"slow","code":42900}', RateLimitError, "slow", "42900"),
        (400, b'{"error":"bad model"}', BadRequestError, "bad model", None),
        (422, b'{"detail":[{"msg":"extra"}]}', BadRequestError, '[{"msg":"extra"}]', None),
        (
            502,
            b"<html><b>Bad\r\n\x1b[31mGateway</b></html>",
            ServerError,
            "<html><b>Bad [31mGateway</b></html>",
            None,
        ),
        (500, b"", ServerError, "the provider gave no message", None),
        (500, b"\xff\xfe", ServerError, "��", None),
    ],
)
def test_every_shape_of_body_is_read(
    provider: Provider, status: int, body: bytes, error: type[APIError], message: str, code: str | None
) -> None:
    """JSON of the known shapes, text and web pages give a message; the class follows the status and code."""
    caught = provider.error(status, {}, body)
    assert type(caught) is error
    assert caught.message == message
    assert caught.status_code == status
    assert caught.code == code
    assert caught.in_stream is False


@each_provider
def test_a_message_is_short(provider: Provider) -> None:
    """At most 300 characters of what was said are kept."""
    assert len(provider.error(500, {}, b"x" * 10_000).message) <= 300
    assert len(provider.error(500, {}, b'{"message":"' + b"x" * 10_000 + b'"}').message) == 300


@each_provider
@pytest.mark.parametrize("name", ["x-request-id", "request-id", "cf-ray"])
def test_the_request_is_named(provider: Provider, name: str) -> None:
    """The id that the provider's support asks for is kept, without control characters."""
    assert provider.error(500, {name: "req_1\x1b"}, b"").request_id == "req_1"
    assert provider.error(500, {}, b"").request_id is None


@each_provider
def test_the_wait_is_read(provider: Provider) -> None:
    """`retry_after` is in seconds, from a number or from a date."""
    assert provider.error(429, {"retry-after": "2"}, b"").retry_after == 2.0
    assert (
        provider.error(429, {"retry-after": formatdate(time.time() - 60, usegmt=True)}, b"").retry_after
        == 0.0
    )
    assert provider.error(429, {}, b"").retry_after is None


@each_provider
@pytest.mark.parametrize(
    ("status", "value", "retryable"),
    [
        (500, "false", False),
        (400, "true", True),
        (400, "false", False),
        (500, "true", True),
        (500, "perhaps", True),
        (400, "", False),
    ],
)
def test_the_provider_says_whether_to_retry(
    provider: Provider, status: int, value: str, *, retryable: bool
) -> None:
    """`x-should-retry` overrules what the status says."""
    assert provider.error(status, {"x-should-retry": value}, b"").retryable is retryable


@each_provider
@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        f"bad key {KEY[:8]}***********789",
        f"'{KEY}' is not known",
        "Incorrect API key provided: abc1234. You can find yours in the settings",
        "invalid: sk-proj-abcdef0123456789",
        "invalid: sk-ab****************wxyz!",
        "Authorization: Bearer abc1234",
        "API key: abc1234 is wrong",
        "invalid: AIzaabc1234abc1234",
    ],
)
def test_a_key_in_the_answer_is_masked(provider: Provider, text: str) -> None:
    """What the provider repeats of a key, its own mask included, is not shown again."""
    error = provider.error(
        401, {"request-id": KEY}, b'{"error":{"message":"%s","code":"%s"}}' % (text.encode(), KEY.encode())
    )
    for told in (str(error), repr(error), repr(vars(error))):
        assert KEY[:8] not in told
        assert "abc1234" not in told
        assert "sk-" not in told
    assert "***" in error.message


@pytest.mark.parametrize(
    "said",
    [
        "ollama has no task-based model",
        "bearer token required",
        "unknown key: seed",
        "No API key: give one",
        "1 hf-model",
    ],
)
def test_ordinary_words_are_left_alone(said: str) -> None:
    """Without a key of our own, or with one too short to be a key, what is no key stays."""
    for key in (None, Secret("key")):
        provider = openai_chat("ollama", "http://127.0.0.1", key)
        assert provider.error(404, {}, b'{"error":"%s"}' % said.encode()).message == said


@each_provider
@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/problem+json; charset=utf-8", "text/plain", "text/html", "", None],
)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b' \r\n{"error":{"message":"no"}}', "no"),
        (b'[{"error":{"message":"no"}}]', "no"),
        (b'{"type":"about:blank","title":"Bad","detail":"no"}', "no"),
        (b'{"error":{"message":"cu', '{"error":{"message":"cu'),
        (b"upstream is gone", "upstream is gone"),
    ],
)
def test_a_body_is_read_for_what_it_is(
    provider: Provider, content_type: str | None, body: bytes, message: str
) -> None:
    """The body itself tells whether it is JSON: a content type that is wrong or missing changes nothing."""
    headers = {} if content_type is None else {"content-type": content_type}
    assert provider.error(500, headers, body).message == message


@pytest.mark.parametrize("provider", [openai_chat("here", "http://127.0.0.1"), anthropic()])
def test_without_a_key_no_field_says_who_asks(provider: Provider) -> None:
    """A provider that has no key sends no field for one."""
    request = provider.request(Context((Message.user("Hi"),)), Options("m"))
    names = {name for name, _ in request.headers}
    assert names & {"authorization", "x-api-key", "api-key"} == set()
