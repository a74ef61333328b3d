"""Edges that the two Elixir systems have and no other test shows; and what is left out on purpose."""

import json
import math
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

import streamd
from streamd import (
    ActorCrashed,
    Chunk,
    ConfigError,
    HTTPData,
    HTTPDone,
    HTTPHeaders,
    HTTPStatus,
    LogProbs,
    MalformedEvent,
    OverloadedError,
    RateLimitError,
    Retry,
    Stop,
    Text,
    Thinking,
    ToolCall,
    Truncated,
    open_session,
    open_stream_server,
    replay,
    stream,
)
from streamd.providers import WIRES, HTTPRequest, Options, fold, join_url, known_providers, resolve
from tests.support import bedrock
from tests.support.chat import DONE, answer, delta, event, finish, text, usage
from tests.support.decoding import decode, sse
from tests.support.server import Delay, chunk, chunked, response
from tests.support.sessions import KEY, chat_model, read, scripted_network, scripted_session
from tests.support.stream_servers import PROVIDER, drain, fed_server

# The stream server


async def test_what_came_before_a_crash_of_the_decoder_is_read() -> None:
    """A decoder that breaks at its second read costs nothing of the first."""

    class Faulty:
        """A decoder that breaks."""

        done = terminal = False
        fed = 0

        def feed(self, data: bytes, /) -> list[Chunk]:
            """Give a text, and then break."""
            self.fed += 1
            if self.fed > 1:
                raise LookupError("a bug")
            return [Text("a")]

        def close(self) -> list[Chunk]:
            """Never called."""
            return []

    class Provider:
        """A provider whose decoder breaks."""

        name = "faulty"

        def request(self, *given: Any) -> HTTPRequest:
            """A good one's."""
            return resolve(PROVIDER).request(*given)

        def error(self, *given: Any) -> Any:
            """A good one's."""
            return resolve(PROVIDER).error(*given)

        def decoder(self) -> Faulty:
            """The one that breaks."""
            return Faulty()

    async with open_stream_server(Provider(), "tiny-1") as server:
        for _ in range(2):
            await server.http_event(HTTPData(b"x"))
        texts, error = await drain(server)
        assert (texts, type(error)) == (["a"], ActorCrashed)


async def test_a_fed_recording_has_every_read_in_order_and_can_be_played(tmp_path: Path) -> None:
    """The status, the headers and each read of the body are in the file, which `replay` plays as any other."""
    path = tmp_path / "fed.json"
    reads = [text("a") + text("b")[:9], text("b")[9:], finish() + usage(3, 2) + DONE]
    request = resolve(PROVIDER).request(
        streamd.providers.Context((streamd.Message.user("Hi"),)), Options("t")
    )
    async with open_stream_server(PROVIDER, "tiny-1", fixture_path=path) as server:
        server.set_fixture_context(request)
        await server.http_event(HTTPStatus(200))
        await server.http_event(HTTPHeaders({"Content-Type": "text/event-stream", "X-Request-Id": "r-1"}))
        for each in reads:
            await server.http_event(HTTPData(each))
        await server.http_event(HTTPDone())
        assert await drain(server) == (["a", "b"], None)
    (exchange,) = json.loads(path.read_text("utf-8"))["exchanges"]
    assert exchange["response"]["headers"]["x-request-id"] == "r-1"
    assert len(exchange["response"]["body"]) == 3
    async with replay(path, speed=math.inf) as session:
        played = await session.response()
    assert (played.text, played.usage.output_tokens) == ("ab", 2)


async def test_keep_alives_are_bytes_and_no_chunks() -> None:
    """They are counted, and nobody reads one: a consumer that pings is told alive by the counters."""
    async with fed_server(b": ping\n\n", b": ping\n\n") as server:
        assert server.statistics().bytes_received == 2 * len(b": ping\n\n")
        assert (server.statistics().chunks_queued, server.status) == (0, "streaming")


# What a provider sends


def test_text_beside_a_call_in_one_delta_loses_neither() -> None:
    """A delta may hold both a text and a call."""
    function = {"name": "f", "arguments": "{}"}
    both = delta("tool_calls", content="a", tool_calls=[{"index": 0, "id": "c", "function": function}])
    chunks, error = decode("openai-chat", both + DONE)
    assert error is None
    assert fold(chunks).content == (Text("a"), ToolCall(0, "c", "f", {}))


def test_tags_in_a_text_are_text() -> None:
    """What a server gives for text is text, `<think>` too; what it gives for reasoning is thinking."""
    chunks, _ = decode("openai-chat", text("<thi") + text("nk>a</think>b") + finish() + DONE)
    assert fold(chunks).content == (Text("<think>a</think>b"),)
    chunks, _ = decode("openai-chat", delta(reasoning="a") + text("b") + finish() + DONE)
    assert fold(chunks).content == (Thinking("a"), Text("b"))


def test_usage_beside_the_finish_reason_does_not_end_the_turn() -> None:
    """Only the terminal evidence does: counts that follow still count."""
    counted = {"prompt_tokens": 3, "completion_tokens": 1}
    choice = {"index": 0, "delta": {}, "finish_reason": "stop"}
    first = event(choices=[choice], usage=counted)
    chunks, _ = decode("openai-chat", text("a") + first + usage(3, 9) + DONE)
    assert isinstance(chunks[-1], Stop)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.output_tokens == 9


@pytest.mark.parametrize("tail", range(12))
def test_whole_messages_before_the_beginning_of_another_are_decoded(tail: int) -> None:
    """One read of AWS's event stream may end in less than a message's prelude: what was whole is given at once."""
    first = bedrock.event("messageStart", role="assistant")
    second = bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"text": "a"})
    third = bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"text": "b"})
    decoder = WIRES["bedrock-converse"]()
    assert Text("a") in decoder.feed(first + second + third[:tail])
    assert Text("b") in decoder.feed(third[tail:])


def test_a_message_that_fails_its_checksum_ends_the_response() -> None:
    """What came before it is given; the stream is not searched for a place where it might go on."""
    first = bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"text": "a"})
    broken = first[:-1] + bytes([first[-1] ^ 1])
    last = bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"text": "b"})
    chunks, error = decode("bedrock-converse", first + broken + last)
    assert [each for each in chunks if isinstance(each, Text)] == [Text("a")]
    assert isinstance(error, MalformedEvent)


def test_an_exception_inside_an_event_stream_is_the_error_it_is() -> None:
    """Amazon Bedrock tells a failure as a message of its own: what came before is delivered."""
    body = bedrock.event("messageStart", role="assistant")
    body += bedrock.event("contentBlockDelta", contentBlockIndex=0, delta={"text": "a"})
    chunks, error = decode("bedrock-converse", body + bedrock.exception("throttlingException"))
    assert chunks[-1] == Text("a")
    assert isinstance(error, RateLimitError)
    assert error.in_stream


def test_reading_and_folding_are_linear_in_the_chunks() -> None:
    """Ten times the chunks cost ten times as much, and not a hundred times."""

    def cost(count: int) -> float:
        body = b"".join(text(str(n)) for n in range(count)) + finish() + DONE
        decoder = WIRES["openai-chat"]()
        began = time.thread_time()
        chunks = [each for at in range(0, len(body), 1000) for each in decoder.feed(body[at : at + 1000])]
        assert len(fold(chunks).text) > count
        return time.thread_time() - began

    cost(100)
    assert cost(20_000) < 40 * min(cost(2_000) for _ in range(3))


# Sessions


@pytest.mark.parametrize("status", [200, 201, 206])
async def test_every_2xx_is_judged_by_its_body(status: int) -> None:
    """A gateway may answer with another good status: what counts is whether an answer follows."""
    good = response(status, {"Content-Type": "text/event-stream"}, answer("a"))
    async with scripted_session([good], retry=None) as session:
        assert (await session.response()).text == "a"
    async with scripted_session([response(status)], retry=None) as session:
        assert isinstance((await read(session))[1], Truncated)


async def test_a_callback_may_send_to_its_own_task() -> None:
    """A session reads a channel of its own: what its callbacks send elsewhere stays there."""
    out, inbox = trio.open_memory_channel[str](math.inf)
    with out, inbox:
        async with scripted_session([chunked(answer("a", "b"))]) as session:
            await session.collect(on_chunk=lambda each: out.send_nowait(type(each).__name__))
        assert inbox.statistics().current_buffer_used == 5
        assert await inbox.receive() == "Metadata"


async def test_a_round_has_no_limit_that_the_rounds_share(autojump_clock: MockClock) -> None:
    """A healthy answer may take longer than any default of the seeds: ten minutes here."""
    slow = [Delay(30), chunk(text("a"))] * 20
    script = [chunked(last=False), *slow, chunk(finish() + DONE) + chunk(b"")]
    async with scripted_session(script) as session:
        assert (await session.response()).text == "a" * 20
    assert trio.current_time() == pytest.approx(600)


async def test_a_server_error_is_retried_and_a_bad_request_is_not(autojump_clock: MockClock) -> None:
    """By what may pass: 408, 409, 424, 425, 429 and every 5xx are asked again, nothing else."""
    once = Retry(max_retries=1, initial=0.0, maximum=0.0)
    for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 424, 425, 429, 500, 502, 503, 504, 529):
        async with scripted_network([response(status)], [chunked(answer("a"))]) as (network, client):
            async with open_session(chat_model(network.url), "Hi", client=client, retry=once) as session:
                _, error = await read(session)
            again = status in (408, 409, 424, 425, 429) or status >= 500
            assert (len(network.requests), error is None) == ((2, True) if again else (1, False)), status


async def test_a_client_may_answer_in_the_process_and_be_hooked() -> None:
    """A provider without a network is a transport of the client's; its event hooks see each request and response."""
    seen: list[str] = []

    async def on_request(request: httpx.Request) -> None:
        request.headers["x-trace"] = "7"
        seen.append(f"{request.method} {request.url.path}")

    async def on_response(answered: httpx.Response) -> None:
        seen.append(f"{answered.status_code} {answered.request.headers['x-trace']}")

    def play(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=answer("a"))

    hooks: dict[str, list[Any]] = {"request": [on_request], "response": [on_response]}
    async with httpx.AsyncClient(transport=httpx.MockTransport(play), event_hooks=hooks) as client:
        answered = await stream(chat_model("http://model.example"), "Hi", client=client)
    assert (answered.text, seen) == ("a", ["POST /v1/chat/completions", "200 7"])


async def test_nothing_is_kept_to_answer_again() -> None:
    """There is no cache of answers: the same question is asked as often as it is put."""
    async with scripted_network([chunked(answer("a"))], [chunked(answer("b"))]) as (network, client):
        said = [(await stream(chat_model(network.url), "Hi", client=client)).text for _ in range(2)]
        assert network.requests[0].body == network.requests[1].body
    assert said == ["a", "b"]


async def test_log_probabilities_are_chunks() -> None:
    """They follow the text they are of."""
    scored = {"token": "a", "logprob": -0.5, "top_logprobs": []}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [scored]}}
    script = [chunked(event(choices=[choice]), finish(), DONE)]
    async with scripted_session(script, logprobs=0) as session:
        chunks, error = await read(session)
    assert error is None
    assert [each.tokens[0].logprob for each in chunks if isinstance(each, LogProbs)] == [-0.5]


# Where a request goes


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_no_web_socket_is_dialled(scheme: str) -> None:
    """Every wire here is HTTP: an address of another scheme is refused before anything is sent."""
    with pytest.raises(ConfigError, match="needs a scheme and a host"):
        resolve(("openai-compatible", {"base_url": f"{scheme}://x.test/v1"})).request(
            streamd.providers.Context((streamd.Message.user("Hi"),)), Options("m")
        )


def test_empty_segments_of_an_address_stay() -> None:
    """Two slashes in a base URL are the server's own path; only those at the ends go."""
    assert join_url("https://x.test/a//v1/", "/v1/chat") == "https://x.test/a//v1/chat"


def test_a_provider_is_never_guessed() -> None:
    """A bare model name is no model, unless it is the local one's: OpenAI is not the default."""
    with pytest.raises(ConfigError):
        streamd.providers.resolve_model("gpt-5")
    assert "openai" in {info.name for info in known_providers({})}


def test_a_document_in_the_place_of_events_is_read() -> None:
    """Google's array of answers is decoded element by element, as it comes."""
    part = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
    last = {"candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"}]}
    body = json.dumps([part, last]).encode()
    decoder = WIRES["gemini"]()
    first = decoder.feed(body[: len(json.dumps([part])) - 1])
    assert [each for each in first if isinstance(each, Text)] == [Text("a")]
    assert Text("b") in decode("gemini", body)[0]
    assert Text("a") in decode("gemini", sse(part, last))[0]


async def test_an_overloaded_server_says_so_in_the_middle() -> None:
    """An error event after text has the class its status would have, and the text is there."""
    busy = event(error={"message": "busy", "type": "overloaded_error"})
    async with scripted_session([chunked(text("a"), busy)], retry=None) as session:
        chunks, error = await read(session)
    assert [each.text for each in chunks if isinstance(each, Text)] == ["a"]
    assert isinstance(error, OverloadedError)
    assert KEY not in str(error)
