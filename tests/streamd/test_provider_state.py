"""What a provider keeps on its own side: given back with each request, and with the response."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import trio
from msgspec.structs import replace

from streamd import ConfigError, Message, Metadata, Text, Truncated, open_session, stream
from streamd.providers import APIError, Context, Decoder, HTTPRequest, Options, Provider, resolve
from tests.support.chat import DONE, call, event
from tests.support.leaks import no_leaks
from tests.support.server import KEEP_OPEN, Network, Script, chunked
from tests.support.sessions import KEY, chat_model, scripted_network


class Remembering:
    """A provider of somebody else's: it speaks chat completions, and keeps each response under its id."""

    name = "remembering"

    def __init__(self, url: str) -> None:
        self._inner: Provider = resolve(("openai-compatible", {"base_url": url, "api_key": KEY}))

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        return self._inner.request(context, replace(options, extra_body=context.provider_state))

    def decoder(self) -> Decoder:
        return self._inner.decoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        return self._inner.error(status, headers, body)

    def state(self, metadata: Metadata, /) -> Mapping[str, Any]:
        return {"previous_response_id": metadata.response_id} if metadata.response_id else {}


def turn(id: str | None, *, finish: str | None = "stop", **delta: Any) -> bytes:
    """An event of a response with this id."""
    return event(
        **({"id": id} if id else {}), choices=[{"index": 0, "delta": delta, "finish_reason": finish}]
    )


def looks(id: str) -> Script:
    """A turn that calls a tool."""
    (line, _) = call("look", "").split(b"\n\n", 1)
    delta: dict[str, Any] = msgspec.json.decode(line.removeprefix(b"data: "))["choices"][0]["delta"]
    return [chunked(turn(id, finish="tool_calls", **delta), DONE)]


def final(id: str | None) -> Script:
    """A turn that answers."""
    return [chunked(turn(id, content="Done."), DONE)]


def look() -> str:
    """Look."""
    return "seen"


def told(network: Network) -> list[str | None]:
    """The id that each request gave back."""
    return [msgspec.json.decode(request.body).get("previous_response_id") for request in network.requests]


def model(network: Network) -> Any:
    """A model of the provider."""
    return Remembering(network.url), "tiny-1"


async def test_each_round_is_given_the_last_ones_state() -> None:
    """The first request has none, each further one the id of the response before, and the response the last id."""
    async with scripted_network(looks("r1"), looks("r2"), final("r3")) as (network, client):
        response = await stream(model(network), "Hi", tools=[look], client=client)
        assert told(network) == [None, "r1", "r2"]
    assert response.provider_state == {"previous_response_id": "r3"}


async def test_a_session_goes_on_with_the_state_of_another() -> None:
    """What a response gave is taken back by the next session, and its first request has it."""
    async with scripted_network(final("r1"), looks("r2"), final("r3")) as (network, client):
        first = await stream(model(network), "Hi", client=client)
        prompt = [*first.messages, Message.user("And?")]
        second = await stream(
            model(network), prompt, tools=[look], client=client, provider_state=first.provider_state
        )
        assert told(network) == [None, "r1", "r2"]
    assert second.provider_state == {"previous_response_id": "r3"}
    assert [message.role for message in second.messages] == ["user", "assistant", "tool", "assistant"]


async def test_a_turn_without_an_id_ends_the_state() -> None:
    """A state is that of the last turn: one the provider did not name cannot be built on."""
    async with scripted_network(looks("r1"), final(None)) as (network, client):
        response = await stream(model(network), "Hi", tools=[look], client=client)
        assert told(network) == [None, "r1"]
    assert response.provider_state == {}


async def test_a_turn_that_was_cut_leaves_the_state_before() -> None:
    """Neither a failed nor a cancelled turn gives a state; with no turn complete it is what the session was given."""
    half = turn("r9", content="Ha", finish=None)
    cut: Script = [chunked(half, last=False), KEEP_OPEN]
    async with scripted_network(looks("r1"), cut) as (network, client), no_leaks():
        async with open_session(model(network), "Hi", tools=[look], client=client) as session:
            async for chunk in session:
                if chunk == Text("Ha"):
                    session.cancel()
            cancelled = await session.response()
    assert cancelled.provider_state == {"previous_response_id": "r1"}
    async with scripted_network([chunked(half)]) as (network, client):
        given = {"previous_response_id": "r0"}
        async with open_session(
            model(network), "Hi", client=client, provider_state=given, retry=None
        ) as session:
            with pytest.raises(Truncated):
                await session.response()
        assert told(network) == ["r0"]


async def test_a_provider_that_keeps_nothing_is_asked_for_nothing() -> None:
    """Without the method `state` a provider has an empty one."""
    async with scripted_network(final("r1")) as (network, client):
        response = await stream(chat_model(network.url), "Hi", client=client)
        assert told(network) == [None]
    assert response.provider_state == {}


async def test_a_state_is_a_mapping() -> None:
    """Anything else is refused before anything is sent."""
    async with scripted_network(final("r1")) as (network, client):
        state: Any = "r1"
        with pytest.raises(ConfigError, match="provider_state must be a mapping, not str"):
            await stream(model(network), "Hi", client=client, provider_state=state)
        assert network.requests == []
        await trio.lowlevel.checkpoint()
