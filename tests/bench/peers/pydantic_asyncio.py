"""pydantic-ai under asyncio over openai's client, as its documentation shows it.

Its `stream_text` collects what comes within a tenth of a second, unless told not to, as here: all count single chunks.
"""

from __future__ import annotations

import openai
from drive_asyncio import play, rest, run
from meter import Meter
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


async def main(meter: Meter) -> None:
    """Play the scene over one client."""
    async with openai.AsyncOpenAI(base_url=meter.base_url, api_key="bench", max_retries=0) as client:
        provider = OpenAIProvider(openai_client=client)

        async def add(one: int, other: int) -> int:
            """Add two numbers."""
            meter.chunk()
            return one + other

        tools = [add] if meter.scene.plan == "tools" else []

        async def read(number: int) -> None:
            agent = Agent(OpenAIChatModel(meter.model(number), provider=provider), tools=tools)
            async with agent.run_stream("Hi") as result:
                async for _ in result.stream_text(delta=True, debounce_by=None):
                    if meter.chunk():
                        await rest()

        await play(meter, read)


if __name__ == "__main__":
    run(main)
