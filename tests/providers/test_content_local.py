"""Rich conversations with a real server: it takes what two wires write, and its answer is read."""

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

from streamd._local_server import LocalServer
from streamd.providers import (
    FORMATS,
    WIRES,
    CachePoint,
    CacheTime,
    Chunk,
    Citation,
    Context,
    LogProbs,
    Message,
    Options,
    ScoredToken,
    ServerToolCall,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    fold,
)
from tests.support.conversations import REPORT, TOOLS

PATHS = {"openai-chat": "/v1/chat/completions", "anthropic-messages": "/v1/messages"}
RICH = Context(
    (
        Message.system("Answer in one word."),
        Message("user", (Text("Look at"), CachePoint("1h"), Text("the weather in Ulm, and at the clock."))),
        Message(
            "assistant",
            (
                Thinking("Both at once.", "c2ln"),
                ServerToolCall("s_1", "search", {}, "another wire", {"type": "unknown here"}),
                Text("I will look."),
                Citation("https://x.test", "A source"),
                ToolCall(0, "call_1", "weather", {"town": "Ulm"}),
                ToolCall(1, "call_2", "now", {}),
            ),
        ),
        Message("tool", (ToolResult("call_1", "weather", "rain"),)),
        Message("tool", (ToolResult("call_2", "now", "the clock is broken", is_error=True),)),
    ),
    system="Be brief.",
    tools=TOOLS,
)


def answer(server: LocalServer, wire: str, context: Context, **options: Any) -> list[Chunk]:
    """The chunks that the server answers with."""
    form = FORMATS[wire]
    body = form.body("local", context, Options(server.model, **options), form.quirks)
    address = urlsplit(server.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        connection.request("POST", PATHS[wire], body, {"content-type": "application/json"})
        response = connection.getresponse()
        decoder = WIRES[wire]()
        chunks: list[Chunk] = []
        while data := response.read1(200):
            chunks += decoder.feed(data)
        assert response.status == 200
        return [*chunks, *decoder.close()]
    finally:
        connection.close()


@pytest.mark.parametrize("cache", [None, "5m"])
@pytest.mark.parametrize("wire", PATHS)
def test_a_real_server_takes_a_rich_conversation(
    wire: str, cache: CacheTime | None, local_server: LocalServer
) -> None:
    """Calls, results, thinking, cache points and what is left out; and its answer can be sent back."""
    chunks = answer(local_server, wire, RICH, max_tokens=8, temperature=0.0, cache=cache)
    assert isinstance(chunks[-1], Stop)
    told = fold(chunks)
    again = Context((*RICH.messages, told, Message.user("Thank you.")), RICH.system, RICH.tools)
    assert isinstance(answer(local_server, wire, again, max_tokens=4)[-1], Stop)


@pytest.mark.parametrize("wire", PATHS)
def test_a_real_server_takes_an_outputs_shape(wire: str, local_server: LocalServer) -> None:
    """It is no reason to refuse."""
    context = Context((Message.user("Does it rain?"),), system="Be brief.")
    assert isinstance(answer(local_server, wire, context, max_tokens=4, output=REPORT)[-1], Stop)


def test_a_real_server_gives_log_probabilities(local_server: LocalServer) -> None:
    """Each token of the text has one, with so many of the most likely ones in its place."""
    context = Context((Message.user("Name a colour."),))
    chunks = answer(local_server, "openai-chat", context, max_tokens=6, temperature=0.0, logprobs=2)
    scored = [token for chunk in chunks if isinstance(chunk, LogProbs) for token in chunk.tokens]
    assert all(isinstance(token, ScoredToken) and token.logprob <= 0 for token in scored)
    assert [len(token.top) for token in scored] == [2] * len(scored)
    assert fold(chunks).text
    assert "".join(token.token for token in scored).startswith(fold(chunks).text)
