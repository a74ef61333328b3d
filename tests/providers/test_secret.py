"""A key shows nowhere."""

import base64
import logging
import pickle
import traceback
from urllib.parse import quote

import msgspec
import pytest

from streamd.providers import (
    ConfigError,
    Context,
    Message,
    Options,
    Provider,
    Secret,
    known_providers,
    resolve,
    resolve_model,
)
from tests.support.services import anthropic, openai_chat

KEY = "zz-canary/0123456789+abc"
FORMS = (
    KEY,
    KEY[:8],
    quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode()[:8],
    repr(KEY)[1:9],
)
ENVIRON = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}


def assert_hidden(*shown: object) -> None:
    """No form of the key is in what any of these shows of itself."""
    for thing in shown:
        for text in (str(thing), repr(thing), f"{thing}", f"{thing!r:>3}"):
            assert not [form for form in FORMS if form in text]


def test_a_secret_shows_nothing_of_itself() -> None:
    """Its text is where it is asked for, and nowhere else."""
    secret = Secret(KEY)
    assert secret.reveal() == KEY
    assert (str(secret), repr(secret), f"{secret}") == ("***", "***", "***")
    assert bool(secret)
    assert not Secret("")
    assert secret != Secret(KEY)
    for spill in (pickle.dumps, msgspec.json.encode, vars):
        with pytest.raises(TypeError) as caught:
            spill(secret)
        assert_hidden(caught.value)


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_key_shows_in_nothing_that_is_made_with_it(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Providers, requests, listings and log lines hold it without showing it."""
    provider = resolve((name, {"headers": {"x-other": KEY}}), environ=ENVIRON)
    options = Options("m")
    request = provider.request(Context((Message.user("hi"),)), options)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r %s", provider, request, vars(Secret))
    assert_hidden(provider, request, [provider], {"a": request}, request.url, request.body)
    assert_hidden(known_providers(ENVIRON), caplog.text)
    values = [value.reveal() for _name, value in request.headers if isinstance(value, Secret)]
    assert len([value for value in values if KEY in value]) == 2


@pytest.mark.parametrize(
    "provider",
    [
        ("openai", {"api_key": KEY + "\n"}),
        ("openai", {"api_key": KEY + "ü"}),
        ("openai", {"api_key": Secret(" " + KEY)}),
        ("openai", {"api_key": KEY, "base_url": f"https://x.test?key={KEY}"}),
        ("openai", {"api_key": KEY, "base_url": f"https://{KEY}@x.test"}),
        ("openai", {"api_key": KEY, "headers": {f"authorization: {KEY}": ""}}),
        ("openai", {"api_key": KEY, "headers": {"authorization": f"Bearer {KEY}\r\n"}}),
        ("openai", {"api_key": KEY, "path": f"/v1?token={KEY}"}),
        ("anthropic", {"api_key": KEY, "nothing": KEY}),
        ("nobody", {"api_key": KEY}),
        ("openai", KEY),
    ],
)
def test_a_key_shows_in_no_refusal(provider: object) -> None:
    """Whatever is wrong, no message, traceback or cause repeats a key."""
    with pytest.raises(ConfigError) as caught:
        resolve_model((provider, "m"), environ={})[0].request(Context((Message.user("hi"),)), Options("m"))  # type: ignore[arg-type] # some are wrong on purpose
    error: BaseException | None = caught.value
    while error is not None:
        assert_hidden(error, error.args, vars(error))
        assert_hidden("".join(traceback.format_exception_only(error)))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(
    "provider", [openai_chat("a", "http://x.test", Secret(KEY)), anthropic(api_key=Secret(KEY))]
)
def test_a_key_that_comes_back_is_not_shown(provider: Provider) -> None:
    """A server that repeats the key, whole or in part, does not get it into the error."""
    for said in (KEY, KEY[:10] + "****", f"key={KEY}", f"'{KEY}'"):
        body = msgspec.json.encode({"error": {"message": f"bad key {said} given", "type": said}})
        error = provider.error(401, {"x-request-id": said, "authorization": KEY}, body)
        assert_hidden(error, error.message, vars(error))
        assert_hidden(provider.error(401, {}, said.encode()))
