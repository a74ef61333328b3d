"""pytest: the fixture `streamd_cassette`, which records the sessions of a test once and plays them after.

pytest loads this before any test, and before coverage is measured: streamd itself is imported when it is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from streamd._cassette import Cassette, RecordMode

OPTION = "--streamd-record"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--streamd-record`."""
    parser.getgroup("streamd").addoption(
        OPTION,
        choices=["once", "none", "all"],
        default="once",
        help="streamd_cassette: record where nothing was recorded and play otherwise (once, the default); "
        "only play, and fail where nothing was recorded (none); record everything anew (all)",
    )


@pytest.fixture
def streamd_cassette(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cassette]:
    """Record every streamd session the test opens, once; play the recordings from then on, without key or network.

    They are in `cassettes/MODULE/TEST.json` beside the test's file: keep them with it. What a test that fails has
    recorded is dropped.
    """
    from streamd._cassette import Cassette, placeholder_keys  # noqa: PLC0415

    folder = request.path.parent / "cassettes" / request.path.stem
    mode = cast("RecordMode", request.config.getoption(OPTION))
    cassette = Cassette(folder / f"{file_name(request.node.nodeid)}.json", mode)
    if not cassette.recording:
        for name, value in placeholder_keys():
            monkeypatch.setenv(name, value)
    failed = request.session.testsfailed
    with cassette.inserted():
        yield cassette
    if request.session.testsfailed > failed:
        cassette.drop()
        return
    cassette.keep()
    if cassette.failures:
        # The code under test may have taken the error for one it expects.
        pytest.fail("streamd_cassette: " + "\n".join(cassette.failures), pytrace=False)


def file_name(nodeid: str) -> str:
    """A test's name as a file can have it: that of its class before it, its parameters after it.

    Where a character cannot stay, a few digits keep two tests apart.
    """
    name = ".".join(nodeid.partition("::")[2].split("::"))
    kept = re.sub(r"[^\w.\[\]-]", "-", name)[:120]
    return kept if kept == name else f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
