"""The page about performance shows the run that lies beside it."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parents[1] / "docs"


def maker(name: str) -> ModuleType:
    """The program that makes a part of the page."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_show_the_run() -> None:
    """`python docs/performance_table.py` would change nothing."""
    page = (DOCS / "performance.md").read_text("utf-8")
    assert maker("performance_table").renewed(page) == page, "stale: run `python docs/performance_table.py`"


def test_the_chart_shows_the_run() -> None:
    """`python docs/performance_chart.py` would change nothing."""
    run = json.loads((DOCS / "performance.json").read_text("utf-8"))
    drawn = (DOCS / "performance.svg").read_text("utf-8")
    assert maker("performance_chart").chart(run) == drawn, "stale: run `python docs/performance_chart.py`"
