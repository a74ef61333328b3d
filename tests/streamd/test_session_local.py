"""Sessions with a real model: the local server answers two of the wires over real sockets."""

from typing import Any

import pytest

from streamd import (
    BadRequestError,
    Message,
    Metadata,
    NotFoundError,
    Stop,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    open_runtime,
    open_session,
    stream,
    tool,
)
from streamd._local_server import LocalServer
from tests.support.leaks import no_leaks

PROMPT = "Name three colours."


def wires(server: LocalServer) -> list[tuple[str, Any]]:
    """The model by each wire it is spoken to."""
    return [
        ("openai-chat", (server.provider, server.model)),
        (
            "anthropic-messages",
            (("anthropic", {"base_url": server.base_url, "api_key": "none"}), server.model),
        ),
    ]


@pytest.fixture(params=["openai-chat", "anthropic-messages"])
def model(request: pytest.FixtureRequest, local_server: LocalServer) -> Any:
    """The real model, by one wire after the other."""
    return dict(wires(local_server))[request.param]


async def test_a_real_answer_streams_token_by_token(model: Any) -> None:
    """Many pieces of text come, in order, then a stop that counts them, and nothing stays behind."""
    async with no_leaks():
        async with open_session(model, PROMPT, max_tokens=40, temperature=0.0) as session:
            chunks = [chunk async for chunk in session]
            answered = await session.response()
    pieces = [chunk.text for chunk in chunks if isinstance(chunk, Text)]
    assert len(pieces) > 3
    assert "".join(pieces) == answered.text
    assert isinstance(chunks[0], Metadata | Usage)
    assert isinstance(chunks[-1], Stop)
    assert answered.stop_reason in ("stop", "length")
    assert answered.usage.input_tokens > 0
    assert 0 < answered.usage.output_tokens <= 40


async def test_max_tokens_ends_a_turn_with_its_reason(model: Any) -> None:
    """A turn cut by its limit is complete, and says why."""
    answered = await stream(model, "Count from one to a hundred.", max_tokens=5, temperature=0.0)
    assert answered.stop_reason == "length"
    assert answered.usage.output_tokens == 5


async def test_a_conversation_goes_on(model: Any) -> None:
    """What was answered can be sent back with the next question."""
    first = await stream(model, PROMPT, max_tokens=20, temperature=0.0, system="Be brief.")
    second = await stream(model, [*first.messages, Message.user("And one more?")], max_tokens=20)
    assert second.usage.input_tokens > first.usage.input_tokens
    assert [message.role for message in second.messages] == ["user", "assistant"]


async def test_leaving_early_frees_the_server(model: Any) -> None:
    """A consumer that leaves after the first word can ask again at once."""
    for _ in range(3):
        async with open_session(model, "Tell me a very long story.", max_tokens=2000) as session:
            async for _ in session.text_stream:
                break
    assert (await stream(model, PROMPT, max_tokens=5)).text


@tool
async def colour(name: str) -> str:
    """Look a colour up."""
    return f"{name} is a colour"


async def test_tools_are_accepted(model: Any) -> None:
    """The server takes the request with tools; whether so small a model calls one is its own choice."""
    answered = await stream(
        model, "Look up red.", tools=[colour], max_tokens=60, temperature=0.0, max_rounds=2
    )
    assert answered.stop_reason in ("stop", "length", "tool_calls", "max_rounds")


async def test_tool_results_are_accepted(model: Any) -> None:
    """A conversation with a call and its result in it is answered."""
    history = [
        Message.user("Look up red."),
        Message("assistant", (ToolCall(0, "call_1", "colour", {"name": "red"}),)),
        Message("tool", (ToolResult("call_1", "colour", "red is a colour"),)),
    ]
    answered = await stream(model, history, tools=[colour], max_tokens=10, temperature=0.0)
    assert answered.usage.output_tokens > 0


async def test_a_bad_path_and_a_bad_request_are_typed(local_server: LocalServer) -> None:
    """What the real server refuses has the class of its status."""
    with pytest.raises(NotFoundError):
        await stream(
            (("openai-compatible", {"base_url": f"{local_server.base_url}/nowhere"}), "x"), PROMPT, retry=None
        )
    with pytest.raises(BadRequestError):
        await stream(
            (local_server.provider, local_server.model), PROMPT, extra_body={"temperature": "hot"}, retry=None
        )


@pytest.mark.parametrize("model", ["local", ("local", "")])
async def test_local_serves_itself_for_the_session(model: Any) -> None:
    """`"local"` starts a server, and its process is gone with the session."""
    async with no_leaks():
        async with open_session(model, PROMPT, max_tokens=5, temperature=0.0) as session:
            assert repr(session).startswith("<streamd.Session local:SmolLM2-135M")
            answered = await session.response()
    assert answered.text
    assert session.status == "done"


async def test_a_runtime_keeps_nothing_of_a_session_with_a_server_of_its_own() -> None:
    """The server, its process and the connection to it end with the session's block, while the runtime goes on."""
    async with open_runtime() as runtime, no_leaks():
        assert (await runtime.stream("local", PROMPT, max_tokens=2)).usage.output_tokens == 2
        assert runtime.statistics().connections_idle == 0
