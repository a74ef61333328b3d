"""What a session never does: outlive its block, lose what it has, or take more than it may."""

import gc
import random
from collections.abc import Callable

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import HTTPTransport, Metadata, StreamdError, Text, ToolResult, open_session, tool
from tests.support.chat import DONE, answer, call, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import KEEP_OPEN, Flood, Script, chunk, chunked, memory_network, serve
from tests.support.sessions import chat_model, scripted_network


@tool
async def nap() -> str:
    """Sleep a little."""
    await trio.sleep(1)
    return "slept"


ROUND_OF_TOOLS: list[Script] = [
    [chunked(text("Hm"), call("nap", ""), finish("tool_calls"), usage(1, 1), DONE)],
    [chunked(answer("a", "b"))],
]


class StepCounter(trio.abc.Instrument):
    """Counts scheduler steps from `arm()` on, and does something before a certain one."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self.steps = -1
        self._at = at
        self._act = act

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count; act when it is time."""
        if self.steps < 0:
            return
        if self.steps == self._at:
            self._act()
        self.steps += 1


def session_cancelled_at(step: int, *, twice: bool) -> tuple[int, list[str]]:
    """Run a session with a round of tools, cancelled before a scheduler step; the steps it took, and what was read."""
    got: list[str] = []
    scope = trio.CancelScope()

    def cancel() -> None:
        scope.cancel()
        if twice:
            outer.cancel()

    counter = StepCounter(step, cancel)
    outer = trio.CancelScope()

    async def main() -> None:
        trio.lowlevel.add_instrument(counter)
        async with scripted_network(*ROUND_OF_TOOLS) as (network, client):
            async with no_leaks():
                counter.steps = 0
                with outer, scope:
                    async with open_session(
                        chat_model(network.url), "Hi", tools=[nap], client=client
                    ) as session:
                        async for each in session:
                            got.append(each.text if isinstance(each, Text) else type(each).__name__)
                counter.steps, count[0] = -1, counter.steps
            await client.aclose()
            await network.wait_connections_closed()

    count = [0]
    trio.run(main, clock=MockClock(autojump_threshold=0))
    return count[0], got


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_cancelling_at_every_scheduler_step_leaves_nothing(twice: bool) -> None:
    """Wherever a session is cancelled, what was read is a beginning of the whole, and no task or connection stays."""
    steps, whole = session_cancelled_at(-1, twice=twice)
    assert whole[-1] == "Stop"
    assert "ToolResult" in whole
    assert steps > 30
    for step in range(steps + 1):
        _, got = session_cancelled_at(step, twice=twice)
        assert got == whole[: len(got)], step


async def test_two_hundred_sessions_cancelled_at_random_leave_nothing() -> None:
    """Consumers of live streams that leave at any time leave no task, no socket and no descriptor."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    live: Script = [chunked(last=False), Flood(chunk(text("x" * 300)), every=0.001)]
    ended: list[str] = []

    async def consume(url: str, patience: float) -> None:
        with trio.move_on_after(patience):
            async with open_session(chat_model(url), "Hi") as session:
                async for _ in session:
                    pass
        ended.append("left")

    async with serve(live) as server:
        async with no_leaks():
            async with trio.open_nursery() as nursery:
                for _ in range(200):
                    nursery.start_soon(consume, server.url, rng.uniform(0, 0.6))
        assert len(ended) == 200
        with trio.fail_after(10):
            await server.wait_connections_closed()
    gc.collect()


@pytest.mark.parametrize("way", ["break", "raise", "never_read"])
async def test_however_the_consumer_leaves_the_server_sees_it(way: str) -> None:
    """Breaking out, raising and never reading all close the connection with the block."""
    live: Script = [chunked(last=False), Flood(chunk(text("x" * 300)))]
    async with serve(live) as server:
        async with no_leaks():
            try:
                async with open_session(chat_model(server.url), "Hi") as session:
                    if way == "never_read":
                        await server.wait_requests(1)
                    else:
                        async for each in session:
                            if not isinstance(each, Metadata):
                                break
                    if way == "raise":
                        raise LookupError("mine")
            except LookupError:
                assert way == "raise"
        with trio.fail_after(5):
            await server.wait_connections_closed()


async def test_backpressure_reaches_the_server(autojump_clock: MockClock) -> None:
    """With a consumer that reads one chunk and pauses, no more is read than the watermark, and two network reads.

    One read may overshoot the watermark, and one is in the producer's hands. In memory, in lockstep, there are no
    socket buffers beside them.
    """
    event = chunk(text("x" * 100))
    async with memory_network([chunked(last=False), Flood(event * 50)], lockstep=True) as network:
        transport = HTTPTransport(connect=network.connect)
        async with (
            httpx.AsyncClient(transport=transport, trust_env=False) as client,
            open_session(chat_model(network.url), "Hi", client=client, high_watermark=20) as session,
        ):
            await session.receive()
            await wait_all_tasks_blocked()
            counts = session.statistics()
            assert counts.chunks_queued <= 20 + 65536 // len(event)
            assert network.connections[0].sent <= 20 * len(event) + 3 * 65536
            before = network.connections[0].sent
            await trio.sleep(3600)
            assert network.connections[0].sent == before
            for _ in range(200):
                await session.receive()
            await wait_all_tasks_blocked()
            assert network.connections[0].sent > before


async def test_backpressure_over_real_sockets() -> None:
    """Over TCP the server stops too: what it sent beyond the reads is in the kernel's buffers."""
    event = chunk(text("x" * 300))
    async with serve([chunked(last=False), Flood(event * 100)]) as server:
        async with open_session(chat_model(server.url), "Hi", high_watermark=10) as session:
            await session.receive()
            connection = server.connections[0]
            sent = -1
            with trio.fail_after(20):
                while sent != connection.sent:
                    sent = connection.sent
                    await trio.sleep(0.2)
            counts = session.statistics()
            assert counts.bytes_received <= 3 * 65536
            assert counts.chunks_queued <= 10 + 65536 // len(event)
            # Twice the largest buffers Linux gives a socket by itself.
            assert connection.sent < 32 * 2**20


async def test_an_error_in_one_session_touches_no_other() -> None:
    """Sessions share nothing: one that fails leaves its neighbour streaming."""
    more: Script = [chunked(text("a"), last=False), KEEP_OPEN]
    async with serve(more, [b"nonsense\r\n\r\n"]) as server:
        async with open_session(chat_model(server.url), "Hi") as good:
            await good.receive()
            with pytest.raises(StreamdError):
                async with open_session(chat_model(server.url), "Hi", retry=None) as bad:
                    await bad.response()
            assert good.status == "streaming"
            assert await good.receive() == Text("a")


async def test_a_tool_result_is_a_chunk() -> None:
    """What a tool answered stands in the stream between the rounds."""
    async with scripted_network(*ROUND_OF_TOOLS) as (network, client):
        async with open_session(chat_model(network.url), "Hi", tools=[nap], client=client) as session:
            results = [each async for each in session if isinstance(each, ToolResult)]
    assert results == [ToolResult("call_1", "nap", "slept")]
