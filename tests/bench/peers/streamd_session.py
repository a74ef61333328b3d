"""streamd: a session for each stream."""

from __future__ import annotations

from drive_trio import play, rest, run
from meter import Meter

import streamd


async def main(meter: Meter) -> None:
    """Play the scene over one session for each stream."""
    provider = ("openai-compatible", {"base_url": meter.base_url, "api_key": "bench"})

    async def read(number: int) -> None:
        async with streamd.open_session((provider, meter.model(number)), "Hi") as session:
            async for chunk in session:
                if isinstance(chunk, streamd.Text) and meter.chunk():
                    await rest()

    @streamd.tool
    async def add(one: int, other: int) -> int:
        """Add two numbers."""
        meter.chunk()
        return one + other

    async def rounds(number: int) -> None:
        async with streamd.open_session((provider, meter.model(number)), "Hi", tools=[add]) as session:
            async for chunk in session:
                if isinstance(chunk, streamd.Text):
                    meter.chunk()

    await play(meter, rounds if meter.scene.plan == "tools" else read)


if __name__ == "__main__":
    run(main)
