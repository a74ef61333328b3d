"""What shows that a guard of the runtime is gone: faults that find it, and the list of the guards."""

import importlib.util
from pathlib import Path

import httpx
import pytest

from streamd import Text, open_session
from streamd.testing import HELLO, ONE_TOOL, World, simulate, streamd_app
from tests.mutants.guards import GUARDS, Guard
from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.name for guard in GUARDS])
def test_a_guard_is_where_the_list_says(guard: Guard) -> None:
    """The text that stands for a guard is in its file exactly once; otherwise the list is to be mended."""
    for edit in guard.edits:
        assert (ROOT / edit.file).read_text("utf-8").count(edit.old) == 1, edit.file


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_mutant_is_where_the_table_says(mutant: Mutant) -> None:
    """The text that a mutant replaces in the supervision library is in its file exactly once."""
    assert (ROOT / "supervisors" / mutant.file).read_text("utf-8").count(mutant.old) == 1


def test_the_guards_have_names_of_their_own() -> None:
    """No two guards have one name, and none is without faults."""
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
    assert all(guard.strikes for guard in GUARDS)


def test_what_is_kept_unread_is_found() -> None:
    """An application that lets a server fill its memory while it does not read has grown without bound."""

    async def hoarder(world: World) -> None:
        head = {"authorization": f"Bearer {world.key}"}
        await world.client.post(f"{world.url}/v1/chat/completions", headers=head, json={"messages": []})

    names = {finding.name for finding in simulate(hoarder, HELLO, "use.unread_flood").verdict.findings}
    assert "unbounded_memory" in names
    assert simulate(streamd_app, HELLO, "use.unread_flood").verdict.ok


def test_a_retry_without_a_budget_is_found() -> None:
    """Where a runtime has no retry left, an attempt more is one too many."""

    async def alone(world: World) -> None:
        world.observed.beside = True  # so it says, and asks for itself
        async with open_session(world.model, world.prompt, client=world.client) as session:
            async for chunk in session:
                world.said(chunk.text if isinstance(chunk, Text) else "")
            world.finished()

    plan = ("rt.retry_budget_spent", "net.reset_before_headers")
    assert simulate(alone, HELLO, *plan).verdict.findings[0].name == "retried_non_retryable"
    run = simulate(streamd_app, HELLO, *plan)
    assert run.verdict.ok
    assert len(run.trace.attempts) == 1


def test_a_key_that_cannot_be_sent_is_not_sent() -> None:
    """A request with a key that no header may hold is found, whatever came of it."""

    async def careless(world: World) -> None:
        head = [(b"x-api-key", world.key.encode("latin-1"))]
        await world.client.send(httpx.Request("POST", f"{world.url}/v1/messages", headers=head, json={}))

    names = {finding.name for finding in simulate(careless, HELLO, "sec.bad_key=non_ascii").verdict.findings}
    assert "leaked_secret" in names


def test_a_hurry_ends_a_session_in_its_time() -> None:
    """A session that was given twenty seconds takes no more, and says which timer fired."""
    run = simulate(streamd_app, HELLO, "use.in_a_hurry", "time.slow_but_live", limit=60)
    assert run.verdict.ok
    assert getattr(run.observed.error, "which", None) == "total"
    assert run.observed.took == 20


def test_a_call_with_half_of_its_arguments_is_found() -> None:
    """The tools of a run take any arguments, so that no check of these hides that a call was not whole."""

    async def eager(world: World) -> None:
        (tool,) = world.tools
        bound = tool.bind({"city": "Oslo"})
        await world.ran_tool("call_1_1", tool.name, {"city": bound["city"]})

    names = {finding.name for finding in simulate(eager, ONE_TOOL).verdict.findings}
    assert "ran_incomplete_tool" in names


def test_the_scoreboard_shows_its_run() -> None:
    """`python docs/scoreboard_table.py` would change nothing."""
    spec = importlib.util.spec_from_file_location("scoreboard_table", ROOT / "docs" / "scoreboard_table.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    page = (ROOT / "docs" / "scoreboard.md").read_text("utf-8")
    assert maker.renewed(page) == page, "stale: run `python docs/scoreboard_table.py`"
