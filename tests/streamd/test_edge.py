"""The consumer edge: order, bounds, and an end that can be read again."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from streamd._edge import HIGH_BYTES, ConsumerEdge
from streamd.errors import Truncated
from streamd.providers import Text


def texts(*words: str) -> list[Text]:
    return [Text(word) for word in words]


async def test_chunks_come_before_the_end_and_the_end_is_repeatable() -> None:
    """What was pushed is read first; then every read says that nothing more comes."""
    edge = ConsumerEdge(10)
    edge.push(texts("a", "b"))
    edge.end()
    assert [await edge.receive(), await edge.receive()] == texts("a", "b")
    for _ in range(2):
        with pytest.raises(trio.EndOfChannel):
            await edge.receive()
        with pytest.raises(trio.EndOfChannel):
            edge.receive_nowait()


async def test_an_error_comes_after_the_chunks_again_and_again() -> None:
    """The error that ended the stream is raised by every read after the last chunk, without growing."""
    edge = ConsumerEdge(10)
    edge.push(texts("a"))
    error = Truncated("cut")
    edge.end(error)
    assert await edge.receive() == Text("a")
    depths = []
    for _ in range(3):
        with pytest.raises(Truncated) as caught:
            await edge.receive()
        assert caught.value is error
        depths.append(len(caught.traceback))
    assert depths[0] == depths[1] == depths[2]


async def test_what_is_pushed_after_the_end_is_dropped() -> None:
    """Only the first end counts, and nothing can follow it."""
    edge = ConsumerEdge(10)
    edge.end()
    edge.end(Truncated("late"))
    edge.push(texts("late"))
    with pytest.raises(trio.EndOfChannel):
        await edge.receive()


async def test_a_sender_waits_at_the_watermark_and_may_overshoot_once() -> None:
    """A whole read is queued at once; the sender then waits until the queue is below the watermark."""
    edge = ConsumerEdge(2)
    order: list[str] = []

    async def send() -> None:
        edge.push(texts("a", "b", "c"))
        await edge.room()
        order.append("room")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        for _ in range(2):
            await edge.receive()
            await wait_all_tasks_blocked()
            order.append("received")
    assert order == ["received", "room", "received"]
    assert len(edge) == 1


async def test_the_end_releases_a_waiting_sender() -> None:
    """A sender held at the watermark goes on when the stream ends."""
    edge = ConsumerEdge(1)
    edge.push(texts("a"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(edge.room)
        await wait_all_tasks_blocked()
        edge.end()
    assert edge.receive_nowait() == Text("a")


async def test_receivers_are_served_in_order_one_chunk_each() -> None:
    """Three waiting tasks get the three next chunks in the order they began to wait."""
    edge = ConsumerEdge(10)
    order: list[tuple[int, str]] = []

    async def read(number: int) -> None:
        chunk = await edge.receive()
        assert isinstance(chunk, Text)
        order.append((number, chunk.text))

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(read, number)
            await wait_all_tasks_blocked()
        assert edge.receivers_waiting == 3
        edge.push(texts("a", "b", "c", "d"))
    assert sorted(order) == [(0, "a"), (1, "b"), (2, "c")]
    assert list(edge.queued) == texts("d")


async def test_the_end_wakes_every_waiting_receiver() -> None:
    """Receivers that wait when the stream fails are all told the error."""
    edge = ConsumerEdge(10)
    seen: list[str] = []

    async def read() -> None:
        with pytest.raises(Truncated):
            await edge.receive()
        seen.append("told")

    async with trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(read)
        await wait_all_tasks_blocked()
        edge.end(Truncated("cut"))
    assert seen == ["told", "told"]


async def test_nothing_is_there_yet() -> None:
    """An empty open edge would block."""
    with pytest.raises(trio.WouldBlock):
        ConsumerEdge(1).receive_nowait()


@settings(deadline=None, max_examples=60)
@given(
    words=st.lists(st.lists(st.text("abc", max_size=2), max_size=4), max_size=12),
    watermark=st.integers(1, 5),
    cancels=st.lists(st.integers(0, 3), max_size=20),
    random_module=st.random_module(),
)
async def test_no_chunk_is_lost_or_doubled_by_cancelled_receives(
    words: list[list[str]], watermark: int, cancels: list[int], random_module: object
) -> None:
    """However receives are cancelled, the consumer gets every chunk once and in order."""
    edge = ConsumerEdge(watermark)
    got: list[str] = []

    async def send() -> None:
        for batch in words:
            edge.push(texts(*batch))
            await edge.room()
            await trio.lowlevel.checkpoint()
        edge.end()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        patience = iter(cancels)
        while True:
            with trio.CancelScope() as scope:
                steps = next(patience, None)
                if steps is not None:
                    nursery.start_soon(_cancel_after, scope, steps)
                try:
                    chunk = await edge.receive()
                except trio.EndOfChannel:
                    break
                assert isinstance(chunk, Text)
                got.append(chunk.text)
    assert got == [word for batch in words for word in batch]


async def _cancel_after(scope: trio.CancelScope, steps: int) -> None:
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def test_few_large_chunks_fill_it_too() -> None:
    """However few the chunks, the bytes they came in are bounded; it is drained before more is taken in."""
    edge = ConsumerEdge(500)
    half = HIGH_BYTES // 2
    edge.push([Text("a")], half)
    assert not edge.full
    edge.push([Text("b")], half)
    order: list[str] = []

    async def send() -> None:
        await edge.room()
        order.append("room")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        await wait_all_tasks_blocked()
        for _ in range(2):
            chunk = await edge.receive()
            assert isinstance(chunk, Text)
            order.append(chunk.text)
            await wait_all_tasks_blocked()
    assert order == ["a", "b", "room"]
