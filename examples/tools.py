"""A session that calls tools, with a script in the model's place.

Run it with `python examples/tools.py`. The model that streamd brings along cannot call tools: its chat template has no
place for them, and llama.cpp leaves them out without a word. So two turns of a model are written down here, and all
else is real: the requests, the decoder that puts the calls together, the tools as tasks of the session, the results
that the second request sends back. Put `"anthropic:claude-sonnet-4-6"` in the place of `MODEL`, without `client=`, and
the same program asks a real model.
"""

import json
from collections.abc import AsyncIterator

import httpx
import trio

import streamd
from streamd.supervisors import render

MODEL: streamd.ModelSpec = (("openai-compatible", {"base_url": "http://script.example/v1"}), "a script")
QUESTION = "Oslo or Bergen: where do I need an umbrella?"
SKY = {"Oslo": "clear, 4 °C", "Bergen": "rain, 9 °C"}


@streamd.tool
async def weather(city: str, about: streamd.ToolContext) -> str:
    """The present weather of a city."""
    if city == "Bergen":
        # A line also tells where its task waits; that is left out here.
        lines = [line.partition(", at ")[0] for line in render(about.session.tree()).splitlines()]
        print("tree     ", "\n          ".join(lines))
    await trio.sleep(0.3)
    return SKY[city]


Choice = dict[str, object]
"""What one event of a streamed chat completion holds of its answer."""


def call(index: int, city: str) -> list[Choice]:
    """A call as a model streams it: its name first, then its arguments in pieces."""
    named = {"name": "weather", "arguments": ""}
    pieces = ({"arguments": piece} for piece in ('{"city": ', f'"{city}"', "}"))
    calls = [{"index": index, "id": f"call_{index}", "function": function} for function in (named, *pieces)]
    return [{"delta": {"tool_calls": [each]}} for each in calls]


def play(request: httpx.Request) -> httpx.Response:
    """The script: a first request gets two calls, one with their results gets an answer made of them."""
    said = json.loads(request.content)["messages"]
    results = [message["content"] for message in said if message["role"] == "tool"]
    if not results:
        turn: list[Choice] = [
            *call(0, "Oslo"),
            *call(1, "Bergen"),
            {"delta": {}, "finish_reason": "tool_calls"},
        ]
    else:
        words = f"In Bergen: {results[1]}. In Oslo it is {results[0]}.".split(" ")
        turn = [{"delta": {"content": f"{word} "}} for word in words]
        turn.append({"delta": {}, "finish_reason": "stop"})
    return httpx.Response(200, content=streamed(turn))


async def streamed(turn: list[Choice]) -> AsyncIterator[bytes]:
    """The turn as server-sent events, one at a time."""
    for choice in turn:
        await trio.sleep(0.03)
        yield f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
    yield b"data: [DONE]\n\n"


async def main() -> None:
    """Ask, and show what comes."""
    print("question ", QUESTION)
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(play)) as client,
        streamd.open_session(MODEL, QUESTION, tools=[weather], client=client) as session,
    ):
        async for chunk in session:
            match chunk:
                case streamd.ToolCall(name=name, arguments=arguments):
                    print("call     ", f"{name}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})")
                case streamd.ToolResult(content=content):
                    print("result   ", content)
                case streamd.Stop(reason):
                    print("stop     ", reason)
                case _:
                    pass  # the text is printed whole below
        answered = await session.response()
    print("answer   ", answered.text.strip())


if __name__ == "__main__":
    trio.run(main)
