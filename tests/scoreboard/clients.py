"""The clients of the scoreboard: run in an environment of theirs, with only what they need imported.

It is a script: a line of JSON comes on its standard input for each ask (`client`, `url`, `wait`), and a line goes out
on its standard output: how it ended. Every ask has a client of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CLIENTS", "PATIENCE", "Told"]

PATIENCE = 5.0
"""Seconds after which a client that has not ended counts as hanging."""

ASK: list[Any] = [{"role": "user", "content": "Hi"}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
CHAT_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "description": "?", "parameters": PARAMETERS}}
]
MESSAGE_TOOLS: list[Any] = [{"name": "weather", "description": "?", "input_schema": PARAMETERS}]


@dataclass
class Told:
    """What a client told of one answer: its text, the calls that it gave as whole, and why it says that it ended."""

    text: str = ""
    calls: list[str] = field(default_factory=list)
    reason: str | None = None


Ask = Callable[[str, float, Told], Awaitable[None]]


async def openai_iterator(url: str, wait: float, told: Told) -> None:
    """openai: `chat.completions.create(stream=True)`, iterated. It gives no whole calls."""
    import openai

    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=wait
    ) as client:
        stream = await client.chat.completions.create(
            model="tiny-1", messages=ASK, tools=CHAT_TOOLS, stream=True
        )
        async for chunk in stream:
            for choice in chunk.choices or ():
                told.text += (choice.delta and choice.delta.content) or ""
                told.reason = choice.finish_reason or told.reason


async def openai_helper(url: str, wait: float, told: Told) -> None:
    """openai: `chat.completions.stream()`, and its final completion."""
    import openai

    async with openai.AsyncOpenAI(
        base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=wait
    ) as client:
        async with client.chat.completions.stream(model="tiny-1", messages=ASK, tools=CHAT_TOOLS) as stream:
            async for _ in stream:
                pass
            (choice,) = (await stream.get_final_completion()).choices
            told.text, told.reason = choice.message.content or "", choice.finish_reason
            told.calls = [call.function.arguments for call in choice.message.tool_calls or ()]


async def anthropic_iterator(url: str, wait: float, told: Told) -> None:
    """anthropic: `messages.create(stream=True)`, iterated. It gives no whole calls."""
    import anthropic

    async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0, timeout=wait) as client:
        stream = await client.messages.create(
            model="tiny-1", max_tokens=99, messages=ASK, tools=MESSAGE_TOOLS, stream=True
        )
        async for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                told.text += event.delta.text
            if event.type == "message_delta":
                told.reason = event.delta.stop_reason


async def anthropic_helper(url: str, wait: float, told: Told) -> None:
    """anthropic: `messages.stream()`, and its final message."""
    import anthropic

    async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0, timeout=wait) as client:
        async with client.messages.stream(
            model="tiny-1", max_tokens=99, messages=ASK, tools=MESSAGE_TOOLS
        ) as stream:
            message = await stream.get_final_message()
            told.reason = message.stop_reason
            told.text = "".join(block.text for block in message.content if block.type == "text")
            told.calls = [json.dumps(block.input) for block in message.content if block.type == "tool_use"]


def litellm_iterator(model: str, path: str) -> Ask:
    """litellm: `acompletion(stream=True)`, iterated. It gives no whole calls, and so is told of no tools."""

    async def ask(url: str, wait: float, told: Told) -> None:
        import litellm

        litellm.suppress_debug_info = True
        stream = await litellm.acompletion(
            model=model,
            api_base=f"{url}{path}",
            api_key="none",
            messages=ASK,
            stream=True,
            timeout=wait,
            max_retries=0,
        )
        async for chunk in stream:
            for choice in chunk.choices:
                told.text += choice.delta.content or ""
                told.reason = choice.finish_reason or told.reason

    return ask


def pydantic_ai(make: Callable[[str, float], Any]) -> Ask:
    """pydantic-ai: `Agent.run_stream()`, its text read to the end; the tool's calls are the whole ones."""

    async def ask(url: str, wait: float, told: Told) -> None:
        from pydantic_ai import Agent

        agent = Agent(make(url, wait))

        @agent.tool_plain
        def weather(city: str, days: int) -> str:
            told.calls.append(json.dumps({"city": city, "days": days}))
            return "rain"

        async with agent.run_stream("Hi") as result:
            async for piece in result.stream_text(delta=True):
                told.text += piece
            told.reason = result.response.finish_reason

    return ask


def pydantic_chat(url: str, wait: float) -> Any:
    """A model of pydantic-ai over openai's client."""
    import openai
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=wait)
    return OpenAIChatModel("tiny-1", provider=OpenAIProvider(openai_client=client))


def pydantic_messages(url: str, wait: float) -> Any:
    """A model of pydantic-ai over anthropic's client."""
    import anthropic
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    client = anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0, timeout=wait)
    return AnthropicModel("tiny-1", provider=AnthropicProvider(anthropic_client=client))


def streamd_session(provider: str, path: str) -> Callable[[str, float, Told], Awaitable[None]]:
    """streamd: `open_session`, read to its end; the tool's calls are the whole ones."""

    async def ask(url: str, wait: float, told: Told) -> None:
        import streamd

        @streamd.tool
        async def weather(city: str, days: int) -> str:
            """Tell the weather."""
            told.calls.append(json.dumps({"city": city, "days": days}))
            return "rain"

        async with streamd.open_session(
            ((provider, {"base_url": f"{url}{path}", "api_key": "none"}), "tiny-1"),
            "Hi",
            tools=[weather],
            retry=None,
            timeouts=streamd.Timeouts(first_chunk=wait, idle=wait, progress=wait),
        ) as session:
            async for chunk in session:
                match chunk:
                    case streamd.Text(text):
                        told.text += text
                    case streamd.Stop(reason):
                        told.reason = reason
                    case _:
                        pass

    return ask


@dataclass(frozen=True)
class Client:
    """A client: what it is called, the wire it is asked in, the packages whose errors are its own, and the asking."""

    name: str
    wire: str
    packages: tuple[str, ...]
    ask: Ask
    distribution: str
    on_trio: bool = False


CHAT, MESSAGES = "openai-chat", "anthropic-messages"

CLIENTS: dict[str, Client] = {
    f"{client.name}/{client.wire}": client
    for client in (
        Client("openai, iterated", CHAT, ("openai",), openai_iterator, "openai"),
        Client("openai, .stream()", CHAT, ("openai",), openai_helper, "openai"),
        Client("litellm", CHAT, ("litellm",), litellm_iterator("openai/tiny-1", "/v1"), "litellm"),
        Client("pydantic-ai", CHAT, ("pydantic_ai",), pydantic_ai(pydantic_chat), "pydantic-ai-slim"),
        Client(
            "streamd", CHAT, ("streamd",), streamd_session("openai-compatible", "/v1"), "streamd-llm", True
        ),
        Client("anthropic, iterated", MESSAGES, ("anthropic",), anthropic_iterator, "anthropic"),
        Client("anthropic, .stream()", MESSAGES, ("anthropic",), anthropic_helper, "anthropic"),
        Client("litellm", MESSAGES, ("litellm",), litellm_iterator("anthropic/tiny-1", ""), "litellm"),
        Client("pydantic-ai", MESSAGES, ("pydantic_ai",), pydantic_ai(pydantic_messages), "pydantic-ai-slim"),
        Client("streamd", MESSAGES, ("streamd",), streamd_session("anthropic", ""), "streamd-llm", True),
    )
}
"""The clients, by name and wire, in the order in which they are shown."""


async def ended(client: Client, url: str, wait: float) -> dict[str, Any]:
    """Ask once, and say how that ended."""
    told = Told()
    if client.on_trio:
        error = await asyncio.to_thread(asked_on_trio, client, url, wait, told)
    else:
        error = await asked(client, url, wait, told)
    found: dict[str, Any] = {"ended": "done", "text": told.text, "calls": told.calls, "reason": told.reason}
    if isinstance(error, TimeoutError) and error.args == (client.name,):
        found["ended"] = "hang"
    elif error is not None:
        own = any(base.__module__.partition(".")[0] in client.packages for base in type(error).__mro__)
        found["ended"] = "typed error" if own else "untyped error"
        found["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
    return found


async def asked(client: Client, url: str, wait: float, told: Told) -> BaseException | None:
    """Ask on asyncio, and give what it raised."""
    limit = asyncio.timeout(PATIENCE)
    try:
        async with limit:
            await client.ask(url, wait, told)
    except Exception as error:
        return TimeoutError(client.name) if limit.expired() else error
    return None


def asked_on_trio(client: Client, url: str, wait: float, told: Told) -> BaseException | None:
    """Ask on trio, and give what it raised."""
    import trio

    async def main() -> BaseException | None:
        try:
            with trio.fail_after(PATIENCE):
                await client.ask(url, wait, told)
        except trio.TooSlowError:
            return TimeoutError(client.name)
        except Exception as error:
            return error
        return None

    return trio.run(main)


def main() -> None:
    """Answer the lines on standard input."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            asked_for = json.loads(line)
            client = CLIENTS[asked_for["client"]]
            for package in client.packages:
                importlib.import_module(package)  # some take seconds, which are not to count
            found = asyncio.run(ended(client, asked_for["url"], asked_for["wait"]))
            found["version"] = importlib.metadata.version(client.distribution)
            answers.write(json.dumps(found) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
