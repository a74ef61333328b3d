"""The faults that try to get at the key: it goes to the provider, and is seen nowhere else."""

from pathlib import Path

import pytest

from streamd.errors import ConfigError
from streamd.testing import HELLO, FaultKind, World, simulate, streamd_app_with
from tests.support.faults import check, rows, runs


@pytest.mark.parametrize("kind", rows("sec"), ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind) -> None:
    """Every fault of the layer, with its values, in a conversation with a tool."""
    for run in runs(kind):
        check(run, kind)


@pytest.mark.parametrize("kind", rows("sec"), ids=lambda kind: kind.name)
def test_a_recording_holds_no_key(kind: FaultKind, tmp_path: Path) -> None:
    """Whatever the server repeats: what is written to a file has it no more than anything else."""
    recorded = streamd_app_with(record=tmp_path / "session.json")

    def look(world: World) -> None:
        for file in tmp_path.iterdir():
            world.saw(f"the recording {file.name}", file.read_text("utf-8"))
            file.unlink()

    async def app(world: World) -> None:
        try:
            await recorded(world)
        finally:
            look(world)

    seen = 0
    for run in runs(kind, seeds=1, scenario=HELLO, app=app):
        assert run.verdict.findings == ()
        seen += sum(where.startswith("the recording") for where, _ in run.observed.captured)
    assert seen or kind.phase == "runtime"  # nothing was sent, and so nothing recorded


@pytest.mark.parametrize("value", ["newline", "crlf", "nul", "del", "non_ascii", "wide"])
def test_a_key_that_cannot_be_sent_is_the_callers(value: str) -> None:
    """Nothing is sent, and the error shows nothing of it."""
    run = simulate(streamd_app_with(), HELLO, f"sec.bad_key={value}")
    assert run.verdict.findings == ()
    assert isinstance(run.observed.error, ConfigError)
    assert run.trace.attempts == []
