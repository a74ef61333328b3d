"""Sessions over the wires of Ollama, Cohere and Mistral, with a scripted server."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from streamd import NotFoundError, ServerError, Text, Truncated, open_session, tool
from tests.support import cohere, ollama
from tests.support.decoding import named, sse
from tests.support.leaks import no_leaks
from tests.support.server import FIN, Script, chunked, response
from tests.support.sessions import KEY, read, scripted_network

ARGUMENTS = {"town": "Ulm"}


@tool
async def weather(town: str) -> str:
    """The weather of a town."""
    return f"{town}: rain"


def _mistral(*deltas: dict[str, Any], finish: str) -> bytes:
    choices = [{"index": 0, "delta": delta} for delta in deltas]
    last = {"index": 0, "delta": {"content": ""}, "finish_reason": finish}
    return sse(*({"id": "r", "choices": [choice]} for choice in [*choices, last]), "[DONE]")


_THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
_FUNCTION = {"name": "weather", "arguments": '{"town": "Ulm"}'}
TURNS: dict[str, bytes] = {
    "ollama": ollama.lines(
        ollama.said(thinking="Hm."),
        ollama.said(tool_calls=[{"function": {"name": "weather", "arguments": ARGUMENTS}}]),
        ollama.last(),
    ),
    "cohere": named(
        cohere.START,
        cohere.adds("tool-plan-delta", tool_plan="Hm."),
        *cohere.called(0, "weather", '{"town":', '"Ulm"}'),
        cohere.last("TOOL_CALL"),
    ),
    "mistral": _mistral(
        {"content": [_THOUGHT]},
        {"tool_calls": [{"index": 0, "id": "abc123DEF", "function": _FUNCTION}]},
        finish="tool_calls",
    ),
}
ANSWERS: dict[str, bytes] = {
    "ollama": ollama.lines(ollama.said(content="Rain."), ollama.last()),
    "cohere": named(cohere.START, cohere.adds("content-delta", 0, content={"text": "Rain."}), cohere.last()),
    "mistral": _mistral({"content": "Rain."}, finish="stop"),
}
SENT_BACK: dict[str, list[dict[str, Any]]] = {
    "ollama": [
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm.",
            "tool_calls": [{"function": {"name": "weather", "arguments": ARGUMENTS}}],
        },
        {"role": "tool", "content": "Ulm: rain", "tool_name": "weather"},
    ],
    "cohere": [
        {
            "role": "assistant",
            "tool_plan": "Hm.",
            "tool_calls": [
                {
                    "id": "weather_0",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"town":"Ulm"}'},
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "weather_0",
            "content": [{"type": "document", "document": {"data": {"output": "Ulm: rain"}}}],
        },
    ],
    "mistral": [
        {
            "role": "assistant",
            "content": [_THOUGHT],
            "tool_calls": [
                {
                    "id": "abc123DEF",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"town":"Ulm"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "abc123DEF", "content": "Ulm: rain"},
    ],
}
PATHS = {"ollama": "/api/chat", "cohere": "/v2/chat", "mistral": "/v1/chat/completions"}
each = pytest.mark.parametrize("name", sorted(TURNS))


def _model(name: str, url: str) -> Any:
    return (name, {"base_url": url, "api_key": KEY}), "m"


def _pieces(body: bytes) -> list[bytes]:
    return [body[at : at + 7] for at in range(0, len(body), 7)]


@each
@pytest.mark.parametrize("cut", [_pieces, lambda body: [body]])
async def test_a_tool_is_called(autojump_clock: Any, name: str, cut: Callable[[bytes], list[bytes]]) -> None:
    """A call runs its tool, and the next round sends back the turn and the tool's answer, in the wire's own words."""
    turn, final = (chunked(*cut(bodies[name])) for bodies in (TURNS, ANSWERS))
    async with no_leaks(), scripted_network([turn], [final]) as (network, client):
        async with open_session(
            _model(name, network.url), "Umbrella?", tools=[weather], client=client
        ) as session:
            answer = await session.response()
        first, second = (msgspec.json.decode(request.body) for request in network.requests)
        paths = [request.target for request in network.requests]
    assert answer.message.text == "Rain."
    assert answer.stop_reason == "stop"
    assert first["messages"] == [{"role": "user", "content": "Umbrella?"}]
    assert second["messages"][1:] == SENT_BACK[name]
    assert paths == [PATHS[name]] * 2


@each
async def test_a_clean_end_too_early_is_truncated(autojump_clock: Any, name: str) -> None:
    """A body that ends without the wire's own evidence is not whole, and what it said is delivered."""
    body = ANSWERS[name]
    cut = body.index(b"\n", body.index(b"Rain.")) + 2
    script: Script = [chunked(body[:cut])]
    async with scripted_network(script) as (network, client):
        async with open_session(_model(name, network.url), "Hi", client=client, retry=None) as session:
            chunks, error = await read(session)
    assert isinstance(error, Truncated)
    assert chunks[-1] == Text("Rain.")


async def test_an_error_line_ends_a_session(autojump_clock: Any) -> None:
    """Ollama's failures in the stream are typed, after what came before them."""
    body = ollama.lines(ollama.said(content="Well"), {"error": "the runner stopped"})
    async with scripted_network([chunked(body)]) as (network, client):
        async with open_session(_model("ollama", network.url), "Hi", client=client, retry=None) as session:
            chunks, error = await read(session)
    assert Text("Well") in chunks
    assert isinstance(error, ServerError)
    assert error.in_stream


async def test_a_model_that_is_not_there(autojump_clock: Any) -> None:
    """Ollama's refusal has its class and its words."""
    refusal = response(404, body=b'{"error":"model \'m\' not found"}')
    async with scripted_network([refusal, FIN]) as (network, client):
        async with open_session(_model("ollama", network.url), "Hi", client=client, retry=None) as session:
            _chunks, error = await read(session)
    assert isinstance(error, NotFoundError)
    assert "model 'm' not found" in str(error)
