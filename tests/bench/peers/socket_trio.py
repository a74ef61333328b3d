"""A bare trio socket and msgspec: the floor."""

from __future__ import annotations

import json

import trio
from drive import in_trio
from meter import Meter

from .floor import Events


async def main(meter: Meter) -> None:
    """Play the scene over one socket for each stream."""

    async def read(number: int) -> None:
        body = {"model": meter.model(number), "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
        data = json.dumps(body).encode()
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(data)
        async with await trio.open_tcp_stream("127.0.0.1", meter.port) as stream:
            await stream.send_all(head + data)
            events = Events()
            while not events.done:
                for _ in events.feed(await stream.receive_some(65_536)):
                    meter.chunk()

    await in_trio(meter, read)


if __name__ == "__main__":
    the_meter = Meter.from_arguments()
    trio.run(main, the_meter)
    the_meter.report()
