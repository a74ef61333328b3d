"""A session as its user sees it: chunks, ends, values and cancellation."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import (
    Chunk,
    ConfigError,
    Message,
    Metadata,
    Stop,
    Text,
    Truncated,
    Usage,
    open_session,
    stream,
)
from streamd.supervisors import render
from tests.support.chat import answer, finish, text
from tests.support.server import KEEP_OPEN, Pause, chunked, response
from tests.support.sessions import chat_model, messages_model, read, scripted_network, scripted_session

GOOD = [chunked(answer("Hel", "lo", prompt=3, completion=2))]
COUNTED = Usage(3, 2)


def counted(usage: Usage | None) -> tuple[int, int]:
    assert usage is not None
    return usage.input_tokens, usage.output_tokens


async def test_chunks_come_in_order_and_the_end_is_repeatable() -> None:
    """Metadata, text and one stop, in the order they came; then the end, again and again."""
    async with scripted_session(GOOD) as session:
        chunks, error = await read(session)
        assert error is None
        assert [type(chunk).__name__ for chunk in chunks if not isinstance(chunk, Usage)] == [
            "Metadata",
            "Text",
            "Text",
            "Stop",
        ]
        assert chunks[0] == Metadata("chatcmpl-1", "tiny-1")
        stop = chunks[-1]
        assert isinstance(stop, Stop)
        assert (stop.reason, counted(stop.usage)) == ("stop", (3, 2))
        for _ in range(2):
            with pytest.raises(trio.EndOfChannel):
                await session.receive()
        assert session.status == "done"
        assert session.error is None


async def test_receive_nowait() -> None:
    """Without waiting there is a chunk, or none yet, or the end."""
    async with scripted_session(GOOD) as session:
        with pytest.raises(trio.WouldBlock):
            session.receive_nowait()
        await session.metadata()
        assert isinstance(session.receive_nowait(), Metadata)
        await session.response()
        with pytest.raises(trio.EndOfChannel):
            session.receive_nowait()


async def test_text_stream_is_the_visible_text() -> None:
    """The text alone, piece by piece."""
    async with scripted_session(GOOD) as session:
        assert [piece async for piece in session.text_stream] == ["Hel", "lo"]


async def test_the_response_is_the_whole_answer() -> None:
    """Message, conversation, usage and reason; asked for again it is the same."""
    async with scripted_session(GOOD) as session:
        answered = await session.response()
        assert await session.response() == answered
    assert answered.text == "Hello"
    assert answered.message.role == "assistant"
    assert answered.messages == (Message.user("Hi"), answered.message)
    assert counted(answered.usage) == (3, 2)
    assert answered.stop_reason == "stop"
    assert answered.provider_state == {}


async def test_the_response_leaves_out_the_history() -> None:
    """What the session added begins with the message that was answered."""
    history = [Message.user("a"), Message.assistant("b"), Message.user("c")]
    async with scripted_session(GOOD, prompt=history) as session:
        answered = await session.response()
        assert [message.text for message in answered.messages] == ["c", "Hello"]
        assert session.messages == (answered.message,)


async def test_stream_opens_and_collects() -> None:
    """One call for one whole answer."""
    async with scripted_network(GOOD) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", client=client)
        assert answered.text == "Hello"
        (request,) = network.requests
        assert request.target == "/v1/chat/completions"
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["user-agent"].startswith("streamd/")


async def test_collect_reports_chunks_and_messages_in_order() -> None:
    """Each chunk, then the message it completed; async callbacks are awaited."""
    seen: list[str] = []

    async def on_chunk(chunk: Chunk) -> None:
        await trio.lowlevel.checkpoint()
        if isinstance(chunk, Text | Stop):
            seen.append(type(chunk).__name__)

    def on_message(message: Message) -> None:
        seen.append(f"{message.role}: {message.text}")

    async with scripted_session(GOOD) as session:
        answered = await session.collect(on_chunk=on_chunk, on_message=on_message)
    assert seen == ["Text", "Text", "Stop", "assistant: Hello"]
    assert answered.text == "Hello"


async def test_what_a_callback_raises_leaves_bare() -> None:
    """The caller's own exception is neither wrapped nor grouped."""

    def on_chunk(chunk: Chunk) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        async with scripted_session(GOOD) as session:
            await session.collect(on_chunk=on_chunk)


async def test_the_blocks_own_exception_leaves_bare_and_ends_the_session() -> None:
    """An exception in the block ends the session, and is the one the caller sees."""
    with pytest.raises(LookupError, match="mine") as caught:
        async with scripted_session([chunked(text("Hel"), last=False), KEEP_OPEN]) as session:
            await session.receive()
            raise LookupError("mine")
    assert caught.value.__cause__ is None
    assert session.status == "cancelled"


async def test_snapshot_is_what_came_so_far() -> None:
    """The message so far holds what was decoded, read or not, and stays when the session ends."""
    more = Pause()
    async with scripted_session([chunked(text("Hel"), last=False), more, KEEP_OPEN]) as session:
        assert session.snapshot.text == ""
        await more.reached.wait()
        await wait_all_tasks_blocked()
        assert session.snapshot.text == "Hel"
        assert session.status == "streaming"
    assert session.snapshot.text == "Hel"


async def test_cancel_keeps_what_came() -> None:
    """After cancel, what was queued can be read, then the end; the response is the partial message."""
    async with scripted_session([chunked(text("Hel"), text("lo"), last=False), KEEP_OPEN]) as session:
        assert isinstance(await session.receive(), Metadata)
        session.cancel()
        session.cancel()
        assert [chunk async for chunk in session] == [Text("Hel"), Text("lo")]
        answered = await session.response()
        assert (answered.text, answered.stop_reason) == ("Hello", "cancelled")
        assert [message.text for message in answered.messages] == ["Hi", "Hello"]
        told = await session.metadata()
        assert (told.status, told.stop_reason, told.error) == ("cancelled", "cancelled", None)
    assert session.status == "cancelled"


async def test_cancel_wakes_whoever_reads() -> None:
    """A waiting reader is told the end at once."""
    async with (
        scripted_session([chunked(text("Hel"), last=False), KEEP_OPEN]) as session,
        trio.open_nursery() as nursery,
    ):
        await session.receive()
        await session.receive()

        async def read_on() -> None:
            with pytest.raises(trio.EndOfChannel):
                await session.receive()

        nursery.start_soon(read_on)
        await wait_all_tasks_blocked()
        session.cancel()


async def test_cancel_after_the_end_changes_nothing() -> None:
    """A session that is done stays done."""
    async with scripted_session(GOOD) as session:
        await session.response()
        session.cancel()
        assert session.status == "done"
    assert session.status == "done"


async def test_a_closed_session_cannot_be_read() -> None:
    """After aclose, and after the block, reading is the caller's error."""
    async with scripted_session([chunked(text("Hel"), last=False), KEEP_OPEN]) as session:
        await session.receive()
        await session.aclose()
        await session.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await session.receive()
        with pytest.raises(trio.ClosedResourceError):
            session.receive_nowait()
    with pytest.raises(trio.ClosedResourceError):
        await session.receive()


async def test_a_cancelled_reader_of_a_closed_session_is_cancelled() -> None:
    """Whichever way it reads, it ends as cancelled, and not with an error that hides that."""
    async with scripted_session([chunked(text("Hel"), last=False), KEEP_OPEN]) as session:
        session.close()
        for read in (session.receive, session.__anext__):
            with trio.CancelScope() as scope:
                scope.cancel()
                await read()
            assert scope.cancelled_caught


async def test_a_cancelled_receive_loses_no_chunk(autojump_clock: MockClock) -> None:
    """A reader that gave up while it waited finds the chunk at its next try."""
    more = Pause()
    async with scripted_session([chunked(text("Hel"), last=False), more, KEEP_OPEN]) as session:
        with trio.move_on_after(5) as scope:
            await session.receive()
            await session.receive()
            await session.receive()
        assert scope.cancelled_caught
        assert session.snapshot.text == "Hel"
        session.cancel()
        assert [chunk async for chunk in session] == []


async def test_metadata_tells_how_it_ended(autojump_clock: MockClock) -> None:
    """Status, head, usage, reason and times, once the transport has ended; without reading a chunk."""
    script = [
        chunked(answer("Hel", "lo"), headers={"X-Request-Id": "req_7"}),
    ]
    async with scripted_session(script) as session:
        told = await session.metadata()
    assert (told.provider, told.model, told.response_id) == ("openai-compatible", "tiny-1", "chatcmpl-1")
    assert (told.status, told.status_code, told.stop_reason) == ("done", 200, "stop")
    assert told.headers["x-request-id"] == "req_7"
    assert counted(told.usage) == (3, 2)
    assert told.error is None
    assert told.time_to_first_chunk == 0.0
    assert told.duration == 0.0


async def test_metadata_of_a_failed_session_has_the_error_and_the_usage() -> None:
    """A failure is told, not raised."""
    async with scripted_session([chunked(text("Hel"))], retry=None) as session:
        told = await session.metadata()
        assert isinstance(told.error, Truncated)
        assert (told.status, told.stop_reason) == ("error", None)
        with pytest.raises(Truncated):
            await session.response()


async def test_statistics_count() -> None:
    """Counters at a moment: what was decoded, what is queued, how often was asked."""
    async with scripted_session(GOOD) as session:
        await session.metadata()
        counts = session.statistics()
        assert (counts.status, counts.rounds, counts.attempts) == ("done", 1, 1)
        assert counts.chunks_queued == counts.chunks_decoded >= 4
        assert counts.bytes_received == len(answer("Hel", "lo"))
        assert counts.high_watermark == 500
        assert counts.tasks_waiting_receive == 0
        assert counted(counts.usage) == (3, 2)
        await session.response()
        assert session.statistics().chunks_queued == 0


async def test_several_consumers_share_the_chunks() -> None:
    """Each chunk goes to one of the readers, and all of them see the end."""
    got: list[str] = []

    async def consume() -> None:
        async for chunk in session:
            if isinstance(chunk, Text):
                got.append(chunk.text)

    words = [str(n) for n in range(20)]
    async with (
        scripted_session([chunked(*map(text, words), finish())]) as session,
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            nursery.start_soon(consume)
    assert sorted(got, key=int) == words


async def test_a_finished_turn_cannot_be_failed_by_what_follows() -> None:
    """The turn is complete with the provider's terminal event, although the server neither ends the body nor closes."""
    async with scripted_session([chunked(answer("Hel", "lo"), last=False), KEEP_OPEN]) as session:
        assert (await session.response()).text == "Hello"


async def test_the_messages_wire() -> None:
    """The other wire goes the same way."""
    events = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","model":"tiny-1",'
        b'"usage":{"input_tokens":4,"output_tokens":1}}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"Hello"}}\n\n'
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        b'"usage":{"output_tokens":9}}\n\n'
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    )
    async with scripted_network([chunked(events)]) as (network, client):
        answered = await stream(messages_model(network.url), "Hi", client=client)
        assert network.requests[0].target == "/v1/messages"
    assert (answered.text, answered.stop_reason, counted(answered.usage)) == ("Hello", "stop", (4, 9))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_rounds": 0}, "max_rounds"),
        ({"high_watermark": 0}, "high_watermark"),
        ({"prompt": ""}, "empty"),
        ({"tool_choice": "nobody"}, "nobody"),
        ({"tool_timeout": True}, "tool_timeout"),
        ({"auto_tools": "no"}, "auto_tools"),
        ({"cache": "\ud800"}, "an option of open_session"),
        ({"extra_body": False}, "extra_body"),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    options: dict[str, Any], words: str
) -> None:
    """The error is raised by opening, and the server saw nothing."""
    prompt = options.pop("prompt", "Hi")
    async with scripted_network(GOOD) as (network, client):
        with pytest.raises(ConfigError, match=words):
            async with open_session(chat_model(network.url), prompt, client=client, **options):
                raise AssertionError("the block must not be entered")
        assert network.connections == []


async def test_repr_names_model_and_status() -> None:
    """The repr says what it is, and nothing secret."""
    async with scripted_session([response(500)], retry=None) as session:
        assert repr(session) == "<streamd.Session openai-compatible:tiny-1 init>"


async def test_the_tree_shows_every_actor() -> None:
    """While it streams, the tree has the conversation, and in it the attempt with its three actors."""
    async with scripted_session([chunked(text("Hel"), last=False), KEEP_OPEN]) as session:
        await session.receive()
        await wait_all_tasks_blocked()
        (conversation,) = session.tree().children
        assert conversation.id == "conversation"
        (attempt,) = conversation.supervisors
        assert [child.id for child in attempt.children] == ["parser", "producer"]
        assert "producer" in render(session.tree())
    assert session.tree().children == ()
