"""What a tool is marked with: its own timeout, how many calls run at once, idempotent and effectful."""

import math
import threading
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from streamd import ToolContext, ToolError, tool
from streamd.providers import ToolCall
from tests.support.tools import box, call, run_round

LATE = "Error: the tool took longer than 5 s"
BUSY = "Error: the tool was not run: earlier calls that took too long are still running"


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ({"timeout": 0}, "timeout is a positive number of seconds, not 0"),
        ({"timeout": -1.5}, "timeout is a positive number"),
        ({"timeout": math.nan}, "timeout is a positive number"),
        ({"timeout": "5"}, "timeout is a positive number"),
        ({"timeout": True}, "timeout is a positive number"),
        ({"concurrency": 0}, "concurrency is a whole number of at least 1, not 0"),
        ({"concurrency": 1.5}, "concurrency is a whole number"),
        ({"concurrency": True}, "concurrency is a whole number"),
        ({"idempotent": "yes"}, "are True or False"),
        ({"effectful": 1}, "are True or False"),
        ({"idempotent": True, "effectful": True}, "'note' is marked idempotent and effectful"),
    ],
)
def test_a_mark_that_cannot_be_is_refused(marks: dict[str, Any], words: str) -> None:
    """The error names the tool and what the mark can be."""
    with pytest.raises(ToolError, match=words):

        @tool(**marks)
        def note() -> str:
            return ""


def test_a_tool_shows_its_marks() -> None:
    """Marks can be read off the tool, and those not given are off."""

    @tool(timeout=5, concurrency=2, effectful=True)
    def note() -> str:
        return ""

    assert (note.timeout, note.concurrency, note.idempotent, note.effectful) == (5, 2, False, True)
    plain = tool(note.function)
    assert (plain.timeout, plain.concurrency, plain.idempotent, plain.effectful) == (None, None, False, False)


@pytest.mark.parametrize(("own", "seconds"), [(5, 5.0), (None, 30.0), (300, 300.0)])
async def test_a_timeout_of_its_own(own: float | None, seconds: float, autojump_clock: MockClock) -> None:
    """A tool's own timeout stands in for the session's, be it shorter or longer."""

    @tool(timeout=own)
    async def hang() -> None:
        await trio.sleep_forever()

    (result,) = await run_round(box(hang), call("hang"))
    assert (result.content, result.is_error) == (f"Error: the tool took longer than {seconds:g} s", True)
    assert trio.current_time() == seconds


async def test_a_tool_without_a_timeout(autojump_clock: MockClock) -> None:
    """An infinite timeout bounds nothing, whatever the session's is."""

    @tool(timeout=math.inf)
    async def nap() -> str:
        await trio.sleep(3600)
        return "rested"

    (result,) = await run_round(box(nap), call("nap"))
    assert result.content == "rested"


async def test_no_more_calls_at_once_than_marked(autojump_clock: MockClock) -> None:
    """Of five calls of a tool marked 2 never more than two run, and another tool is not held up by them."""
    running = 0
    most: list[int] = []
    ended: list[str] = []

    @tool(concurrency=2)
    async def narrow(n: int) -> int:
        nonlocal running
        running += 1
        most.append(running)
        await trio.sleep(10)
        running -= 1
        ended.append(f"narrow {n}")
        return n

    async def wide() -> str:
        await trio.sleep(15)
        ended.append("wide")
        return ""

    calls = [call("narrow", {"n": n}, str(n)) for n in range(5)]
    results = await run_round(box(narrow, wide), *calls, call("wide", {}, "w"))
    assert [result.content for result in results] == ["0", "1", "2", "3", "4", ""]
    assert max(most) == 2
    assert ended.index("wide") == 2
    # The wait for a place is no part of a call's time: the last one ended after 30 seconds, and did not time out.
    assert trio.current_time() == pytest.approx(30)


async def test_the_limit_is_each_sessions_own(autojump_clock: MockClock) -> None:
    """Two sessions that share a tool do not wait for each other."""

    @tool(concurrency=1)
    async def narrow() -> str:
        await trio.sleep(10)
        return ""

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(run_round, box(narrow), call("narrow"))
    assert trio.current_time() == 10


async def test_a_thread_left_behind_keeps_its_place() -> None:
    """While a thread that took too long still runs, the limit counts it: who waits for its place is told so."""
    release = threading.Event()
    ran: list[int] = []

    @tool(concurrency=1, timeout=0.02)
    def narrow(n: int) -> int:
        ran.append(n)
        if n < 2:
            release.wait(10)
        return n

    toolbox = box(narrow)
    try:
        first = await run_round(toolbox, call("narrow", {"n": 0}, "0"), call("narrow", {"n": 1}, "1"))
        second = await run_round(toolbox, call("narrow", {"n": 2}, "2"))
    finally:
        release.set()
    assert sorted(result.content for result in first) == ["Error: the tool took longer than 0.02 s", BUSY]
    assert [result.content for result in second] == [BUSY]
    with trio.fail_after(10):
        # Until the thread has told trio of its end.
        while (await run_round(toolbox, call("narrow", {"n": 3}, "3")))[0].content != "3":
            pass
    assert ran[0] in (0, 1)
    assert set(ran[1:]) == {3}


async def test_equal_idempotent_calls_run_once(autojump_clock: MockClock) -> None:
    """Calls of one name with the same arguments share a run and its result; others have their own."""
    ran: list[Any] = []

    @tool(idempotent=True)
    async def look(what: int | bool | str, where: str = "here") -> str:
        ran.append(what)
        await trio.sleep(1)
        return f"{what} {where}"

    results = await run_round(
        box(look),
        call("look", {"what": 1, "where": "x"}, "a"),
        call("look", {"where": "x", "what": 1}, "b"),
        call("look", {"what": True, "where": "x"}, "c"),
        call("look", {"what": 1}, "d"),
    )
    assert [(r.id, r.content) for r in results] == [
        *(("a", "1 x"), ("b", "1 x"), ("c", "True x"), ("d", "1 here"))
    ]
    assert sorted(map(str, ran)) == ["1", "1", "True"]


async def test_equal_idempotent_calls_share_a_failure_and_one_approval() -> None:
    """What is run once is asked for once, and every call is told how it ended."""
    asked: list[str] = []

    @tool(idempotent=True)
    async def look() -> str:
        raise LookupError("nothing")

    def approve(which: ToolCall) -> bool:
        asked.append(which.id)
        return True

    results = await run_round(box(look, approve=approve), call("look", id="a"), call("look", id="b"))
    assert [(r.id, r.content, r.is_error) for r in results] == [
        ("a", "Error: LookupError: nothing", True),
        ("b", "Error: LookupError: nothing", True),
    ]
    assert asked == ["a"]


async def test_calls_that_are_not_idempotent_run_each() -> None:
    """Without the mark nothing is assumed: equal calls with ids of their own each run."""
    ran: list[str] = []

    async def roll() -> int:
        ran.append("ran")
        return len(ran)

    results = await run_round(box(roll), call("roll", id="a"), call("roll", id="b"))
    assert sorted(result.content for result in results) == ["1", "2"]


async def test_an_idempotent_call_is_made_once_more(autojump_clock: MockClock) -> None:
    """A call that failed or took too long has a second try, with arguments of its own; there is no third."""
    tries: list[list[int]] = []

    @tool(idempotent=True, timeout=5)
    async def look(seen: list[int]) -> str:
        tries.append(list(seen))
        seen.append(9)
        match len(tries):
            case 1:
                raise OSError("not now")
            case 2:
                return "found"
            case _:
                await trio.sleep_forever()
                return ""

    toolbox = box(look)
    (first,) = await run_round(toolbox, call("look", {"seen": [1]}))
    assert (first.content, tries) == ("found", [[1], [1]])
    (second,) = await run_round(toolbox, call("look", {"seen": [1]}))
    assert (second.content, second.is_error, len(tries)) == (LATE, True, 4)
    assert trio.current_time() == 10


async def test_an_idempotent_call_is_not_repeated_in_vain() -> None:
    """What would fail again is not tried again: a value JSON cannot hold, a denial, arguments that do not fit."""
    ran: list[str] = []

    @tool(idempotent=True)
    async def look(n: int) -> object:
        ran.append("ran")
        return threading.Lock()

    (unfit,) = await run_round(box(look), call("look", {"n": "x"}))
    (denied,) = await run_round(box(look, approve=lambda _: False), call("look", {"n": 1}))
    assert (unfit.is_error, denied.content, ran) == (True, "Error: the call was denied", [])
    (odd,) = await run_round(box(look), call("look", {"n": 1}))
    assert odd.content.startswith("Error: the tool returned something JSON cannot hold")
    assert ran == ["ran"]


async def test_effectful_calls_are_made_one_after_the_other(autojump_clock: MockClock) -> None:
    """Effectful calls of a round run in the calls' order, over all such tools; other tools run beside them."""
    order: list[str] = []

    async def act(name: str, seconds: float) -> str:
        order.append(f"{name} begins")
        await trio.sleep(seconds)
        order.append(f"{name} ends")
        return name

    @tool(effectful=True)
    async def write(name: str, seconds: float) -> str:
        return await act(name, seconds)

    @tool(effectful=True)
    async def send(name: str, seconds: float) -> str:
        return await act(name, seconds)

    @tool
    async def look(name: str, seconds: float) -> str:
        return await act(name, seconds)

    async def approve(which: ToolCall) -> bool:
        await trio.sleep(20 if which.id == "a" else 0)
        return which.id != "d"

    results = await run_round(
        box(write, send, look, approve=approve),
        call("write", {"name": "a", "seconds": 3}, "a"),
        call("send", {"name": "b", "seconds": 2}, "b"),
        call("look", {"name": "c", "seconds": 1}, "c"),
        call("write", {"name": "d", "seconds": 1}, "d"),
        call("write", {"name": "e", "seconds": 1}, "e"),
    )
    assert order == [
        *("c begins", "c ends"),
        *("a begins", "a ends", "b begins", "b ends", "e begins", "e ends"),
    ]
    assert [result.content for result in results] == ["a", "b", "c", "Error: the call was denied", "e"]


async def test_an_effectful_call_that_was_cut_short_says_so(autojump_clock: MockClock) -> None:
    """After a timeout or its own cancellation nobody knows whether it took effect, and the model is told."""

    @tool(effectful=True, timeout=5)
    async def pay(context: ToolContext, cancel: bool) -> None:
        if cancel:
            context.cancel_scope.cancel()
        await trio.sleep_forever()

    @tool(effectful=True)
    async def fail() -> None:
        raise OSError("the card was refused")

    toolbox = box(pay, fail)
    results = await run_round(
        toolbox,
        call("pay", {"cancel": False}, "a"),
        call("pay", {"cancel": True}, "b"),
        call("fail", {}, "c"),
    )
    assert [result.content for result in results] == [
        LATE + "; whether it took effect is unknown",
        "Error: the call was cancelled; whether it took effect is unknown",
        "Error: OSError: the card was refused",
    ]
    assert all(result.is_error for result in results)


async def test_an_effectful_thread_left_behind_lets_no_other_begin() -> None:
    """An effect that may still be under way in a thread is not run over by the next: that one is not run."""
    release = threading.Event()
    ran: list[str] = []

    @tool(effectful=True, timeout=0.02)
    def write() -> None:
        ran.append("write")
        release.wait(10)

    @tool(effectful=True)
    async def send() -> None:
        ran.append("send")

    try:
        results = await run_round(box(write, send), call("write", id="a"), call("send", id="b"))
    finally:
        release.set()
    assert [result.content for result in results] == [
        "Error: the tool took longer than 0.02 s; whether it took effect is unknown",
        BUSY,
    ]
    assert ran == ["write"]


async def test_a_round_cut_short_keeps_the_results_it_had(autojump_clock: MockClock) -> None:
    """What had answered keeps its result; the others are told how far they were."""

    async def quick() -> str:
        return "done"

    @tool(concurrency=1)
    async def slow() -> None:
        await trio.sleep_forever()

    @tool(effectful=True)
    async def write() -> None:
        await trio.sleep_forever()

    toolbox = box(quick, slow, write, timeout=None)
    calls = [call("quick", id="a"), call("slow", id="b"), call("write", id="c"), call("write", id="d")]
    with trio.move_on_after(1):
        await run_round(toolbox, *calls)
    late = call("quick", id="e")
    assert [result.content for result in toolbox.results([*calls, late])] == [
        "done",
        "Error: the session was cancelled before the tool had answered",
        "Error: the session was cancelled before the tool had answered; whether it took effect is unknown",
        "Error: the session was cancelled before the tool was run",
        "Error: the session was cancelled before the tool was run",
    ]
