"""The ways in which an application of streamd reads its session, well and badly."""

from __future__ import annotations

import gc
import math
from collections.abc import Awaitable, Callable

import trio

from streamd import Chunk, Message, Session, Stop, Text, Thinking
from streamd.providers import Reset, StopReason

from ._world import World

__all__ = ["ConsumerLeft", "read_session"]


class ConsumerLeft(Exception):
    """What the consumer of a `use.raises` fault, and a hook that fails, raise inside the session's block."""


async def read_session(world: World, session: Session) -> None:
    """Read a session as the world's stage says, and report."""
    reading = _Reading(world, session)
    stage = world.stage
    if stage.reading not in ("shares", "abandons"):  # those see only parts of it, or in another order
        world.thought("")
    if stage.hook == "on_chunk" or stage.hook == "on_message":
        await reading.collect()
    elif stage.reading == "shares":
        await reading.share()
    else:
        await reading.alone(_ODD.get(stage.reading))


class _Reading:
    """One reading of one session."""

    def __init__(self, world: World, session: Session) -> None:
        self.world = world
        self.session = session
        self.count = 0
        self.over = False
        self.reason: StopReason | None = None

    async def alone(self, odd: Callable[[_Reading], Awaitable[None]] | None) -> None:
        """Read on in this task; once, after so many chunks, do what is `odd`."""
        stage = self.world.stage
        async for chunk in self.session:
            self.take(chunk)
            if stage.pace:
                await trio.sleep(stage.pace)
            if odd is not None and self.count >= stage.reading_from:
                await odd(self)
                odd = None
            if self.over:
                return
        self.finish()

    async def share(self) -> None:
        """Read from two tasks. Each chunk goes to one of them: what they have is put in the order of the messages."""
        taken: list[Chunk] = []

        async def read() -> None:
            async for chunk in self.session:
                taken.append(chunk)
                if self.world.stage.pace:
                    await trio.sleep(self.world.stage.pace)

        failure: Exception | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                nursery.start_soon(read)
        except* Exception as group:  # noqa: BLE001 - raised again below, alone
            failure = group.exceptions[0]
        for piece in _in_order([chunk.text for chunk in taken if isinstance(chunk, Text)], self.session):
            self.world.said(piece)
        if failure is not None:
            raise failure
        self.finish()

    async def collect(self) -> None:
        """Read with callbacks, one of which raises."""
        stage = self.world.stage

        def on_chunk(chunk: Chunk) -> None:
            self.take(chunk)
            if stage.hook == "on_chunk" and self.count > stage.reading_from:
                raise ConsumerLeft

        def on_message(message: Message) -> None:
            if stage.hook == "on_message":
                raise ConsumerLeft

        await self.session.collect(on_chunk=on_chunk, on_message=on_message)
        self.finish()

    def take(self, chunk: Chunk) -> None:
        """Report one chunk."""
        match chunk:
            case Text(text):
                self.world.said(text)
            case Thinking(text) if self.world.stage.reading != "abandons":
                self.world.thought(text)
            case Stop():
                self.reason = chunk.reason
                self.world.next_turn()
            case Reset():
                self.world.took_back()
            case _:
                pass
        self.count += 1

    def finish(self) -> None:
        """Report that everything was read."""
        self.world.finished(self.session.snapshot.stop_reason or self.reason)

    def leave(self) -> None:
        """Report that no more will be read."""
        self.over = True
        self.world.finished("cancelled")


async def _stop(reading: _Reading) -> None:
    await trio.sleep(reading.world.stage.rest)


async def _leave(reading: _Reading) -> None:
    if reading.world.stage.rest < math.inf:
        await trio.sleep(reading.world.stage.rest)
    reading.leave()


async def _raise(reading: _Reading) -> None:
    raise ConsumerLeft


async def _abandon(reading: _Reading) -> None:
    """Begin an iteration, and let go of it."""
    iterator = aiter(reading.session.text_stream)
    try:
        reading.world.said(await anext(iterator))
    except StopAsyncIteration:
        pass
    del iterator
    gc.collect(0)


async def _reenter(reading: _Reading) -> None:
    """Read one more chunk while one is being taken, and all the rest in a call of its own."""
    try:
        reading.take(reading.session.receive_nowait())
    except (trio.WouldBlock, trio.EndOfChannel):
        pass
    await reading.session.collect(on_chunk=reading.take)


async def _close(reading: _Reading) -> None:
    session = reading.session
    for _ in range(2):
        await session.aclose()
        session.cancel()
    try:
        await session.receive()
    except trio.ClosedResourceError:
        reading.leave()


_ODD: dict[str, Callable[[_Reading], Awaitable[None]]] = {
    "stops": _stop,
    "leaves": _leave,
    "raises": _raise,
    "abandons": _abandon,
    "reenters": _reenter,
    "closes": _close,
}


def _in_order(pieces: list[str], session: Session) -> list[str]:
    """The pieces as they stand in the session's messages; as they are, where they are not in there so."""
    told = "".join(
        message.text for message in (*session.messages, session.snapshot) if message.role != "tool"
    )
    left, ordered, at = list(pieces), list[str](), 0
    while left:
        piece = next((each for each in left if told.startswith(each, at)), None)
        if piece is None:
            return [*ordered, *left]
        left.remove(piece)
        ordered.append(piece)
        at += len(piece)
    return ordered
