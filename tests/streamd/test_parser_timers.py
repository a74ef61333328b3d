"""The parser and its timers: what a timer ends, what it must not touch, and what it never loses."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import (
    HTTPData,
    HTTPHeaders,
    HTTPStatus,
    RateLimitError,
    Stalled,
    StreamServer,
    Text,
    Timeouts,
    open_stream_server,
)
from tests.support.chat import DONE, answer, finish, text
from tests.support.server import Delay, Script, Step, chunk
from tests.support.sessions import scripted_session
from tests.support.stream_servers import PROVIDER, drain, fed_server

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@settings(deadline=None, max_examples=80)
@given(
    gaps=st.lists(st.sampled_from([0.0, 0.4, 2.9, 3.1, 7.0]), max_size=8),
    naps=st.lists(st.sampled_from([0.0, 0.0, 1.0, 20.0]), max_size=10),
    watermark=st.integers(1, 3),
    cancels=st.lists(st.sampled_from([0.0, 0.5, 3.0]), max_size=10),
    random_module=st.random_module(),
)
def test_a_silence_of_the_server_ends_it_and_none_of_ours(
    gaps: list[float], naps: list[float], watermark: int, cancels: list[float], random_module: object
) -> None:
    """Every text before the first silence is read, once and in order, however slow the reader; then the timer fires."""
    sent = len(gaps)
    for number, gap in enumerate(gaps):
        if gap > 3:
            sent = number
            break

    async def main() -> tuple[list[str], Exception | None]:
        timeouts = Timeouts(idle=3.0, progress=None, first_chunk=None)
        async with (
            open_stream_server(PROVIDER, "tiny-1", high_watermark=watermark, timeouts=timeouts) as server,
            trio.open_nursery() as tasks,
        ):

            async def feed() -> None:
                for event in (HTTPStatus(200), HTTPHeaders({}), HTTPData(text("-"))):
                    await server.http_event(event)
                for number, gap in enumerate(gaps):
                    await trio.sleep(gap)
                    await server.http_event(HTTPData(text(str(number))))
                await server.http_event(HTTPData(finish("stop") + DONE))

            tasks.start_soon(feed)
            got: list[str] = []
            resting, giving_up = iter(naps), iter(cancels)
            while True:
                try:
                    with trio.move_on_after(next(giving_up, 1000)):
                        chunk = await server.next()
                        if isinstance(chunk, Text):
                            got.append(chunk.text)
                        with trio.CancelScope(shield=True):
                            await trio.sleep(next(resting, 0))
                except (trio.EndOfChannel, Stalled) as end:
                    return got, end if isinstance(end, Stalled) else None

    got, error = trio.run(main, clock=MockClock(autojump_threshold=0))
    assert got == ["-", *map(str, range(sent))]
    assert (error is None) == (sent == len(gaps))


async def test_a_loop_that_is_blocked_again_and_again_is_no_silence(autojump_clock: MockClock) -> None:
    """A reader that computes for long, at every chunk, has the timers fire over nothing that came meanwhile."""
    script: list[Step] = [HEAD]
    for _ in range(20):
        script += [Delay(0.5), chunk(text("a"))]
    script += [chunk(finish("stop") + DONE), b"0\r\n\r\n"]
    async with scripted_session(script, timeouts=Timeouts(idle=3, progress=3), retry=None) as session:
        async for _ in session:
            autojump_clock.jump(5)
    assert session.status == "done"


async def test_a_server_that_falls_silent_meanwhile_is_given_up(autojump_clock: MockClock) -> None:
    """That the loop was blocked helps nobody who sent nothing."""
    async with fed_server(text("a"), timeouts=Timeouts(idle=3, progress=3)) as server:
        await server.next()
        await wait_all_tasks_blocked()
        autojump_clock.jump(60)
        began = trio.current_time()
        _, error = await drain(server)
        assert isinstance(error, Stalled)
        assert trio.current_time() - began < 1


async def test_the_total_timer_fires_in_a_loop_that_is_blocked(autojump_clock: MockClock) -> None:
    """However much comes, and however seldom anything runs."""
    async with open_stream_server(PROVIDER, "tiny-1", timeouts=Timeouts(total=30)) as server:

        async def feed() -> None:
            await server.http_event(HTTPStatus(200))
            while server.status == "streaming":
                await server.http_event(HTTPData(text("a")))
                await trio.sleep(0.1)

        async with trio.open_nursery() as tasks:
            tasks.start_soon(feed)
            with pytest.raises(Stalled, match="total"):
                async for _ in server:
                    autojump_clock.jump(20)
    assert trio.current_time() < 100


async def test_a_refusal_whose_body_falls_silent_is_a_refusal(autojump_clock: MockClock) -> None:
    """The status said it, and the timer is of no interest beside that."""
    async with open_stream_server(PROVIDER, "tiny-1", timeouts=Timeouts(idle=1)) as server:
        for event in (HTTPStatus(429), HTTPHeaders({}), HTTPData(b'{"error": {"mess')):
            await server.http_event(event)
        _, error = await drain(server)
    assert isinstance(error, RateLimitError)


async def test_a_look_at_the_timers_does_not_cut_the_end_of_a_body_off(autojump_clock: MockClock) -> None:
    """The moment that a body is given to end, so that its connection can be used again, lasts through such a look."""
    script: Script = [HEAD, Delay(0.18), chunk(answer("a")), Delay(0.04), b"0\r\n\r\n"]
    async with scripted_session(script, timeouts=Timeouts(idle=0.2)) as session:
        began = trio.current_time()
        await session.response()
        assert trio.current_time() - began == pytest.approx(0.22)


async def test_those_who_feed_a_server_that_never_ran_are_released() -> None:
    """Cancelled before it ran, it takes in nothing more, and lets go of whoever waits for that."""
    server = StreamServer(PROVIDER, "tiny-1")
    async with trio.open_nursery() as tasks:
        for _ in range(2):
            tasks.start_soon(server.http_event, HTTPStatus(200))
        await wait_all_tasks_blocked()
        server.cancel()
        await wait_all_tasks_blocked()
        assert not tasks.child_tasks
        tasks.cancel_scope.cancel()
    assert server.status == "cancelled"
