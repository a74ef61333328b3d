"""The handoff and the consumer edge against models of them, whatever is cancelled, and whenever."""

from __future__ import annotations

from collections import deque
from typing import Literal

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from streamd._edge import ConsumerEdge
from streamd._handoff import Handoff
from streamd.errors import StreamdError, Truncated
from streamd.providers import Text

WHICH = st.integers(0, 5)
FEEDING = st.one_of(
    st.tuples(st.sampled_from(["send", "receive"]), st.just(0)),
    st.tuples(st.just("pass"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["give", "give up"]), st.just(0)),
    st.tuples(st.just("cancel"), WHICH),
)
READING = st.one_of(
    st.tuples(st.just("push"), st.integers(0, 4)),
    st.tuples(st.sampled_from(["receive", "receive", "take"]), st.just(0)),
    st.tuples(st.just("cancel"), WHICH),
    st.tuples(st.just("end"), st.integers(0, 1)),
)


async def settle(steps: int) -> None:
    """Let some steps pass, or all there are."""
    if steps == 3:
        await wait_all_tasks_blocked()
    for _ in range(steps):
        await trio.lowlevel.checkpoint()


@settings(deadline=None, max_examples=200)
@given(
    script=st.lists(FEEDING, min_size=4, max_size=30),
    closing=st.none() | st.integers(0, 30),
    random_module=st.random_module(),
)
async def test_a_handoff_gives_each_value_once_or_gives_it_back(
    script: list[tuple[str, int]], closing: int | None, random_module: object
) -> None:
    """What was sent is received, in the order in which it was offered; what was cancelled or refused is not."""
    channel = Handoff[int]()
    offered: list[int] = []
    sent: list[int] = []
    refused: list[int] = []
    taken_back: list[int] = []
    got: list[int] = []
    scopes: list[trio.CancelScope] = []
    receiving: trio.CancelScope | None = None
    closed = False

    async def send(value: int, scope: trio.CancelScope) -> None:
        with scope:
            offered.append(value)
            try:
                await channel.send(value)
            except trio.BrokenResourceError:
                refused.append(value)
            else:
                sent.append(value)
        if scope.cancelled_caught:
            taken_back.append(value)

    async def receive(scope: trio.CancelScope) -> None:
        nonlocal receiving
        with scope:
            try:
                got.append(await channel.receive())
            except trio.EndOfChannel:
                assert closed
        receiving = None

    async with trio.open_nursery() as nursery:
        for value, (what, number) in enumerate(script):
            if value == closing:
                closed = True
                channel.close()
            match what:
                case "send":
                    scopes.append(trio.CancelScope())
                    nursery.start_soon(send, value, scopes[-1])
                case "cancel" if scopes:
                    scopes[number % len(scopes)].cancel()
                case "give":
                    try:
                        channel.send_nowait(value)
                    except trio.WouldBlock:
                        assert not closed
                    except trio.BrokenResourceError:
                        assert closed
                    else:
                        offered.append(value)
                        sent.append(value)
                case "receive" if receiving is None:
                    receiving = trio.CancelScope()
                    nursery.start_soon(receive, receiving)
                case "give up" if receiving is not None:
                    receiving.cancel()
                case "pass":
                    await settle(number)
                case _:
                    pass
        await wait_all_tasks_blocked()
        while receiving is None and not closed:
            receiving = trio.CancelScope()
            nursery.start_soon(receive, receiving)
            await wait_all_tasks_blocked()
        # While one waits for values, nobody waits to give one.
        assert sorted(offered) == sorted(sent + refused + taken_back)
        closed = True
        channel.close()
    assert sorted(sent) == sorted(got)
    assert got == [value for value in offered if value in got]
    assert not {*refused, *taken_back} & set(got)


class EdgeModel:
    """What a consumer edge is to do, told in lists: `told` has what each receiver was given, by its number."""

    def __init__(self, watermark: int) -> None:
        self.watermark = watermark
        self.queue: deque[str] = deque()
        self.waiting: deque[int] = deque()
        self.told: dict[int, str] = {}
        self.end: Literal["", "end", "error"] = ""

    def push(self, words: list[str]) -> bool:
        """Give to those who wait, and queue the rest; whether it is full then."""
        if self.end:
            return False
        self.queue.extend(words)
        while self.queue and self.waiting:
            self.told[self.waiting.popleft()] = self.queue.popleft()
        return len(self.queue) >= self.watermark

    def receive(self, number: int) -> None:
        """Take what is there, or wait."""
        if self.queue or self.end:
            self.told[number] = self.take()
        else:
            self.waiting.append(number)

    def take(self) -> str:
        """Take what is there, the end or nothing included."""
        return self.queue.popleft() if self.queue else self.end

    def cancel(self, number: int) -> None:
        """Wait no more."""
        if number in self.waiting:
            self.waiting.remove(number)

    def finish(self, end: Literal["end", "error"]) -> None:
        """Tell everybody of the first end."""
        if not self.end:
            self.end = end
            while self.waiting:
                self.told[self.waiting.popleft()] = end


@settings(deadline=None, max_examples=150)
@given(script=st.lists(READING, max_size=30), watermark=st.integers(1, 4), random_module=st.random_module())
async def test_an_edge_serves_each_receiver_as_its_model_does(
    script: list[tuple[str, int]], watermark: int, random_module: object
) -> None:
    """Each is given the chunk that was its own when it came, though it was cancelled in that very step, or the end."""
    edge, model = ConsumerEdge(watermark), EdgeModel(watermark)
    told: dict[int, str] = {}
    scopes: dict[int, trio.CancelScope] = {}

    async def receive(number: int) -> None:
        with scopes[number]:
            try:
                told[number] = shown(await edge.receive())
            except (trio.EndOfChannel, Truncated) as end:
                told[number] = shown(end)

    def take() -> str:
        try:
            return shown(edge.receive_nowait())
        except trio.WouldBlock:
            return ""
        except (trio.EndOfChannel, Truncated) as end:
            return shown(end)

    async with trio.open_nursery() as nursery:
        for step, (what, number) in enumerate(script):
            match what:
                case "push":
                    words = [f"{step}.{each}" for each in range(number)]
                    assert edge.push([Text(word) for word in words]) == model.push(words)
                case "receive":
                    scopes[step] = trio.CancelScope()
                    nursery.start_soon(receive, step)
                    model.receive(step)
                    await wait_all_tasks_blocked()
                case "cancel" if scopes:
                    chosen = list(scopes)[number % len(scopes)]
                    scopes[chosen].cancel()
                    model.cancel(chosen)
                case "take":
                    assert take() == model.take()
                case "end":
                    edge.end(Truncated("cut") if number else None)
                    model.finish("error" if number else "end")
                case _:
                    pass
            assert (len(edge), edge.receivers_waiting) == (len(model.queue), len(model.waiting))
            assert edge.full == (len(model.queue) >= watermark and not model.end)
        edge.end()
        model.finish("end")
    assert told == model.told


def shown(what: object) -> str:
    """A chunk, or the end, as the model has it."""
    if isinstance(what, Text):
        return what.text
    return "error" if isinstance(what, StreamdError) else "end"
