"""What a person is shown of a run: no more than can be read."""

import pytest
import trio

from streamd.testing import HELLO, World, assert_survived, judge, simulate
from streamd.testing._observation import Observation, ToolRunSeen
from streamd.testing._shown import shown
from streamd.testing._trace import Trace


def test_what_is_long_is_shown_by_its_ends() -> None:
    """And by its length; what is short is shown as it is."""
    assert shown("a\n") == "'a\\n'"
    assert shown("x" * 1_000_000 + "end").endswith("xend' (1,000,003 characters)")
    assert len(shown("x" * 1_000_000)) < 500
    assert len(shown({"x": "y" * 1_000_000})) < 500
    assert shown({"x": 1}) == "{'x': 1}"


def test_a_finding_about_a_flood_is_no_flood() -> None:
    """Neither its detail nor the trace repeats all that was said."""

    async def talks(world: World) -> None:
        world.said("x" * 1_000_000)
        world.finished()

    run = simulate(talks, HELLO)
    assert max(len(str(finding)) for finding in run.verdict.findings) < 1500
    assert len(run.trace.text) < 2000
    observed = Observation(tools=[ToolRunSeen("a", "b", {"c": "d" * 1_000_000}, 0.0)])
    assert all(len(each.detail) < 1500 for each in judge(observed, Trace()).findings)


def test_what_an_application_failed_with_is_shown_with_its_findings() -> None:
    """A bug of the application's own is the cause of the failed assertion."""

    async def broken(_world: World) -> None:
        raise LookupError("a bug")

    with pytest.raises(AssertionError) as caught:
        assert_survived(simulate(broken, HELLO))
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_value_that_cannot_be_shown_is_left_out() -> None:
    """A variable whose `repr` raises stops no run, and hides no key in those beside it."""

    class Broken:
        def __repr__(self) -> str:
            raise AttributeError("half made")

    async def broken(world: World) -> None:
        broken, kept = Broken(), world.key
        try:
            raise KeyError(1)
        except KeyError as error:
            raise ExceptionGroup("two", [error, OwnError((broken, bool(kept)))]) from None

    run = simulate(broken, HELLO)
    assert [each.name for each in run.verdict.findings if each.name == "leaked_secret"] == ["leaked_secret"]


class OwnError(Exception):
    """The application's."""


def test_a_key_is_found_once_in_a_place() -> None:
    """However many of its forms are there."""

    async def shows(world: World) -> None:
        world.saw("a log", world.key)

    details = [each.detail for each in simulate(shows, HELLO).verdict.findings]
    assert details.count("the key is in a log, as it is") == 1
    assert sum("the key is in a log" in detail for detail in details) == 1


def test_a_loop_without_an_end_is_counted_in_steps() -> None:
    """As it takes no time."""

    async def spins(_world: World) -> None:
        while True:
            await trio.lowlevel.checkpoint()

    (finding,) = simulate(spins, HELLO, max_steps=1000).verdict.findings
    assert finding.detail == "it had not ended after 0 s, in 1,001 steps"
