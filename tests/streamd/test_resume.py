"""Responses that go on at the provider, read on from where the connection broke, unseen by the consumer."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import streamd
from streamd import (
    Chunk,
    ConfigError,
    ConnectionLost,
    Message,
    Reset,
    Retry,
    RetryBudget,
    SequenceGap,
    ServerError,
    Stop,
    Text,
    Truncated,
    Usage,
    open_session,
    open_stream_server,
    stream,
)
from streamd.providers import HTTPRequest, Resumable, fold, resolve
from tests.support.decoding import named
from tests.support.leaks import no_leaks
from tests.support.responses import ITEMS, ended, numbered, sent
from tests.support.server import FIN, KEEP_OPEN, RST, Network, Script, chunked, response
from tests.support.sessions import KEY, read, scripted_network, scripted_runtime

BACKGROUND: Any = {"extra_body": {"background": True}}
CREATED: dict[str, Any] = {
    "type": "response.created",
    "response": {"id": "resp_1", "model": "m", "status": "queued", "background": True},
}
TOLD = {"input_tokens": 9, "output_tokens": 4}
EVENTS = numbered(
    [
        CREATED,
        {"type": "response.queued", "response": {"id": "resp_1", "background": True}},
        *(event for index, item in enumerate(ITEMS[:3]) for event in sent(item, index)),
        ended(output=ITEMS[:3], usage=TOLD),
    ]
)
WHOLE = named(*EVENTS)
MIDDLE = next(place for place, each in enumerate(EVENTS) if each["type"] == "response.output_text.delta") + 1
"""Behind the first piece of text."""


def model(network: Network) -> Any:
    """A model whose responses can go on in the background."""
    return ("openai-responses", {"base_url": network.url, "api_key": KEY}), "m"


def begun(*end: Any, upto: int = MIDDLE) -> Script:
    """The events up to one of them, and then what breaks the response off."""
    return [chunked(named(*EVENTS[:upto]), last=not end), *end]


def rest(start: int = MIDDLE, *end: Any) -> Script:
    """The events from one of them on."""
    return [chunked(named(*EVENTS[start:]), last=not end), *end]


def asked(network: Network) -> list[str]:
    """Each request's method and target."""
    return [f"{each.method} {each.target}" for each in network.requests]


FIRST = "POST /v1/responses"


def reading_on(after: int) -> str:
    """The request for what came after an event."""
    return f"GET /v1/responses/resp_1?stream=true&starting_after={after}"


async def known_chunks() -> list[Chunk]:
    """What a response without a break gives."""
    async with scripted_network([chunked(WHOLE)]) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            chunks, error = await read(session)
    assert error is None
    return chunks


BREAKS: list[tuple[str, list[Any]]] = [
    ("truncated", []),
    ("rst", [RST]),
    ("fin", [FIN]),
    ("half_an_event", [b"5\r\ndata:\r\n", FIN]),
    ("bad_chunk", [b"zz\r\n", FIN]),
    ("idle", [KEEP_OPEN]),
]


@pytest.mark.parametrize("end", [row[1] for row in BREAKS], ids=[row[0] for row in BREAKS])
async def test_a_break_is_not_seen(end: list[Any], autojump_clock: MockClock) -> None:
    """The same chunks as without it, one request more, with the same key and without a body, and no `Reset`."""
    known = await known_chunks()
    async with scripted_network(begun(*end), rest()) as (network, client):
        async with (
            no_leaks(),
            open_session(model(network), "Hi", client=client, **BACKGROUND) as session,
        ):
            chunks, error = await read(session)
            counted = session.statistics()
            metadata = await session.metadata()
        assert asked(network) == [FIRST, reading_on(MIDDLE - 1)]
        second = network.requests[1]
        assert (second.body, second.headers["authorization"]) == (b"", f"Bearer {KEY}")
        assert "content-type" not in second.headers
    assert error is None
    assert chunks == known
    assert (counted.attempts, counted.rounds, counted.voided_usage) == (2, 1, Usage())
    assert counted.chunks_decoded == len(known)
    assert (metadata.response_id, metadata.status, metadata.usage.output_tokens) == ("resp_1", "done", 4)


async def test_what_comes_twice_is_left_out(autojump_clock: MockClock) -> None:
    """A server that begins at the beginning again gives nothing twice."""
    known = await known_chunks()
    async with scripted_network(begun(FIN), [chunked(WHOLE)]) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            chunks, error = await read(session)
    assert (chunks, error) == (known, None)


async def test_a_break_before_any_output_is_read_on_too(autojump_clock: MockClock) -> None:
    """The response is there already: another one would be paid for twice."""
    known = await known_chunks()
    async with scripted_network(begun(FIN, upto=2), rest(2)) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            assert await read(session) == (known, None)
        assert asked(network) == [FIRST, reading_on(1)]


async def test_a_break_before_the_response_has_a_name_is_retried(autojump_clock: MockClock) -> None:
    """There is nothing to read on yet."""
    async with scripted_network([chunked(last=False), FIN], [chunked(WHOLE)]) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            _, error = await read(session)
        assert error is None
        assert asked(network) == [FIRST, FIRST]


async def test_a_response_may_break_again_and_again(autojump_clock: MockClock) -> None:
    """Each time it is read on, until the retries are used up."""
    known = await known_chunks()
    once_more: Script = [chunked(named(EVENTS[MIDDLE]), last=False), RST]
    scripts: list[Script] = [begun(FIN), once_more, [FIN], rest(MIDDLE + 1)]
    async with scripted_network(*scripts) as (network, client):
        async with open_session(
            model(network), "Hi", client=client, retry=Retry(max_retries=3), **BACKGROUND
        ) as session:
            assert await read(session) == (known, None)
        assert asked(network) == [FIRST, reading_on(MIDDLE - 1), reading_on(MIDDLE), reading_on(MIDDLE)]
    async with scripted_network(*scripts) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            chunks, error = await read(session)
        assert len(network.requests) == 3
    assert isinstance(error, ConnectionLost)
    assert chunks == known[: len(chunks)]
    assert error.partial == fold(chunks)
    assert (error.attempt, len(error.__notes__)) == (3, 1)


@pytest.mark.parametrize("retry", [None, Retry(resume=False), Retry(max_retries=0)])
async def test_reading_on_can_be_refused(retry: Retry | None, autojump_clock: MockClock) -> None:
    """Without retries, or told not to, the break is the caller's."""
    async with scripted_network(begun(FIN), rest()) as (network, client):
        async with open_session(model(network), "Hi", client=client, retry=retry, **BACKGROUND) as session:
            _, error = await read(session)
        assert (type(error), asked(network)) == (ConnectionLost, [FIRST])


async def test_it_takes_a_token_of_the_runtime(autojump_clock: MockClock) -> None:
    """A break counts as every other failure of the provider does."""
    again: Script = [chunked(named(EVENTS[MIDDLE]), last=False), FIN]
    async with scripted_runtime(begun(FIN), again, rest(), retry_budget=RetryBudget(capacity=1)) as (
        runtime,
        network,
        _,
    ):
        with pytest.raises(ConnectionLost):
            await runtime.stream(model(network), "Hi", retry=Retry(max_retries=9), **BACKGROUND)
        assert len(network.requests) == 2
        assert list(runtime.statistics().retries_left.values()) == [0]


async def test_a_hole_is_filled_once(autojump_clock: MockClock) -> None:
    """After a `SequenceGap` the missing events are asked for; another one is the caller's."""
    known = await known_chunks()
    hole: Script = [chunked(named(*EVENTS[:MIDDLE], *EVENTS[MIDDLE + 1 :]))]
    async with scripted_network(hole, rest()) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            assert await read(session) == (known, None)
        assert asked(network) == [FIRST, reading_on(MIDDLE - 1)]
    async with scripted_network(hole, rest(MIDDLE + 1)) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            chunks, error = await read(session)
        assert (type(error), len(network.requests)) == (SequenceGap, 2)
    assert chunks == known[: len(chunks)]


REFUSALS: list[tuple[str, Script]] = [
    ("404", [response(404, body=b'{"error":{"message":"no such response"}}')]),
    ("400_expired", [response(400, body=b'{"error":{"message":"expired"}}')]),
    ("401", [response(401, body=b"{}")]),
]


@pytest.mark.parametrize("refusal", [row[1] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
async def test_a_response_that_is_gone_is_the_break_it_was(
    refusal: Script, autojump_clock: MockClock
) -> None:
    """The error is what broke the response, not that it could not be read on, which a note tells."""
    async with scripted_network(begun(FIN), refusal) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            chunks, error = await read(session)
        assert len(network.requests) == 2
    assert isinstance(error, ConnectionLost)
    assert error.partial == fold(chunks)
    assert [note.partition(":")[0] for note in error.__notes__] == ["Reading on failed"]
    assert [each.text for each in chunks if isinstance(each, Text)] == ["Ulm,"]


async def test_a_response_that_is_gone_can_be_restarted(autojump_clock: MockClock) -> None:
    """Where that was asked for; and where nothing was delivered, a retry is as good."""
    gone: Script = [response(404, body=b"{}")]
    thought = 5  # events: the first piece of its reasoning came, and none of its search
    for script, retry, resets in (
        (begun(FIN, upto=thought), Retry(restart=True), [3]),
        (begun(FIN, upto=2), Retry(), []),
    ):
        async with scripted_network(script, gone, [chunked(WHOLE)]) as (network, client):
            async with open_session(
                model(network), "Hi", client=client, retry=retry, **BACKGROUND
            ) as session:
                chunks, error = await read(session)
                assert (await session.response()).text == "Ulm, Köln."
            assert [each.partition(" ")[0] for each in asked(network)] == ["POST", "GET", "POST"]
        assert error is None
        assert [each.attempt for each in chunks if isinstance(each, Reset)] == resets


async def test_a_provider_that_is_busy_is_asked_again(autojump_clock: MockClock) -> None:
    """Reading on is a request like any other: it waits as it is told."""
    known = await known_chunks()
    busy: Script = [response(503, {"Retry-After": "7"}, b"{}")]
    async with scripted_network(begun(FIN), busy, rest()) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            assert await read(session) == (known, None)
        assert trio.current_time() >= 7.0
        assert asked(network) == [FIRST, *[reading_on(MIDDLE - 1)] * 2]
    async with scripted_network(begun(FIN), busy) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            _, error = await read(session)
        assert isinstance(error, ConnectionLost)
        assert len(error.__notes__) == 2


async def test_a_response_that_fails_is_not_read_on(autojump_clock: MockClock) -> None:
    """The provider has said that nothing more comes."""
    failed = numbered([{"type": "error", "code": "server_error", "message": "oops"}], MIDDLE)
    async with scripted_network([chunked(named(*EVENTS[:MIDDLE], *failed))], rest()) as (network, client):
        with pytest.raises(ServerError):
            await stream(model(network), "Hi", client=client, **BACKGROUND)
        assert len(network.requests) == 1
    async with scripted_network(begun(FIN), [chunked(named(*failed))]) as (network, client):
        with pytest.raises(ServerError):
            await stream(model(network), "Hi", client=client, **BACKGROUND)
        assert len(network.requests) == 2


async def test_a_response_of_one_connection_is_not_read_on(autojump_clock: MockClock) -> None:
    """Without `background` there is nothing to ask for."""
    plain = numbered([{**CREATED, "response": {"id": "resp_1", "model": "m"}}, *EVENTS[2:MIDDLE]])
    async with scripted_network([chunked(named(*plain))], rest()) as (network, client):
        with pytest.raises(Truncated):
            await stream(model(network), "Hi", client=client)
        assert asked(network) == [FIRST]


async def test_the_text_stream_and_the_callbacks_see_one_turn(autojump_clock: MockClock) -> None:
    """Nobody is told of the break."""
    async with scripted_network(begun(FIN), rest()) as (network, client):
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            assert "".join([piece async for piece in session.text_stream]) == "Ulm, Köln."
    async with scripted_network(begun(FIN), rest()) as (network, client):
        messages: list[Message] = []
        async with open_session(model(network), "Hi", client=client, **BACKGROUND) as session:
            answered = await session.collect(on_message=messages.append)
    assert messages == [answered.message]


async def test_cancelling_while_it_is_read_on(autojump_clock: MockClock) -> None:
    """What came of both bodies is kept."""
    more: Script = [chunked(named(EVENTS[MIDDLE]), last=False), KEEP_OPEN]
    async with scripted_network(begun(FIN), more) as (network, client):
        async with (
            no_leaks(),
            open_session(model(network), "Hi", client=client, **BACKGROUND) as session,
        ):
            while session.snapshot.text != "Ulm, Köl":
                await session.receive()
            session.cancel()
            answered = await session.response()
    assert (answered.text, answered.stop_reason) == ("Ulm, Köl", "cancelled")


async def test_a_stall_while_it_is_read_on_names_its_timer(autojump_clock: MockClock) -> None:
    """The timers run for each request."""
    async with scripted_network(begun(FIN), [KEEP_OPEN]) as (network, client):
        async with open_session(
            model(network), "Hi", client=client, retry=Retry(max_retries=1), **BACKGROUND
        ) as session:
            _, error = await read(session)
    assert isinstance(error, ConnectionLost)
    assert "first_chunk" in error.__notes__[0]


async def test_a_recording_is_played_alike(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Both exchanges are in it, and give the same chunks again."""
    file = tmp_path / "resumed.json"
    async with scripted_network(begun(FIN), rest()) as (network, client):
        async with open_session(model(network), "Hi", client=client, record=file, **BACKGROUND) as session:
            chunks, _ = await read(session)
    written = msgspec.json.decode(file.read_bytes())
    assert [each["request"]["method"] for each in written["exchanges"]] == ["POST", "GET"]
    assert KEY not in file.read_text()
    async with streamd.replay(file) as played:
        assert await read(played) == (chunks, None)


async def test_a_recording_of_a_response_that_was_gone(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The break is played, not the refusal."""
    file = tmp_path / "gone.json"
    async with scripted_network(begun(FIN), [response(404, body=b"{}")]) as (network, client):
        async with open_session(model(network), "Hi", client=client, record=file, **BACKGROUND) as session:
            chunks, error = await read(session)
    async with streamd.replay(file) as played:
        again, once_more = await read(played)
    assert (again, type(once_more), str(once_more)) == (chunks, type(error), str(error))


async def test_a_stream_server_reads_on(autojump_clock: MockClock) -> None:
    """A server is given the request and the decoder that continue another one's; together they give the whole."""
    known = await known_chunks()
    async with scripted_network(begun(FIN), rest()) as (network, client):
        named_so, options = model(network)[0]
        provider = resolve((named_so, options))
        chunks: list[Chunk] = []
        async with open_stream_server(provider, "m") as server:
            request = await server.start_http("Hi", client=client, **BACKGROUND)
            with pytest.raises(ConnectionLost):
                async for chunk in server:
                    chunks.append(chunk)
        assert isinstance(provider, Resumable)
        found = provider.resume(request, server.decoder)
        assert found is not None
        async with open_stream_server(provider, "m", decoder=found[1]) as server:
            assert await server.start_http(found[0], client=client) is found[0]
            chunks += [chunk async for chunk in server]
    assert chunks == known


async def test_a_request_that_is_ready_takes_no_options() -> None:
    """What it asks for is written already."""
    async with open_stream_server(("openai", {"api_key": KEY}), "m") as server:
        with pytest.raises(ConfigError, match="no option 'max_tokens'"):
            await server.start_http(HTTPRequest("GET", "http://x.test/", (), b""), max_tokens=3)


@given(
    cuts=st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.sampled_from(["fin", "rst", "end", "503"])), max_size=4
    ),
    repeats=st.integers(0, 3),
    seed=st.random_module(),
)
@settings(deadline=None, max_examples=100)
def test_however_often_and_wherever_it_breaks(
    cuts: list[tuple[int, str]], repeats: int, seed: object
) -> None:
    """No chunk is lost, none comes twice, whatever the server sends again."""
    offsets = [len(named(*EVENTS[:count])) for count in range(len(EVENTS) + 1)]

    async def main() -> None:
        known = await known_chunks()
        reached = 0  # events that came whole
        scripts: list[Script] = []
        for cut, how in cuts:
            if how == "503" and scripts:
                scripts.append([response(503, body=b"{}")])
                continue
            start = max(0, reached - repeats) if reached else 0
            stop = max(offsets[start], cut)
            end: list[Any] = {"fin": [FIN], "rst": [RST], "end": [], "503": [FIN]}[how]
            scripts.append([chunked(WHOLE[offsets[start] : stop] or b": \n\n", last=not end), *end])
            reached = max(reached, sum(offset <= stop for offset in offsets) - 1)
        async with scripted_network(*scripts, [chunked(WHOLE)]) as (network, client):
            async with (
                no_leaks(),
                open_session(
                    model(network), "Hi", client=client, retry=Retry(max_retries=9), **BACKGROUND
                ) as session,
            ):
                chunks, error = await read(session)
        assert error is None
        assert chunks == known
        assert isinstance(chunks[-1], Stop)

    trio.run(main, clock=MockClock(autojump_threshold=0))
