"""`collect`: each chunk and each message once, in conversation order, whoever reads and however it ends."""

import math
from collections.abc import Callable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import Chunk, Message, Session, Stop, StreamdError, Text, ToolResult, Truncated
from tests.support.chat import DONE, answer, call, finish, text
from tests.support.server import KEEP_OPEN, Script, chunked
from tests.support.sessions import scripted_session


async def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


def looks(*numbers: int) -> Script:
    """A turn that says something and calls the tool."""
    each = [call("look", f'{{"n":{n}}}', f"call_{n}", place) for place, n in enumerate(numbers)]
    return [chunked(text(f"Round {numbers[0]}. "), *each, finish("tool_calls"), DONE)]


FINAL: Script = [chunked(answer("Done."))]
ROUNDS = (looks(1, 2), looks(3), looks(4, 5, 6), FINAL)
TOLD = [
    *("Round 1. ", "seen 1", "seen 2", "Round 3. ", "seen 3"),
    *("Round 4. ", "seen 4", "seen 5", "seen 6", "Done."),
]


def said(message: Message) -> str:
    """A message's text, or its result."""
    return message.tool_results[0].content if message.role == "tool" else message.text


async def test_every_message_once_in_order() -> None:
    """Assistant turns and tool results of three rounds are given in order, and are those of the response."""
    given_: list[Message] = []
    async with scripted_session(*ROUNDS, tools=[look]) as session:
        response = await session.collect(on_message=given_.append)
        again = await session.collect(on_message=given_.append)
    assert [said(message) for message in given_] == TOLD
    assert tuple(given_) == response.messages[1:] == again.messages[1:]


async def test_a_message_comes_after_its_last_chunk() -> None:
    """The chunks and messages of a session stand in one order."""
    order: list[str] = []

    def on_chunk(chunk: Chunk) -> None:
        if isinstance(chunk, Text | Stop | ToolResult):
            order.append(type(chunk).__name__)

    async with scripted_session(looks(1, 2), FINAL, tools=[look]) as session:
        await session.collect(on_chunk=on_chunk, on_message=lambda message: order.append(message.role))
    assert order == [
        *(
            "Text",
            "Stop",
            "assistant",
            "ToolResult",
            "tool",
            "ToolResult",
            "tool",
            "Text",
            "Stop",
            "assistant",
        )
    ]


async def test_messages_read_before_are_given_too() -> None:
    """One who begins to collect late misses no message, and gets none before its last chunk was read."""
    given_: list[str] = []
    async with scripted_session(*ROUNDS, tools=[look]) as session:
        async for chunk in session:
            if isinstance(chunk, ToolResult):
                break
        await session.metadata()
        assert len(session.messages) == len(TOLD)

        def on_chunk(_: Chunk) -> None:
            firsts.append(len(given_))

        firsts: list[int] = []
        await session.collect(on_chunk=on_chunk, on_message=lambda message: given_.append(said(message)))
    assert given_ == TOLD
    assert firsts[0] == 0


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 4), st.integers(0, 2), st.booleans(), st.random_module())
def test_many_readers_share_the_messages(collectors: int, readers: int, slow: bool, random: object) -> None:
    """Whoever collects and whoever else reads, each message is given once, in order, and each chunk is read once."""

    async def main() -> None:
        given_: list[str] = []
        chunks: list[Chunk] = []

        async def on_chunk(chunk: Chunk) -> None:
            chunks.append(chunk)
            if slow:
                await trio.lowlevel.checkpoint()

        async def on_message(message: Message) -> None:
            given_.append(said(message))
            if slow:
                await trio.lowlevel.checkpoint()

        async def collect(session: Session) -> None:
            await session.collect(on_chunk=on_chunk, on_message=on_message)

        async def read(session: Session) -> None:
            async for chunk in session:
                chunks.append(chunk)

        async with scripted_session(*ROUNDS, tools=[look]) as session:
            async with trio.open_nursery() as nursery:
                for task in [collect] * collectors + [read] * readers:
                    nursery.start_soon(task, session)
            decoded = session.statistics().chunks_decoded
        assert given_ == TOLD
        assert len(chunks) == decoded + sum(isinstance(chunk, ToolResult) for chunk in chunks)
        assert sum(isinstance(chunk, ToolResult) for chunk in chunks) == 6

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_cancelled_session_gives_what_there_is() -> None:
    """The turn that was cut is the last message, once, and the messages are those of the response."""
    given_: list[Message] = []
    cut: Script = [chunked(text("Half"), last=False), KEEP_OPEN]
    async with scripted_session(looks(1), cut, tools=[look]) as session:

        def on_chunk(chunk: Chunk) -> None:
            if chunk == Text("Half"):
                session.cancel()

        response = await session.collect(on_chunk=on_chunk, on_message=given_.append)
        await session.collect(on_message=given_.append)
    assert [said(message) for message in given_] == ["Round 1. ", "seen 1", "Half"]
    assert tuple(given_) == response.messages[1:]
    assert response.stop_reason == "cancelled"


async def test_a_session_cancelled_among_its_tools_gives_their_results() -> None:
    """Each call has its result, as far as it came, and collectors share them as they share all else."""
    given_: list[Message] = []

    async def look(n: int) -> str:
        if n > 1:
            await trio.sleep_forever()
        return f"seen {n}"

    async with scripted_session(looks(1, 2), tools=[look]) as session, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(lambda: session.collect(on_message=given_.append))
        await wait_all_tasks_blocked()
        session.cancel()
    assert [said(message) for message in given_] == [
        *("Round 1. ", "seen 1", "Error: the session was cancelled before the tool had answered")
    ]


async def test_a_failed_session_gives_the_messages_before() -> None:
    """The complete messages are given, whoever read their last chunks, and the error is raised after them."""
    given_: list[str] = []
    readers: list[Chunk] = []
    async with scripted_session(looks(1), [chunked(text("Half"))], tools=[look], retry=None) as session:

        async def read() -> None:
            with pytest.raises(Truncated):
                async for chunk in session:
                    readers.append(chunk)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            with pytest.raises(Truncated):
                await session.collect(on_message=lambda message: given_.append(said(message)))
    assert given_ == ["Round 1. ", "seen 1"]
    assert readers


class Enough(Exception):
    pass


@pytest.mark.parametrize("which", ["on_chunk", "on_message"])
@pytest.mark.parametrize("kind", [Enough, KeyboardInterrupt, StreamdError])
async def test_what_a_callback_raises_is_bare_and_ends_nothing(which: str, kind: type[BaseException]) -> None:
    """The exception leaves the call as it is; the session goes on, and what is left of it can be collected."""
    given_: list[str] = []
    raised = kind()

    def fail(_: object) -> None:
        raise raised

    async with scripted_session(looks(1), FINAL, tools=[look]) as session:
        failing: dict[str, Callable[[object], None]] = {which: fail}
        with pytest.raises(kind) as caught:
            await session.collect(**failing)
        assert caught.value is raised
        assert session.status == "streaming"
        response = await session.collect(on_message=lambda message: given_.append(said(message)))
    assert response.text == "Done."
    # The message whose callback raised was given.
    assert given_ == ["Round 1. ", "seen 1", "Done."][which == "on_message" :]


async def test_a_callback_that_is_cancelled_was_given_its_message(autojump_clock: MockClock) -> None:
    """A message whose callback was cancelled is not given again."""
    given_: list[str] = []

    async def on_message(message: Message) -> None:
        given_.append(said(message))
        if len(given_) == 1:
            await trio.sleep(math.inf)

    async with scripted_session(looks(1), FINAL, tools=[look]) as session:
        with trio.move_on_after(1):
            await session.collect(on_message=on_message)
        await session.collect(on_message=on_message)
    assert given_ == ["Round 1. ", "seen 1", "Done."]
