"""How often a request is made again, by how far the attempt had come; and the timers, each of which is named."""

import random
import socket
from typing import Any

import httpx
import httpx2
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from streamd import (
    AuthenticationError,
    BadRequestError,
    ConnectFailed,
    ConnectionLost,
    EncodingRefused,
    EventTooLarge,
    HTTPTransport,
    MalformedEvent,
    NotAStream,
    NotFoundError,
    OverloadedError,
    ProtocolViolation,
    QuotaError,
    RateLimitError,
    RedirectRefused,
    Retry,
    ServerError,
    Session,
    Stalled,
    StreamdError,
    Text,
    Timeouts,
    Truncated,
    open_session,
    stream,
)
from streamd._http import open_response
from streamd.providers import HTTPRequest
from tests.support.chat import DONE, answer, delta, event, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import (
    CLOSE,
    FIN,
    KEEP_OPEN,
    RST,
    UNREAD,
    Delay,
    Flood,
    Script,
    chunk,
    chunked,
    memory_network,
    response,
    tls_contexts,
)
from tests.support.sessions import chat_model, messages_model, read, scripted_network, scripted_session

GOOD: Script = [chunked(answer("Hel", "lo"))]
JSON = {"Content-Type": "application/json"}
PAGE = {"Content-Type": "text/html"}
COMPLETION = (
    b'{"object":"chat.completion","id":"x","model":"tiny-1","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"Hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}'
)


def cut(*events: bytes) -> bytes:
    """A chunked response that is not ended."""
    return chunked(*events, last=False)


def failing(code: str) -> bytes:
    """An error event of this code."""
    return event(error={"message": "no", "code": code})


Row = tuple[str, Script, type[StreamdError], int]
ALWAYS, ONCE, NEVER = 3, 2, 1
"""Requests that are made in all, where each is answered with the same fault."""

RULES: list[Row] = [
    # Sent, and nothing known of it: made again.
    ("net.reset_before_headers", [RST], ConnectionLost, ALWAYS),
    ("net.fin_before_headers", [FIN], ConnectionLost, ALWAYS),
    ("net.fin_mid_headers", [b"HTTP/1.1 200 OK\r\nContent-", FIN], ConnectionLost, ALWAYS),
    ("h1.garbage_status", [b"SSH-2.0-x\r\n\r\n", FIN], ProtocolViolation, ALWAYS),
    (
        "h1.header_flood",
        [b"HTTP/1.1 200 OK\r\n", Flood(b"a: b\r\n" * 800, times=60), FIN],
        ProtocolViolation,
        ALWAYS,
    ),
    (
        "h1.two_content_lengths",
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", FIN],
        ProtocolViolation,
        ALWAYS,
    ),
    ("time.stall_before_headers", [KEEP_OPEN], Stalled, ALWAYS),
    # By status.
    ("http.429", [response(429, body=b"{}")], RateLimitError, ALWAYS),
    ("http.408", [response(408)], ServerError, ALWAYS),
    ("http.409", [response(409)], ServerError, ALWAYS),
    ("http.425", [response(425)], ServerError, ALWAYS),
    ("http.500", [response(500)], ServerError, ALWAYS),
    ("http.502", [response(502, PAGE, b"<html>")], ServerError, ALWAYS),
    ("http.503", [response(503)], OverloadedError, ALWAYS),
    ("http.504", [response(504)], ServerError, ALWAYS),
    ("http.529", [response(529)], OverloadedError, ALWAYS),
    ("http.402_with_a_wait", [response(402, {"Retry-After": "1"}, b"{}")], RateLimitError, ALWAYS),
    ("http.402", [response(402, body=b"{}")], QuotaError, NEVER),
    ("http.429_quota", [response(429, JSON, b'{"error":{"code":"insufficient_quota"}}')], QuotaError, NEVER),
    ("http.400", [response(400, body=b"{}")], BadRequestError, NEVER),
    ("http.401", [response(401, body=b"{}")], AuthenticationError, NEVER),
    ("http.403", [response(403, body=b"{}")], AuthenticationError, NEVER),
    ("http.404", [response(404, body=b"{}")], NotFoundError, NEVER),
    ("http.413", [response(413, body=b"{}")], BadRequestError, NEVER),
    ("http.422", [response(422, body=b"{}")], BadRequestError, NEVER),
    (
        "http.context_length",
        [response(400, JSON, b'{"error":{"code":"context_length_exceeded"}}')],
        BadRequestError,
        NEVER,
    ),
    ("http.x_should_retry_false", [response(503, {"x-should-retry": "false"})], OverloadedError, NEVER),
    ("http.x_should_retry_true", [response(400, {"x-should-retry": "true"})], BadRequestError, ALWAYS),
    ("http.redirect", [response(307, {"Location": "http://memory.test/"})], RedirectRefused, NEVER),
    ("http.gzip", [chunked(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})], EncodingRefused, NEVER),
    # A good status, and nothing was delivered.
    ("http.empty_200", [response(200)], Truncated, ALWAYS),
    ("http.204", [response(204, body=None)], Truncated, ALWAYS),
    ("http.html_200", [response(200, PAGE, b"<html>Welcome</html>")], NotAStream, ONCE),
    ("http.html_200_unlabelled", [response(200, {}, b"\r\n <!doctype html>")], NotAStream, ONCE),
    (
        "http.json_error_200",
        [response(200, JSON, b'{"error":{"message":"no","code":"server_error"}}')],
        ServerError,
        ALWAYS,
    ),
    (
        "http.json_error_200_quota",
        [response(200, JSON, b'{"error":{"code":"insufficient_quota"}}')],
        QuotaError,
        NEVER,
    ),
    ("net.reset@head", [cut(), RST], ConnectionLost, ALWAYS),
    ("net.fin@role", [cut(delta(role="assistant", content="")), FIN], ConnectionLost, ALWAYS),
    ("net.fin@usage", [cut(usage(9, 0)), FIN], ConnectionLost, ALWAYS),
    ("h1.no_last_chunk", [cut(), FIN], ConnectionLost, ALWAYS),
    ("h1.bad_chunk_size", [cut() + b"zz\r\n", FIN], ProtocolViolation, ALWAYS),
    (
        "h1.content_length_long",
        [response(200, {"Content-Length": "500"}, None) + b": hi\n\n", FIN],
        ConnectionLost,
        ALWAYS,
    ),
    ("h1.close_delimited_cut", [response(200, {}, None) + b": hi\n\n", FIN], Truncated, ALWAYS),
    ("sse.comments_alone", [chunked(b": ping\n\n")], Truncated, ALWAYS),
    ("json.invalid", [chunked(b"data: {oops}\n\n")], MalformedEvent, ALWAYS),
    ("sse.endless_line", [cut(), Flood(chunk(b"x" * 65536))], EventTooLarge, NEVER),
    ("prov.error_first_overloaded", [chunked(failing("overloaded_error"))], OverloadedError, ALWAYS),
    ("prov.error_first_rate", [chunked(failing("rate_limit_exceeded"))], RateLimitError, ALWAYS),
    ("prov.error_first_server", [chunked(failing("server_error"))], ServerError, ALWAYS),
    ("prov.error_first_quota", [chunked(failing("insufficient_quota"))], QuotaError, NEVER),
    ("prov.error_first_invalid", [chunked(failing("invalid_request_error"))], BadRequestError, NEVER),
    ("prov.error_first_auth", [chunked(failing("invalid_api_key"))], AuthenticationError, NEVER),
    ("time.stall_first_event", [cut(), KEEP_OPEN], Stalled, ALWAYS),
    ("time.keepalive_forever", [cut(), Flood(chunk(b": ping\n\n"), every=5)], Stalled, ALWAYS),
    # Delivered: what was given cannot be taken back.
    ("net.reset@text", [cut(text("Hel")), RST], ConnectionLost, NEVER),
    ("net.fin@text", [cut(text("Hel")), FIN], ConnectionLost, NEVER),
    ("h1.cut_in_chunk@text", [cut(text("Hel")) + b"20\r\ndata", FIN], ConnectionLost, NEVER),
    (
        "h1.content_length_long@text",
        [response(200, {"Content-Length": "5000"}, None) + text("Hel"), FIN],
        ConnectionLost,
        NEVER,
    ),
    ("h1.close_delimited_cut@text", [response(200, {}, None) + text("Hel"), FIN], Truncated, NEVER),
    (
        "h1.content_length_short@text",
        [response(200, {"Content-Length": str(len(text("Hel")))}, None) + answer("Hel")],
        Truncated,
        NEVER,
    ),
    ("prov.eof_no_terminal", [chunked(text("Hel"))], Truncated, NEVER),
    ("prov.reasoning_only_eof", [chunked(delta(reasoning_content="hm"))], Truncated, NEVER),
    ("prov.error_mid", [chunked(text("Hel"), failing("overloaded_error"))], OverloadedError, NEVER),
    ("json.invalid@text", [chunked(text("Hel"), b"data: {oops}\n\n")], MalformedEvent, NEVER),
    ("time.stall_mid_event", [cut(text("Hel"), text("lo")[:9]), KEEP_OPEN], Stalled, NEVER),
    (
        "time.stall_mid_tool_args",
        [
            cut(
                delta(
                    tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"q":"rm'}}]
                )
            ),
            KEEP_OPEN,
        ],
        Stalled,
        NEVER,
    ),
]


@pytest.mark.parametrize(("fault", "kind", "made"), [row[1:] for row in RULES], ids=[row[0] for row in RULES])
async def test_how_often_a_request_is_made(
    fault: Script, kind: type[StreamdError], made: int, autojump_clock: MockClock
) -> None:
    """Where every attempt meets the same fault; the error names its class and the last attempt."""
    async with scripted_network(fault) as (network, client):
        async with no_leaks(), open_session(chat_model(network.url), "Hi", client=client) as session:
            _, error = await read(session)
        assert (type(error), len(network.requests)) == (kind, made)
        assert len({each.body for each in network.requests}) == 1
    assert error is not None
    assert error.attempt == made
    assert error.phase in ("headers", "stream", "connect")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [row[1:3] for row in RULES if row[3] != NEVER],
    ids=[row[0] for row in RULES if row[3] != NEVER],
)
async def test_what_is_made_again_is_not_seen(
    fault: Script, kind: type[StreamdError], autojump_clock: MockClock
) -> None:
    """After one such fault the consumer has the whole answer, and nothing else."""
    async with scripted_network(fault, GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client) as session:
            chunks, error = await read(session)
        assert (error, len(network.requests)) == (None, 2)
    assert [each.text for each in chunks if isinstance(each, Text)] == ["Hel", "lo"]
    assert session.statistics().usage.input_tokens == 3


ENDED = [text("Hello"), finish(), usage(3, 2)]
AFTER_THE_END: list[tuple[str, Script]] = [
    ("rst", [cut(*ENDED), RST]),
    ("fin", [cut(*ENDED), FIN]),
    ("stall", [cut(*ENDED, DONE), KEEP_OPEN]),
    ("bad_chunk", [cut(*ENDED) + b"zz\r\n", FIN]),
    ("half_an_event", [cut(*ENDED, b"data: {"), FIN]),
    ("error_after_done", [chunked(*ENDED, DONE, failing("overloaded_error"))]),
    ("garbage_after_done", [chunked(*ENDED, DONE + b"data: {oops}\n\n")]),
    ("flood_after_done", [cut(*ENDED, DONE), Flood(chunk(b": x\n\n"), every=0.01)]),
]


@pytest.mark.parametrize("script", [row[1] for row in AFTER_THE_END], ids=[row[0] for row in AFTER_THE_END])
async def test_nothing_after_the_end_fails_a_turn(script: Script, autojump_clock: MockClock) -> None:
    """The provider has said that the turn is complete: it is, at once, and no request is made again."""
    async with scripted_network(script) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", client=client)
        assert (answered.text, answered.usage.output_tokens) == ("Hello", 2)
        assert len(network.requests) == 1
        assert trio.current_time() < 0.1


async def test_an_answer_that_was_not_streamed_is_taken(autojump_clock: MockClock) -> None:
    """A whole completion in the place of a stream is the answer: it is paid for."""
    async with scripted_network([response(200, JSON, COMPLETION)]) as (network, client):
        answered = await stream(chat_model(network.url), "Hi", client=client)
        assert (answered.text, answered.stop_reason, len(network.requests)) == ("Hello", "stop", 1)


async def failing_to_connect(
    connect: Any, *, ssl_context: Any = None, url: str = "https://memory.test", **options: Any
) -> tuple[StreamdError, int]:
    """What a session fails with whose connections are made so, and how many it made."""
    made = 0

    async def counted(host: str, port: int) -> trio.abc.Stream:
        nonlocal made
        made += 1
        return await connect(host, port)  # type: ignore[no-any-return]  # any connect

    transport = HTTPTransport(connect=counted, ssl_context=ssl_context)
    async with no_leaks(), httpx.AsyncClient(transport=transport, trust_env=False) as client:
        with pytest.raises(StreamdError) as caught:
            await stream(chat_model(url), "Hi", client=client, **options)
    return caught.value, made


@pytest.mark.parametrize(
    ("script", "kind", "phase"),
    [([UNREAD, KEEP_OPEN], Stalled, "headers"), ([UNREAD, Delay(1), RST], ConnectionLost, "send")],
    ids=["net.write_stall", "net.write_reset"],
)
async def test_a_server_that_does_not_read(
    script: Script, kind: type[StreamdError], phase: str, autojump_clock: MockClock
) -> None:
    """A large request that nobody takes is made again, and ends in time."""
    async with memory_network(script, lockstep=True) as network:
        transport = HTTPTransport(connect=network.connect)
        async with no_leaks(), httpx.AsyncClient(transport=transport, trust_env=False) as client:
            with pytest.raises(kind) as caught:
                await stream(chat_model(network.url), "x" * 1_000_000, client=client)
        assert len(network.connections) == ALWAYS
    assert (caught.value.attempt, caught.value.phase) == (ALWAYS, phase)


async def test_a_name_that_is_not_found_and_a_refusal(autojump_clock: MockClock) -> None:
    """Nothing was sent, so it is tried again."""
    for cause in (socket.gaierror(-2, "no such name"), ConnectionRefusedError(111, "refused")):

        async def connect(host: str, port: int, cause: OSError = cause) -> trio.abc.Stream:
            raise cause

        error, made = await failing_to_connect(connect)
        assert (type(error), error.phase, error.attempt, made) == (ConnectFailed, "connect", 3, 3)


async def test_a_connection_that_is_never_made(autojump_clock: MockClock) -> None:
    """The connect timer fires, and is named; the next attempt has all of it again."""

    async def connect(host: str, port: int) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    error, made = await failing_to_connect(connect, retry=Retry(initial=0.0, maximum=0.0))
    assert isinstance(error, ConnectFailed)
    assert (error.which, made, trio.current_time()) == ("connect", 3, 30.0)
    assert "the connect timer fired after 10 s" in str(error)


async def test_handshakes_that_fail(autojump_clock: MockClock) -> None:
    """One that is cut may succeed the next time; a certificate that does not verify will not."""
    async with memory_network([UNREAD, CLOSE]) as plain:
        error, made = await failing_to_connect(plain.connect, ssl_context=tls_contexts()[1])
        assert (type(error), error.phase, made) == (ConnectFailed, "connect", 3)
    async with memory_network(GOOD, tls=True) as wrong:
        error, made = await failing_to_connect(
            wrong.connect, url="https://other.test", ssl_context=tls_contexts()[1]
        )
        assert (type(error), error.retryable, made) == (ConnectFailed, False, 1)


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("name", ["ConnectTimeout", "PoolTimeout"])
async def test_the_connect_timer_of_a_client_is_named(library: Any, name: str) -> None:
    """Whoever keeps the time, the error says which timer it was."""

    class Slow:
        def build_request(self, *args: Any, **fields: Any) -> Any:
            return None

        async def send(self, request: Any, **options: Any) -> Any:
            raise getattr(library, name)("")

    with pytest.raises(ConnectFailed, match="connect timer") as caught:
        async with await open_response(
            Slow(), HTTPRequest("GET", "http://x.test/", (), b""), user_agent="a", connect=1.0
        ):
            pass
    assert caught.value.which == "connect"


WAITS: list[tuple[dict[str, str], float | None]] = [
    ({}, 0.0),
    ({"Retry-After": "2"}, 2.0),
    ({"Retry-After": "1.5"}, 1.5),
    ({"Retry-After-Ms": "250"}, 0.25),
    ({"Retry-After-Ms": "250", "Retry-After": "30"}, 0.25),
    ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ({"Retry-After": "0"}, 0.0),
    ({"Retry-After": "-5"}, 0.0),
    ({"Retry-After": "nan"}, 0.0),
    ({"Retry-After": "soon"}, 0.0),
    ({"Retry-After": "120"}, 120.0),
    ({"Retry-After": "121"}, None),
    ({"Retry-After": "1000000000"}, None),
    ({"Retry-After": "9" * 400}, None),
]


@pytest.mark.parametrize(("headers", "waited"), WAITS, ids=[str(row[0])[:60] for row in WAITS])
async def test_the_wait_that_a_provider_asks_for(
    headers: dict[str, str], waited: float | None, autojump_clock: MockClock
) -> None:
    """It is the least that is waited; past the limit the session fails at once, and its error tells the wait."""
    busy: Script = [response(429, headers, b"{}")]
    async with scripted_network(busy, GOOD) as (network, client):
        async with open_session(
            chat_model(network.url), "Hi", client=client, retry=Retry(initial=0.0, maximum=0.0)
        ) as session:
            _, error = await read(session)
        assert trio.current_time() == (0.0 if waited is None else waited)
        assert len(network.requests) == (1 if waited is None else 2)
    if waited is None:
        assert isinstance(error, RateLimitError)
        assert error.retry_after is not None
        assert error.retry_after > 120
    else:
        assert error is None


async def test_a_wait_until_a_date(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date is read against the wall clock, and waited for on trio's."""
    monkeypatch.setattr("time.time", lambda: 1_700_000_000.0)
    busy: Script = [response(503, {"Retry-After": "Tue, 14 Nov 2023 22:13:25 GMT"})]
    async with scripted_session(busy, GOOD, retry=Retry(initial=0.0, maximum=0.0)) as session:
        assert (await session.response()).text == "Hello"
        assert trio.current_time() == 5.0


async def test_all_attempts_carry_one_key(autojump_clock: MockClock) -> None:
    """One for each request: another turn, or another session, has another."""
    named = Retry(idempotency_header="Idempotency-Key", restart=True)
    half: Script = [chunked(text("Hel"))]
    seen: list[str] = []
    for _ in range(2):
        async with scripted_network([FIN], half, GOOD) as (network, client):
            await stream(chat_model(network.url), "Hi", client=client, retry=named)
            keys = [each.headers["idempotency-key"] for each in network.requests]
            assert (len(keys), len(set(keys))) == (3, 1)
            seen += keys[:1]
    assert seen[0] != seen[1]
    assert len(seen[0]) == 36


async def test_no_key_is_sent_unasked_and_none_is_overwritten(autojump_clock: MockClock) -> None:
    """It is off by default, and a header of the caller's stands."""
    own = {"idempotency-key": "mine"}
    named = Retry(idempotency_header="Idempotency-Key")
    async with scripted_network(GOOD) as (network, client):
        model = chat_model(network.url)
        await stream(model, "Hi", client=client)
        await stream(model, "Hi", client=client, retry=named, extra_headers=own)
        assert [each.headers.get("idempotency-key") for each in network.requests] == [None, "mine"]


async def test_each_round_has_a_key_of_its_own(autojump_clock: MockClock) -> None:
    """A later round is another request."""
    paused = (
        b'data: {"type":"message_start","message":{"id":"m1","model":"c","usage":{"input_tokens":5}}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Wait."}}\n\n'
        b'data: {"type":"content_block_stop","index":0}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"%b"},"usage":{"output_tokens":1}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
    async with scripted_network([chunked(paused % b"pause_turn")], [chunked(paused % b"end_turn")]) as (
        network,
        client,
    ):
        await stream(
            messages_model(network.url), "Hi", client=client, retry=Retry(idempotency_header="X-Key")
        )
        keys = [each.headers["x-key"] for each in network.requests]
        assert (len(keys), len(set(keys))) == (2, 2)


async def test_keys_come_of_the_seed(autojump_clock: MockClock) -> None:
    """A run whose random numbers are seeded sends the same again."""
    seen: list[str] = []
    for _ in range(2):
        random.seed(7)
        async with scripted_network(GOOD) as (network, client):
            await stream(
                chat_model(network.url), "Hi", client=client, retry=Retry(idempotency_header="X-Key")
            )
            seen.append(network.requests[0].headers["x-key"])
    assert seen[0] == seen[1]


TIMED: list[tuple[str, Script, Timeouts, str, float]] = [
    ("first_chunk", [KEEP_OPEN], Timeouts(first_chunk=7.0), "first_chunk", 7.0),
    ("first_chunk_after_head", [cut(), KEEP_OPEN], Timeouts(first_chunk=7.0), "first_chunk", 7.0),
    (
        "first_chunk_despite_pings",
        [cut(), Flood(chunk(b": x\n\n"), every=1)],
        Timeouts(first_chunk=7.0),
        "first_chunk",
        7.0,
    ),
    ("idle", [cut(text("x")), KEEP_OPEN], Timeouts(idle=7.0), "idle", 7.0),
    (
        "idle_mid_args",
        [
            cut(delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}])),
            KEEP_OPEN,
        ],
        Timeouts(idle=7.0),
        "idle",
        7.0,
    ),
    (
        "progress",
        [cut(text("x")), Flood(chunk(b": x\n\n"), every=1)],
        Timeouts(progress=7.5),
        "progress",
        7.5,
    ),
    ("total", [cut(), Flood(chunk(text("x")), every=1)], Timeouts(total=7.5), "total", 7.5),
]


@pytest.mark.parametrize(
    ("script", "timeouts", "which", "at"), [row[1:] for row in TIMED], ids=[row[0] for row in TIMED]
)
async def test_each_timer_is_named_when_it_fires(
    script: Script, timeouts: Timeouts, which: str, at: float, autojump_clock: MockClock
) -> None:
    """On time, with its setting, and with what had come."""
    async with scripted_session(script, timeouts=timeouts, retry=None) as session:
        chunks, error = await read(session)
        assert trio.current_time() == at
    assert isinstance(error, Stalled)
    assert (error.which, error.seconds) == (which, at)
    assert f"the {which} timer fired after {at:g} s" in str(error)
    assert error.partial is not None
    assert error.partial.text == "".join(each.text for each in chunks if isinstance(each, Text))
    assert error.partial.tool_calls == ()


@given(
    early=st.sampled_from([-0.5, -1e-6, 0.0, 1e-6, 0.5]),
    timer=st.sampled_from(["idle", "progress", "first_chunk"]),
    seed=st.random_module(),
)
@settings(deadline=None, max_examples=40)
def test_an_event_at_the_very_deadline(early: float, timer: str, seed: object) -> None:
    """Before it the answer is whole, after it the timer is told; at it either, and nothing in between."""

    async def main() -> None:
        head = [cut()] if timer == "first_chunk" else [cut(text("Hel"))]
        rest = answer("lo") if timer != "first_chunk" else answer("Hel", "lo")
        late: Script = [*head, Delay(7.0 + early), chunk(rest)]
        limits = Timeouts(**{timer: 7.0})
        async with scripted_session(late, timeouts=limits, retry=None) as session:
            chunks, error = await read(session)
        told = "".join(each.text for each in chunks if isinstance(each, Text))
        if early < 0:
            assert error is None
        if early > 0:
            assert error is not None
        if error is None:
            assert told == "Hello"
        else:
            assert isinstance(error, Stalled)
            assert error.which == timer
            assert told == ("" if timer == "first_chunk" else "Hel")

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("how", ["cancel", "scope", "leave"])
async def test_ending_while_a_retry_waits(how: str, autojump_clock: MockClock) -> None:
    """However the session is ended in that time, it is so at once, and no request is made any more."""
    busy: Script = [response(503, {"Retry-After": "60"})]
    sessions: list[Session] = []
    async with scripted_network(busy, GOOD) as (network, client):
        async with no_leaks():
            with trio.move_on_after(30 if how == "scope" else 1000):
                async with open_session(chat_model(network.url), "Hi", client=client) as session:
                    sessions.append(session)
                    await network.wait_requests(1)
                    await trio.sleep(10)
                    if how == "cancel":
                        session.cancel()
                    if how != "leave":
                        await session.response()
            assert trio.current_time() == (30 if how == "scope" else 10)
        assert len(network.requests) == 1
    assert [each.status for each in sessions] == ["cancelled"]
    assert sessions[0].statistics().attempts == 1


@given(after=st.sampled_from([59.0, 60.0, 61.0]), seed=st.random_module())
@settings(deadline=None, max_examples=30)
def test_a_wait_that_ends_as_the_session_is_cancelled(after: float, seed: object) -> None:
    """In the very step, either the next attempt is begun or not; what is left is the same."""

    async def main() -> None:
        busy: Script = [response(503, {"Retry-After": "60"})]
        slow: Script = [cut(), KEEP_OPEN]
        async with scripted_network(busy, slow) as (network, client):
            async with (
                no_leaks(),
                open_session(
                    chat_model(network.url), "Hi", client=client, retry=Retry(initial=0.0, maximum=0.0)
                ) as session,
            ):
                await trio.sleep(after)
                session.cancel()
                chunks, error = await read(session)
            assert (chunks, error, session.status) == ([], None, "cancelled")
            if after != 60:
                assert len(network.requests) == (1 if after < 60 else 2)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_the_total_timer_ends_a_wait(autojump_clock: MockClock) -> None:
    """Waiting for a provider is time of the session's."""
    busy: Script = [response(503, {"Retry-After": "60"})]
    async with scripted_session(busy, GOOD, timeouts=Timeouts(total=20.0)) as session:
        _, error = await read(session)
        assert trio.current_time() == 20.0
    assert isinstance(error, Stalled)
    assert (error.which, error.attempt) == ("total", 1)
