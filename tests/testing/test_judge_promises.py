"""What the judge holds an application to that says what it does: how often it asks again, and what its errors tell."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from streamd import ConnectFailed, Message, Retry, StreamdError, Text, Thinking, Usage, open_session
from streamd.errors import ConfigError
from streamd.testing import HELLO, ONE_TOOL, THINKING, World, simulate, streamd_app, streamd_app_with
from streamd.testing._judge_errors import judge_told

Habit = Callable[[World], Awaitable[None]]


def asks(times: int, promised: int) -> Habit:
    """An application that asks again so often, and promises something."""

    async def app(world: World) -> None:
        await streamd_app_with(retry=Retry(max_retries=times))(world)
        world.asks_again(promised)

    return app


@pytest.mark.parametrize(
    ("fault", "times", "promised", "expected"),
    [
        ("net.refuse x*", 2, 2, set[str]()),
        ("net.refuse x*", 0, 2, {"never_retried"}),
        ("net.refuse x*", 1, 2, {"never_retried"}),
        ("net.refuse x*", 3, 2, {"retried_non_retryable"}),
        ("net.dns_slow=30 x*", 1, 2, {"never_retried"}),
        ("net.tls_bad_cert x*", 0, 2, set[str]()),
        ("net.fin@byte:0 x*", 0, 2, {"never_retried"}),
        ("net.fin@event:-1 x*", 0, 2, set[str]()),
        ("http.503 x*", 0, 2, {"never_retried"}),
        ("http.503 x2", 1, 2, {"never_retried"}),
        ("http.401 x*", 0, 2, set[str]()),
        ("http.429_retry_after=7 x*", 0, 2, {"never_retried"}),
        ("http.429_retry_after=600 x*", 0, 2, set[str]()),
        ("http.x_should_retry=false x*", 0, 2, set[str]()),
        ("http.html_200 x*", 0, 2, {"never_retried"}),
        ("http.html_200 x*", 1, 2, set[str]()),
        ("http.gzip x*", 0, 2, set[str]()),
        ("prov.error_first=overloaded x*", 0, 2, {"never_retried"}),
        ("prov.error_first=auth x*", 0, 2, set[str]()),
        ("json.invalid@event:0 x*", 0, 2, {"never_retried"}),
        ("sse.endless_line@event:0 x*", 0, 2, set[str]()),
        ("time.stall_before_headers x*", 1, 2, {"never_retried"}),
    ],
)
def test_a_promise_to_ask_again_is_held(fault: str, times: int, promised: int, expected: set[str]) -> None:
    """Where nothing was given and it may help it is to ask again so often; where it may not it need not."""
    run = simulate(asks(times, promised), HELLO, fault)
    assert {finding.name for finding in run.verdict.findings} == expected


def test_the_retries_of_a_session_are_counted_over_its_turns() -> None:
    """One in the first turn and one in the second are two."""
    plan = ("http.503 if turn:1", "http.503 if turn:2")
    for promised, expected in ((2, set[str]()), (1, {"retried_non_retryable"})):
        run = simulate(asks(2, promised), ONE_TOOL, *plan)
        assert {finding.name for finding in run.verdict.findings} == expected


def test_without_a_promise_nothing_is_expected() -> None:
    """An application that does not say that it asks again may fail at once."""

    async def app(world: World) -> None:
        try:
            async with open_session(world.model, "Hi", client=world.client, retry=None) as session:
                await session.response()
        except StreamdError as error:
            world.failed(error)

    assert simulate(app, HELLO, "net.refuse").verdict.ok


async def asks_for_a_stream_thrice(world: World) -> None:
    """It takes a web page for bad luck, twice."""
    for _ in range(3):
        await world.client.post(f"{world.url}/v1/chat/completions", json={"messages": []})
    raise RuntimeError


def test_a_web_page_is_asked_for_once_more_only() -> None:
    """Two of them are no chance."""
    details = {
        each.name for each in simulate(asks_for_a_stream_thrice, HELLO, "http.html_200 x*").verdict.findings
    }
    assert "retried_non_retryable" in details
    once = {each.name for each in simulate(asks_for_a_stream_thrice, HELLO, "http.html_200").verdict.findings}
    assert "retried_non_retryable" not in once


def thinker(habit: Callable[[World, str], None]) -> Habit:
    """An application that reports reasoning in its own way."""

    async def app(world: World) -> None:
        async with open_session(world.model, "Hi", client=world.client) as session:
            async for chunk in session:
                match chunk:
                    case Text(text):
                        world.said(text)
                    case Thinking(text):
                        habit(world, text)
                    case _:
                        pass
            world.finished(session.snapshot.stop_reason)

    return app


def _forget(world: World, text: str) -> None:
    if "four" not in text:
        world.thought(text)


def _nothing(_world: World, _text: str) -> None:
    pass


def _twice(world: World, text: str) -> None:
    world.thought(text)
    world.thought(text)


@pytest.mark.parametrize(
    ("habit", "expected"),
    [
        (World.thought, set[str]()),
        (_nothing, set[str]()),
        (_forget, {"lost_text"}),
        (_twice, {"invented_text"}),
    ],
)
def test_reasoning_is_told_as_text_is(habit: Callable[[World, str], None], expected: set[str]) -> None:
    """All of it, once, and in order, where the application tells any."""
    run = simulate(thinker(habit), THINKING)
    assert {finding.name for finding in run.verdict.findings} == expected


def test_reasoning_that_is_told_again_is_found() -> None:
    """A second attempt at a turn, of which the reasoning was given, gives it twice."""

    async def app(world: World) -> None:
        world.thought("Two and two is four.")
        for _ in range(2):
            async with world.client.stream(
                "POST", f"{world.url}/v1/chat/completions", json={"messages": []}
            ) as it:
                [piece async for piece in it.aiter_raw()]
        world.thought("Two and two is four.")
        world.said("It is 4.")
        world.finished("stop")

    run = simulate(app, THINKING, "prov.eof_no_terminal")
    assert "duplicated_text" in {finding.name for finding in run.verdict.findings}


def test_a_failure_before_anything_was_asked_needs_a_reason() -> None:
    """An error of streamd's own, where no fault of the application's own explains it, is a wrong one."""

    async def app(world: World) -> None:
        world.failed(ConfigError("no such model"))

    (finding,) = simulate(app, HELLO, "net.slice").verdict.findings
    assert finding.name == "wrong_error"
    assert simulate(app, HELLO, "sec.bad_key").verdict.ok
    assert not simulate(app, HELLO, "rt.pool_exhausted=refuse").verdict.ok
    assert simulate(streamd_app, HELLO, "rt.pool_exhausted=refuse").verdict.ok


@pytest.mark.parametrize(
    ("fault", "field", "value", "expected"),
    [
        ("net.refuse x*", "__cause__", None, {"untyped_error"}),
        ("net.reset@event:3", "__cause__", None, {"untyped_error"}),
        ("net.fin@event:3", "__cause__", None, set[str]()),
        ("net.fin@event:3", "partial", None, {"lost_text"}),
        ("net.fin@event:3", "partial", Message("assistant", ()), {"lost_text"}),
        ("net.fin@event:3", "usage", Usage(7, 7), {"wrong_usage"}),
    ],
)
def test_an_error_tells_what_it_knows(fault: str, field: str, value: object, expected: set[str]) -> None:
    """Its cause, what came of the turn, and what was counted."""
    run = simulate(streamd_app, HELLO, fault)
    assert run.verdict.ok
    assert isinstance(run.observed.error, StreamdError)
    setattr(run.observed.error, field, value)
    assert {name for name, _ in judge_told(run.observed, run.trace.attempts)} == expected


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("partial", None, {"lost_text"}),
        ("partial", Message("assistant", (Text("It"),)), {"lost_text"}),
        ("partial", Message("assistant", (Text("It rains"),)), set[str]()),
        ("partial", Message("assistant", (Text("It rains in Oslo."),)), set[str]()),
        ("partial", Message("assistant", (Text("It snows"),)), {"lost_text"}),
        ("usage", None, {"wrong_usage"}),
        ("usage", Usage(40, 1), {"wrong_usage"}),
        ("usage", Usage(60, 12), set[str]()),
        ("usage", Usage(60, 18), set[str]()),
    ],
)
def test_an_error_at_any_time_tells_what_was_taken_in(field: str, value: object, expected: set[str]) -> None:
    """No less than was told before it, and no more than came, where it is not known how far the session had come."""
    plan = ("use.in_a_hurry", "time.slow_but_live=5 if turn:2")
    run = simulate(streamd_app, ONE_TOOL, *plan, wire="anthropic-messages")
    assert run.verdict.ok
    assert run.observed.text == "Let me look.It rains"
    error = run.observed.error
    assert isinstance(error, StreamdError)
    assert error.partial is not None
    assert error.partial.text == "It rains"
    setattr(error, field, value)
    assert {name for name, _ in judge_told(run.observed, run.trace.attempts)} == expected


def test_what_is_counted_at_any_time_is_what_was_taken_in() -> None:
    """The application's own count is held to the same bounds."""
    plan = ("use.in_a_hurry", "time.slow_but_live=5 if turn:2")

    async def app(world: World) -> None:
        await streamd_app(world)
        world.counted(Usage(20, 12))

    run = simulate(app, ONE_TOOL, *plan, wire="anthropic-messages")
    assert [finding.name for finding in run.verdict.findings] == ["wrong_usage"]


def test_an_error_of_somebody_else_need_not_tell_that() -> None:
    """Only streamd's own have it."""
    run = simulate(streamd_app, HELLO, "net.refuse x*")
    assert isinstance(run.observed.error, ConnectFailed)
    run.observed.error = RuntimeError()
    assert [*judge_told(run.observed, run.trace.attempts)] == []
    refusable = replace(run.trace.attempts[-1], expect=())
    assert [*judge_told(run.observed, [refusable])] == []
