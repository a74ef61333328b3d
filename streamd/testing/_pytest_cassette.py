"""pytest's fixture `streamd_cassette`, which records the sessions of a test once and plays them after."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import cast

import pytest

from streamd._cassette import Cassette, RecordMode, placeholder_keys

__all__ = ["OPTION", "file_name", "streamd_cassette"]

OPTION = "--streamd-record"


@pytest.fixture
def streamd_cassette(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cassette]:
    """Record every streamd session the test opens, once; play the recordings from then on, without key or network.

    They are in `cassettes/MODULE/TEST.json` beside the test's file: keep them with it. What a test that fails has
    recorded is dropped.
    """
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
