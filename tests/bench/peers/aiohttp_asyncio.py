"""aiohttp under asyncio, with msgspec."""

from __future__ import annotations

import aiohttp
from drive_asyncio import play, rest, run
from meter import Meter

from .asked import HI
from .floor import Events


async def main(meter: Meter) -> None:
    """Play the scene over one session of aiohttp; only its limits are lifted."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as client:

        async def read(number: int) -> None:
            body = {"model": meter.model(number), "stream": True, "messages": HI}
            async with client.post(f"{meter.base_url}/chat/completions", json=body) as response:
                events = Events()
                async for data in response.content.iter_any():
                    for _ in events.feed(data):
                        if meter.chunk():
                            await rest()

        await play(meter, read)


if __name__ == "__main__":
    run(main)
