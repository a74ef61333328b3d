"""Rounds of calls of any tools, approved or not, cut short or not: what holds for all of them."""

from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from streamd import Tool, ToolCall, tool
from tests.support.tools import box, call, run_round

TIMEOUT = 5.0


class Watch:
    """What ran when."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.most: dict[str, int] = {}
        self.began: list[tuple[str, int]] = []

    async def run(self, name: str, n: int) -> int:
        self.began.append((name, n))
        self.running.append(name)
        self.most[name] = max(self.most.get(name, 0), self.running.count(name))
        effects = sum(each.startswith("effectful") for each in self.running)
        self.most["effectful"] = max(self.most.get("effectful", 0), effects)
        try:
            match n % 5:
                case 3:
                    raise LookupError(n)
                case 4:
                    await trio.sleep_forever()
                case wait:
                    await trio.sleep(wait)
        finally:
            self.running.remove(name)
        return n


MARKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "narrow_1": {"concurrency": 1},
    "narrow_2": {"concurrency": 2},
    "idempotent": {"idempotent": True},
    "effectful_a": {"effectful": True},
    "effectful_b": {"effectful": True},
}

CALLS = st.lists(st.tuples(st.sampled_from([*MARKS, "nobody"]), st.integers(0, 4)), max_size=12)


def tools_of(watch: Watch) -> list[Tool]:
    """A tool of each kind."""

    def made(name: str, marks: dict[str, Any]) -> Tool:
        async def run(n: int) -> int:
            return await watch.run(name, n)

        return tool(name=name, **marks)(run)

    return [made(name, marks) for name, marks in MARKS.items()]


def calls_of(drawn: list[tuple[str, int]]) -> list[ToolCall]:
    """Calls with ids of their own."""
    return [call(name, {"n": n}, f"call_{place}") for place, (name, n) in enumerate(drawn)]


def expected(name: str, n: int) -> str:
    """What a call is answered with."""
    if name == "nobody":
        return "Error: there is no tool"
    match n:
        case 3:
            return "Error: LookupError: 3"
        case 4:
            return "Error: the tool took longer than 5 s"
        case _:
            return str(n)


@settings(deadline=None, max_examples=60)
@given(CALLS, st.sets(st.integers(0, 11)), st.random_module())
def test_every_call_has_its_result(drawn: list[tuple[str, int]], denied: set[int], random: object) -> None:
    """Results stand in the calls' order, each with its call's id; the marks hold; nothing that was denied ran."""

    async def main() -> None:
        watch = Watch()
        calls = calls_of(drawn)
        refused = {calls[place].id for place in denied if place < len(calls)}
        toolbox = box(
            *tools_of(watch), timeout=TIMEOUT, approve=lambda which: which.id not in refused or "no"
        )
        results = await run_round(toolbox, *calls)
        assert [(result.id, result.name) for result in results] == [(each.id, each.name) for each in calls]
        first = {each: place for place, each in reversed(list(enumerate(drawn)))}
        for place, ((name, n), result) in enumerate(zip(drawn, results, strict=True)):
            asked = first[name, n] if name == "idempotent" else place
            is_denied = name != "nobody" and calls[asked].id in refused
            assert result.content.startswith("Error: no" if is_denied else expected(name, n))
            assert result.is_error is result.content.startswith("Error: ")
        assert watch.running == []
        assert watch.most.get("narrow_1", 0) <= 1
        assert watch.most.get("narrow_2", 0) <= 2
        assert watch.most.get("effectful", 0) <= 1
        in_order = [
            each
            for each, made in zip(drawn, calls, strict=True)
            if "effect" in each[0] and made.id not in refused
        ]
        assert [each for each in watch.began if "effect" in each[0]] == in_order
        tries = {n: watch.began.count(("idempotent", n)) for n in range(5)}
        assert all(count in (0, 2 if n > 2 else 1) for n, count in tries.items())

    trio.run(main, clock=MockClock(autojump_threshold=0))


@settings(deadline=None, max_examples=60)
@given(CALLS, st.floats(0, 20), st.random_module())
def test_a_round_can_be_cut_at_any_time(drawn: list[tuple[str, int]], after: float, random: object) -> None:
    """Cancelled at any moment, a round leaves nothing running, and every call still has a result."""

    async def main() -> None:
        watch = Watch()
        calls = calls_of(drawn)
        toolbox = box(*tools_of(watch), timeout=TIMEOUT)
        with trio.move_on_after(after):
            await run_round(toolbox, *calls)
        assert watch.running == []
        results = toolbox.results(calls)
        assert [(result.id, result.name) for result in results] == [(each.id, each.name) for each in calls]
        for (name, n), result in zip(drawn, results, strict=True):
            assert result.content.startswith((expected(name, n), "Error: the session was cancelled before"))
            if result.content.endswith("is unknown"):
                assert name.startswith("effectful")

    trio.run(main, clock=MockClock(autojump_threshold=0))
