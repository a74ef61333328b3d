"""The tool loop: rounds of calls, results and further requests."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import (
    Chunk,
    Message,
    Stop,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Truncated,
    open_session,
    stream,
    tool,
)
from tests.support.chat import DONE, answer, call, event, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import KEEP_OPEN, Network, Script, chunked, serve
from tests.support.sessions import chat_model, messages_model, read, scripted_network

ran: list[str] = []


@tool
async def weather(city: str) -> str:
    """The weather of a city."""
    ran.append(city)
    return f"{city}: rain"


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    ran.clear()


def calls(*each: bytes, prompt: int = 10, completion: int = 5) -> Script:
    """A turn that ends in tool calls."""
    return [chunked(*each, finish("tool_calls"), usage(prompt, completion), DONE)]


OSLO = call("weather", '{"city":"Oslo"}')
BOTH = [OSLO, call("weather", '{"city":"Bergen"}', "call_2", 1)]
FINAL: Script = [chunked(answer("Take ", "one.", prompt=20, completion=3))]


def sent(network: Network, place: int) -> list[dict[str, Any]]:
    """The messages of a request."""
    body: dict[str, Any] = msgspec.json.decode(network.requests[place].body)
    messages: list[dict[str, Any]] = body["messages"]
    return messages


async def test_a_round_of_tools_and_the_answer() -> None:
    """Both calls are run, their results sent back in order, and the model's answer follows."""
    async with scripted_network(calls(*BOTH), FINAL) as (network, client):
        async with open_session(
            chat_model(network.url), "Umbrella?", tools=[weather], client=client
        ) as session:
            chunks, error = await read(session)
            answered = await session.response()
        roles = [message["role"] for message in sent(network, 1)]
        results = [(m["tool_call_id"], m["content"]) for m in sent(network, 1) if m["role"] == "tool"]
    assert error is None
    kinds = [type(chunk).__name__ for chunk in chunks if not isinstance(chunk, ToolCallDelta)]
    assert [kind for kind in kinds if kind not in ("Metadata", "Usage")] == [
        *("ToolCall", "ToolCall", "Stop", "ToolResult", "ToolResult", "Text", "Text", "Stop")
    ]
    assert roles == ["user", "assistant", "tool", "tool"]
    assert results == [("call_1", "Oslo: rain"), ("call_2", "Bergen: rain")]
    assert sorted(ran) == ["Bergen", "Oslo"]
    assert answered.text == "Take one."
    assert answered.stop_reason == "stop"
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (30, 8)
    assert [message.role for message in answered.messages] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
    ]
    assert [m.usage.input_tokens for m in answered.messages if m.usage] == [10, 20]


async def test_rounds_share_a_connection() -> None:
    """A response that was read to its verified end leaves its connection to the next round."""
    async with serve(calls(OSLO), FINAL) as server:
        await stream(chat_model(server.url), "Hi", tools=[weather])
        assert (len(server.requests), len(server.connections)) == (2, 1)


async def test_on_message_fires_in_conversation_order() -> None:
    """Every assistant turn and tool result is reported once, after its chunks, the final turn included."""
    seen: list[str] = []

    def on_chunk(chunk: Chunk) -> None:
        if isinstance(chunk, ToolCall | ToolResult | Stop):
            seen.append(type(chunk).__name__)

    def on_message(message: Message) -> None:
        seen.append(message.role)

    async with scripted_network(calls(OSLO), FINAL) as (network, client):
        async with open_session(chat_model(network.url), "Hi", tools=[weather], client=client) as session:
            first = await session.receive()
            await session.metadata()
            await session.collect(on_chunk=on_chunk, on_message=on_message)
    assert not isinstance(first, Stop)
    assert seen == ["ToolCall", "Stop", "assistant", "ToolResult", "tool", "Stop", "assistant"]


async def test_without_auto_tools_the_calls_are_the_callers() -> None:
    """The turn ends with its calls, and nothing is run."""
    async with scripted_network(calls(OSLO), FINAL) as (network, client):
        answered = await stream(
            chat_model(network.url), "Hi", tools=[weather], auto_tools=False, client=client
        )
        assert len(network.requests) == 1
    assert answered.message.tool_calls == (ToolCall(0, "call_1", "weather", {"city": "Oslo"}),)
    assert answered.stop_reason == "tool_calls"
    assert ran == []


async def test_max_rounds_stops_before_another_request() -> None:
    """After the last allowed request its calls are answered, and no further request is sent."""
    async with scripted_network(calls(OSLO)) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", tools=[weather], max_rounds=3, client=client)
        assert len(network.requests) == 3
    assert answered.stop_reason == "max_rounds"
    assert [message.role for message in answered.messages] == ["user"] + ["assistant", "tool"] * 3
    assert answered.message.role == "assistant"
    assert ran == ["Oslo"] * 3


async def test_a_response_continues_a_conversation() -> None:
    """The messages of a response can be given back, with what the user says next."""
    async with scripted_network(calls(OSLO), FINAL) as (network, client):
        first = await stream(chat_model(network.url), "Hi", tools=[weather], client=client)
        await stream(chat_model(network.url), [*first.messages, Message.user("Sure?")], client=client)
        assert [message["role"] for message in sent(network, 2)] == [
            *("user", "assistant", "tool", "assistant", "user")
        ]


async def test_the_model_is_told_of_a_tool_it_made_up() -> None:
    """A call of a tool nobody offered is answered with an error the model sees."""
    async with scripted_network(calls(call("nobody", "{}")), FINAL) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", client=client)
        assert "there is no tool 'nobody'" in sent(network, 1)[-1]["content"]
    assert answered.text == "Take one."


CUT_CALLS = {
    "half_arguments_then_eof": [chunked(call("weather", '{"city":"Os'))],
    "whole_call_then_eof": [chunked(OSLO)],
    "half_arguments_then_length": [chunked(call("weather", '{"city":"Os'), finish("length"), DONE)],
    "half_arguments_then_tool_calls": [chunked(call("weather", '{"city":"Os'), finish("tool_calls"), DONE)],
}


@pytest.mark.parametrize("script", CUT_CALLS.values(), ids=CUT_CALLS)
async def test_a_half_received_call_never_runs(script: Script) -> None:
    """Arguments that were cut, and a call in a turn that did not end, start nothing and are no ToolCall."""
    async with scripted_network(script) as (network, client):
        async with open_session(
            chat_model(network.url), "Hi", tools=[weather], client=client, retry=None
        ) as session:
            chunks, error = await read(session)
        assert len(network.requests) == 1
    assert ran == []
    assert not [chunk for chunk in chunks if isinstance(chunk, ToolCall)]
    assert isinstance(error, Truncated | type(None))


async def test_a_slow_tool_is_an_error_the_model_sees(autojump_clock: MockClock) -> None:
    """The tool is cancelled after its time, and the session goes on."""

    async def hang() -> str:
        await trio.sleep_forever()
        return ""

    async with scripted_network(calls(call("hang", "")), FINAL) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", tools=[hang], tool_timeout=7, client=client)
        assert sent(network, 1)[-1]["content"] == "Error: the tool took longer than 7 s"
    assert answered.text == "Take one."
    assert trio.current_time() == pytest.approx(7.0)


async def test_leaving_the_block_cancels_and_awaits_the_tools() -> None:
    """A tool that runs when the consumer leaves is cancelled, and its cleanup is over when the block has been left."""
    order: list[str] = []
    started = trio.Event()

    async def slow() -> str:
        try:
            started.set()
            await trio.sleep_forever()
        finally:
            order.append("tool cleaned up")
        return ""

    async with scripted_network(calls(call("slow", ""))) as (network, client):
        async with no_leaks():
            async with open_session(chat_model(network.url), "Hi", tools=[slow], client=client):
                await started.wait()
            order.append("block left")
    assert order == ["tool cleaned up", "block left"]


async def test_approval_is_asked_for_each_call() -> None:
    """A denied call is told to the model and not run."""

    async def approve(which: ToolCall) -> bool | str:
        return which.arguments["city"] == "Oslo" or "not Bergen"

    async with scripted_network(calls(*BOTH), FINAL) as (network, client):
        await stream(chat_model(network.url), "Hi", tools=[weather], approve=approve, client=client)
        contents = [message["content"] for message in sent(network, 1) if message["role"] == "tool"]
    assert contents == ["Oslo: rain", "Error: not Bergen"]
    assert ran == ["Oslo"]


async def test_a_later_round_that_fails_keeps_the_rounds_before() -> None:
    """The error comes after everything before it, and the messages of the complete rounds are there."""
    async with scripted_network(calls(OSLO), [chunked(text("Ta"))]) as (network, client):
        async with open_session(
            chat_model(network.url), "Hi", tools=[weather], client=client, retry=None
        ) as session:
            chunks, error = await read(session)
            assert [message.role for message in session.messages] == ["assistant", "tool"]
    assert isinstance(error, Truncated)
    assert error.partial is not None
    assert error.partial.text == "Ta"
    assert error.usage is not None
    assert error.usage.input_tokens == 10
    assert chunks[-1] == Text("Ta")


async def test_cancel_while_a_later_round_runs_keeps_all() -> None:
    """The response of a cancelled session has the complete rounds and the partial turn."""
    script = [chunked(text("Ta"), last=False), KEEP_OPEN]
    async with scripted_network(calls(OSLO), script) as (network, client):
        async with open_session(chat_model(network.url), "Hi", tools=[weather], client=client) as session:
            async for chunk in session:
                if chunk == Text("Ta"):
                    session.cancel()
            answered = await session.response()
    assert [message.role for message in answered.messages] == ["user", "assistant", "tool", "assistant"]
    assert (answered.text, answered.stop_reason) == ("Ta", "cancelled")


THREE_ROUNDS: list[Script] = [
    [chunked(text("One. "), *BOTH, finish("tool_calls"), usage(10, 5), DONE)],
    [chunked(OSLO, finish("tool_calls"), usage(20, 4), DONE)],
    [chunked(text("Three. "), *BOTH, finish("tool_calls"), usage(30, 3), DONE)],
    [chunked(answer("Take one.", prompt=40, completion=2))],
]


async def test_three_rounds_stand_in_one_order() -> None:
    """A turn ends with its `Stop`, its results follow in the calls' order, and then the next turn begins."""
    async with scripted_network(*THREE_ROUNDS) as (network, client):
        async with open_session(chat_model(network.url), "Hi", tools=[weather], client=client) as session:
            chunks, error = await read(session)
            answered = await session.response()
        assert len(network.requests) == 4
        assert [message["role"] for message in sent(network, 3)] == [
            *("user", "assistant", "tool", "tool", "assistant", "tool", "assistant", "tool", "tool")
        ]
    assert error is None
    assert [
        chunk.reason if isinstance(chunk, Stop) else type(chunk).__name__
        for chunk in chunks
        if not isinstance(chunk, ToolCallDelta)
    ] == [
        *("Metadata", "Text", "Usage", "ToolCall", "ToolCall", "tool_calls", "ToolResult", "ToolResult"),
        *("Metadata", "Usage", "ToolCall", "tool_calls", "ToolResult"),
        *("Metadata", "Text", "Usage", "ToolCall", "ToolCall", "tool_calls", "ToolResult", "ToolResult"),
        *("Metadata", "Text", "Usage", "stop"),
    ]
    results = [(chunk.id, chunk.content) for chunk in chunks if isinstance(chunk, ToolResult)]
    both = [("call_1", "Oslo: rain"), ("call_2", "Bergen: rain")]
    assert results == [*both, both[0], *both]
    assert answered.stop_reason == "stop"


async def test_usage_is_each_turns_own_and_summed_over_rounds() -> None:
    """Usage that came in parts is merged within its turn, stands on its message, and is summed in the response."""
    parts = [usage(10, 1), usage(10, 5), event(choices=[], usage={"completion_tokens": 7})]
    first: Script = [chunked(OSLO, parts[0], finish("tool_calls"), *parts[1:], DONE)]
    async with scripted_network(first, FINAL) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", tools=[weather], client=client)
    counted = [(m.usage.input_tokens, m.usage.output_tokens) for m in answered.messages if m.usage]
    assert counted == [(10, 7), (20, 3)]
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (30, 10)
    assert answered.usage.total_tokens == 40


async def test_a_response_holds_no_prior_history() -> None:
    """What was said before the prompt is the caller's: the response's messages begin with the prompt."""
    history = [Message.user("Hi"), Message.assistant("Hello"), Message.user("Umbrella?")]
    async with scripted_network(calls(OSLO), FINAL) as (network, client):
        answered = await stream(chat_model(network.url), history, tools=[weather], client=client)
        assert [message["role"] for message in sent(network, 1)] == [
            *("user", "assistant", "user", "assistant", "tool")
        ]
    assert answered.messages[0] == history[-1]
    assert [message.role for message in answered.messages] == ["user", "assistant", "tool", "assistant"]


async def test_a_session_cancelled_among_its_tools_can_be_gone_on_with() -> None:
    """Each call of the turn has a result, so the provider takes the conversation back."""

    async def slow() -> str:
        await trio.sleep_forever()

    both = [OSLO, call("slow", "", "call_2", 1)]
    async with scripted_network(calls(*both), FINAL) as (network, client):
        async with open_session(
            chat_model(network.url), "Hi", tools=[weather, slow], client=client
        ) as session:
            async for chunk in session:
                if isinstance(chunk, Stop):
                    await wait_all_tasks_blocked()
                    session.cancel()
            cut = await session.response()
        prompt = [*cut.messages, Message.user("Well?")]
        answered = await stream(chat_model(network.url), prompt, tools=[weather], client=client)
        told = [(m["role"], m.get("tool_call_id")) for m in sent(network, 1)]
    assert told == [
        *(("user", None), ("assistant", None), ("tool", "call_1"), ("tool", "call_2"), ("user", None))
    ]
    assert [result.content for message in cut.messages for result in message.tool_results] == [
        "Oslo: rain",
        "Error: the session was cancelled before the tool had answered",
    ]
    assert answered.text == "Take one."


async def test_a_session_that_reached_max_rounds_can_be_gone_on_with() -> None:
    """Its messages end with the results of the last round, and are themselves a prompt."""
    async with scripted_network(calls(OSLO), FINAL) as (network, client):
        first = await stream(chat_model(network.url), "Hi", tools=[weather], max_rounds=1, client=client)
        assert [message.role for message in first.messages] == ["user", "assistant", "tool"]
        second = await stream(chat_model(network.url), first.messages, tools=[weather], client=client)
        assert [message["role"] for message in sent(network, 1)] == ["user", "assistant", "tool"]
    assert (first.stop_reason, second.text, second.stop_reason) == ("max_rounds", "Take one.", "stop")


async def test_thinking_goes_back_whole() -> None:
    """All blocks of thinking of a turn are sent back with the results, each with its own signature, in their place."""

    def named(kind: str, **fields: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))

    def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
        pieces = [named("content_block_delta", index=index, delta=delta) for delta in deltas]
        start_event = named("content_block_start", index=index, content_block=start)
        return start_event + b"".join(pieces) + named("content_block_stop", index=index)

    def thought(index: int, words: str, signature: str) -> bytes:
        return block(
            index,
            {"type": "thinking", "thinking": ""},
            *({"type": "thinking_delta", "thinking": word} for word in words.split()),
            {"type": "signature_delta", "signature": signature},
        )

    def end(reason: str) -> bytes:
        return named("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 9}) + named(
            "message_stop"
        )

    start = named("message_start", message={"id": "m", "model": "t", "usage": {"input_tokens": 3}})
    asks = block(
        2,
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"city":"Oslo"}'},
    )
    thinks: Script = [chunked(start, thought(0, "a b", "s1"), thought(1, "c d", "s2"), asks, end("tool_use"))]
    says: Script = [chunked(start, block(0, {"type": "text", "text": "Take one."}), end("end_turn"))]
    async with scripted_network(thinks, says) as (network, client):
        answered = await stream(
            messages_model(network.url), "Hi", tools=[weather], max_tokens=99, client=client
        )
        content = sent(network, 1)[1]["content"]
    assert [(part["type"], part.get("thinking"), part.get("signature")) for part in content] == [
        ("thinking", "ab", "s1"),
        ("thinking", "cd", "s2"),
        ("tool_use", None, None),
    ]
    assert answered.text == "Take one."
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (6, 18)


async def test_calls_that_share_an_id_on_the_wire() -> None:
    """The same call sent twice is one call; another call with its id is run too, under an id of its own."""
    bergen = call("weather", '{"city":"Bergen"}', "call_1", 2)
    thrice = [OSLO, call("weather", '{"city":"Oslo"}', "call_1", 1), bergen]
    async with scripted_network(calls(*thrice), FINAL) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", tools=[weather], client=client)
        told = [(m["tool_call_id"], m["content"]) for m in sent(network, 1) if m["role"] == "tool"]
    made = answered.messages[1].tool_calls
    assert [each.arguments["city"] for each in made] == ["Oslo", "Bergen"]
    assert told == [(made[0].id, "Oslo: rain"), (made[1].id, "Bergen: rain")]
    assert made[0].id != made[1].id
    assert sorted(ran) == ["Bergen", "Oslo"]


async def test_ten_rounds_are_made_unless_more_are_allowed() -> None:
    """Tools are run by default, and the tenth request is the last."""
    async with scripted_network(calls(OSLO)) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", tools=[weather], client=client)
        assert len(network.requests) == 10
    assert answered.stop_reason == "max_rounds"
    assert len(ran) == 10


async def test_a_tool_has_thirty_seconds_unless_told_otherwise(autojump_clock: MockClock) -> None:
    """The default bound of a call; the time of a call is its own, and the rounds have none together."""

    async def slow(seconds: float) -> str:
        await trio.sleep(seconds)
        return "slept"

    turns = [calls(call("slow", f'{{"seconds":{seconds}}}')) for seconds in (29, 31, 29)]
    async with scripted_network(*turns, FINAL) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", tools=[slow], client=client)
    assert [result.content for message in answered.messages for result in message.tool_results] == [
        *("slept", "Error: the tool took longer than 30 s", "slept")
    ]
    assert trio.current_time() == pytest.approx(29 + 30 + 29)
