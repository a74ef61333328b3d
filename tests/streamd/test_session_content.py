"""What a session is asked with besides its words, and turns that the provider pauses."""

from typing import Any

import msgspec
import pytest

from streamd import (
    CachePoint,
    ConfigError,
    File,
    Message,
    OutputError,
    Prompt,
    ServerToolCall,
    ServerToolResult,
    Stop,
    Text,
    ToolCall,
    open_session,
    stream,
)
from streamd._request_options import build_request
from streamd.providers import Context, resolve
from tests.support.chat import answer
from tests.support.decoding import named
from tests.support.server import Network, Script, chunked
from tests.support.sessions import chat_model, messages_model, read, scripted_network

SEARCH: dict[str, Any] = {"type": "web_search_20250305", "name": "web_search"}
CALL: dict[str, Any] = {
    "type": "server_tool_use",
    "id": "s1",
    "name": "web_search",
    "input": {"query": "ulm"},
}
RESULT: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}


def turn(*blocks: dict[str, Any], reason: str) -> Script:
    """A turn of Anthropic's messages with these blocks."""
    usage = {"input_tokens": 10, "output_tokens": 5}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"type": "message", "usage": usage}}]
    for index, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_stop", "index": index})
    events += [{"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"}]
    return [chunked(named(*events))]


def words(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": text}


PAUSED = turn(words("Looking."), CALL, reason="pause_turn")
RESUMED = turn(RESULT, words("Rain."), reason="end_turn")


def body(network: Network, place: int = 0) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(network.requests[place].body)


async def test_options_reach_the_request() -> None:
    """Log probabilities are asked for, and the provider's own tools declared."""
    async with scripted_network([chunked(answer("Hi."))]) as (network, client):
        await stream(chat_model(network.url), "Hi", client=client, logprobs=2, server_tools=[{"type": "x"}])
        sent = body(network)
    assert (sent["logprobs"], sent["top_logprobs"], sent["tools"]) == (True, 2, [{"type": "x"}])


async def test_a_prompt_is_cached_where_it_is_asked_for() -> None:
    """The option marks the prompt's end, a cache point its own place; a file goes beside it."""
    async with scripted_network(turn(words("Hi."), reason="end_turn")) as (network, client):
        prompt = Message.user(File("text/plain", b"long"), CachePoint(), "Hi")
        model = messages_model(network.url)
        await stream(model, prompt, system="S", client=client, cache="1h", server_tools=(SEARCH,))
        sent = body(network)
    document, question = sent["messages"][0]["content"]
    assert document["cache_control"] == {"type": "ephemeral"}
    long = {"type": "ephemeral", "ttl": "1h"}
    assert [b["cache_control"] for b in (question, sent["system"][0], sent["tools"][0])] == [long] * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"logprobs": "two"}, "an option of open_session cannot be used: Expected `int | null`, got `str`"),
        ({"cache": "2h"}, "an option of open_session cannot be used: Invalid enum value '2h'"),
        ({"server_tools": SEARCH}, "server_tools must be a list of declarations, not dict"),
        ({"server_tools": ["x"]}, "openai-compatible: server tool 0 is a mapping, not a str"),
    ],
)
async def test_options_of_a_wrong_type_are_named(options: dict[str, Any], message: str) -> None:
    """Nothing is sent."""
    async with scripted_network() as (network, client):
        with pytest.raises(ConfigError) as caught:
            await stream(chat_model(network.url), "Hi", client=client, **options)
        assert network.requests == []
    assert str(caught.value).startswith(message)


def test_one_request_is_asked_with_them_too() -> None:
    """What a stream server asks with has the same options; a context has its own tools."""
    provider = resolve(("openai-compatible", {"base_url": "http://x.test/v1"}))
    request = build_request(provider, "m", "Hi", {"logprobs": 0, "server_tools": [SEARCH]})
    sent = msgspec.json.decode(request.body)
    assert (sent["logprobs"], sent["tools"]) == (True, [SEARCH])
    context = Context((Message.user("Hi"),))
    for prompt, tools in ((context, [SEARCH]), ("Hi", SEARCH)):
        given: Any = {"server_tools": tools}
        asked: Prompt | Context = prompt
        with pytest.raises(ConfigError):
            build_request(provider, "m", asked, given)


async def test_a_paused_turn_goes_on() -> None:
    """The turn is sent back as it came, no tool of the caller's runs, and the answer is in one more message."""
    async with scripted_network(PAUSED, RESUMED) as (network, client):
        model = messages_model(network.url)
        async with open_session(model, "Rain?", server_tools=[SEARCH], client=client) as session:
            chunks, error = await read(session)
            response = await session.response()
            rounds = session.statistics().rounds
        again = body(network, 1)["messages"]
    assert error is None
    kept = [c for c in chunks if isinstance(c, Text | ServerToolCall | ServerToolResult | ToolCall | Stop)]
    assert [type(chunk).__name__ for chunk in kept] == [
        *("Text", "ServerToolCall", "Stop", "ServerToolResult", "Text", "Stop")
    ]
    assert again[1:] == [{"role": "assistant", "content": [words("Looking."), CALL]}]
    assert (response.text, response.stop_reason, rounds) == ("Rain.", "stop", 2)
    assert [message.role for message in response.messages] == ["user", "assistant", "assistant"]
    assert response.usage.total_tokens == 30


async def test_a_paused_turn_counts_as_a_round() -> None:
    """No request beyond `max_rounds` is made for it."""
    async with scripted_network(PAUSED) as (network, client):
        response = await stream(messages_model(network.url), "Rain?", client=client, max_rounds=1)
        assert len(network.requests) == 1
    assert response.stop_reason == "max_rounds"


async def test_a_paused_turn_is_left_to_the_caller() -> None:
    """Without `auto_tools` the caller is told, and can send the messages back."""
    async with scripted_network(PAUSED, RESUMED) as (network, client):
        model = messages_model(network.url)
        first = await stream(model, "Rain?", client=client, auto_tools=False)
        assert first.stop_reason == "pause"
        second = await stream(model, list(first.messages), client=client, auto_tools=False)
        assert body(network, 1)["messages"][1]["content"] == [words("Looking."), CALL]
    assert second.text == "Rain."


async def test_an_output_comes_after_the_pause() -> None:
    """A paused turn is not taken for the answer; where the rounds are over there is none."""
    final = turn(RESULT, words('{"rain":true}'), reason="end_turn")
    async with scripted_network(PAUSED, final, PAUSED) as (network, client):
        model = messages_model(network.url)
        response = await stream(model, "Rain?", client=client, output_type=dict[str, bool])
        assert response.output == {"rain": True}
        with pytest.raises(OutputError, match="max_rounds=1"):
            await stream(model, "Rain?", client=client, output_type=dict[str, bool], max_rounds=1)
