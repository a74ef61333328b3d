"""What a process grows by while a server floods it: `python -m tests.faults.memory SCENE` prints the bytes.

Each scene is one session on a server in memory, in real time; the floods have no end of their own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import trio

from streamd import HTTPTransport, StreamdError, open_session
from streamd.testing._server import Scripts, memory_network
from streamd.testing._steps import CLOSE, Flood, Step, chunk, response

__all__ = ["MOST", "SCENES", "grown", "measure"]

MOST = 32 * 1024 * 1024
"""Bytes that a process may grow by."""

_HEAD = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
_PIECE = 64 * 1024
_READ_FOR = 3.0
"""Seconds for which a server floods a consumer that does not read."""


def _event(**delta: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    return b"data: " + json.dumps({"id": "r", "choices": [choice]}).encode() + b"\n\n"


def _call(**function: str) -> bytes:
    return _event(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": function}])


def _body(*first: bytes, flood: bytes, headers: dict[str, str] | None = None) -> Sequence[Step]:
    head = response(200, {**_HEAD, **(headers or {})}, None)
    return [head + b"".join(chunk(each) for each in first), Flood(chunk(flood))]


def _bomb() -> Sequence[Step]:
    packer = zlib.compressobj(9, wbits=31)
    event = _event(content="x" * 64) * 1000
    packed = b"".join(packer.compress(event) for _ in range(3000)) + packer.flush()
    head = response(200, {"Content-Type": "text/event-stream", "Content-Encoding": "gzip"}, packed)
    return [head, CLOSE]


SCENES: dict[str, Callable[[], Sequence[Step]]] = {
    "endless line": lambda: _body(b"data: ", flood=b"x" * _PIECE),
    "endless event": lambda: _body(flood=b"data: " + b"x" * _PIECE + b"\n"),
    "endless comments": lambda: _body(flood=(b": " + b"x" * 1000 + b"\n") * 64),
    "gzip bomb": _bomb,
    "flood of arguments": lambda: _body(
        _call(name="weather", arguments=""), flood=_call(arguments="x" * _PIECE)
    ),
    "flood of calls": lambda: _body(
        flood=b"".join(
            _event(tool_calls=[{"index": n, "id": f"c{n}", "function": {"name": "f", "arguments": "{"}}])
            for n in range(1000)
        )
    ),
    "endless refusal": lambda: [
        response(500, {"Transfer-Encoding": "chunked"}, None),
        Flood(chunk(b"x" * _PIECE)),
    ],
    "endless head": lambda: [b"HTTP/1.1 200 OK\r\n", Flood(b"X-Flood: " + b"x" * 1000 + b"\r\n")],
    "never-reading consumer": lambda: _body(flood=_event(content="x" * _PIECE)),
    "never-reading consumer, large chunks": lambda: _body(flood=_event(content="x" * 16 * _PIECE)),
}
"""What a server does, by the scene's name."""


def _usage() -> tuple[int, int]:
    """The bytes in use now, and the most since the last look; the most ever for both, where there is no /proc."""
    status = Path("/proc/self/status")
    if not status.exists():
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return most, most
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    now, most = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    Path("/proc/self/clear_refs").write_text("5")  # the most is now what is in use
    return now, most


async def _session(steps: Sequence[Step], *, reading: bool) -> None:
    async with memory_network(Scripts([steps]), buffer=_PIECE) as network:
        transport = HTTPTransport(connect=network.connect)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            model = ("openai-compatible", {"base_url": network.url, "api_key": "none"}), "tiny-1"
            with trio.move_on_after(_READ_FOR if not reading else 30.0):
                try:
                    async with open_session(model, "Hi", client=client, retry=None) as session:
                        if not reading:
                            await trio.sleep_forever()
                        async for _ in session:
                            pass
                except StreamdError as error:
                    sys.stderr.write(f"{type(error).__name__}: {error}\n")


def measure(scene: str) -> int:
    """Play a scene; gives the bytes by which this process grew at most."""
    whole = [response(200, {"Content-Type": "text/event-stream"}, _event(content="a") + b"data: [DONE]\n\n")]
    trio.run(lambda: _session(whole, reading=True))
    steps = SCENES[scene]()
    before, _ = _usage()
    trio.run(lambda: _session(steps, reading=not scene.startswith("never-reading")))
    return max(0, _usage()[1] - before)


def grown(scene: str) -> int:
    """The same, in a process of its own."""
    command = [sys.executable, "-m", "tests.faults.memory", scene]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], timeout=120
    )
    return int(done.stdout)


if __name__ == "__main__":
    print(measure(sys.argv[1]))
