"""The openai SDK under asyncio, as its documentation shows it."""

from __future__ import annotations

import json
from typing import Any

import openai
from drive_asyncio import play, rest, run
from meter import Meter

from .asked import HI, TOOL


async def main(meter: Meter) -> None:
    """Play the scene over one client; its own limit of connections is above every scene's number of streams."""
    async with openai.AsyncOpenAI(base_url=meter.base_url, api_key="bench", max_retries=0) as client:

        async def read(number: int) -> None:
            stream = await client.chat.completions.create(model=meter.model(number), messages=HI, stream=True)
            async for event in stream:
                if event.choices[0].delta.content and meter.chunk():
                    await rest()

        async def rounds(number: int) -> None:
            messages: list[Any] = list(HI)
            while True:
                stream = await client.chat.completions.create(
                    model=meter.model(number), messages=messages, tools=[TOOL], stream=True
                )
                name, arguments = "", ""
                async for event in stream:
                    for call in event.choices[0].delta.tool_calls or ():
                        name = call.id or name
                        arguments += (call.function and call.function.arguments) or ""
                meter.chunk()
                if not name:
                    return
                numbers = json.loads(arguments)
                function = {"name": "add", "arguments": arguments}
                result = str(numbers["one"] + numbers["other"])
                messages += [
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": name, "type": "function", "function": function}],
                    },
                    {"role": "tool", "tool_call_id": name, "content": result},
                ]

        await play(meter, rounds if meter.scene.plan == "tools" else read)


if __name__ == "__main__":
    run(main)
