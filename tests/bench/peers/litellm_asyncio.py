"""litellm under asyncio, as its documentation shows it."""

from __future__ import annotations

import litellm
from drive_asyncio import play, rest, run
from meter import Meter

from .asked import HI


async def main(meter: Meter) -> None:
    """Play the scene."""

    async def read(number: int) -> None:
        stream = await litellm.acompletion(
            model=f"openai/{meter.model(number)}",
            api_base=meter.base_url,
            api_key="bench",
            messages=HI,
            stream=True,
        )
        async for event in stream:
            if event.choices[0].delta.content and meter.chunk():
                await rest()

    await play(meter, read)


if __name__ == "__main__":
    run(main)
