"""Models that are asked where the first one fails for good."""

import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import streamd
from streamd import (
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConnectFailed,
    HTTPTransport,
    Metadata,
    NotAStream,
    RateLimitError,
    Reset,
    Retry,
    RetryBudget,
    ServerError,
    Session,
    Stalled,
    Stop,
    Text,
    ToolResult,
    Truncated,
    open_runtime,
    open_session,
    stream,
    tool,
)
from streamd.providers import APIError, Context, Decoder, HTTPRequest, Options, Provider, resolve
from tests.support.chat import answer, call, event, finish, text
from tests.support.leaks import no_leaks
from tests.support.server import FIN, KEEP_OPEN, RST, Network, Script, chunked, response
from tests.support.sessions import read, scripted_network, scripted_runtime

FIRST_KEY, SECOND_KEY = "moonlightfirst", "starshinesecond"
"""Keys that do not look like keys, and not alike: what masks them has to know both."""

GOOD: Script = [chunked(answer("Hel", "lo"))]
BUSY: Script = [response(503, body=b'{"error":{"message":"busy"}}')]
UNREAL: Any = [response(200, {"Content-Type": "text/html"}, b"<html>")]
MESSAGES: Script = [
    chunked(
        b'data: {"type":"message_start","message":{"id":"m1","model":"other-1","usage":{"input_tokens":5}}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Moin"}}\n\n'
        b'data: {"type":"content_block_stop","index":0}\n\n'
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n'
        b'data: {"type":"message_stop"}\n\n'
    )
]


def first(network: Network, model: str = "tiny-1") -> Any:
    """The model that is asked first."""
    return ("openai-compatible", {"base_url": network.url, "api_key": FIRST_KEY}), model


def second(network: Network) -> Any:
    """A model of another provider, which has another key."""
    return ("anthropic", {"base_url": network.url, "api_key": SECOND_KEY}), "other-1"


def keys(network: Network) -> list[str]:
    """Whose key each request had."""
    return [
        "first" if FIRST_KEY in str(each.headers) else "second" if SECOND_KEY in str(each.headers) else "none"
        for each in network.requests
    ]


FOR_GOOD: list[tuple[str, Script]] = [
    ("401", [response(401, body=b'{"error":{"message":"bad key"}}')]),
    ("403", [response(403, body=b"{}")]),
    ("404", [response(404, body=b"{}")]),
    ("402", [response(402, body=b"{}")]),
    ("429_quota", [response(429, body=b'{"error":{"code":"insufficient_quota","message":"x"}}')]),
    ("429_too_long", [response(429, {"Retry-After": "9999"}, b"{}")]),
    ("redirect", [response(307, {"Location": "https://evil.test/"})]),
    ("gzip", [chunked(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})]),
    ("quota_in_stream", [chunked(event(error={"message": "spent", "code": "insufficient_quota"}))]),
    ("do_not_retry", [response(503, {"x-should-retry": "false"}, b"{}")]),
]


@pytest.mark.parametrize("fault", [row[1] for row in FOR_GOOD], ids=[row[0] for row in FOR_GOOD])
async def test_what_a_retry_does_not_help_asks_the_next_at_once(
    fault: Script, autojump_clock: MockClock
) -> None:
    """One request each, no waiting, and the answer is the second one's."""
    async with scripted_network(fault, MESSAGES) as (network, client):
        async with (
            no_leaks(),
            open_session(first(network), "Hi", fallback=[second(network)], client=client) as session,
        ):
            chunks, error = await read(session)
            known = await session.metadata()
        assert (error, trio.current_time()) == (None, 0.0)
        assert keys(network) == ["first", "second"]
    assert [each.text for each in chunks if isinstance(each, Text)] == ["Moin"]
    assert not any(isinstance(each, Reset) for each in chunks)
    assert [each.model for each in chunks if isinstance(each, Metadata)] == ["other-1"]
    assert (known.provider, known.model, known.status) == ("anthropic", "other-1", "done")


AFTER_RETRIES: list[tuple[str, Script]] = [
    ("503", BUSY),
    ("529", [response(529, body=b"{}")]),
    ("500", [response(500)]),
    ("429", [response(429, body=b"{}")]),
    ("fin", [FIN]),
    ("rst", [RST]),
    ("not_http", [b"SSH-2.0\r\n\r\n", FIN]),
    ("empty_200", [response(200)]),
    ("stall", [KEEP_OPEN]),
    ("overloaded", [chunked(event(error={"message": "busy", "code": "overloaded_error"}))]),
]


@pytest.mark.parametrize("fault", [row[1] for row in AFTER_RETRIES], ids=[row[0] for row in AFTER_RETRIES])
async def test_what_a_retry_may_help_is_retried_first(fault: Script, autojump_clock: MockClock) -> None:
    """The session's retries go before, and the next model is asked when they are used up."""
    async with scripted_network(fault, fault, fault, MESSAGES) as (network, client):
        answered = await stream(first(network), "Hi", fallback=[second(network)], client=client)
        assert answered.text == "Moin"
        assert keys(network) == ["first", "first", "first", "second"]


async def test_a_web_page_is_asked_for_twice(autojump_clock: MockClock) -> None:
    """Once more may be chance; a third time it is the wrong address."""
    async with scripted_network(UNREAL, UNREAL, MESSAGES) as (network, client):
        assert (await stream(first(network), "Hi", fallback=[second(network)], client=client)).text == "Moin"
        assert keys(network) == ["first", "first", "second"]


async def test_a_web_page_of_each_is_asked_for_twice(autojump_clock: MockClock) -> None:
    """What the first one sent says nothing of the second."""
    async with scripted_network(UNREAL) as (network, client):
        with pytest.raises(NotAStream):
            await stream(first(network), "Hi", fallback=[second(network)], client=client)
        assert keys(network) == ["first", "first", "second", "second"]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_request_that_is_wrong_is_wrong_for_all(status: int) -> None:
    """To ask somebody else would hide what is to be mended."""
    async with scripted_network([response(status, body=b"{}")], MESSAGES) as (network, client):
        with pytest.raises(BadRequestError):
            await stream(first(network), "Hi", fallback=[second(network)], client=client)
        assert keys(network) == ["first"]


async def test_nothing_is_asked_of_another_once_something_was_delivered(autojump_clock: MockClock) -> None:
    """With or without restarts, the answer is one model's."""
    half: Script = [chunked(text("Hel"))]
    for retry, asked in ((None, 1), (Retry(), 1), (Retry(restart=True), 3)):
        async with scripted_network(half) as (network, client):
            with pytest.raises(Truncated):
                await stream(first(network), "Hi", fallback=[second(network)], client=client, retry=retry)
            assert keys(network) == ["first"] * asked


async def test_the_order_is_kept_and_the_last_error_raised(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where all fail, the last one's error tells of those before; and none shows any key."""
    caplog.set_level(logging.DEBUG)
    repeats = f'{{"error":{{"message":"no entry of {FIRST_KEY} nor {SECOND_KEY}"}}}}'.encode()
    refused: Script = [response(401, body=repeats)]
    async with scripted_network(refused, BUSY, refused) as (network, client):
        async with open_session(
            first(network),
            "Hi",
            fallback=[first(network, "tiny-2"), second(network)],
            client=client,
            retry=None,
        ) as session:
            chunks, error = await read(session)
            known = await session.metadata()
        assert keys(network) == ["first", "first", "second"]
        models = [msgspec.json.decode(each.body)["model"] for each in network.requests]
        assert models == ["tiny-1", "tiny-2", "other-1"]
    assert chunks == []
    assert isinstance(error, AuthenticationError)
    assert error.attempt == 3
    notes = error.__notes__
    assert [note.partition(" had failed: ")[0] for note in notes] == [
        "openai-compatible:tiny-1",
        "openai-compatible:tiny-2",
    ]
    assert ["AuthenticationError" in notes[0], "OverloadedError" in notes[1]] == [True, True]
    printed = "".join(traceback.format_exception(error)) + repr(error) + str(error) + caplog.text
    assert FIRST_KEY not in printed
    assert SECOND_KEY not in printed
    assert (known.provider, known.model, known.error) == ("anthropic", "other-1", error)
    assert repr(session) == "<streamd.Session anthropic:other-1 error>"


async def test_the_key_of_the_first_is_masked_in_the_error_of_the_second() -> None:
    """Whoever repeats it."""
    refused: Script = [
        response(401, body=f'{{"error":{{"message":"no {FIRST_KEY}, {SECOND_KEY}"}}}}'.encode())
    ]
    async with scripted_network(refused) as (network, client):
        with pytest.raises(AuthenticationError) as caught:
            await stream(first(network), "Hi", fallback=[second(network)], client=client)
    assert caught.value.message == "no ***, ***"
    assert "no ***, ***" in caught.value.__notes__[0]


async def test_retries_are_one_budget_for_all(autojump_clock: MockClock) -> None:
    """Two retries in all, and one first request for each model."""
    async with scripted_network(BUSY, BUSY, RST_ONCE, MESSAGES) as (network, client):
        answered = await stream(
            first(network),
            "Hi",
            fallback=[first(network, "b"), second(network)],
            client=client,
            retry=Retry(max_retries=1),
        )
        assert answered.text == "Moin"
        assert [msgspec.json.decode(each.body)["model"] for each in network.requests] == [
            "tiny-1",
            "tiny-1",
            "b",
            "other-1",
        ]


RST_ONCE: Script = [RST]


async def test_a_runtime_counts_each_provider_for_itself(autojump_clock: MockClock) -> None:
    """Retries are taken from the bucket of whom they go to, and a fallback takes none."""
    async with scripted_runtime(BUSY, BUSY, BUSY, MESSAGES, retry_budget=RetryBudget(capacity=2)) as (
        runtime,
        network,
        _,
    ):
        many = Retry(max_retries=9)
        answered = await runtime.stream(first(network), "Hi", fallback=[second(network)], retry=many)
        assert answered.text == "Moin"
        assert keys(network) == ["first", "first", "first", "second"]
        assert runtime.statistics().retries_left == {"openai-compatible": 0, "anthropic": 2}


async def test_later_rounds_stay_with_the_one_that_answered(autojump_clock: MockClock) -> None:
    """The second model's tool call is answered to the second model, which is not left any more."""

    @tool
    async def look() -> str:
        """Look."""
        return "rain"

    calls: Script = [chunked(call("look", "{}"), finish("tool_calls"))]
    async with scripted_network(BUSY, calls, BUSY) as (network, client):
        async with open_session(
            second(network),
            "Hi",
            fallback=[first(network), second(network)],
            client=client,
            retry=None,
            tools=[look],
        ) as session:
            chunks, error = await read(session)
        assert keys(network) == ["second", "first", "first"]
        assert [each.content for each in chunks if isinstance(each, ToolResult)] == ["rain"]
        assert error is not None
        assert error.attempt == 3


async def test_nobody_listens_at_the_first(autojump_clock: MockClock) -> None:
    """No connection is the first one's failure, whether or not it may be retried."""

    async def connect(host: str, port: int) -> trio.abc.Stream:
        if host == "nowhere.test":
            raise OSError("refused")
        return await network.connect(host, port)

    async with scripted_network(MESSAGES) as (network, _):
        nowhere = ("openai-compatible", {"base_url": "http://nowhere.test", "api_key": FIRST_KEY}), "tiny-1"
        transport = HTTPTransport(connect=connect)
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            with pytest.raises(ConnectFailed):
                await stream(nowhere, "Hi", client=client)
            assert (await stream(nowhere, "Hi", fallback=[second(network)], client=client)).text == "Moin"


async def test_a_model_that_cannot_take_the_request_is_told_before_anything_is_sent() -> None:
    """The request is made for every model first."""
    async with scripted_network(GOOD) as (network, client):
        for other in (
            "no-such-provider:m",
            ("anthropic", {"base_url": "ftp://x"}),
            3,
            "gpt-without-a-provider",
        ):
            with pytest.raises(ConfigError):
                await stream(first(network), "Hi", fallback=[other], client=client)  # type: ignore[list-item]  # drawn
        with pytest.raises(ConfigError, match="n"):
            await stream(first(network), "Hi", fallback=[second(network)], client=client, logprobs=3)
        assert network.connections == []


@pytest.mark.parametrize("fallback", ["anthropic:m", {"a": 1}, None, 3])
async def test_a_fallback_is_a_list(fallback: Any) -> None:
    """One model alone may be meant, and is said to be no list."""
    async with scripted_network(GOOD) as (network, client):
        with pytest.raises(ConfigError, match="fallback is a list of models"):
            await stream(first(network), "Hi", fallback=fallback, client=client)


async def test_what_is_a_providers_own_goes_to_no_other(autojump_clock: MockClock) -> None:
    """Headers of the caller's, which may be keys, its body fields and the provider's state stay at the first server."""
    options: dict[str, Any] = {
        "extra_headers": {"X-Own": "mine"},
        "extra_body": {"own": 1},
        "provider_state": {"previous_response_id": "resp_0"},
        "retry": None,
    }
    async with scripted_network(BUSY, BUSY, MESSAGES) as (network, client):
        others = [first(network, "tiny-2"), second(network)]
        await stream(first(network), "Hi", fallback=others, client=client, **options)
        assert [each.headers.get("x-own") for each in network.requests] == ["mine", "mine", None]
        assert ["own" in msgspec.json.decode(each.body) for each in network.requests] == [True, True, False]


class Plugged:
    """A provider of somebody else's, which is one only with itself."""

    name = "plugged"

    def __init__(self, url: str) -> None:
        self._inner: Provider = resolve(("openai-compatible", {"base_url": url, "api_key": FIRST_KEY}))
        self.states: list[Mapping[str, Any]] = []

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        self.states.append(context.provider_state)
        return self._inner.request(context, options)

    def decoder(self) -> Decoder:
        return self._inner.decoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        return self._inner.error(status, headers, body)


async def test_providers_of_ones_own_are_told_apart(autojump_clock: MockClock) -> None:
    """Only the very same one is given what the first was."""
    async with scripted_network(BUSY, BUSY, GOOD) as (network, client):
        one, other = Plugged(network.url), Plugged(network.url)
        answered = await stream(
            (one, "a"),
            "Hi",
            fallback=[(one, "b"), (other, "c")],
            client=client,
            retry=None,
            extra_headers={"X-Own": "mine"},
            provider_state={"kept": 1},
        )
        assert answered.provider_state == {}
        # Each is asked when the session is opened, and once more when it is its turn.
        assert (one.states, other.states) == ([{"kept": 1}] * 3, [{}] * 2)
        assert [each.headers.get("x-own") for each in network.requests] == ["mine", "mine", None]


async def test_tools_of_a_providers_own_bar_another() -> None:
    """They are written in its words, and an answer without them would be another one."""
    async with scripted_network(GOOD) as (network, client):
        with pytest.raises(ConfigError, match="server_tools"):
            await stream(
                second(network),
                "Hi",
                fallback=[first(network)],
                client=client,
                server_tools=[{"type": "web_search_20250305", "name": "web_search"}],
            )
        assert network.connections == []


async def test_the_usage_of_those_before_is_told_apart(autojump_clock: MockClock) -> None:
    """Input that was counted before the failure may be on the bill."""
    counted: Script = [
        chunked(
            b'data: {"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":11}}}\n\n'
        )
    ]
    async with scripted_network(counted, GOOD) as (network, client):
        async with open_session(
            second(network), "Hi", fallback=[first(network)], client=client, retry=None
        ) as session:
            answered = await session.response()
            known = await session.metadata()
    assert (answered.text, answered.usage.input_tokens) == ("Hello", 3)
    assert (known.usage.input_tokens, known.voided_usage.input_tokens) == (3, 11)


async def test_a_recording_of_a_fallback_is_played_alike(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Each exchange is read by the wire it came in, and no key of either is in the file."""
    file = tmp_path / "fallback.json"
    async with scripted_network(BUSY, MESSAGES) as (network, client):
        async with open_session(
            first(network), "Hi", fallback=[second(network)], client=client, retry=None, record=file
        ) as session:
            chunks, _ = await read(session)
        assert session.recording_error is None
    written = file.read_text()
    assert FIRST_KEY not in written
    assert SECOND_KEY not in written
    async with streamd.replay(file) as played:
        assert await read(played) == (chunks, None)
        known = await played.metadata()
    assert (known.provider, known.model) == ("anthropic", "other-1")


async def test_a_fallback_that_fails_too_is_played_alike(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The same error, of the same model."""
    file = tmp_path / "fallback.json"
    async with scripted_network(BUSY, [FIN]) as (network, client):
        async with open_session(
            first(network), "Hi", fallback=[second(network)], client=client, retry=None, record=file
        ) as session:
            _, error = await read(session)
    async with streamd.replay(file) as played:
        _, again = await read(played)
        assert (type(again), str(again)) == (type(error), str(error))
        assert (await played.metadata()).provider == "anthropic"


async def test_cancelling_while_the_first_one_stalls() -> None:
    """Nobody else is asked, and nothing is left."""
    async with scripted_network([KEEP_OPEN]) as (network, client):
        async with no_leaks():
            session: Session
            async with open_session(
                first(network), "Hi", fallback=[second(network)], client=client
            ) as session:
                await network.wait_requests(1)
                session.cancel()
                assert (await session.response()).stop_reason == "cancelled"
        assert keys(network) == ["first"]


async def test_the_connections_of_a_runtime_serve_all_models(autojump_clock: MockClock) -> None:
    """A session of a runtime falls back as any other, and the block leaves nothing."""
    async with scripted_network(BUSY, MESSAGES) as (network, client), no_leaks():
        async with open_runtime(connections=client) as runtime:
            async with runtime.open_session(
                first(network), "Hi", fallback=[second(network)], retry=None
            ) as session:
                chunks, _ = await read(session)
            assert isinstance(chunks[-1], Stop)
            assert runtime.statistics().ended == {"done": 1}


KINDS: dict[str, tuple[Script, type[Exception], bool]] = {
    "busy": (BUSY, ServerError, True),
    "refused": ([response(401, body=b"{}")], AuthenticationError, False),
    "limited": ([response(429, body=b"{}")], RateLimitError, True),
    "silent": ([KEEP_OPEN], Stalled, True),
}


@given(
    faults=st.lists(st.sampled_from(sorted(KINDS)), max_size=7),
    models=st.integers(1, 4),
    retries=st.integers(0, 3),
    seed=st.random_module(),
)
@settings(deadline=None, max_examples=80)
def test_any_sequence_of_failures(faults: list[str], models: int, retries: int, seed: object) -> None:
    """Against a model: each fault goes to the same one again while it may, then to the next, then to the caller."""
    asked: list[int] = []
    at, left = 0, retries
    answered = False
    for fault in [*faults, None]:
        asked.append(at)
        if fault is None:
            answered = True
            break
        if KINDS[fault][2] and left:
            left -= 1
        elif at + 1 < models:
            at += 1
        else:
            break

    async def main() -> None:
        scripts = [KINDS[fault][0] for fault in faults]
        async with scripted_network(*scripts, GOOD) as (network, client):
            others = [first(network, f"m{number}") for number in range(1, models)]
            async with (
                no_leaks(),
                open_session(
                    first(network, "m0"),
                    "Hi",
                    fallback=others,
                    client=client,
                    retry=Retry(max_retries=retries),
                ) as session,
            ):
                _, error = await read(session)
                known = await session.metadata()
            sent = [msgspec.json.decode(each.body)["model"] for each in network.requests]
        assert sent == [f"m{number}" for number in asked]
        assert (error is None) is answered
        assert error is None or error.attempt == len(asked)
        assert known.model == ("tiny-1" if answered else f"m{asked[-1]}")

    trio.run(main, clock=MockClock(autojump_threshold=0))
