"""A bare trio socket and msgspec: the floor."""

from __future__ import annotations

import json
import ssl
from urllib.parse import urlsplit

import trio
from drive_trio import play, rest, run
from meter import Meter

from .asked import HI, TOOL
from .floor import Calls, Events, request


async def main(meter: Meter) -> None:
    """Play the scene over one socket for each stream."""
    url = urlsplit(meter.url)
    assert url.hostname is not None
    assert url.port is not None
    host, port = url.hostname, url.port
    context = ssl.create_default_context() if url.scheme == "https" else None

    async def connect() -> trio.abc.Stream:
        if context is None:
            return await trio.open_tcp_stream(host, port)
        return await trio.open_ssl_over_tcp_stream(host, port, ssl_context=context, https_compatible=True)

    async def read(number: int) -> None:
        async with await connect() as stream:
            await stream.send_all(request(meter.model(number), HI))
            events = Events()
            while not events.done:
                for _ in events.feed(await stream.receive_some(65_536)):
                    if meter.chunk():
                        await rest()

    async def rounds(number: int) -> None:
        messages = list(HI)
        async with await connect() as stream:
            while True:
                await stream.send_all(request(meter.model(number), messages, tools=[TOOL]))
                calls = Calls()
                while not calls.done:
                    calls.feed(await stream.receive_some(65_536))
                meter.chunk()
                if not calls.id:
                    return
                arguments = json.loads(calls.arguments)
                function = {"name": "add", "arguments": calls.arguments}
                call = {"id": calls.id, "type": "function", "function": function}
                result = str(arguments["one"] + arguments["other"])
                messages += [
                    {"role": "assistant", "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": calls.id, "content": result},
                ]

    await play(meter, rounds if meter.scene.plan == "tools" else read)


if __name__ == "__main__":
    run(main)
