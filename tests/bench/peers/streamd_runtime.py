"""streamd: a session for each stream, in a runtime, which keeps connections."""

from __future__ import annotations

from drive_trio import play, run
from meter import Meter

import streamd


async def main(meter: Meter) -> None:
    """Play the scene over one runtime."""
    provider = ("openai-compatible", {"base_url": meter.base_url, "api_key": "bench"})
    async with streamd.open_runtime() as runtime:

        async def read(number: int) -> None:
            async with runtime.open_session((provider, meter.model(number)), "Hi") as session:
                async for chunk in session:
                    if isinstance(chunk, streamd.Text):
                        meter.chunk()

        await play(meter, read)


if __name__ == "__main__":
    run(main)
