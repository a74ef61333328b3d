"""The examples: each runs to its end, and does what its first lines say."""

import importlib.util
import signal
from pathlib import Path
from types import ModuleType

import pytest
import trio
from trio.testing import MockClock

FOLDER = Path(__file__).parent.parent / "examples"


def load(name: str) -> ModuleType:
    """Import an example as what it is: a file beside no other."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Lines:
    """A connection to the service, read by the line."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = b""

    async def receive(self) -> str:
        """One line, or nothing at the end of the connection."""
        while b"\n" not in self.buffer:
            received = await self.stream.receive_some()
            if not received:
                return ""
            self.buffer += received
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    async def ask(self, line: str) -> str:
        """The answer to a line."""
        await self.stream.send_all(line.encode() + b"\n")
        return await self.receive()


async def test_the_service_counts_survives_a_crash_and_ends_in_order() -> None:
    """Two connections share the numbers; a bad line costs its sender an error; a signal makes all say goodbye."""
    counters = load("counters")
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            port: int = await nursery.start(counters.serve, 0)
            streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(2)]
            async with streams[0], streams[1]:
                one, two = map(Lines, streams)
                assert await one.ask("apples 3") == "3"
                assert await two.ask("apples 4") == "7"
                assert (await one.ask("apples three")).startswith(
                    "error: actor 'Counters' has ended (ValueError"
                )
                while (answer := await one.ask("apples 1")).startswith("error: "):
                    pass  # the actor is being restarted
                assert answer == "1"
                signal.raise_signal(signal.SIGTERM)
                assert [await one.receive(), await two.receive()] == ["bye", "bye"]
                assert [await one.receive(), await two.receive()] == ["", ""]


def test_the_pipeline_writes_every_record_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The pipeline restarts twice as one, and what was written before is neither lost nor written again."""
    trio.run(load("pipeline").main, clock=MockClock(autojump_threshold=0))
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [str(n * n) for n in range(1, 9)]
    assert last == "written: 8 of 8"


def test_the_tools_are_called_while_their_tree_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Two calls run as tasks of the session, and the answer is made of what both of them gave."""
    trio.run(load("tools").main, clock=MockClock(autojump_threshold=0))
    printed = capsys.readouterr().out
    shown = [line.split(maxsplit=1) for line in printed.splitlines() if not line.startswith(" ")]
    assert [each for each in shown if each[0] != "tree"] == [
        ["question", "Oslo or Bergen: where do I need an umbrella?"],
        ["call", "weather(city='Oslo')"],
        ["call", "weather(city='Bergen')"],
        ["stop", "tool_calls"],
        ["result", "clear, 4 °C"],
        ["result", "rain, 9 °C"],
        ["stop", "stop"],
        ["answer", "In Bergen: rain, 9 °C. In Oslo it is clear, 4 °C."],
    ]
    assert printed.count("weather running") == 2
