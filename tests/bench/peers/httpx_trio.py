"""Stock httpx on trio, with msgspec."""

from __future__ import annotations

import httpx
import trio
from drive import in_trio
from meter import Meter

from .floor import Events


async def main(meter: Meter) -> None:
    """Play the scene over one client; only its limits are lifted."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=meter.base_url, limits=limits, timeout=60) as client:

        async def read(number: int) -> None:
            body = {
                "model": meter.model(number),
                "stream": True,
                "messages": [{"role": "user", "content": "Hi"}],
            }
            async with client.stream("POST", "/chat/completions", json=body) as response:
                events = Events()
                async for data in response.aiter_bytes():
                    for _ in events.feed(data):
                        meter.chunk()

        await in_trio(meter, read)


if __name__ == "__main__":
    the_meter = Meter.from_arguments()
    trio.run(main, the_meter)
    the_meter.report()
