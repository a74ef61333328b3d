"""What an attacker, a careless tool or a clumsy provider could do to a session, and what becomes of it."""

import copy
import gc
import logging
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    Metadata,
    RateLimitError,
    Retry,
    Stalled,
    Stop,
    StreamdError,
    StreamServer,
    Text,
    Timeouts,
    ToolError,
    Truncated,
    Usage,
    open_runtime,
    open_session,
    open_stream_server,
    stream,
    tool,
)
from streamd.providers import HTTPRequest
from tests.support.chat import DONE, answer, call, delta, event, finish, text, usage
from tests.support.server import (
    FIN,
    KEEP_OPEN,
    RST,
    Delay,
    Flood,
    Pause,
    Script,
    chunk,
    chunked,
    response,
    serve,
)
from tests.support.sessions import KEY, chat_model, read, scripted_network, scripted_session

GOOD: Script = [chunked(answer("Hel", "lo"))]
TOKEN = "tok-canary-5ecre7"


def with_locals(error: BaseException) -> str:
    """A traceback as the most talkative reporters print it: with the variables of every frame of ours."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    seen: list[traceback.TracebackException] = [shown]
    lines: list[str] = []
    while seen:
        each = seen.pop()
        lines += ["".join(each.format_exception_only())]
        lines += [f"{f.filename}:{f.name} {f.locals}" for f in each.stack if "/tests/" not in f.filename]
        seen += [e for e in (each.__cause__, None if each.__suppress_context__ else each.__context__) if e]
    return "\n".join(lines)


ENDINGS: dict[str, Script] = {
    "fin": [FIN],
    "rst": [RST],
    "garbage": [b"garbage\r\n\r\n", FIN],
    "401": [response(401, body=b'{"error":{"message":"no"}}')],
    "truncated": [chunked(text("Hel"))],
    "malformed": [chunked(b"data: {oops}\n\n")],
    "redirect": [response(302, {"Location": "https://elsewhere.test/"})],
}


@pytest.mark.parametrize("script", ENDINGS.values(), ids=ENDINGS)
async def test_no_frame_of_ours_holds_a_key(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the key nor a secret header stands in a traceback with variables, or in a log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    async with scripted_network(script) as (network, client):
        with pytest.raises(StreamdError) as caught:
            await stream(
                chat_model(network.url),
                "Hi",
                client=client,
                retry=None,
                extra_headers={"x-proxy-token": TOKEN},
            )
        assert TOKEN in network.requests[0].headers.values()
    shown = with_locals(caught.value) + caplog.text
    assert KEY not in shown
    assert TOKEN not in shown


async def test_no_frame_of_a_refused_option_holds_a_key() -> None:
    """A mistake in an option is told without the key beside it."""
    for model in (
        (("openai", {"api_key": KEY, "base_url": "not a url"}), "m"),
        (("openai", {"api_key": KEY, "colour": "red"}), "m"),
        ({"provider": "nobody", "api_key": KEY, "headers": {"x-token": TOKEN}}, "m"),
        (("openai", {"api_key": KEY}), ""),
        (("openai", {"base_url": f"https://{KEY}@example.com", "api_key": "k"}), "m"),
        ({"provider": "openai", "base_url": f"https://example.com/v1?key={KEY}", "api_key": "k"}, "m"),
    ):
        with pytest.raises(ConfigError) as caught:
            await stream(model, "Hi")
        assert KEY not in with_locals(caught.value)
        assert TOKEN not in with_locals(caught.value)


async def test_no_frame_of_a_wrong_argument_holds_a_key() -> None:
    """What is refused before a provider is looked for is told without the key beside it, too."""
    model = ("openai", {"api_key": KEY}), "m"
    wrong: dict[str, Any]
    for wrong in ({"max_rounds": 0}, {"output_type": 3}, {"tools": 3}, {"prompt": ""}, {"fallback": 3}):
        asked = {"model": model, "prompt": "Hi", "extra_headers": {"x-token": TOKEN}, **wrong}
        with pytest.raises(StreamdError) as alone:
            await stream(**asked)
        async with open_runtime() as runtime:
            with pytest.raises(StreamdError) as hosted:
                await runtime.stream(**asked)
        with pytest.raises(StreamdError) as other:
            await stream(**{**asked, "fallback": [model], "model": "openai"})
        for caught in (alone, hosted, other):
            shown = with_locals(caught.value)
            assert KEY not in shown
            assert TOKEN not in shown


async def test_no_frame_holds_the_credentials_of_aws() -> None:
    """Given as texts, they are wrapped as a key is."""
    credentials = ("AKIA-canary", KEY, TOKEN)
    model = ("bedrock", {"credentials": credentials, "region": "eu-west-1"}), "m"
    with pytest.raises(ConfigError) as refused:
        await stream((("bedrock", {"credentials": credentials, "region": 3}), "m"), "Hi")
    with pytest.raises(KeyError) as left:
        async with open_session(model, "Hi"):
            raise KeyError
    for caught in (refused, left):
        shown = with_locals(caught.value)
        assert not [text for text in credentials if text in shown]


async def test_no_frame_of_a_stream_server_holds_a_key() -> None:
    """Neither where it is refused, nor around its block."""
    provider = ("openai", {"api_key": KEY, "headers": {"x-token": TOKEN}})
    wrong: Any = 3
    with pytest.raises(ConfigError) as made:
        StreamServer(provider, "m", timeouts=wrong)
    with pytest.raises(ConfigError) as opened:
        async with open_stream_server(("openai", {"api_key": KEY, "colour": "red"}), "m"):
            pytest.fail("it was opened")
    with pytest.raises(KeyError) as left:
        async with open_stream_server(provider, "m"):
            raise KeyError
    for caught in (made, opened, left):
        shown = with_locals(caught.value)
        assert KEY not in shown
        assert TOKEN not in shown


ECHOES: dict[str, Script] = {
    "in_stream": [chunked(event(error={"code": 401, "message": f"bad {KEY} and {TOKEN}"}))],
    "json_200": [response(200, body=b'{"error":{"message":"bad %s"}}' % KEY.encode())],
    "web_page": [response(200, body=b"<html>Authorization: Bearer %s %s" % (KEY.encode(), TOKEN.encode()))],
    "malformed": [chunked(b"data: {oops %s\n\n" % TOKEN.encode())],
    "encoding": [chunked(b"", headers={"Content-Encoding": KEY})],
    "redirect": [response(302, {"Location": f"https://{KEY}.test/"})],
    "reason": [response(403, reason=KEY)],
    "status_line": [b"WRONG %s 401\r\n\r\n" % KEY.encode()],
    "401": [response(401, body=b'{"error":{"message":"bad %s and %s"}}' % (KEY.encode(), TOKEN.encode()))],
}


@pytest.mark.parametrize("script", ECHOES.values(), ids=ECHOES)
async def test_a_key_that_a_server_repeats_is_masked(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a server says back, no secret of the request is in the error, its causes, its frames or a log."""
    caplog.set_level(logging.DEBUG)
    async with scripted_network(script) as (network, client):
        with pytest.raises(StreamdError) as caught:
            await stream(
                chat_model(network.url),
                "Hi",
                client=client,
                retry=None,
                extra_headers={"x-proxy-token": TOKEN},
            )
    shown = with_locals(caught.value) + repr(caught.value) + caplog.text
    assert KEY not in shown
    assert TOKEN not in shown


def ticking(place: int) -> bytes:
    """An event that only counts tokens."""
    return usage(3, place)


async def test_counting_is_no_progress(autojump_clock: MockClock) -> None:
    """A server that only counts keeps nothing alive: the first output is still waited for, and no longer."""
    counts = [0]

    async def tick(stream: trio.abc.Stream, request: object) -> None:
        while True:
            counts[0] += 1
            await stream.send_all(chunk(ticking(counts[0])))
            await trio.sleep(10)

    async with scripted_session([chunked(delta(role="assistant"), last=False), tick], retry=None) as session:
        chunks, error = await read(session)
    assert isinstance(error, Stalled)
    assert (error.which, trio.current_time()) == ("first_chunk", pytest.approx(120.0))
    metadata, counted = chunks
    assert metadata == Metadata("chatcmpl-1", "tiny-1")
    assert isinstance(counted, Usage)
    assert counted.output_tokens >= counts[0] - 1


async def test_a_flood_of_counts_is_not_kept(autojump_clock: MockClock) -> None:
    """Of counts that nobody reads only the last is held, however many come."""
    flood = b"".join(chunk(ticking(place)) for place in range(20_000))
    before = sum(isinstance(each, Usage) for each in gc.get_objects())
    async with scripted_session([chunked(last=False), flood, KEEP_OPEN]) as session:
        await wait_all_tasks_blocked()
        gc.collect()
        alive = sum(isinstance(each, Usage) for each in gc.get_objects())
        assert session.statistics().chunks_decoded >= 19_999
        assert session.statistics().usage.output_tokens == 19_999
        assert alive - before < 100


@pytest.mark.parametrize("end", [KEEP_OPEN, Flood(b" ", every=1.0)], ids=["stalls", "drips"])
async def test_an_error_whose_body_does_not_end_is_that_error(end: Any, autojump_clock: MockClock) -> None:
    """The status is in hand: what more the body would say is waited for five seconds, and nothing is retried."""
    script = [response(401, {"Content-Length": "1000"}, None) + b'{"error":{"message":"bad key"}}', end]
    async with scripted_network(script) as (network, client):
        with pytest.raises(AuthenticationError):
            await stream(chat_model(network.url), "Hi", client=client)
        assert len(network.requests) == 1
    assert trio.current_time() == pytest.approx(5.0)


class EndlessDecoder:
    """A decoder of a wire whose answers end with their body, and say so in no other way."""

    done = False
    terminal = False

    def feed(self, data: bytes, /) -> list[Any]:
        return [Text(data.decode())]

    def close(self) -> list[Any]:
        return [Stop("stop")]


class EndlessProvider:
    """The provider of that wire."""

    name = "endless"

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, context: Any, options: Any, /) -> HTTPRequest:
        return HTTPRequest("POST", self.url, (), b"")

    def decoder(self) -> EndlessDecoder:
        return EndlessDecoder()

    def error(self, status: int, headers: Any, body: bytes, /) -> RateLimitError:
        return RateLimitError("slow down", status_code=status)


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ([chunked(b"whole")], None, "whole"),
        ([chunked(b"half", last=False), RST], ConnectionLost, "half"),
        ([FIN], ConnectionLost, ""),
        ([response(429)], RateLimitError, ""),
    ],
    ids=["whole", "rst", "fin", "429"],
)
async def test_a_body_that_broke_is_not_one_that_ended(
    script: Script, kind: type[StreamdError] | None, words: str
) -> None:
    """Where a wire's only evidence is the body's end, a broken body is no evidence."""
    async with scripted_network(script) as (network, client):
        provider = EndlessProvider(network.url)
        async with open_session((provider, "m"), "Hi", client=client, retry=None) as session:
            chunks, error = await read(session)
    assert type(error) is (kind or type(None))
    assert "".join(each.text for each in chunks if isinstance(each, Text)) == words


class Picky(msgspec.Struct):
    name: str

    def __post_init__(self) -> None:
        raise LookupError("never heard of it")


class Mute(Exception):
    """An exception whose own text fails."""

    def __str__(self) -> str:
        raise RuntimeError("mute")


class Unwritable:
    """Something no JSON can hold."""


def picky(thing: Picky) -> str:
    return thing.name


def mute() -> str:
    raise Mute


def unwritable() -> object:
    return {Unwritable(): 1}


def wrapped() -> object:
    async def later() -> str:
        return "later"

    return later()


@pytest.mark.parametrize(
    ("function", "arguments", "content"),
    [
        (picky, '{"thing":{"name":"x"}}', "Error: LookupError: never heard of it"),
        (mute, "", "Error: Mute"),
        (unwritable, "", "Error: the tool returned something JSON cannot hold"),
        (wrapped, "", "later"),
    ],
)
async def test_no_tool_can_crash_a_session(
    function: Callable[..., object], arguments: str, content: str
) -> None:
    """Whatever a tool, its arguments' types or its result do, the model is told, and goes on."""
    round_of_tools = [chunked(call(function.__name__, arguments), finish("tool_calls"), DONE)]
    async with scripted_session(round_of_tools, GOOD, tools=[function]) as session:
        answered = await session.response()
        (result,) = session.messages[1].tool_results
    assert result.content.startswith(content)
    assert answered.text == "Hello"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("sync", [False, True], ids=["async", "thread"])
async def test_what_ends_a_program_leaves_bare(kind: type[BaseException], sync: bool) -> None:
    """KeyboardInterrupt and SystemExit in a tool are no failure of the tool: they end all, and leave as they are."""

    def leave() -> str:
        raise kind

    async def leave_async() -> str:
        raise kind

    function = tool(name="leave")(leave if sync else leave_async)
    async with scripted_network([chunked(call("leave", ""), finish("tool_calls"), DONE)]) as (
        network,
        client,
    ):
        with pytest.raises(kind) as caught:
            await stream(chat_model(network.url), "Hi", tools=[function], client=client)
    assert type(caught.value) is kind


async def test_approval_may_take_its_time(autojump_clock: MockClock) -> None:
    """A person who is asked is not the tool: its time begins after the answer; the hook may be a plain function."""

    async def ask(which: object) -> bool:
        await trio.sleep(3600)
        return True

    async def quick() -> str:
        return "ok"

    round_of_tools = [chunked(call("quick", ""), finish("tool_calls"), DONE)]
    for approve in (ask, lambda which: True):
        async with scripted_session(
            round_of_tools,
            GOOD,
            tools=[quick],
            approve=approve,
            tool_timeout=1e6,
            timeouts=Timeouts(progress=None),
        ) as session:
            await session.response()
            assert session.messages[1].tool_results[0].content == "ok"


class Named:
    """A callable object whose attributes have the names of a tool's own."""

    spec = "mine"
    _function = "mine"

    def __init__(self) -> None:
        self.spec = "mine"
        self._function = "mine"

    def __call__(self, city: str) -> str:
        return city


def test_a_callables_attributes_stay_its_own() -> None:
    """A tool is not taken over by the object it is made of; a tool can be given another name."""
    made = tool(name="mine")(Named())
    assert made.spec.name == "mine"
    assert tool(name="other")(made).name == "other"
    assert made("Oslo") == "Oslo"


@pytest.mark.parametrize("hint", ["int[", "os.nope", "1/0"])
def test_hints_that_break_are_refused(hint: str) -> None:
    """A hint given as text is evaluated; whatever it raises is told as a tool that cannot be read."""

    def broken(city: object) -> str:
        return ""

    broken.__annotations__["city"] = hint
    with pytest.raises(ToolError, match="cannot be read"):
        tool(broken)


@pytest.mark.parametrize("name", ["get weather", "a/b", "", "x" * 65])
def test_a_name_no_provider_takes_is_refused(name: str) -> None:
    """Names have the letters that all providers allow."""
    with pytest.raises(ToolError, match="cannot be a tool's name"):
        tool(name=name or " ")(mute)


def test_an_async_generator_is_no_tool() -> None:
    """A tool returns one value."""

    async def pieces():  # type: ignore[no-untyped-def]  # never called
        yield 1

    with pytest.raises(ToolError, match="async generator"):
        tool(pieces)


async def test_tiny_timers_do_not_spin(autojump_clock: MockClock) -> None:
    """A timer too short for the clock fires once, and the watch does not run in circles."""
    async with scripted_session([KEEP_OPEN], timeouts=Timeouts(first_chunk=1e-300), retry=None) as session:
        _, error = await read(session)
    assert isinstance(error, Stalled)


async def test_what_was_held_comes_before_the_error() -> None:
    """What was kept back for a retry is given to the consumer when there is none."""
    async with scripted_session([chunked(delta(role="assistant"), usage(3, 0))], retry=None) as session:
        chunks, error = await read(session)
    assert isinstance(error, Truncated)
    assert [type(each) for each in chunks] == [Metadata, Usage]


async def test_every_error_tells_its_phase(autojump_clock: MockClock) -> None:
    """The total timer's error says what the session was at."""
    async with scripted_session([KEEP_OPEN], timeouts=Timeouts(total=1.0)) as session:
        _, error = await read(session)
    assert error is not None
    assert error.phase == "connect"


def test_errors_can_be_copied_and_pickled() -> None:
    """An error can be sent to another process, and stays what it was."""
    error = Stalled("idle", 60.0, phase="stream")
    for other in (copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert (other.which, other.seconds, other.phase, str(other)) == ("idle", 60.0, "stream", str(error))


async def test_a_closed_client_is_named() -> None:
    """A client that can send nothing is the caller's mistake, told before anything is tried."""
    async with scripted_network(GOOD) as (network, client):
        await client.aclose()
        with pytest.raises(ConfigError, match="the client is closed"):
            await stream(chat_model(network.url), "Hi", client=client)
        with pytest.raises(ConfigError, match="approve must be a function"):
            await stream(chat_model(network.url), "Hi", approve=5)  # type: ignore[arg-type]  # the mistake is the case


PATIENT = Timeouts(idle=0.5, progress=0.5, first_chunk=0.5)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([chunked(answer(*"abcdef"))], None),
        ([chunked(*map(text, "abcdef"), finish(), DONE, last=False), KEEP_OPEN], None),
        ([chunked(*map(text, "abcdef"), last=False), FIN], ConnectionLost),
    ],
    ids=["whole", "held_open", "cut"],
)
async def test_a_consumer_may_pause_longer_than_any_timer(
    script: Script, kind: type[StreamdError] | None, autojump_clock: MockClock
) -> None:
    """The clock stands still while nobody reads, whatever the server did in the meantime."""
    async with scripted_session(script, high_watermark=1, timeouts=PATIENT, retry=None) as session:
        await session.receive()
        await trio.sleep(100)
        chunks, error = await read(session)
    assert type(error) is (kind or type(None)), error
    assert "".join(each.text for each in chunks if isinstance(each, Text)) == "abcdef"


async def test_a_connection_is_used_again_when_the_body_ends_a_moment_later() -> None:
    """The end of the body in a packet of its own does not cost the next round a connection."""
    body = b"".join([call("f", ""), finish("tool_calls"), DONE])
    late: Script = [chunked(body, last=False), Delay(0.01), b"0\r\n\r\n"]

    async def f() -> str:
        return "ok"

    async with serve(late, late, GOOD) as server:
        answered = await stream(chat_model(server.url), "Hi", tools=[f])
        assert answered.text == "Hello"
        assert (len(server.requests), len(server.connections)) == (3, 1)


class ClosingBadly(httpx.AsyncByteStream):
    """A response's stream that fails when it is closed."""

    async def __aiter__(self) -> Any:
        yield answer("Hel", "lo")

    async def aclose(self) -> None:
        raise httpx.CloseError("boom")


async def test_a_client_that_fails_to_close_fails_no_finished_turn() -> None:
    """The turn was complete: how its connection is cleared away is nobody's business."""

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=ClosingBadly())

    async with httpx.AsyncClient(transport=Transport()) as client:
        answered = await stream(chat_model("http://x.test"), "Hi", client=client)
    assert answered.text == "Hello"


async def test_cancel_wins_over_bytes_on_their_way() -> None:
    """What arrives after the cancellation changes nothing of how the session ended."""
    more = Pause()
    script = [chunked(text("Hel"), last=False), more, chunk(text("lo") + finish() + DONE)]
    async with scripted_session(script) as session:
        await more.reached.wait()
        await wait_all_tasks_blocked()
        more.release()
        session.cancel()
        answered = await session.response()
        assert (session.status, answered.stop_reason, answered.text) == ("cancelled", "cancelled", "Hel")
    assert session.messages == ()


async def test_metadata_is_the_last_responses(autojump_clock: MockClock) -> None:
    """A name that comes late is kept, and one of an earlier round is not taken for the last's."""
    nameless = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n' + DONE
    round_of_tools = [chunked(call("nobody", ""), finish("tool_calls"), DONE)]
    async with scripted_session(round_of_tools, [chunked(nameless)]) as session:
        await session.response()
        assert (await session.metadata()).response_id is None
    late = b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    async with scripted_session([chunked(late, finish(), DONE)]) as session:
        await session.response()
        assert (await session.metadata()).response_id == "chatcmpl-1"


async def test_a_cancelled_call_is_answered_in_the_history() -> None:
    """The messages of a session cancelled while its tools ran can be sent back: every call has a result."""
    started = trio.Event()

    async def slow() -> str:
        started.set()
        await trio.sleep_forever()
        return ""

    async with scripted_session(
        [chunked(call("slow", ""), finish("tool_calls"), DONE)], tools=[slow]
    ) as session:
        await started.wait()
        session.cancel()
        answered = await session.response()
    assert [message.role for message in answered.messages] == ["user", "assistant", "tool"]
    (result,) = answered.messages[-1].tool_results
    assert (result.id, result.is_error) == ("call_1", True)


@pytest.mark.parametrize("bad", [{"max_retries": "x"}, {"initial": None}, {"max_retry_after": float("nan")}])
def test_a_policy_of_the_wrong_kind_is_refused(bad: dict[str, Any]) -> None:
    """A retry policy is made of numbers."""
    with pytest.raises(ConfigError, match="Retry needs"):
        Retry(**bad)
