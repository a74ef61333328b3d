"""Bodies that broke a decoder once: found by `make fuzz`, and cut to what shows it."""

from pathlib import Path

import pytest

from tests.fuzz.bodies import body_of
from tests.fuzz.properties import check

_FINDS = sorted((Path(__file__).parents[1] / "data" / "fuzz").iterdir())


@pytest.mark.parametrize("find", _FINDS, ids=[find.name for find in _FINDS])
def test_what_was_found_is_mended(find: Path) -> None:
    """The file's name begins with its wire's; the seed decides the cuts."""
    wire = find.name.partition(".")[0]
    for seed in range(20):
        check(wire, body_of(wire, find.read_bytes()), seed)
