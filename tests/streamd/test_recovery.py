"""Turns that break after output of them was delivered: restarted where that was asked for, and announced."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import streamd
from streamd import (
    ActorCrashed,
    AuthenticationError,
    BadRequestError,
    Chunk,
    ConfigError,
    ConnectFailed,
    ConnectionLost,
    EventTooLarge,
    Message,
    NotAStream,
    OverloadedError,
    QuotaError,
    RateLimitError,
    Reset,
    Retry,
    RetryBudget,
    SequenceGap,
    ServerError,
    Stalled,
    Stop,
    StreamdError,
    Text,
    Timeouts,
    ToolCall,
    ToolResult,
    Truncated,
    Usage,
    open_session,
    stream,
)
from streamd._recovery import Failed, next_steps
from streamd.providers import APIError, Context, HTTPRequest, Options, fold
from tests.support.chat import DONE, answer, call, delta, event, finish, text, usage
from tests.support.leaks import no_leaks
from tests.support.server import FIN, KEEP_OPEN, RST, Delay, Script, chunked, response
from tests.support.sessions import (
    chat_model,
    messages_model,
    read,
    scripted_network,
    scripted_runtime,
    scripted_session,
)

GOOD: Script = [chunked(answer("Hel", "lo"))]
HALF: Script = [chunked(text("Hel"), usage(7, 1))]
BUSY: Script = [response(503, body=b"{}")]
RESTART = Retry(restart=True)
BOLD = Retry(restart=True, initial=0.0, maximum=0.0)


def shown(chunks: list[Chunk]) -> list[str | int]:
    """The texts, and the numbers of the attempts that voided those before."""
    return [
        each.text if isinstance(each, Text) else each.attempt
        for each in chunks
        if isinstance(each, Text | Reset)
    ]


LOST = ConnectionLost("lost")
UNVERIFIED = ConnectFailed("no such server", retryable=False)
GAP = SequenceGap("a hole")
PAGE = NotAStream("a page")


@pytest.mark.parametrize(
    ("failed", "retry", "steps"),
    [
        (Failed(error=LOST), None, ()),
        (Failed(error=LOST), Retry(resume=False), ("again",)),
        (Failed(error=LOST), Retry(), ("read_on", "again")),
        (Failed(error=LOST, delivered=True), Retry(), ("read_on",)),
        (Failed(error=LOST, delivered=True), RESTART, ("read_on", "again")),
        (Failed(error=LOST, delivered=True, acted=True), RESTART, ("read_on",)),
        (Failed(error=LOST, others=True), Retry(), ("read_on", "again", "another")),
        (Failed(error=LOST, others=True), None, ("another",)),
        (Failed(error=LOST, others=True, delivered=True, alone=False), Retry(), ("read_on",)),
        (Failed(error=LOST, others=True, alone=False), None, ()),
        (Failed(error=GAP), Retry(), ("read_on", "again")),
        (Failed(error=GAP, earlier=(GAP,)), Retry(), ("again",)),
        (Failed(error=GAP, earlier=(GAP,), delivered=True), Retry(), ()),
        (Failed(error=GAP, earlier=(LOST,), delivered=True), Retry(), ("read_on",)),
        (Failed(error=LOST, unread=OverloadedError("busy"), delivered=True), Retry(), ("read_on",)),
        (Failed(error=LOST, unread=BadRequestError("gone"), delivered=True), Retry(), ()),
        (Failed(error=LOST, unread=BadRequestError("gone")), Retry(), ("again",)),
        (Failed(error=LOST, unread=AuthenticationError("no")), Retry(), ()),
        (Failed(error=LOST, unread=AuthenticationError("no"), delivered=True), RESTART, ()),
        (Failed(error=LOST, unread=UNVERIFIED), Retry(), ()),
        (Failed(error=LOST, unread=UNVERIFIED, others=True), Retry(), ("another",)),
        (Failed(error=LOST, unread=ConnectFailed("no")), Retry(), ("read_on", "again")),
        (Failed(error=PAGE), Retry(), ("again",)),
        (Failed(error=PAGE, earlier=(LOST, PAGE)), Retry(), ()),
        (Failed(error=PAGE, earlier=(LOST, PAGE), others=True), Retry(), ("another",)),
        (Failed(error=RateLimitError("busy")), Retry(), ("again",)),
        (Failed(error=BadRequestError("no"), others=True), None, ()),
        (Failed(error=ConfigError("no"), others=True), None, ()),
        (Failed(error=ActorCrashed("no"), others=True), None, ()),
        (Failed(error=QuotaError("no"), others=True), None, ("another",)),
        (Failed(error=EventTooLarge("no"), others=True), None, ("another",)),
    ],
)
def test_what_may_follow_on_a_failed_attempt(
    failed: Failed, retry: Retry | None, steps: tuple[str, ...]
) -> None:
    """Reading on comes before asking again, asking again before asking another; what was delivered forbids most."""
    assert next_steps(failed, retry) == steps


async def test_a_restart_is_announced_and_voids_what_came(autojump_clock: MockClock) -> None:
    """The half answer comes, then the `Reset` with the number of the new attempt, then the whole answer."""
    async with scripted_network(HALF, GOOD) as (network, client):
        async with (
            no_leaks(),
            open_session(chat_model(network.url), "Hi", client=client, retry=RESTART) as session,
        ):
            chunks, error = await read(session)
            answered = await session.response()
            known = await session.metadata()
            counted = session.statistics()
        assert error is None
        assert shown(chunks) == ["Hel", 2, "Hel", "lo"]
        assert network.requests[0].body == network.requests[1].body
    assert fold(chunks) == answered.message
    assert answered.text == "Hello"
    assert answered.messages == (Message.user("Hi"), answered.message)
    assert (counted.attempts, counted.rounds) == (2, 1)
    # The tokens of the half answer are told, and apart.
    assert (answered.usage.input_tokens, answered.usage.output_tokens) == (3, 2)
    assert (known.voided_usage.input_tokens, known.voided_usage.output_tokens) == (7, 1)
    assert counted.voided_usage == known.voided_usage == answered.voided_usage


async def test_without_being_asked_nothing_is_restarted(autojump_clock: MockClock) -> None:
    """By default the error comes after what was delivered."""
    async with scripted_network(HALF, GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client) as session:
            chunks, error = await read(session)
        assert (shown(chunks), type(error), len(network.requests)) == (["Hel"], Truncated, 1)


BROKEN: list[tuple[str, Script]] = [
    ("truncated", HALF),
    ("rst", [chunked(text("Hel"), last=False), RST]),
    ("fin", [chunked(text("Hel"), last=False), FIN]),
    ("malformed", [chunked(text("Hel"), b"data: {oops}\n\n")]),
    ("overloaded", [chunked(text("Hel"), event(error={"message": "busy", "code": "overloaded_error"}))]),
    ("idle", [chunked(text("Hel"), last=False), KEEP_OPEN]),
]


@pytest.mark.parametrize("broken", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
async def test_every_retryable_break_is_restarted(broken: Script, autojump_clock: MockClock) -> None:
    """However the first attempt broke, the second one is the answer."""
    async with scripted_session(broken, GOOD, retry=RESTART) as session:
        assert (await session.response()).text == "Hello"


@pytest.mark.parametrize(
    ("broken", "kind"),
    [
        (event(error={"message": "no", "code": "invalid_request_error"}), BadRequestError),
        (event(error={"message": "no", "code": "insufficient_quota"}), QuotaError),
    ],
)
async def test_what_cannot_succeed_is_not_restarted(
    broken: bytes, kind: type[StreamdError], autojump_clock: MockClock
) -> None:
    """A request that is wrong stays wrong, wherever the provider says so."""
    async with scripted_network([chunked(text("Hel"), broken)], GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client, retry=RESTART) as session:
            chunks, error = await read(session)
        assert (shown(chunks), type(error), len(network.requests)) == (["Hel"], kind, 1)


async def test_restarts_and_retries_have_one_budget(autojump_clock: MockClock) -> None:
    """Two more attempts, whether unseen or announced; the last error is told with what it left."""
    async with scripted_network(BUSY, HALF, [chunked(text("Bye"))], GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client, retry=RESTART) as session:
            chunks, error = await read(session)
            assert session.snapshot.text == "Bye"
        assert len(network.requests) == 3
    assert shown(chunks) == ["Hel", 3, "Bye"]
    assert isinstance(error, Truncated)
    assert error.attempt == 3
    assert error.partial is not None
    assert error.partial.text == "Bye"


async def test_a_restart_takes_a_token_of_the_runtime(autojump_clock: MockClock) -> None:
    """Where the budget of all sessions is spent, the error comes at once."""
    async with scripted_runtime(HALF, HALF, HALF, GOOD, retry_budget=RetryBudget(capacity=1)) as (
        runtime,
        network,
        model,
    ):
        with pytest.raises(Truncated) as caught:
            await runtime.stream(model, "Hi", retry=Retry(restart=True, max_retries=9))
        assert (len(network.requests), caught.value.attempt) == (2, 2)


def effects(log: list[str]) -> Any:
    """A tool with an effect, which writes each of its runs down."""

    @streamd.tool(effectful=True)
    async def pay() -> str:
        """Pay."""
        log.append("paid")
        return "done"

    return pay


PAYS: Script = [chunked(call("pay", "{}"), finish("tool_calls"), DONE)]


async def test_tools_are_not_run_again_by_a_restart(autojump_clock: MockClock) -> None:
    """The turn after the tool is restarted, with the tool's result; the tool's own turn is complete and stays."""
    log: list[str] = []
    broken_call = [chunked(text("Hel"), call("pay", "{}"))]  # not closed by the turn's end
    async with scripted_network(broken_call, PAYS, HALF, GOOD) as (network, client):
        async with open_session(
            chat_model(network.url), "Hi", client=client, tools=[effects(log)], retry=RESTART
        ) as session:
            chunks, error = await read(session)
            answered = await session.response()
        assert error is None
        assert log == ["paid"]
        assert len(network.requests) == 4
        assert network.requests[2].body == network.requests[3].body
    assert [each for each in chunks if isinstance(each, ToolResult)] == [ToolResult("call_1", "pay", "done")]
    assert shown(chunks) == ["Hel", 2, "Hel", 4, "Hel", "lo"]
    assert [each.role for each in answered.messages] == ["user", "assistant", "tool", "assistant"]


BEGUN = (
    b'event: message_start\ndata: {"type":"message_start","message":'
    b'{"id":"m","model":"c","usage":{"input_tokens":5}}}\n\n'
)
SEARCHED = (
    BEGUN + b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    b'{"type":"server_tool_use","id":"s1","name":"web_search","input":{}}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
)


async def test_a_turn_in_which_the_provider_ran_a_tool_is_not_restarted(autojump_clock: MockClock) -> None:
    """What that tool did is not known here, and would be done twice."""
    async with scripted_network([chunked(SEARCHED)]) as (network, client):
        with pytest.raises(Truncated):
            await stream(messages_model(network.url), "Hi", client=client, retry=RESTART)
        assert len(network.requests) == 1


CALLED = (
    BEGUN + b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":'
    b'{"type":"tool_use","id":"t1","name":"pay","input":{}}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":'
    b'{"type":"input_json_delta","partial_json":"{}"}}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
)


async def test_no_effect_comes_of_calls_that_were_voided(autojump_clock: MockClock) -> None:
    """A turn that breaks behind a call runs nothing, restarted or not."""
    log: list[str] = []
    async with scripted_network([chunked(CALLED)]) as (network, client):
        for retry in (RESTART, None):
            with pytest.raises(Truncated):
                await stream(
                    messages_model(network.url), "Hi", client=client, tools=[effects(log)], retry=retry
                )
    assert log == []


class EagerDecoder:
    """A decoder of somebody else's, which gives a call before the turn is complete."""

    done = terminal = False

    def feed(self, data: bytes, /) -> list[Chunk]:
        return [ToolCall(0, "call_1", "pay", {})]

    def close(self) -> list[Chunk]:
        raise Truncated("cut")


class EagerProvider:
    """A provider of somebody else's."""

    name = "eager"

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        return HTTPRequest("POST", self.url, (), b"{}")

    def decoder(self) -> EagerDecoder:
        return EagerDecoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        raise NotImplementedError


@pytest.mark.parametrize(("auto_tools", "asked"), [(False, 1), (True, 3)])
async def test_calls_that_were_given_to_their_caller_are_not_voided(
    auto_tools: bool, asked: int, autojump_clock: MockClock
) -> None:
    """Where the caller runs the tools, it may have run those it was given; the session's own run at the turn's end."""
    async with scripted_network([response(200, body=b"x")]) as (network, client):
        model = EagerProvider(network.url), "m"
        with pytest.raises(Truncated):
            await stream(model, "Hi", client=client, retry=RESTART, auto_tools=auto_tools)
        assert len(network.requests) == asked


async def test_text_alone_cannot_be_taken_back(autojump_clock: MockClock) -> None:
    """`text_stream` raises what the turn broke off with, and goes on with the new turn when it is read again."""
    texts: list[str] = []
    async with scripted_session(HALF, GOOD, retry=RESTART) as session:
        with pytest.raises(Truncated) as caught:
            async for piece in session.text_stream:
                texts.append(piece)
        assert texts == ["Hel"]
        assert caught.value.attempt == 1
        assert caught.value.partial is not None
        assert caught.value.partial.text == "Hel"
        assert session.error is None
        assert [piece async for piece in session.text_stream] == ["Hel", "lo"]


async def test_a_text_stream_raises_each_break(autojump_clock: MockClock) -> None:
    """Every voided turn has an error of its own, with the number of its attempt."""
    seen: list[int] = []
    texts: list[str] = []
    async with scripted_session(BUSY, HALF, HALF, GOOD, retry=Retry(restart=True, max_retries=3)) as session:
        while True:
            try:
                texts = [piece async for piece in session.text_stream]
                break
            except Truncated as error:
                seen.append(error.attempt)
    assert (seen, texts) == ([2, 3], ["Hel", "lo"])


async def test_a_text_stream_that_gave_nothing_goes_on(autojump_clock: MockClock) -> None:
    """What was voided was no text, or the text of an earlier turn that stays."""
    thought = [chunked(delta(reasoning_content="hm"))]
    async with scripted_session(thought, GOOD, retry=RESTART) as session:
        assert [piece async for piece in session.text_stream] == ["Hel", "lo"]
    log: list[str] = []
    says = [chunked(text("Wait. "), call("pay", "{}"), finish("tool_calls"), DONE)]
    async with scripted_session(says, thought, GOOD, retry=RESTART, tools=[effects(log)]) as session:
        assert [piece async for piece in session.text_stream] == ["Wait. ", "Hel", "lo"]


async def test_callbacks_see_the_reset_and_each_message_once(autojump_clock: MockClock) -> None:
    """`on_chunk` is given the `Reset`; `on_message` no turn that was taken back."""
    chunks: list[Chunk] = []
    messages: list[Message] = []
    async with scripted_session(HALF, GOOD, retry=RESTART) as session:
        answered = await session.collect(on_chunk=chunks.append, on_message=messages.append)
    assert shown(chunks) == ["Hel", 2, "Hel", "lo"]
    assert messages == [answered.message]


async def test_the_snapshot_is_what_was_given(autojump_clock: MockClock) -> None:
    """At every chunk the message so far is what the chunks since the last `Reset` fold to."""
    given: list[Chunk] = []
    async with scripted_session(HALF, GOOD, retry=BOLD, high_watermark=1) as session:
        async for chunk in session:
            given.append(chunk)
            if isinstance(chunk, Reset):
                given.clear()
            assert session.snapshot.text.startswith(fold(given).text)
        assert session.snapshot == fold(given)


async def test_partial_values_begin_again(autojump_clock: MockClock) -> None:
    """Half an object of the voided turn is not gone on from."""
    half = [chunked(text('{"name": "Ul'))]
    whole = [chunked(answer('{"name": "Ko', 'eln"}'))]
    async with scripted_session(half, whole, output_type=dict[str, str], retry=RESTART) as session:
        values = [value async for value in session.partial]
        assert (await session.response()).output == {"name": "Koeln"}
    assert values[-1] == {"name": "Koeln"}


async def test_a_recording_of_a_restart_is_played_alike(tmp_path: Any, autojump_clock: MockClock) -> None:
    """The same chunks come, the `Reset` among them."""
    file = tmp_path / "restart.json"
    async with scripted_session(HALF, GOOD, retry=RESTART, record=file) as session:
        chunks, _ = await read(session)
    async with streamd.replay(file) as played:
        again, error = await read(played)
        assert (again, error) == (chunks, None)
        assert played.statistics().voided_usage == Usage(7, 1, raw=played.statistics().voided_usage.raw)


async def test_cancelling_while_a_restart_waits(autojump_clock: MockClock) -> None:
    """What was delivered stays as it is: no `Reset` was said, so nothing is taken back."""
    wait = Retry(restart=True, initial=60.0, maximum=60.0)
    async with scripted_network(HALF, GOOD) as (network, client):
        async with (
            no_leaks(),
            open_session(chat_model(network.url), "Hi", client=client, retry=wait) as session,
        ):
            while not isinstance(await session.receive(), Text):
                pass
            await trio.testing.wait_all_tasks_blocked()
            session.cancel()
            chunks, error = await read(session)
            answered = await session.response()
        assert (shown(chunks), error, len(network.requests)) == ([], None, 1)
    assert (answered.text, answered.stop_reason) == ("Hel", "cancelled")


async def test_the_total_timer_counts_restarts(autojump_clock: MockClock) -> None:
    """Attempts that break again and again end with the session's own time."""
    slow: Script = [chunked(text("x"), last=False), Delay(30), FIN]
    many = Retry(restart=True, max_retries=1000, initial=0.0, maximum=0.0)
    async with scripted_session(slow, retry=many, timeouts=Timeouts(total=100.0)) as session:
        chunks, error = await read(session)
    assert isinstance(error, Stalled)
    assert error.which == "total"
    assert shown(chunks) == ["x", 2, "x", 3, "x", 4, "x"]
    assert error.partial is not None
    assert error.partial.text == "x"


@pytest.mark.parametrize(
    "bad", [{"restart": 1}, {"resume": None}, {"idempotency_header": "a b"}, {"idempotency_header": 3}]
)
def test_a_policy_of_the_wrong_kind_is_refused(bad: dict[str, Any]) -> None:
    """What to recover from is said by True and False, and a header by its name."""
    with pytest.raises(ConfigError):
        Retry(**bad)


FAULTS: dict[str, tuple[bytes, type[StreamdError]]] = {
    "cut": (b"", Truncated),
    "busy": (event(error={"message": "busy", "code": "overloaded_error"}), OverloadedError),
    "failed": (event(error={"message": "oops", "code": "server_error"}), ServerError),
    "wrong": (event(error={"message": "no", "code": "invalid_request_error"}), BadRequestError),
}


@given(
    attempts=st.lists(
        st.tuples(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3), st.sampled_from(sorted(FAULTS))),
        max_size=5,
    ),
    retries=st.integers(0, 4),
    restart=st.booleans(),
    watermark=st.integers(1, 4),
    seed=st.random_module(),
)
@settings(deadline=None, max_examples=120)
def test_any_sequence_of_breaks(
    attempts: list[tuple[list[str], str]], retries: int, restart: bool, watermark: int, seed: object
) -> None:
    """Against a model: the chunks, the resets, the requests, the error and the usage that come of it."""
    random.seed(0)
    scripts: list[Script] = [[chunked(*map(text, words), FAULTS[fault][0])] for words, fault in attempts]
    expected: list[str | int] = []
    ended: type[StreamdError] | None = None
    made = 0
    for number, (words, fault) in enumerate(attempts, 1):
        made = number
        expected += words
        may = FAULTS[fault][1].retryable and number <= retries and (restart or not words)
        if not may:
            ended = FAULTS[fault][1]
            break
        expected += [number + 1] if words else []
    else:
        made += 1
        expected += ["Hel", "lo"]

    async def main() -> None:
        policy = Retry(restart=restart, max_retries=retries)
        async with scripted_network(*scripts, GOOD) as (network, client):
            async with (
                no_leaks(),
                open_session(
                    chat_model(network.url), "Hi", client=client, retry=policy, high_watermark=watermark
                ) as session,
            ):
                chunks, error = await read(session)
            assert len(network.requests) == made
        assert shown(chunks) == expected
        assert (None if error is None else type(error)) is ended
        left = fold(chunks)
        if error is None:
            assert isinstance(chunks[-1], Stop)
            assert left.text == "Hello"
        else:
            assert error.attempt == made
            assert error.partial is not None
            assert error.partial.text == left.text

    trio.run(main, clock=MockClock(autojump_threshold=0))
