"""streamd: a session for each stream."""

from __future__ import annotations

import trio
from drive import in_trio
from meter import Meter

import streamd


async def main(meter: Meter) -> None:
    """Play the scene over one session for each stream."""
    provider = ("openai-compatible", {"base_url": meter.base_url, "api_key": "bench"})

    async def read(number: int) -> None:
        async with streamd.open_session((provider, meter.model(number)), "Hi") as session:
            async for chunk in session:
                if isinstance(chunk, streamd.Text):
                    meter.chunk()

    await in_trio(meter, read)


if __name__ == "__main__":
    the_meter = Meter.from_arguments()
    trio.run(main, the_meter)
    the_meter.report()
