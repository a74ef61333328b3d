"""Who asks: keys and tokens in their headers, and nowhere else."""

import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streamd.providers import (
    FORMATS,
    Auth,
    AuthenticationError,
    Bearer,
    ConfigError,
    Context,
    KeyHeader,
    Message,
    NoAuth,
    Options,
    Secret,
    Service,
    TokenSource,
    resolve,
)

KEY = "zz-canary-0123456789"
ASK = Context((Message.user("hi"),))


def service(auth: Auth, name: str = "here") -> Service:
    """A server that is asked so."""
    return Service(name, FORMATS["openai-chat"], "https://x.test/v1", auth)


def sent(provider: Any) -> dict[str, str]:
    """The headers of a request, as they are sent."""
    headers = provider.request(ASK, Options("m")).headers
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers}


def tokens(*given: object) -> Callable[[], Any]:
    """A function that gives each of these in turn, and raises what is an exception."""
    queue = list(given)

    def ask() -> object:
        next_one = queue.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return next_one

    return ask


@pytest.mark.parametrize(
    ("auth", "fields"),
    [
        (Bearer(Secret(KEY)), {"authorization": f"Bearer {KEY}"}),
        (KeyHeader("api-key", Secret(KEY)), {"api-key": KEY}),
        (Bearer(TokenSource(lambda: KEY)), {"authorization": f"Bearer {KEY}"}),
        (KeyHeader("x-goog-api-key", TokenSource(lambda: Secret(KEY))), {"x-goog-api-key": KEY}),
        (NoAuth(), {}),
    ],
)
def test_each_way_has_its_header(auth: Auth, fields: dict[str, str]) -> None:
    """A key is sent in the one header it belongs to."""
    plain = sent(service(NoAuth()))
    assert {name: value for name, value in sent(service(auth)).items() if name not in plain} == fields


def test_a_token_is_asked_for_whenever_one_is_needed() -> None:
    """Every request has the token of its own moment; making the provider asks for none."""
    provider = service(Bearer(TokenSource(tokens("first", Secret("second")))))
    assert [sent(provider)["authorization"] for _ in range(2)] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("option", ["api_key", "auth_token"])
def test_a_function_may_be_given_as_a_key(option: str) -> None:
    """Either option takes a function, which `resolve` does not call."""
    provider = resolve(("groq", {option: tokens("first", "second")}), environ={})
    assert [sent(provider)["authorization"] for _ in range(2)] == ["Bearer first", "Bearer second"]


def test_a_key_goes_where_the_provider_wants_it_and_a_token_to_bearer() -> None:
    """The two options differ where the provider has a header of its own for keys."""
    assert sent(resolve(("anthropic", {"api_key": KEY}), environ={}))["x-api-key"] == KEY
    for token in (KEY, Secret(KEY), lambda: KEY):
        fields = sent(resolve(("anthropic", {"auth_token": token}), environ={"ANTHROPIC_API_KEY": "other"}))
        assert (fields["authorization"], fields.get("x-api-key")) == (f"Bearer {KEY}", None)


def test_a_key_and_a_token_are_one_too_many() -> None:
    """Which of the two is meant cannot be known."""
    with pytest.raises(
        ConfigError, match="anthropic: give one of the options `api_key` and `auth_token`, not both"
    ):
        resolve(("anthropic", {"api_key": KEY, "auth_token": KEY}), environ={})


async def later() -> str:
    """What is no plain function."""
    return KEY


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (tokens(KeyError(KEY)), "here: the function that gives the key failed: KeyError"),
        (later, "here: the function that gives the key is async: give a plain one"),
        (tokens(7), "here: the function that gives the key gave a int, not a text or a Secret"),
        (tokens(None), "here: the function that gives the key gave a NoneType, not a text or a Secret"),
        (tokens(""), "here: the key from the function that gives the key is empty"),
        (
            tokens(KEY + "\n"),
            "here: the key from the function that gives the key has an invalid character at position 20",
        ),
    ],
)
def test_a_function_that_gives_no_token_is_named(ask: Callable[[], Any], message: str) -> None:
    """The message says what it gave instead; what it raised is the cause."""
    with pytest.raises(ConfigError) as caught:
        sent(service(Bearer(TokenSource(ask))))
    assert str(caught.value) == message
    assert isinstance(caught.value.__cause__, KeyError | None)


def test_a_functions_own_typed_error_stays_what_it_is() -> None:
    """Who renews a token may say in streamd's own words why there is none."""
    refused = AuthenticationError("the login has expired")
    with pytest.raises(AuthenticationError) as caught:
        sent(service(Bearer(TokenSource(tokens(refused)))))
    assert caught.value is refused


def test_no_token_shows() -> None:
    """Not in what is made with it, nor in a refusal's frames, nor in what the server repeats of it."""
    source = TokenSource(tokens(KEY, KEY + "\n"))
    provider = service(Bearer(source))
    request = provider.request(ASK, Options("m"))
    assert source.last is not None
    assert KEY not in f"{source} {provider!r} {request!r} {request.url}"
    body = msgspec.json.encode({"error": {"message": f"bad token {KEY}", "type": "invalid"}})
    assert KEY not in str(provider.error(401, {"x-request-id": KEY}, body))
    with pytest.raises(ConfigError) as caught:
        provider.request(ASK, Options("m"))
    assert KEY not in "".join(
        line
        for frame in traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
        if "providers/_" in frame.filename
        for line in (frame.locals or {}).values()
    )


def test_what_was_never_asked_for_is_no_secret() -> None:
    """A refusal may come before any token was needed, or where none is."""
    for auth in (Bearer(TokenSource(lambda: KEY)), NoAuth()):
        assert service(auth).error(503, {}, b"busy").status_code == 503


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (Bearer(KEY), "here: the key from `key` is not wrapped: give Secret(...)"),  # type: ignore[arg-type]  # wrong on purpose
        (Bearer(Secret("")), "here: the key from `key` is empty"),
        (KeyHeader("x key", Secret(KEY)), "here: the name of the key's header is not a header's name"),
        (KeyHeader("connection", Secret(KEY)), "here: the header 'connection' is set by the transport"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(auth: Auth, message: str) -> None:
    """Before any request, and without showing it."""
    with pytest.raises(ConfigError) as caught:
        service(auth)
    assert str(caught.value) == message
