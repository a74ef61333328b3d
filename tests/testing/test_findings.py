"""Findings: every mistake that an application can make is seen, and named."""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from msgspec.structs import replace

from streamd import NotFoundError, Stop, Usage
from streamd.testing import (
    HELLO,
    ONE_TOOL,
    WIRES,
    Cut,
    Scenario,
    World,
    decode,
    delivery_of,
    render,
    serve_to,
    simulate,
    streamd_app,
)


async def chunks_of(world: World) -> list[bytes]:
    """The body of one request, read by read."""
    async with world.client.stream(
        "POST", f"{world.url}/v1/chat/completions", json={"messages": []}
    ) as response:
        return [piece async for piece in response.aiter_bytes()]


def findings(app: Callable[[World], Awaitable[Any]], *plan: str, **options: Any) -> set[str]:
    """The names of what a run finds."""
    run = simulate(app, options.pop("scenario", HELLO), *plan, **options)
    return {finding.name for finding in run.verdict.findings}


async def forgetful(world: World) -> None:
    """It loses the last piece."""
    world.said("Hello, wörld \U0001f44b")
    await chunks_of(world)
    world.finished("stop")


async def stuttering(world: World) -> None:
    """It asks twice, and tells both."""
    for _ in range(2):
        await chunks_of(world)
        world.said(HELLO.turns[0].text)
    world.finished("stop")


async def inventive(world: World) -> None:
    """It says more than came."""
    await chunks_of(world)
    world.said(HELLO.turns[0].text + " And more.")
    world.finished("stop")


async def trusting(world: World) -> None:
    """It takes any end for the answer's end."""
    world.said("")
    try:
        await chunks_of(world)
    except Exception:
        pass
    world.finished("stop")


async def timid(world: World) -> None:
    """It fails after a whole answer."""
    await chunks_of(world)
    world.said(HELLO.turns[0].text)
    raise AnswerLostError


class AnswerLostError(Exception):
    """An application's own error."""


async def wrong_reason(world: World) -> None:
    """It gives another reason for the end."""
    await chunks_of(world)
    world.said(HELLO.turns[0].text)
    world.finished("length")


async def hanging(world: World) -> None:
    """It waits for what never comes."""
    await chunks_of(world)
    await trio.sleep_forever()


async def spinning(world: World) -> None:
    """It never waits, and never ends."""
    await chunks_of(world)
    while True:
        await trio.lowlevel.checkpoint()


async def impatient(world: World) -> None:
    """It asks again at once, whatever it was told."""
    await world.client.post(world.url, json={"messages": []})
    await chunks_of(world)
    world.said(HELLO.turns[0].text)
    world.finished("stop")


async def hasty(world: World) -> None:
    """It runs a tool before the call is confirmed."""
    await chunks_of(world)
    world.said("Let me look.")
    await world.ran_tool("call_1_1", "weather", {"city": "Oslo"})
    world.finished("tool_calls")


async def zealous(world: World) -> None:
    """It runs a tool twice for one call."""
    await chunks_of(world)
    world.said("Let me look.")
    for _ in range(2):
        await world.ran_tool("call_1_1", "weather", {"city": "Oslo", "days": 2})
    world.finished("tool_calls")


async def leaky(world: World) -> None:
    """It leaves a connection and a task behind."""
    request = world.client.build_request("POST", world.url, json={"messages": []})
    await world.client.send(request, stream=True)
    trio.lowlevel.spawn_system_task(trio.sleep, 5)
    world.said(HELLO.turns[0].text)
    world.finished("stop")


async def talkative(world: World) -> None:
    """It prints the key, in one of many ways."""
    await chunks_of(world)
    world.said(HELLO.turns[0].text)
    world.saw("a log", f"asked with {world.key[:-20]}...")
    world.finished("stop")


@pytest.mark.parametrize(
    ("app", "plan", "expected"),
    [
        (forgetful, (), {"lost_text"}),
        (stuttering, (), {"duplicated_text"}),
        (inventive, (), {"invented_text"}),
        (trusting, ("net.fin@event:1",), {"fabricated_finish"}),
        (trusting, ("prov.eof_no_terminal@event:1",), {"fabricated_finish", "lost_text"}),
        (timid, (), {"lost_finish"}),
        (wrong_reason, (), {"wrong_finish"}),
        (hanging, (), {"hung"}),
        (impatient, ("http.status=400",), {"retried_non_retryable"}),
        (leaky, (), {"leaked_task", "leaked_socket"}),
        (talkative, (), {"leaked_secret"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_mistake_has_its_finding(app: Any, plan: tuple[str, ...], expected: set[str]) -> None:
    """Each application makes one mistake, and that is what is found."""
    assert findings(app, *plan) == expected


def test_a_loop_that_takes_no_time_hangs() -> None:
    """The clock stands still; the steps are counted."""
    assert findings(spinning, max_steps=5000) == {"hung"}


def test_tools_that_should_not_run() -> None:
    """On a call that was never confirmed, with other arguments, and twice."""
    assert findings(hasty, scenario=ONE_TOOL) == {"ran_incomplete_tool"}
    assert findings(zealous, scenario=ONE_TOOL) == {"double_tool"}


def test_an_error_of_the_libraries_below_is_untyped() -> None:
    """An application that lets httpx's exception through is told so."""

    async def app(world: World) -> None:
        raise httpx.RemoteProtocolError("peer closed connection")

    assert findings(app, "net.refuse") == {"untyped_error"}


def test_an_error_that_says_something_else_is_wrong() -> None:
    """A `StreamdError` is held to what happened."""

    async def app(world: World) -> None:
        await world.client.post(world.url, json={"messages": []})
        raise NotFoundError("no such model")

    assert findings(app, "http.status=500") == {"wrong_error"}
    assert findings(app, "http.status=404") == set()


def test_a_run_that_does_not_end_in_time_hangs() -> None:
    """With a limit before its own timer; nothing else is found, as what it would have done is not known."""
    assert findings(streamd_app, "time.stall@event:2", limit=30) == {"hung"}


def test_a_finding_shows_how_to_see_it_again() -> None:
    """The line has the application, the scenario, the faults, the wire and the seed."""
    run = simulate(forgetful, HELLO, "sse.crlf", seed=3)
    (finding,) = run.verdict.findings
    assert finding.repro == "simulate(forgetful, NAMED['hello'], 'sse.crlf', wire='openai-chat', seed=3)"
    with pytest.raises(AssertionError, match="lost_text"):
        run.verdict.raise_if_found()
    simulate(streamd_app, HELLO).verdict.raise_if_found()


def test_a_decoder_that_takes_any_end_is_found() -> None:
    """The world of bytes alone finds what a bad decoder does."""

    class Trusting:
        done = False
        terminal = True

        def feed(self, data: bytes) -> list[Any]:
            """Give nothing."""
            return []

        def close(self) -> list[Any]:
            """Say that all is well."""
            return [Stop("stop")]

    run = decode(HELLO, "net.fin@event:3", decoder=Trusting)
    assert {finding.name for finding in run.verdict.findings} == {"fabricated_finish", "lost_text"}
    assert run.verdict.findings[0].repro.startswith("decode(NAMED['hello'], 'net.fin@event:3', ")


async def miscounting(world: World) -> None:
    """It counts tokens of its own."""
    await chunks_of(world)
    world.said(HELLO.turns[0].text)
    world.counted(Usage(1, 1))
    world.finished("stop")


def test_what_it_counts_is_what_came() -> None:
    """The last count of every turn, whole or not."""
    assert findings(miscounting) == {"wrong_usage"}
    run = simulate(streamd_app, HELLO, "net.fin@event:-1", wire="anthropic-messages")
    assert run.verdict.ok
    assert run.observed.usage is not None
    assert (run.observed.usage.input_tokens, run.observed.usage.output_tokens) == (10, 5)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("http.status=429", set[str]()),
        ("net.refuse", set[str]()),
        ("http.429_retry_after=30", {"retried_too_soon"}),
    ],
)
def test_a_time_to_wait_is_kept(fault: str, expected: set[str]) -> None:
    """Where one was told; a refusal without may be followed at once."""
    assert findings(impatient_after_errors, fault) == expected


async def impatient_after_errors(world: World) -> None:
    """It asks again at once, errors or not, until it has an answer."""
    while True:
        try:
            response = await world.client.post(world.url, json={"messages": []})
        except httpx.HTTPError:
            continue
        if response.status_code == 200:
            world.said(HELLO.turns[0].text)
            world.finished("stop")
            return


def test_an_event_without_its_last_line_end_may_be_taken() -> None:
    """A body that ends cleanly in the last newline of its terminal event is complete, or is not: either is right."""
    for wire in ("gemini", "openai-chat", "anthropic-messages"):
        reply = render(ONE_TOOL.turns[0], WIRES[wire])
        first = next(place for place, event in enumerate(reply.events) if event.terminal)
        delivery = delivery_of(replace(reply, framing="close", cut=Cut(reply.offset(first + 1) - 1, "fin")))
        assert (delivery.terminal, delivery.calls) == (False, ())
        assert delivery.loose is not None
        assert delivery.loose.terminal
        assert [call.name for call in delivery.loose.calls] == ["weather"]
        run = decode(ONE_TOOL, "h1.close_delimited_cut@byte:-1 if turn:1", wire=wire)
        assert run.verdict.findings == ()


def test_what_was_never_asked_for_is_not_complete() -> None:
    """An application that makes no request and reports the end of an answer has made it up."""

    async def idle(world: World) -> None:
        world.finished("stop")

    run = simulate(idle, HELLO)
    assert [(each.name, each.detail) for each in run.verdict.findings] == [
        ("fabricated_finish", "it said that the answer was complete (stop), and asked nothing")
    ]


@pytest.mark.parametrize("stall", ["net.write_stall", "net.write_stall x2"])
def test_a_head_that_never_came_forbids_nothing(stall: str) -> None:
    """Where nothing was answered, what the answer would have said of asking again binds nobody."""
    assert findings(streamd_app, stall, "http.x_should_retry=false") == set()


def test_files_that_are_left_open_are_found() -> None:
    """Files by what they lead to, sockets by their number; the number of a file that was closed is given again."""
    kept: list[Any] = []

    async def opens(_world: World) -> None:
        first = Path(__file__).open("rb")  # noqa: SIM115, ASYNC230 - it is left open
        kept.append(os.fdopen(os.dup(first.fileno()), "rb"))
        first.close()
        kept.append(socket.socket())

    for world in (simulate, serve_to):
        found = {finding.name: finding.detail for finding in world(opens, HELLO).verdict.findings}
        assert found == {"leaked_fd": __file__, "leaked_socket": "1 left open"}
    for each in kept:
        each.close()


def test_a_conversation_may_end_with_a_call() -> None:
    """An application that runs its tool and asks again gets a turn that says nothing; nothing is wrong with that."""
    scenario = Scenario().text("Let me look.").call("weather", {"city": "Oslo"})
    for wire in WIRES:
        run = simulate(streamd_app, scenario, wire=wire)
        assert run.verdict.findings == ()
        assert [attempt.turn for attempt in run.trace.attempts] == [1, 2]
        assert decode(scenario, wire=wire).verdict.ok


def test_what_is_no_text_is_no_text() -> None:
    """Whoever tells it, or returns it, is told so where it does."""
    given: Any = ["a", "b"]

    async def tells(world: World) -> None:
        world.said(given)

    async def returns(_world: World) -> Any:
        return given

    for app in (tells, returns):
        run = simulate(app, HELLO)
        assert isinstance(run.observed.error, TypeError)
        assert run.observed.text == ""


def test_what_httpcore_tells_of_every_byte_is_no_log() -> None:
    """Nobody has it written down unasked; what httpx tells of every request is looked at."""

    async def asks(world: World) -> None:
        with pytest.raises(httpx.HTTPError):
            await world.client.post(world.url, headers={"authorization": world.key}, json={"messages": []})
        raise AnswerLostError

    assert findings(asks, "sec.bad_key=crlf") == set()

    async def shows(world: World) -> None:
        await world.client.post(f"{world.url}/?key={world.key}", json={"messages": []})
        raise AnswerLostError

    assert "leaked_secret" in findings(shows)


def test_a_key_that_is_told_is_found() -> None:
    """What an application tells its user is read, too."""

    async def tells(world: World) -> None:
        world.said(f"The key is {world.key}.")

    for world in (simulate, serve_to):
        assert "leaked_secret" in {finding.name for finding in world(tells, HELLO).verdict.findings}
