"""The handoff: order, cancelled waits, and its end from either side."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd._handoff import Handoff


async def received(channel: Handoff[str], log: list[str]) -> None:
    """Receive to the end, and note what came."""
    while True:
        try:
            log.append(await channel.receive())
        except trio.EndOfChannel:
            log.append("end")
            return


async def test_a_value_goes_to_the_receiver_that_waits() -> None:
    """Without waiting, as often as the receiver has come back."""
    channel, log = Handoff[str](), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(received, channel, log)
        for value in ("a", "b"):
            await wait_all_tasks_blocked()
            channel.send_nowait(value)
            with pytest.raises(trio.WouldBlock):
                channel.send_nowait("too soon")
        await wait_all_tasks_blocked()
        await channel.send("c")
        await wait_all_tasks_blocked()
        channel.close()
    assert log == ["a", "b", "c", "end"]


async def test_senders_wait_in_order_and_go_on_one_by_one() -> None:
    """Each goes on when its value was taken, before the next one is."""
    channel, log = Handoff[str](), list[str]()

    async def send(value: str) -> None:
        await channel.send(value)
        log.append(f"sent {value}")

    async with trio.open_nursery() as nursery:
        for value in ("a", "b", "c"):
            nursery.start_soon(send, value)
            await wait_all_tasks_blocked()
        assert log == []
        for value in ("a", "b", "c"):
            assert await channel.receive() == value
        await wait_all_tasks_blocked()
    assert log == ["sent a", "sent b", "sent c"]


async def test_a_cancelled_sender_takes_its_value_back() -> None:
    """The one behind it is served in its place."""
    channel = Handoff[str]()
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def give_up() -> None:
            with scope:
                await channel.send("a")

        nursery.start_soon(give_up)
        await wait_all_tasks_blocked()
        nursery.start_soon(channel.send, "b")
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        assert await channel.receive() == "b"


async def test_a_cancelled_receiver_takes_nothing() -> None:
    """The value goes to its next wait."""
    channel = Handoff[str]()
    with trio.move_on_after(0) as scope:
        await channel.receive()
    assert scope.cancelled_caught
    with pytest.raises(trio.WouldBlock):
        channel.send_nowait("a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, "b")
        assert await channel.receive() == "b"


async def test_a_cancellation_comes_too_late_for_a_value_that_was_given() -> None:
    """Cancelled in the step in which a value was given, the receiver has it all the same."""
    channel, log = Handoff[str](), list[str]()
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            log.append(await channel.receive())

        nursery.start_soon(receive)
        await wait_all_tasks_blocked()
        channel.send_nowait("a")
        nursery.cancel_scope.cancel()
    assert log == ["a"]


async def test_a_cancellation_comes_too_late_for_a_value_that_was_taken() -> None:
    """Cancelled in the step in which it took a value from a sender that waited, the receiver has it all the same."""
    channel, log = Handoff[str](), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(channel.send, "a")
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:

            async def cancel() -> None:
                scope.cancel()

            nursery.start_soon(cancel)
            log.append(await channel.receive())
    assert log == ["a"]


async def test_the_end_refuses_those_who_wait_and_all_who_come() -> None:
    """A value nobody took is not given after the end, which can be read again and again, and closed twice."""
    channel, log = Handoff[str](), list[str]()

    async def send(value: str) -> None:
        with pytest.raises(trio.BrokenResourceError):
            await channel.send(value)
        log.append(value)

    async with trio.open_nursery() as nursery:
        for value in ("a", "b"):
            nursery.start_soon(send, value)
            await wait_all_tasks_blocked()
        with channel:
            pass
        channel.close()
        for _ in range(2):
            with pytest.raises(trio.EndOfChannel):
                await channel.receive()
    assert sorted(log) == ["a", "b"]
    await send("c")
    with pytest.raises(trio.BrokenResourceError):
        channel.send_nowait("d")
