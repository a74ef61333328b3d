"""The openai SDK under asyncio, as its documentation shows it."""

from __future__ import annotations

import asyncio

import openai
from drive import in_asyncio
from meter import Meter


async def main(meter: Meter) -> None:
    """Play the scene over one client; its own limit of connections is above every scene's number of streams."""
    async with openai.AsyncOpenAI(base_url=meter.base_url, api_key="bench", max_retries=0) as client:

        async def read(number: int) -> None:
            stream = await client.chat.completions.create(
                model=meter.model(number), messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            async for event in stream:
                if event.choices[0].delta.content:
                    meter.chunk()

        await in_asyncio(meter, read)


if __name__ == "__main__":
    the_meter = Meter.from_arguments()
    asyncio.run(main(the_meter))
    the_meter.report()
