"""The pages about faults say what the catalogue and a report say."""

import importlib.util
import re
import typing
from pathlib import Path
from types import ModuleType

import pytest

from streamd.testing import CATALOGUE
from streamd.testing._verdict import FindingName

DOCS = Path(__file__).parents[2] / "docs"


def maker(name: str) -> ModuleType:
    """The program that makes a part of a page."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_faults_is_the_catalogue() -> None:
    """`python docs/fault_table.py` would change nothing, and every fault has a row with a picture."""
    page = (DOCS / "faults.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z·]{5} [A-Z·]{3})` \| `([a-z0-9]+\.\w+)`", page, re.MULTILINE)
    assert sorted(name for _, name in rows) == sorted(CATALOGUE)
    assert {len(picture.replace("·", "").strip()) for picture, _ in rows} == {1}
    assert maker("fault_table").renewed(page) == page, "stale: run `python docs/fault_table.py`"


def test_the_page_of_promises_names_every_finding() -> None:
    """No promise is without a finding that breaks it, and no finding without a promise."""
    page = (DOCS / "promises.md").read_text("utf-8")
    rows = re.findall(r"^\| \d+ \| .+ \| (.+) \|$", page, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(typing.get_args(FindingName))


@pytest.mark.parametrize(("runs", "said"), [(20, "14 %"), (100, "3 %"), (1000, "0.3 %"), (5000, "0.06 %")])
def test_the_page_of_promises_has_the_figures_of_a_report(runs: int, said: str) -> None:
    """A part of a report is a row: runs, findings, and the bound where they were drawn; what was measured follows."""
    made = maker("promise_table")
    name = "sessions on real sockets, at random"
    clean = {"name": name, "runs": runs, "findings": 0, "figures": ["growth: 3 MiB"]}
    found = {"name": "some", "runs": 3, "findings": 1, "figures": []}
    tried = {"name": "every byte", "runs": runs, "findings": 0, "figures": []}
    parts = {"sections": [clean, found, tried]}
    page = f"before\n{made.BEGIN}old\n{made.END}after\n"
    once = made.renewed(page, parts)
    rows = f"| {name} | {runs:,} | 0 | {said} |\n| some | 3 | 1 |  |\n| every byte | {runs:,} | 0 |  |\n"
    assert f"{rows}\n* {name}: growth: 3 MiB\n" in once
    assert "old" not in once
    assert made.renewed(once, parts) == once
