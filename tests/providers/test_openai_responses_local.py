"""The Responses API with a real server: it takes what is written, and its answer is read."""

import http.client
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from streamd._local_server import LocalServer
from streamd.providers import (
    Chunk,
    Context,
    Message,
    Metadata,
    Options,
    OutputSpec,
    ResponsesQuirks,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
    fold,
)
from streamd.providers._openai_responses_request import openai_responses_body
from streamd.providers._openai_responses_resume import ResponsesDecoder
from tests.support.conversations import TOOLS

QUIRKS = ResponsesQuirks(reasoning="content", output="json_schema")


def answer(server: LocalServer, context: Context, **options: Any) -> list[Chunk]:
    """The chunks that the server answers with."""
    body = openai_responses_body("local", context, Options(server.model, **options), QUIRKS)
    address = urlsplit(server.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        path = f"{address.path.removesuffix('/v1').rstrip('/')}/v1/responses"
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        decoder = ResponsesDecoder()
        chunks: list[Chunk] = []
        while data := response.read1(200):
            chunks += decoder.feed(data)
        assert response.status == 200
        return [*chunks, *decoder.close()]
    finally:
        connection.close()


CONVERSATIONS = {
    "a question": Context((Message.user("Name a colour."),), system="Be brief."),
    "a conversation": Context(
        (
            Message.system("Answer in one word."),
            Message.user("Name a colour."),
            Message("assistant", (Thinking("Any will do.", None, "rs_1"), Text("Red."))),
            Message.user("And ", "another?"),
        )
    ),
    "tools": Context(
        (
            Message.user("What is the weather in Ulm?"),
            Message("assistant", (Text("I will look."), ToolCall(0, "call_1", "weather", {"town": "Ulm"}))),
            Message.tool(ToolResult("call_1", "weather", "rain")),
        ),
        tools=TOOLS,
    ),
}


@pytest.mark.parametrize("context", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_real_server_takes_it_and_is_understood(context: Context, local_server: LocalServer) -> None:
    """Its text comes in pieces that make the whole, with counts, and the terminal event ends it."""
    chunks = answer(local_server, context, max_tokens=16, temperature=0.0)
    pieces = [chunk.text for chunk in chunks if isinstance(chunk, Text)]
    assert len(pieces) > 1
    assert isinstance(chunks[0], Metadata)
    assert isinstance(chunks[-1], Stop)
    usage = next(chunk for chunk in chunks if isinstance(chunk, Usage))
    assert usage.input_tokens > 0
    assert 0 < usage.output_tokens <= 16
    told = fold(chunks)
    assert told.text == "".join(pieces)
    again = Context((*context.messages, told, Message.user("Thank you.")), context.system, context.tools)
    assert isinstance(answer(local_server, again, max_tokens=4)[-1], Stop)


def test_a_real_server_takes_every_option(local_server: LocalServer) -> None:
    """An output's shape, a choice of tools and a bound on the tokens are no reason to refuse."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    context = Context((Message.user("Count."),), tools=TOOLS)
    options: dict[str, Any] = {"output": OutputSpec("count", schema), "tool_choice": "auto", "top_p": 0.9}
    assert isinstance(answer(local_server, context, max_tokens=4, **options)[-1], Stop)


def test_a_document_from_a_real_server(local_server: LocalServer) -> None:
    """Asked not to stream, it answers with the response itself."""
    asked = {"extra_body": {"stream": False}, "max_tokens": 4}
    chunks = answer(local_server, CONVERSATIONS["a question"], **asked)
    assert isinstance(chunks[-1], Stop)
    assert fold(chunks).text
    assert msgspec.json.encode(fold(chunks))
