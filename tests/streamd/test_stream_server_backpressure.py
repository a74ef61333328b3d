"""Backpressure by the withheld reply: an event's sender waits while the queue stands at the high watermark."""

from functools import partial
from typing import Any

import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from streamd import (
    ConfigError,
    HTTPData,
    HTTPDone,
    HTTPFailure,
    HTTPHeaders,
    HTTPStatus,
    HTTPTransport,
    StreamServer,
    TransportError,
    open_stream_server,
)
from tests.support.chat import DONE, answer, finish, text
from tests.support.server import Flood, chunk, chunked, memory_network
from tests.support.stream_servers import PROVIDER, blocked, drain, fed_server, next_text, noting


async def full(server: StreamServer, nursery: trio.Nursery, log: list[str]) -> None:
    """Fill a server whose watermark is 2, and have its sender wait."""
    send = partial(server.http_event, HTTPData(text("a") + text("b")))
    nursery.start_soon(noting(log, "filled", send))
    await blocked()
    assert log == []


@pytest.mark.parametrize("watermark", [0, -1, 2.0, True, None, "500"])
async def test_the_watermark_is_a_positive_whole_number(watermark: Any) -> None:
    """Anything else is refused when the server is made."""
    with pytest.raises(ConfigError, match="high_watermark must be a whole number"):
        StreamServer(PROVIDER, "tiny-1", high_watermark=watermark)


async def test_the_watermark_is_500_unless_given() -> None:
    """The default is the one of the GenServer."""
    async with fed_server() as server:
        assert server.statistics().high_watermark == 500


async def test_a_reply_comes_at_once_below_the_watermark() -> None:
    """While there is room nobody waits, and every chunk is there when the event is taken in."""
    async with fed_server(high_watermark=4) as server:
        await server.http_event(HTTPData(text("a") + text("b")))
        assert server.statistics().chunks_queued == 3


async def test_a_reply_is_withheld_at_the_watermark() -> None:
    """The sender waits until the queue is below the watermark again, and no longer."""
    log: list[str] = []
    async with fed_server(high_watermark=2) as server, trio.open_nursery() as nursery:
        await full(server, nursery, log)
        await server.next()  # the metadata; two texts are left
        await blocked()
        assert log == []
        await server.next()
        await blocked()
        assert log == ["filled"]


async def test_a_queue_of_just_the_watermark_is_full(autojump_clock: MockClock) -> None:
    """As many chunks as the watermark says are the most that wait."""
    for watermark, waits in ((2, True), (3, True), (4, False)):
        async with fed_server(high_watermark=watermark) as server:
            with trio.move_on_after(0.01) as scope:
                await server.http_event(HTTPData(text("a") + text("b")))
            assert (server.statistics().chunks_queued, scope.cancelled_caught) == (3, waits)


async def test_one_event_may_overshoot() -> None:
    """What one event holds is queued whole, however much it is."""
    log: list[str] = []
    async with fed_server(high_watermark=2) as server, trio.open_nursery() as nursery:
        send = partial(server.http_event, HTTPData(b"".join(map(text, "abcdefgh"))))
        nursery.start_soon(noting(log, "sent", send))
        await blocked()
        assert (server.statistics().chunks_queued, log) == (9, [])
        nursery.cancel_scope.cancel()


async def test_later_events_wait_in_order_untouched() -> None:
    """While one reply is withheld no other event is taken in, of any kind; then they go on one by one, in order."""
    log: list[str] = []
    async with fed_server(high_watermark=2) as server, trio.open_nursery() as nursery:
        await full(server, nursery, log)
        for name, event in (
            ("c", HTTPData(text("c"))),
            ("d", HTTPData(text("d") + finish() + DONE)),
            ("done", HTTPDone()),
        ):
            nursery.start_soon(noting(log, name, partial(server.http_event, event)))
            await blocked()
        received = server.statistics().bytes_received
        assert (log, server.statistics().chunks_queued) == ([], 3)
        seen: list[str] = []
        while server.status == "streaming":
            seen.append(await next_text(server))
            await blocked()
        assert server.statistics().bytes_received > received
        assert log == ["filled", "c", "d", "done"]
        assert (seen + (await drain(server))[0]) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("way", ["cancel", "error", "end", "death"])
async def test_every_sender_is_released(way: str) -> None:
    """The end, an error, a cancellation and the death of the server release who is withheld, and who waits behind."""
    log: list[str] = []
    async with trio.open_nursery() as outer:
        server = StreamServer(PROVIDER, "tiny-1", high_watermark=2)
        scope = trio.CancelScope()

        async def live(task_status: trio.TaskStatus[object]) -> None:
            with scope:
                await server.run(task_status=task_status)

        await outer.start(live)
        await server.http_event(HTTPStatus(200))
        await full(server, outer, log)
        last = HTTPData(finish() + DONE) if way == "end" else HTTPFailure(TransportError("it broke"))
        for name, event in (("behind", last), ("last", HTTPDone())):
            outer.start_soon(noting(log, name, partial(server.http_event, event)))
            await blocked()
        assert log == []
        if way == "cancel":
            server.cancel()
        elif way == "death":
            scope.cancel()
        else:
            await server.next()
            await server.next()
        await blocked()
        assert sorted(log) == ["behind", "filled", "last"]
        assert log[0] == "filled" or way in ("cancel", "death")
        expected = {"cancel": "cancelled", "error": "error", "end": "done", "death": "cancelled"}
        assert server.status == expected[way]
        texts, error = await drain(server)
        assert (texts, error is not None) == (
            (["b"] if way in ("end", "error") else ["a", "b"]),
            way == "error",
        )
        outer.cancel_scope.cancel()


async def test_the_death_of_the_reader_releases_the_sender(autojump_clock: MockClock) -> None:
    """Nobody will make room any more."""
    log: list[str] = []
    async with fed_server(high_watermark=2) as server, trio.open_nursery() as nursery:
        await full(server, nursery, log)
        async with trio.open_nursery() as readers:
            readers.start_soon(server.next)
        assert log == []
        await trio.sleep(1)
        assert (log, server.status) == (["filled"], "cancelled")


async def test_events_after_the_end_are_ignored() -> None:
    """They change nothing, and nobody waits for them, though the queue is full."""
    async with fed_server(high_watermark=1) as server, trio.open_nursery() as nursery:
        nursery.start_soon(server.http_event, HTTPData(answer("a")))
        await blocked()
        assert server.status == "done"
        for event in (
            HTTPStatus(500),
            HTTPHeaders({}),
            HTTPData(text("z")),
            HTTPFailure(OSError()),
            HTTPDone(),
        ):
            await server.http_event(event)
        assert (await drain(server))[0] == ["a"]
        assert (await server.await_metadata()).status_code == 200


async def test_a_cancelled_sender_takes_back_only_what_was_not_taken_in(autojump_clock: MockClock) -> None:
    """Who waits behind a withheld reply and leaves takes the event along; who is withheld leaves it there."""
    async with fed_server(high_watermark=2) as server:
        with trio.move_on_after(0) as first:
            await server.http_event(HTTPData(text("z")))
        with trio.move_on_after(0.01) as second:
            await server.http_event(HTTPData(text("a") + text("b")))
        with trio.move_on_after(0.01) as third:
            await server.http_event(HTTPData(text("y")))
        assert (first.cancelled_caught, second.cancelled_caught, third.cancelled_caught) == (True, True, True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.http_event, HTTPData(text("c") + finish() + DONE))
            assert (await drain(server))[0] == ["a", "b", "c"]


async def test_no_timer_fires_while_the_reader_pauses(autojump_clock: MockClock) -> None:
    """A reader that stops for an hour is not the network's silence."""
    async with fed_server(high_watermark=2) as server, trio.open_nursery() as nursery:
        nursery.start_soon(server.http_event, HTTPData(text("a") + text("b")))
        await trio.sleep(3600)
        assert await next_text(server) == "a"
        await server.http_event(HTTPData(text("c") + finish() + DONE))
        assert await drain(server) == (["b", "c"], None)


async def test_backpressure_reaches_the_server(autojump_clock: MockClock) -> None:
    """With nobody reading, a response made by `start_http` stops where it is sent: the network has no buffer here."""
    piece = chunk(text("x") * 20)
    script = [chunked(text("first"), last=False), Flood(piece, times=5_000)]
    async with (
        memory_network(script, lockstep=True) as network,
        httpx.AsyncClient(transport=HTTPTransport(connect=network.connect), trust_env=False) as client,
        open_stream_server(PROVIDER, "tiny-1", high_watermark=10) as server,
    ):
        await server.start_http("Hi", client=client)
        await trio.sleep(10)
        sent = network.connections[0].sent
        assert 10 <= server.statistics().chunks_queued <= 10 + 20
        assert sent <= 4 * len(piece)
        await trio.sleep(10)
        assert network.connections[0].sent == sent


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 400), max_size=8),
    st.integers(1, 4),
    st.random_module(),
)
async def test_any_cut_gives_the_same_chunks(cuts: list[int], watermark: int, seed: object) -> None:
    """However the body is cut into events, and however low the watermark, the chunks are the same, in order."""
    body = answer("Grüße", " 🌍", "!")
    places = sorted({min(cut, len(body)) for cut in cuts})
    pieces = [body[a:b] for a, b in zip([0, *places], [*places, len(body)], strict=True)]
    async with fed_server(high_watermark=watermark) as server, trio.open_nursery() as nursery:

        async def feed() -> None:
            for piece in pieces:
                await server.http_event(HTTPData(piece))
            await server.http_event(HTTPDone())

        nursery.start_soon(feed)
        assert await drain(server) == (["Grüße", " 🌍", "!"], None)
        assert (await server.await_metadata()).usage.output_tokens == 2
