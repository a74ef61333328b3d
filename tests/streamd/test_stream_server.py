"""A stream server fed by hand and by HTTP: its chunks, its metadata, its states, and who feeds it."""

import gc
import weakref
from functools import partial
from traceback import TracebackException
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from streamd import (
    APIError,
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    EncodingRefused,
    HTTPData,
    HTTPDone,
    HTTPEvent,
    HTTPFailure,
    HTTPHeaders,
    HTTPStatus,
    Message,
    Metadata,
    NotAStream,
    OverloadedError,
    RateLimitError,
    RedirectRefused,
    ServerError,
    Stalled,
    Stop,
    StreamdError,
    StreamServer,
    Text,
    Timeouts,
    Truncated,
    open_stream_server,
)
from streamd.providers import Context, HTTPRequest, Secret, resolve
from streamd.supervisors import (
    AlreadyRunning,
    NotRunning,
    open_dynamic_supervisor,
    open_supervisor,
    open_task_supervisor,
    render,
    snapshot,
)
from tests.support.chat import DONE, answer, event, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import FIN, KEEP_OPEN, Delay, chunked, response, segments, serve
from tests.support.sessions import KEY, scripted_network
from tests.support.stream_servers import PROVIDER, blocked, drain, fed_server, next_text

JSON = {"Content-Type": "application/json"}


async def ended(server: StreamServer) -> StreamdError:
    """The error a server's stream ends with, which it keeps."""
    error = (await drain(server))[1]
    assert error is not None
    assert server.error is error
    assert server.status == "error"
    return error


# The states, and what is read


async def test_a_response_from_its_events_to_its_end() -> None:
    """Status, headers, data, done: every chunk in order, then the end, as often as it is asked for."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        assert (server.status, server.statistics().attempts) == ("init", 0)
        await server.http_event(HTTPStatus(200))
        assert server.status == "streaming"
        await server.http_event(
            HTTPHeaders([("X-One", "1"), ("x-one", "2"), ("Content-Type", "text/event-stream")])
        )
        await server.http_event(HTTPData(answer("Hel", "lo", prompt=7, completion=2)))
        await server.http_event(HTTPDone())
        assert server.status == "done"
        chunks = [chunk async for chunk in server]
        assert [type(chunk) for chunk in chunks if not isinstance(chunk, Metadata)][:2] == [Text, Text]
        assert isinstance(chunks[-1], Stop)
        for _ in range(3):
            with pytest.raises(trio.EndOfChannel):
                await server.next()
        told = await server.await_metadata()
        assert (told.status, told.status_code, told.stop_reason) == ("done", 200, "stop")
        assert (told.response_id, told.model, told.provider) == ("chatcmpl-1", "tiny-1", "openai-compatible")
        assert (told.usage.input_tokens, told.usage.output_tokens, told.error) == (7, 2, None)
        assert told.headers == {"x-one": "1, 2", "content-type": "text/event-stream"}
        assert server.snapshot.text == "Hello"
        counts = server.statistics()
        assert (counts.rounds, counts.attempts, counts.chunks_queued) == (1, 1, 0)
        assert counts.bytes_received == len(answer("Hel", "lo", prompt=7, completion=2))
        assert repr(server) == "<streamd.StreamServer openai-compatible:tiny-1 done>"


async def test_next_waits_for_a_chunk() -> None:
    """A task that asks before anything came is given the first chunk."""
    seen: list[str] = []
    async with fed_server() as server, trio.open_nursery() as nursery:

        async def read() -> None:
            seen.append(await next_text(server))

        nursery.start_soon(read)
        await blocked()
        assert (seen, server.statistics().tasks_waiting_receive) == ([], 1)
        await server.http_event(HTTPData(text("a")))
        await blocked()
        assert seen == ["a"]


async def test_several_readers_are_served_in_order() -> None:
    """Each chunk goes to one task, in the order in which they asked; the end goes to all that are left."""
    seen: list[str] = []
    async with fed_server(text("")) as server, trio.open_nursery() as nursery:
        while server.statistics().chunks_queued:
            await server.next()

        async def read(name: str) -> None:
            try:
                seen.append(f"{name}:{await next_text(server)}")
            except trio.EndOfChannel:
                seen.append(f"{name}:end")

        for name in "123456":
            nursery.start_soon(read, name)
            await blocked()
        await server.http_event(HTTPData(text("a") + text("b")))
        await blocked()
        assert sorted(seen) == ["1:a", "2:b"]
        await server.http_event(HTTPData(text("c")))
        await blocked()
        assert seen[2:] == ["3:c"]
        server.cancel()
        await blocked()
        assert sorted(seen[3:]) == ["4:end", "5:end", "6:end"]


async def test_a_reader_that_gives_up_loses_no_chunk(autojump_clock: MockClock) -> None:
    """A timeout around `next` takes nothing with it: the next chunk is the next reader's, and the server lives."""
    async with fed_server() as server:
        with pytest.raises(trio.TooSlowError), trio.fail_after(30):
            await server.next()
        await server.http_event(HTTPData(text("a")))
        assert await next_text(server) == "a"


async def test_metadata_is_there_before_the_chunks_are_read() -> None:
    """It waits for the transport alone, any number of tasks may wait, and it can be asked for again."""
    seen: list[str] = []
    async with fed_server(text("a")) as server, trio.open_nursery() as nursery:

        async def wait() -> None:
            seen.append((await server.await_metadata()).status)

        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await blocked()
        assert seen == []
        await server.http_event(HTTPData(finish() + usage(3, 2) + DONE))
        await blocked()
        assert seen == ["done", "done"]
        assert server.statistics().chunks_queued == 4
        assert (await server.await_metadata()).usage.input_tokens == 3
        assert (await drain(server)) == (["a"], None)


async def test_usage_after_the_finish_reason_is_counted_whatever_the_packets() -> None:
    """The finish reason is not the end: counts that follow in a packet of their own are in the metadata."""
    async with fed_server(text("a"), finish("length")) as server:
        assert server.status == "streaming"
        await server.http_event(HTTPData(usage(5, 9)))
        await server.http_event(HTTPData(DONE))
        told = await server.await_metadata()
        assert (told.stop_reason, told.usage.output_tokens) == ("length", 9)


async def test_a_last_event_without_its_blank_line_counts() -> None:
    """What the framing still holds when the body ends is decoded."""
    async with fed_server(text("a") + finish(), DONE.rstrip(b"\n")) as server:
        await server.http_event(HTTPDone())
        assert (server.status, (await drain(server))[0]) == ("done", ["a"])


async def test_timings_run_from_the_first_event(autojump_clock: MockClock) -> None:
    """A server that waited a day for its response does not count the day."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await trio.sleep(86_400)
        await server.http_event(HTTPStatus(200))
        await server.http_event(HTTPData(usage(1, 0)))  # which is no output
        await trio.sleep(2)
        await server.http_event(HTTPData(text("a")))
        await trio.sleep(3)
        await server.http_event(HTTPData(finish() + DONE))
        told = await server.await_metadata()
        assert (told.time_to_first_chunk, told.duration) == (pytest.approx(2), pytest.approx(5))


# What is refused, and what fails


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_the_body_of_an_error_is_read_whole_whatever_its_cut(size: int) -> None:
    """A status of 400 or more makes the data the error's body, which is read when it has ended."""
    body = b'{"error": {"message": "no such key here", "code": "invalid_api_key"}}'
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await server.http_event(HTTPStatus(401))
        await server.http_event(HTTPHeaders({"X-Request-Id": "r-1", **JSON}))
        for start in range(0, len(body), size):
            await server.http_event(HTTPData(body[start : start + size]))
            assert server.status == "streaming"
        await server.http_event(HTTPDone())
        error = await ended(server)
        assert isinstance(error, AuthenticationError)
        assert (error.status_code, error.code, error.request_id) == (401, "invalid_api_key", "r-1")
        assert "no such key here" in str(error)
        assert (error.phase, error.attempt) == ("headers", 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationError), (429, RateLimitError), (500, ServerError), (503, OverloadedError)],
)
@pytest.mark.parametrize("last", [HTTPDone(), HTTPFailure(ConnectionLost("reset"))])
async def test_an_error_without_a_body_is_an_error(status: int, kind: type[APIError], last: Any) -> None:
    """A status alone is enough, with or without headers, and whether or not the body broke off."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await server.http_event(HTTPStatus(status))
        await server.http_event(last)
        assert type(await ended(server)) is kind
        assert (await server.await_metadata()).status_code == status


async def test_an_endless_body_of_an_error_is_cut() -> None:
    """After 64 KiB the error is told without waiting for the rest."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await server.http_event(HTTPStatus(500))
        await server.http_event(HTTPData(b"x" * 65_535))
        assert server.status == "streaming"
        await server.http_event(HTTPData(b"x" * 65_535))
        assert isinstance(await ended(server), ServerError)


async def test_a_head_alone_is_no_success() -> None:
    """A good status, and then the end of the body: nothing was answered."""
    for head in ([HTTPStatus(200)], [HTTPStatus(200), HTTPHeaders(JSON)], []):
        async with open_stream_server(PROVIDER, "tiny-1") as server:
            for each in head:
                await server.http_event(each)
            await server.http_event(HTTPDone())
            assert isinstance(await ended(server), Truncated)


@pytest.mark.parametrize(
    "last",
    [HTTPHeaders({"Location": "https://else.test/x"}), HTTPHeaders({"Location": "http://["}), HTTPDone()],
)
async def test_a_redirect_is_refused(last: HTTPEvent) -> None:
    """It is never followed, and an error at the head, or at the end where no headers came."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await server.http_event(HTTPStatus(307))
        await server.http_event(last)
        assert isinstance(await ended(server), RedirectRefused)


async def test_a_compressed_body_is_refused() -> None:
    """The bytes are no text, whatever follows."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await server.http_event(HTTPStatus(200))
        await server.http_event(HTTPHeaders({"Content-Encoding": "gzip"}))
        assert isinstance(await ended(server), EncodingRefused)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<html>Welcome</html>", NotAStream),
        (event(error={"message": "overloaded", "code": 503}), OverloadedError),
        (b'data: ["an", "array"]\n\n' + DONE, StreamdError),
        (b"data: 12\n\n" + DONE, StreamdError),
    ],
    ids=["html", "in_stream_error", "array", "scalar"],
)
async def test_a_body_that_is_no_answer_is_an_error_of_the_response(
    body: bytes, kind: type[StreamdError]
) -> None:
    """Whatever the bytes are, the server stays up to say what was wrong."""
    async with fed_server(body) as server:
        await server.http_event(HTTPDone())
        assert isinstance(await ended(server), kind)


async def test_chunks_come_before_an_error_and_it_stays() -> None:
    """What was decoded is read first; then the error, the same at each call, with what had been received."""
    async with fed_server(text("a") + text("b"), usage(4, 1)) as server:
        await server.http_event(HTTPFailure(ConnectionLost("the line broke", phase="stream")))
        seen, error = await drain(server)
        assert (seen, type(error)) == (["a", "b"], ConnectionLost)
        for _ in range(2):
            with pytest.raises(ConnectionLost) as caught:
                await server.next()
            assert caught.value is error
        assert error is not None
        assert error.partial is not None
        assert (error.partial.text, error.phase) == ("ab", "stream")
        told = await server.await_metadata()
        assert (told.status, told.error, told.usage.input_tokens) == ("error", error, 4)


async def test_nothing_after_an_error_changes_it() -> None:
    """The end of the body, more data, another failure: the first error stays, and the status with it."""
    async with fed_server(text("a")) as server:
        await server.http_event(HTTPFailure(ConnectionLost("first")))
        for each in (
            HTTPDone(),
            HTTPData(finish() + DONE),
            HTTPFailure(ConnectionLost("second")),
            HTTPDone(),
        ):
            await server.http_event(each)
        assert str(await ended(server)) == "first"


async def test_the_end_can_be_told_many_times() -> None:
    """Terminal evidence, the end of the body twice, and a failure after: one end, and nothing twice."""
    async with fed_server(answer("a", "b")) as server:
        for each in (HTTPDone(), HTTPDone(), HTTPFailure(OSError("late"))):
            await server.http_event(each)
        chunks = [chunk async for chunk in server]
        assert sum(isinstance(chunk, Stop) for chunk in chunks) == 1
        assert (server.status, server.error) == ("done", None)


async def test_a_failure_after_a_whole_answer_is_none() -> None:
    """A body that breaks off where the model had stopped lacks nothing that must come."""
    async with fed_server(text("a") + finish("length")) as server:
        await server.http_event(HTTPFailure(ConnectionLost("broke")))
        assert await drain(server) == (["a"], None)
        assert (server.status, (await server.await_metadata()).stop_reason) == ("done", "length")


async def test_data_alone_begins_a_response() -> None:
    """Whoever has no head to tell is taken to have a good one."""
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        await server.http_event(HTTPData(text("a")))
        assert server.status == "streaming"
        await server.http_event(HTTPData(finish() + DONE))
        assert await drain(server) == (["a"], None)
        assert (await server.await_metadata()).status_code is None


async def test_a_foreign_failure_is_a_lost_connection() -> None:
    """An exception of another library is told as ours, with itself as the cause."""
    cause = OSError("no route")
    async with fed_server() as server:
        await server.http_event(HTTPFailure(cause))
        error = await ended(server)
        assert isinstance(error, ConnectionLost)
        assert error.__cause__ is cause


async def test_what_is_no_event_is_refused() -> None:
    """The message names what was given, and the response goes on."""
    async with fed_server() as server:
        wrong: Any = ("data", b"x")
        with pytest.raises(ConfigError, match="not tuple"):
            await server.http_event(wrong)
        await server.http_event(HTTPData(answer("a")))
        assert await drain(server) == (["a"], None)


NOTHING: Any = None
TEXT: Any = "text"


@pytest.mark.parametrize(
    "wrong",
    [
        HTTPStatus(TEXT),
        HTTPHeaders(NOTHING),
        HTTPHeaders([TEXT]),
        HTTPHeaders({"content-encoding": NOTHING}),
        HTTPData(TEXT),
        HTTPFailure(TEXT),
    ],
)
async def test_an_event_of_wrong_values_is_refused(wrong: Any) -> None:
    """It is the feeder's error, and the response goes on."""
    async with fed_server() as server:
        with pytest.raises(ConfigError, match=type(wrong).__name__):
            await server.http_event(wrong)
        await server.http_event(HTTPData(answer("a")))
        assert await drain(server) == (["a"], None)


async def test_an_events_bytes_may_be_of_any_kind_and_headers_an_iterator() -> None:
    """Other libraries give a bytearray that they use again, and fields that can be gone through once."""
    async with fed_server() as server:
        data: Any = bytearray(answer("a"))
        await server.http_event(HTTPHeaders(iter([("X-One", "1"), ("x-one", "2")])))
        await server.http_event(HTTPData(data))
        data.clear()
        assert await drain(server) == (["a"], None)
        assert (await server.await_metadata()).headers == {"x-one": "1, 2"}


async def test_what_is_no_task_request_or_time_is_refused() -> None:
    """The response goes on."""
    async with fed_server() as server:
        with pytest.raises(ConfigError, match="TaskHandle"):
            server.attach_http_task(TEXT)
        with pytest.raises(ConfigError, match="HTTPRequest"):
            server.set_fixture_context(TEXT)
        with pytest.raises(ConfigError, match="progress_timeout"):
            await server.await_metadata(progress_timeout=TEXT)
        await server.http_event(HTTPData(answer("a")))
        assert await drain(server) == (["a"], None)


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("nobody", {}),
        (PROVIDER, {"timeouts": 3}),
        (("openai-compatible", {"nonsense": 1}), {}),
        (PROVIDER, {"fixture_path": 3}),
        (PROVIDER, {"decoder": 3}),
        (PROVIDER, {"name": 3}),
    ],
)
async def test_what_cannot_be_served_is_refused(provider: Any, options: Any) -> None:
    """An unknown provider, a wrong option: before anything runs. A traceback can show its locals."""
    with pytest.raises(ConfigError) as refused:
        StreamServer(provider, "tiny-1", **options)
    shown = TracebackException.from_exception(refused.value, capture_locals=True)
    assert "<streamd.StreamServer>" in "".join(shown.format())


@pytest.mark.parametrize(
    "provider", ["openai", ("openai", {"api_key": KEY}), {"provider": "openai", "api_key": KEY}, None]
)
async def test_a_provider_is_given_in_any_form(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a name with options, a mapping, an instance."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = StreamServer(provider or resolve(PROVIDER), "tiny-1")
    assert server.status == "init"
    assert KEY not in repr(server)


# Timers


async def test_a_fed_server_has_timers_from_its_first_event_on(autojump_clock: MockClock) -> None:
    """Before it nothing counts; after it the silence of whoever feeds is the network's."""
    async with open_stream_server(PROVIDER, "tiny-1", timeouts=Timeouts(first_chunk=5)) as server:
        await trio.sleep(3600)
        assert server.status == "init"
        start = trio.current_time()
        await server.http_event(HTTPStatus(200))
        error = await ended(server)
        assert isinstance(error, Stalled)
        assert (error.which, trio.current_time() - start) == ("first_chunk", pytest.approx(5))


async def test_the_total_timer_runs_while_the_reader_pauses(autojump_clock: MockClock) -> None:
    """It bounds the response from its first event on, whatever comes and whoever reads."""
    async with fed_server(timeouts=Timeouts(total=100, idle=30), high_watermark=1) as server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.http_event, HTTPData(text("a")))
            start = trio.current_time()
            await trio.sleep(99)
            assert server.status == "streaming"
        assert trio.current_time() - start == pytest.approx(100)
        error = await ended(server)
        assert isinstance(error, Stalled)
        assert (error.which, error.seconds) == ("total", 100)


async def test_a_metadata_timeout_is_fed_by_progress_alone(autojump_clock: MockClock) -> None:
    """Output moves it on, keep-alives do not; it ends that one call, and the response goes on."""
    async with fed_server() as server, trio.open_nursery() as nursery:

        async def feed() -> None:
            for _ in range(5):
                await trio.sleep(4)
                await server.http_event(HTTPData(text("a")))
            while True:
                await trio.sleep(4)
                await server.http_event(HTTPData(b": keep-alive\n\n"))

        nursery.start_soon(feed)
        start = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await server.await_metadata(progress_timeout=5)
        assert trio.current_time() - start == pytest.approx(20 + 5)
        with pytest.raises(trio.TooSlowError):
            await server.await_metadata(progress_timeout=3)
        assert trio.current_time() - start == pytest.approx(20 + 5 + 3)
        nursery.cancel_scope.cancel()
        await server.http_event(HTTPData(finish() + DONE))
        assert (await server.await_metadata(progress_timeout=1)).status == "done"


# Who feeds it


async def test_the_end_of_an_attached_task_is_the_end_of_the_body() -> None:
    """Where the answer was complete the stream ends; where it was not it is truncated."""
    for last, expected in ((b"", Truncated), (finish(), None), (finish() + usage(1, 1) + DONE, None)):
        async with fed_server() as server, open_task_supervisor() as tasks:

            async def feed(last: bytes = last, server: StreamServer = server) -> None:
                await server.http_event(HTTPData(text("a") + last))

            server.attach_http_task(tasks.start_soon(feed))
            texts, error = await drain(server)
            assert (texts, error and type(error)) == (["a"], expected)


async def test_a_crash_of_an_attached_task_ends_the_stream() -> None:
    """What it fed comes first, then the error with the crash as its cause."""
    async with fed_server() as server, open_task_supervisor() as tasks:

        async def feed() -> None:
            await server.http_event(HTTPData(text("a") + text("b")))
            raise LookupError("crashed")

        server.attach_http_task(tasks.start_soon(feed))
        texts, error = await drain(server)
        assert (texts, type(error)) == (["a", "b"], ConnectionLost)
        assert error is not None
        assert repr(error.__cause__) == "LookupError('crashed')"


async def test_a_cancelled_attached_task_is_a_lost_connection() -> None:
    """The stream does not end as if it were complete."""
    async with fed_server(text("a")) as server, open_task_supervisor() as tasks:
        handle = tasks.start_soon(trio.sleep_forever)
        server.attach_http_task(handle)
        await blocked()
        handle.cancel()
        texts, error = await drain(server)
        assert (texts, type(error)) == (["a"], ConnectionLost)


async def test_an_attached_task_ends_nothing_that_has_ended() -> None:
    """Its crash after the terminal evidence says nothing."""
    async with fed_server(answer("a")) as server, open_task_supervisor() as tasks:

        async def crash() -> None:
            raise LookupError("late")

        server.attach_http_task(tasks.start_soon(crash))
        await blocked()
        assert (server.status, await drain(server)) == ("done", (["a"], None))


async def test_only_the_task_attached_last_is_followed() -> None:
    """The end of one that was replaced changes nothing, and it may be attached before the server runs."""
    server = StreamServer(PROVIDER, "tiny-1")
    async with open_task_supervisor() as tasks:
        first, second = tasks.start_soon(trio.sleep_forever), tasks.start_soon(trio.sleep_forever)
        server.attach_http_task(first)
        async with open_dynamic_supervisor() as supervisor:
            await supervisor.start_child(server.child_spec())
            await blocked()
            server.attach_http_task(second)
            await blocked()
            first.cancel()
            await blocked()
            assert server.status == "init"
            second.cancel()
            await blocked()
            assert server.status == "error"


async def test_start_http_makes_the_request_and_feeds_the_server(autojump_clock: MockClock) -> None:
    """It returns the request that was sent, the key wrapped; the response comes as any other."""
    script = [chunked(answer("Hel", "lo"))]
    async with scripted_network(script) as (network, client), no_leaks():
        async with open_stream_server(PROVIDER, "tiny-1") as server:
            request = await server.start_http(
                "Hi",
                client=client,
                system="Be brief.",
                max_tokens=9,
                stop="END",
                extra_headers={"X-One": "1"},
            )
            assert await drain(server) == (["Hel", "lo"], None)
            told = await server.await_metadata()
            assert (told.status_code, told.usage.output_tokens) == (200, 2)
            assert told.headers["content-type"] == "text/event-stream"
        assert isinstance(request, HTTPRequest)
        assert any(isinstance(value, Secret) for _, value in request.headers)
        assert KEY not in repr(request)
        (got,) = network.requests
        assert (got.body, got.headers["authorization"]) == (request.body, f"Bearer {KEY}")
        assert b"Be brief." in got.body
        assert got.headers["x-one"] == "1"


async def test_start_http_has_a_client_of_its_own() -> None:
    """Given none it opens a connection, and closes it with the response."""
    async with serve([chunked(answer("a"))]) as server_there, no_leaks():
        provider: Any = ("openai-compatible", {"base_url": server_there.url, "api_key": KEY})
        async with open_stream_server(provider, "tiny-1") as server:
            await server.start_http("Hi")
            assert await drain(server) == (["a"], None)
        await server_there.wait_connections_closed()


async def test_start_http_takes_a_context(autojump_clock: MockClock) -> None:
    """A conversation with its system text and tools goes as it is, and has no second system text."""
    context = Context((Message.user("Hi"),), system="Be brief.")
    async with (
        scripted_network([chunked(answer("a"))]) as (network, client),
        open_stream_server(PROVIDER, "tiny-1") as server,
    ):
        with pytest.raises(ConfigError, match="a context has its own"):
            await server.start_http(context, client=client, system="Be long.")
        await server.start_http(context, client=client)
        assert await drain(server) == (["a"], None)
        assert b"Be brief." in network.requests[0].body


async def test_a_request_that_cannot_be_made_leaves_the_server_as_it_was(autojump_clock: MockClock) -> None:
    """An empty prompt, an unknown option, a client that is none: then a good request is made."""
    async with (
        scripted_network([chunked(answer("a"))]) as (network, client),
        open_stream_server(PROVIDER, "tiny-1") as server,
    ):
        wrong: Any = {"temprature": 1}
        nobody: Any = object()
        for attempt in (
            partial(server.start_http, " ", client=client),
            partial(server.start_http, "Hi", client=client, **wrong),
            partial(server.start_http, "Hi", client=client, max_tokens=-1),
            partial(server.start_http, "Hi", client=nobody),
        ):
            with pytest.raises(ConfigError):
                await attempt()
            assert (server.status, server.statistics().attempts) == ("init", 0)
        assert network.requests == []
        await server.start_http("Hi", client=client)
        assert await drain(server) == (["a"], None)


async def test_a_server_serves_one_response(autojump_clock: MockClock) -> None:
    """A second request is refused, under way and after; so is a second run."""
    async with (
        scripted_network([chunked(answer("a"))]) as (_, client),
        open_stream_server(PROVIDER, "tiny-1") as server,
    ):
        await server.start_http("Hi", client=client)
        with pytest.raises(ConfigError, match="one response"):
            await server.start_http("Hi", client=client)
        await drain(server)
        with pytest.raises(ConfigError, match="one response"):
            await server.start_http("Hi", client=client)
        with pytest.raises(AlreadyRunning):
            await server.run()


async def test_start_http_needs_a_server_that_runs() -> None:
    """Nothing could own the task: before it runs, and after."""
    server = StreamServer(PROVIDER, "tiny-1")
    with pytest.raises(NotRunning):
        await server.start_http("Hi")
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        pass
    with pytest.raises(ConfigError, match="one response"):
        await server.start_http("Hi")


async def test_a_server_leaves_no_cycles(autojump_clock: MockClock) -> None:
    """What a server held is freed when it is let go, without the collector."""
    async with scripted_network([chunked(answer("a"))]) as (_, client):
        gc.collect()
        gc.disable()
        try:
            async with open_stream_server(PROVIDER, "tiny-1") as server:
                await server.start_http("Hi", client=client)
                await drain(server)
            alive = weakref.ref(server)
            del server
            await trio.lowlevel.checkpoint()
            assert alive() is None
        finally:
            gc.enable()


@pytest.mark.parametrize(
    ("script", "kind", "texts"),
    [
        ([response(500, JSON, b'{"error":{"message":"no"}}')], ServerError, []),
        ([chunked(text("a"), last=False), FIN], ConnectionLost, ["a"]),
        ([response(429, {"Retry-After": "7", "Content-Length": "9"}, None), KEEP_OPEN], RateLimitError, []),
        ([chunked(text("a"), last=False), KEEP_OPEN], Stalled, ["a"]),
        ([*segments(chunked(text("Grüße")), 3), FIN], Truncated, ["Grüße"]),
    ],
    ids=["500", "cut", "error_without_end", "silence", "no_terminal"],
)
async def test_the_failures_of_http_are_the_streams(
    script: Any, kind: type[StreamdError], texts: list[str], autojump_clock: MockClock
) -> None:
    """Over the network as by hand: everything before it, then the typed error, and the connection is closed."""
    async with scripted_network(script) as (network, client), no_leaks():
        async with open_stream_server(PROVIDER, "tiny-1") as server:
            await server.start_http("Hi", client=client)
            seen, error = await drain(server)
            assert (seen, type(error)) == (texts, kind)
            assert (await server.await_metadata()).error is error
        await network.wait_connections_closed()


async def test_a_key_that_a_server_repeats_is_masked(autojump_clock: MockClock) -> None:
    """In the error of a response that was asked for with the key; by `start_http`, and by hand."""
    body = b'{"error": {"message": "bad key ' + KEY.encode() + b'"}}'
    async with (
        scripted_network([response(401, JSON, body)]) as (_, client),
        open_stream_server(PROVIDER, "tiny-1") as server,
    ):
        request = await server.start_http("Hi", client=client)
        assert KEY not in str(await ended(server))
    fed = HTTPRequest(request.method, request.url, (("x-token", Secret("swordfish")),), request.body)
    async with open_stream_server(PROVIDER, "tiny-1") as server:
        server.set_fixture_context(fed)
        await server.http_event(HTTPFailure(OSError("who is swordfish?")))
        error = await ended(server)
        assert "swordfish" not in f"{error} {error.__cause__}"


async def test_it_is_a_child_of_any_supervisor(autojump_clock: MockClock) -> None:
    """Its value is the server; its tree shows its actors; a failed response fails nobody beside it."""
    first, second = StreamServer(PROVIDER, "tiny-1", name="one"), StreamServer(PROVIDER, "tiny-1")
    script = [chunked(text("a"), last=False), Delay(100)]
    async with (
        scripted_network(script) as (_, client),
        open_supervisor() as supervisor,
    ):
        refs = [await supervisor.start_child(spec) for spec in (first.child_spec(), second.child_spec("two"))]
        assert [(ref.id, ref.value) for ref in refs] == [("one", first), ("two", second)]
        await second.start_http("Hi", client=client)
        assert await next_text(second) == "a"
        drawn = render(snapshot(supervisor))
        for actor in ("one", "two", "parser", "consumers", "attached", "producer"):
            assert actor in drawn
        await first.http_event(HTTPFailure(OSError("broken")))
        assert isinstance(await ended(first), ConnectionLost)
        await first.await_metadata()
        await blocked()
        assert [info.id for info in supervisor.children()] == ["two"]
        assert (await refs[0].wait()).kind == "returned"
        assert second.status == "streaming"
