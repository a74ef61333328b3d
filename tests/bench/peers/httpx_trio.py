"""Stock httpx on trio, with msgspec."""

from __future__ import annotations

from typing import Any

from drive_trio import play, rest, run
from meter import Meter

from .asked import HI
from .floor import Events

__all__ = ["plays"]


async def plays(meter: Meter, httpx: Any) -> None:
    """Play the scene over one client of httpx or httpx2; only its limits are lifted."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=meter.base_url, limits=limits, timeout=60) as client:

        async def read(number: int) -> None:
            body = {"model": meter.model(number), "stream": True, "messages": HI}
            async with client.stream("POST", "/chat/completions", json=body) as response:
                events = Events()
                async for data in response.aiter_bytes():
                    for _ in events.feed(data):
                        if meter.chunk():
                            await rest()

        await play(meter, read)


async def main(meter: Meter) -> None:
    """Play the scene."""
    import httpx

    await plays(meter, httpx)


if __name__ == "__main__":
    run(main)
