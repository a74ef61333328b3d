"""The anthropic SDK under asyncio, as its documentation shows it; it is answered in its own wire format."""

from __future__ import annotations

import anthropic
from drive_asyncio import play, rest, run
from meter import Meter

from .asked import HI


async def main(meter: Meter) -> None:
    """Play the scene over one client; its own limit of connections is above every scene's number of streams."""
    async with anthropic.AsyncAnthropic(base_url=meter.url, api_key="bench", max_retries=0) as client:

        async def read(number: int) -> None:
            stream = await client.messages.create(
                model=meter.model(number), max_tokens=1024, messages=HI, stream=True
            )
            async for event in stream:
                if event.type == "content_block_delta" and event.delta.type == "text_delta" and meter.chunk():
                    await rest()

        await play(meter, read)


if __name__ == "__main__":
    run(main)
