"""What a session does with servers that misbehave: the typed error, after every chunk before it, and nothing left."""

import asyncio
import logging
import socket
import traceback
from typing import Any

import httpx
import httpx2
import pytest
import trio
from trio.testing import MockClock

from streamd import (
    ActorCrashed,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    EncodingRefused,
    EventTooLarge,
    MalformedEvent,
    NotAStream,
    NotFoundError,
    OverloadedError,
    ProtocolViolation,
    RateLimitError,
    RedirectRefused,
    Retry,
    ServerError,
    Stalled,
    StreamdError,
    Text,
    Timeouts,
    ToolError,
    Truncated,
    open_session,
    stream,
)
from streamd.providers import HTTPRequest, resolve
from tests.support.chat import DONE, answer, delta, event, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import FIN, KEEP_OPEN, RST, Delay, Flood, Script, chunk, chunked, response, serve
from tests.support.sessions import KEY, chat_model, read, scripted_network, scripted_session

GOOD: Script = [chunked(answer("Hel", "lo"))]
JSON = {"Content-Type": "application/json"}


def words(chunks: list[Any]) -> list[str]:
    return [each.text for each in chunks if isinstance(each, Text)]


def printed(error: BaseException) -> str:
    """All that a traceback, a repr and a str show of an error and its causes."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(error)


def cut(*events: bytes) -> bytes:
    """A chunked response that is not ended."""
    return chunked(*events, last=False)


FAULTS: list[tuple[str, Script, type[StreamdError], list[str]]] = [
    ("html_200", [response(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")], NotAStream, []),
    (
        "json_error_200",
        [response(200, JSON, b'{"error":{"message":"no","code":"server_error"}}')],
        ServerError,
        [],
    ),
    ("401", [response(401, JSON, b'{"error":{"message":"bad key"}}')], AuthenticationError, []),
    ("400", [response(400, JSON, b'{"error":{"message":"bad"}}')], BadRequestError, []),
    ("unknown_model", [response(404, JSON, b'{"error":{"message":"no such model"}}')], NotFoundError, []),
    ("429_too_long", [response(429, {"Retry-After": "9999"}, b"{}")], RateLimitError, []),
    (
        "529",
        [response(529, JSON, b'{"error":{"type":"overloaded_error","message":"x"}}')],
        OverloadedError,
        [],
    ),
    ("500_empty", [response(500)], ServerError, []),
    ("error_body_endless", [response(500, {}, None), Flood(b"x" * 4096)], ServerError, []),
    ("error_body_cut", [response(500, {"Content-Length": "500"}, None) + b"oops", FIN], ServerError, []),
    ("redirect", [response(307, {"Location": f"https://evil.test/x?key={KEY}"})], RedirectRefused, []),
    ("gzip", [chunked(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})], EncodingRefused, []),
    ("empty_200", [response(200)], Truncated, []),
    ("204", [response(204, body=None)], Truncated, []),
    ("not_http", [b"SSH-2.0-OpenSSH_9\r\n\r\n", FIN], ProtocolViolation, []),
    ("fin_before_head", [FIN], ConnectionLost, []),
    ("rst_before_head", [RST], ConnectionLost, []),
    ("rst_mid_event", [cut(text("Hel")), chunk(text("lo")[:20]), RST], ConnectionLost, ["Hel"]),
    ("fin_mid_body", [cut(text("Hel"), text("lo")), FIN], ConnectionLost, ["Hel", "lo"]),
    ("clean_eof_mid_answer", [chunked(text("Hel"), text("lo"))], Truncated, ["Hel", "lo"]),
    ("clean_eof_mid_event", [chunked(text("Hel"), text("lo")[:-10])], Truncated, ["Hel"]),
    ("close_delimited_cut", [response(200, {}, None) + text("Hel"), FIN], Truncated, ["Hel"]),
    ("endless_line", [cut(text("Hel")), Flood(chunk(b"x" * 65536))], EventTooLarge, ["Hel"]),
    ("invalid_utf8", [chunked(text("Hel"), b'data: {"id":"\xff"}\n\n')], MalformedEvent, ["Hel"]),
    ("invalid_json", [chunked(text("Hel") + b"data: {oops}\n\n")], MalformedEvent, ["Hel"]),
    (
        "deep_json",
        [chunked(text("Hel"), b"data: " + b'{"choices":' * 5000 + b"\n\n")],
        MalformedEvent,
        ["Hel"],
    ),
    (
        "error_event",
        [chunked(text("Hel"), event(error={"message": "busy", "code": "rate_limit_exceeded"}))],
        RateLimitError,
        ["Hel"],
    ),
    ("stall_before_head", [KEEP_OPEN], Stalled, []),
    ("stall_mid_answer", [cut(text("Hel")), KEEP_OPEN], Stalled, ["Hel"]),
    ("keep_alive_forever", [cut(text("Hel")), Flood(chunk(b": ping\n\n"), every=5)], Stalled, ["Hel"]),
]


@pytest.mark.parametrize(
    ("script", "kind", "before"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
async def test_a_fault_is_a_typed_error_after_what_came(
    script: Script,
    kind: type[StreamdError],
    before: list[str],
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The error has its class, comes after every chunk before it, twice the same, and shows no key anywhere."""
    caplog.set_level(logging.DEBUG)
    async with scripted_network(script) as (network, client):
        async with (
            no_leaks(),
            open_session(chat_model(network.url), "Hi", client=client, retry=None) as session,
        ):
            chunks, error = await read(session)
            assert words(chunks) == before
            assert type(error) is kind, error
            with pytest.raises(kind) as again:
                await session.receive()
            assert again.value is error
            assert session.status == "error"
        assert len(network.requests) == 1
        assert KEY in str(network.requests[0].headers)
        await network.wait_connections_closed()
    assert error is not None
    assert error.attempt == 1
    assert error.phase is not None
    assert (error.partial.text if error.partial else "") == "".join(before)
    assert KEY not in printed(error) + caplog.text


@pytest.mark.parametrize(
    ("name", "which", "seconds"),
    [
        ("stall_before_head", "first_chunk", 120),
        ("stall_mid_answer", "idle", 60),
        ("keep_alive_forever", "progress", 300),
    ],
)
async def test_a_stall_names_its_timer(
    name: str, which: str, seconds: float, autojump_clock: MockClock
) -> None:
    """Each silence is ended by the timer that is meant for it, on time."""
    script = next(row[1] for row in FAULTS if row[0] == name)
    async with scripted_session(script, retry=None) as session:
        _, error = await read(session)
        assert isinstance(error, Stalled)
        assert (error.which, error.seconds) == (which, seconds)
        assert trio.current_time() == pytest.approx(seconds)


async def test_the_total_timer_ends_everything(autojump_clock: MockClock) -> None:
    """A stream that is alive all the time ends when the whole session took too long."""
    live = [cut(), Flood(chunk(text("x")), every=10)]
    async with scripted_session(live, timeouts=Timeouts(total=95.0)) as session:
        chunks, error = await read(session)
    assert isinstance(error, Stalled)
    assert (error.which, trio.current_time()) == ("total", 95.0)
    assert words(chunks) == ["x"] * 9
    assert error.partial is not None
    assert error.partial.text == "x" * 9


async def test_a_slow_reader_is_no_stall(autojump_clock: MockClock) -> None:
    """While the consumer does not read, the silence is ours: an hour of it fails nothing."""
    many = [chunked(*[text("x" * 50)] * 2000, finish() + DONE)]
    async with scripted_session(many, high_watermark=1, retry=None) as session:
        await session.receive()
        await trio.sleep(3600)
        assert (await session.response()).text == "x" * 100_000


RETRIED: list[tuple[str, Script]] = [
    ("429", [response(429, {"Retry-After": "2"}, b"{}")]),
    ("529", [response(529, body=b"{}")]),
    ("fin", [FIN]),
    ("truncated", [chunked()]),
    ("error_first", [chunked(event(error={"message": "busy", "type": "overloaded_error"}))]),
    ("role_only", [chunked(delta(role="assistant", content=""))]),
    ("html", [response(200, body=b"<html>")]),
]


@pytest.mark.parametrize("fault", [row[1] for row in RETRIED], ids=[row[0] for row in RETRIED])
async def test_a_fault_before_the_first_chunk_is_retried_unseen(
    fault: Script, autojump_clock: MockClock
) -> None:
    """The consumer sees one whole answer, and the same request was made twice."""
    async with scripted_network(fault, GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client) as session:
            chunks, error = await read(session)
            assert session.statistics().attempts == 2
        assert error is None
        assert words(chunks) == ["Hel", "lo"]
        assert network.requests[0].body == network.requests[1].body


async def test_retry_after_is_a_floor(autojump_clock: MockClock) -> None:
    """The second attempt is made no sooner than the provider asked."""
    busy = [response(429, {"Retry-After": "2"}, b"{}")]
    async with scripted_session(busy, busy, GOOD, retry=Retry(initial=0.0, maximum=0.0)) as session:
        assert (await session.response()).text == "Hello"
        assert trio.current_time() == pytest.approx(4.0)


async def test_retries_are_bounded(autojump_clock: MockClock) -> None:
    """After two more attempts the error is the caller's, with the number of the last."""
    async with scripted_network([FIN]) as (network, client):
        with pytest.raises(ConnectionLost) as caught:
            await stream(chat_model(network.url), "Hi", client=client)
        assert (len(network.requests), caught.value.attempt) == (3, 3)


async def test_nothing_is_retried_once_something_was_delivered(autojump_clock: MockClock) -> None:
    """Text cannot be taken back, so the error comes after it."""
    async with scripted_network([chunked(text("Hel"))], GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client) as session:
            chunks, error = await read(session)
        assert (words(chunks), type(error), len(network.requests)) == (["Hel"], Truncated, 1)


async def test_a_connection_lost_after_the_finish_reason_fails_nothing() -> None:
    """The provider had said that the turn was complete."""
    async with scripted_session([cut(text("Hello"), finish(), usage(3, 2)), RST]) as session:
        answered = await session.response()
    assert (answered.text, answered.usage.output_tokens) == ("Hello", 2)


async def test_connection_refused() -> None:
    """Nobody listens: the error names the place, and a retry changes nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with no_leaks():
            with pytest.raises(ConnectFailed) as caught:
                await stream(chat_model(url), "Hi", retry=None)
    assert caught.value.phase == "connect"
    assert KEY not in printed(caught.value)


async def test_an_error_tells_the_usage_of_the_rounds_before() -> None:
    """What the provider counted before the cut is kept."""
    async with scripted_session([chunked(text("Hel"), usage(7, 1))], retry=None) as session:
        _, error = await read(session)
    assert error is not None
    assert error.usage is not None
    assert (error.usage.input_tokens, error.usage.output_tokens) == (7, 1)


class BuggyDecoder:
    """A decoder of somebody else's that raises what it never should."""

    done = False

    def feed(self, data: bytes, /) -> list[Any]:
        raise ZeroDivisionError("oops")

    def close(self) -> list[Any]:
        raise ZeroDivisionError("oops")


class BuggyProvider:
    """A provider of somebody else's."""

    name = "buggy"

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, context: Any, options: Any, /) -> HTTPRequest:
        return HTTPRequest("POST", self.url, (("user-agent", "mine"),), b"{}")

    def decoder(self) -> BuggyDecoder:
        return BuggyDecoder()

    def error(self, status: int, headers: Any, body: bytes, /) -> APIError:
        return resolve(("openai-compatible", {"base_url": self.url})).error(status, headers, body)


async def test_a_crash_in_a_provider_ends_the_session_with_its_cause() -> None:
    """A bug in an actor reaches the consumer as such, and nothing is left."""
    async with scripted_network(GOOD) as (network, client):
        async with (
            no_leaks(),
            open_session((BuggyProvider(network.url), "m"), "Hi", client=client) as session,
        ):
            chunks, error = await read(session)
        assert network.requests[0].headers["user-agent"] == "mine"
    assert chunks == []
    assert isinstance(error, ActorCrashed)
    assert isinstance(error.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("key", ["sk-canary\n5ecre7", "sk-canaryé", "sk-canary 5ecre7"])
async def test_a_key_that_cannot_be_sent_is_not_shown(key: str) -> None:
    """The error says where the key is wrong, and not what it is."""
    with pytest.raises(ConfigError) as caught:
        await stream((("openai", {"api_key": key}), "m"), "Hi")
    assert "canary" not in printed(caught.value)


async def test_no_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable to set."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        await stream("anthropic:claude-sonnet-4-6", "Hi")


async def test_an_unknown_provider_names_the_closest() -> None:
    """A typing error is answered with what was meant."""
    with pytest.raises(ConfigError, match="did you mean 'anthropic'"):
        await stream("antropic:claude-sonnet-4-6", "Hi")


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
@pytest.mark.parametrize(
    ("script", "kind", "before"),
    [
        (GOOD, None, ["Hel", "lo"]),
        ([FIN], ConnectionLost, []),
        ([RST], ConnectionLost, []),
        ([cut(text("Hel")), Delay(0.05), FIN], ConnectionLost, ["Hel"]),
        ([b"nonsense\r\n\r\n", FIN], ProtocolViolation, []),
        ([response(307, {"Location": "http://127.0.0.1:1/"})], RedirectRefused, []),
        ([response(401, JSON, b'{"error":{"message":"bad key"}}')], AuthenticationError, []),
    ],
    ids=["good", "fin", "rst", "cut", "nonsense", "redirect", "401"],
)
@pytest.mark.filterwarnings(
    "ignore:Async generator 'http:ResourceWarning"
)  # the clients' own, when left early
async def test_any_client_of_httpx_or_httpx2(
    name: str, script: Script, kind: type[StreamdError] | None, before: list[str]
) -> None:
    """With a client of the caller's the same faults are the same errors, and the client stays open."""
    library: Any = {"httpx": httpx, "httpx2": httpx2}[name]
    async with serve(script) as server, library.AsyncClient() as client:
        async with open_session(chat_model(server.url), "Hi", client=client, retry=None) as session:
            chunks, error = await read(session)
        assert words(chunks) == before
        assert type(error) is (type(None) if kind is None else kind)
        assert not client.is_closed
    assert error is None or KEY not in printed(error)


async def test_a_client_that_is_closed() -> None:
    """A client that can send nothing is told as a crash with its cause."""
    client = httpx.AsyncClient()
    await client.aclose()
    with pytest.raises(StreamdError) as caught:
        await stream(chat_model("http://127.0.0.1:9"), "Hi", client=client, retry=None)
    assert KEY not in printed(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeouts": 5}, "timeouts must be a streamd.Timeouts, not int"),
        ({"retry": 3}, "retry must be a streamd.Retry or None, not int"),
        ({"client": httpx.Client()}, "client must be an httpx.AsyncClient or httpx2.AsyncClient, not Client"),
        ({"max_rounds": "many"}, "max_rounds must be a whole number"),
        ({"high_watermark": 0.5}, "high_watermark must be a whole number"),
        ({"tool_timeout": -1}, "tool_timeout must be a positive number"),
        ({"tools": print}, r"tools is a list, not builtin_function_or_method: give tools=\[...\]"),
        ({"stop": 3}, "Expected `array`, got `int` - at `\\$.stop`"),
        ({"max_tokens": "ten"}, "at `\\$.max_tokens`"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"temperature": float("nan")}, "temperature must be a finite number"),
        ({"extra_headers": {"x": "a\nb"}}, "extra_headers"),
    ],
)
async def test_an_option_of_the_wrong_kind_is_named(options: dict[str, Any], words: str) -> None:
    """Whatever is wrong is said before anything is sent, by the option's name."""
    async with scripted_network(GOOD) as (network, client):
        with pytest.raises((ConfigError, ToolError), match=words):
            await stream(chat_model(network.url), "Hi", **{"client": client, **options})
        assert network.connections == []


def test_a_session_needs_trio() -> None:
    """Under another event loop the error says what is missing, rather than what broke."""

    async def main() -> None:
        with pytest.raises(ConfigError, match=r"trio\.run"):
            await stream(chat_model("http://127.0.0.1:9"), "Hi")

    asyncio.run(main())
