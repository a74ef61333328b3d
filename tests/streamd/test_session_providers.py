"""Sessions with what a provider brings of its own: tokens that run out, and plugins' services."""

from typing import Any

import pytest

from streamd import AuthenticationError, ConfigError, ServerError, open_session, tool
from streamd.providers import FORMATS, Bearer, Secret, Service, TokenSource
from tests.support.chat import DONE, answer, call, finish
from tests.support.leaks import no_leaks
from tests.support.server import Script, chunked
from tests.support.sessions import KEY, read, scripted_network

TURN: Script = [chunked(call("weather", '{"city":"Oslo"}'), finish("tool_calls"), DONE)]
FINAL: Script = [chunked(answer("Rain."))]


@tool
async def weather(city: str) -> str:
    """The weather of a city."""
    return f"{city}: rain"


def refused(status: int) -> Script:
    """A refusal that repeats the token, as some servers do."""
    body = b'{"error": {"message": "no token ' + KEY.encode() + b'-1 here"}}'
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return [head.encode() + body]


class Login:
    """A login whose tokens are counted."""

    def __init__(self) -> None:
        self.asked = 0

    def token(self) -> str:
        """The next token."""
        self.asked += 1
        return f"{KEY}-{self.asked}"


async def test_every_round_asks_for_its_token(autojump_clock: Any) -> None:
    """A token is asked for with each request, not once for the session."""
    login = Login()
    async with no_leaks():
        async with scripted_network(TURN, FINAL) as (network, client):
            model: Any = ("openai-compatible", {"base_url": network.url, "auth_token": login.token}), "m"
            async with open_session(model, "Umbrella?", tools=[weather], client=client) as session:
                _chunks, error = await read(session)
            sent = [request.headers["authorization"] for request in network.requests]
    assert error is None
    assert sent == [f"Bearer {KEY}-1", f"Bearer {KEY}-2"]
    assert KEY not in repr(session)


async def test_a_token_that_is_refused_does_not_show(autojump_clock: Any) -> None:
    """What the server repeats of a token is masked, as a key is."""
    login = Login()
    async with scripted_network(refused(401)) as (network, client):
        service = Service("own", FORMATS["openai-chat"], network.url, Bearer(TokenSource(login.token)))
        async with open_session((service, "m"), "Hi", client=client, retry=None) as session:
            _chunks, error = await read(session)
    assert isinstance(error, AuthenticationError)
    assert KEY not in f"{error} {error!r} {vars(error)}"


async def test_a_login_that_fails_at_first_is_the_callers_error(autojump_clock: Any) -> None:
    """Where no token can be had, no request is made, and the block is not entered."""

    def fail() -> Secret:
        raise OSError("the login is gone")

    async with scripted_network(FINAL) as (network, client):
        model: Any = ("openai-compatible", {"base_url": network.url, "api_key": fail}), "m"
        with pytest.raises(ConfigError, match="the function that gives the key failed: OSError"):
            async with open_session(model, "Hi", client=client):
                raise AssertionError
        assert network.requests == []


async def test_a_login_that_fails_later_ends_the_session(autojump_clock: Any) -> None:
    """The error of a later round's token comes after every chunk before it."""
    given = iter([KEY])

    def once() -> str:
        try:
            return next(given)
        except StopIteration:
            raise ServerError("the login server is down") from None

    async with scripted_network(TURN, FINAL) as (network, client):
        model: Any = ("openai-compatible", {"base_url": network.url, "api_key": once}), "m"
        async with open_session(model, "Hi", tools=[weather], client=client, retry=None) as session:
            chunks, error = await read(session)
        assert len(network.requests) == 1
    assert type(chunks[-1]).__name__ == "ToolResult"
    assert isinstance(error, ServerError)
    assert "the login server is down" in str(error)
