"""The parity page: what each of the two Elixir systems does, and the tests that show what this library does."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "parity.md").read_text("utf-8")
HEAD = "| the seed | ours | tests | difference, and why |"
NODE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
NAMED = sorted(set(NODE.findall(PAGE)))

FUNCTIONS = (
    *("start_link", "child_spec", "next", "await_metadata", "cancel", "attach_http_task", "start_http"),
    *("http_event", "set_fixture_context", "init_stream_state", "flush_stream_state", "to_response"),
    *("start", "collect", "on_chunk", "on_message", "auto_tools", "max_rounds", "tool_timeout", "build_url"),
    *("high_watermark", "fixture_path", "receive_timeout", "metadata_timeout", "previous_response_id"),
)
"""The functions and options of both systems that a user of theirs knows."""


def tables() -> list[list[list[str]]]:
    """Every table of the page: its rows, its head the first of them, cell by cell."""
    found: list[list[list[str]]] = []
    before = ""
    for line in PAGE.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            if not line.startswith("|---"):
                found[-1].append([cell.strip() for cell in line[1:-1].split("|")])
        before = line
    return found


def test_every_row_names_a_test() -> None:
    """A row says what the seed does, what this library does, which tests show it, and what differs and why."""
    rows: list[list[str]] = []
    for head, *body in tables():
        assert head == [cell.strip() for cell in HEAD[1:-1].split("|")]
        rows += body
    assert len(rows) > 150
    assert [row for row in rows if len(row) != 4 or not all(row)] == []
    # A cell of tests is nothing but tests: what is no name of one would not be looked for.
    assert [row[0] for row in rows if NODE.sub("", row[2]).strip(", ")] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_a_row(name: str) -> None:
    """What a user of either system would look for is in its first column."""
    seeds = [row[0] for table in tables() for row in table]
    assert any(re.search(rf"`[^`]*\b{name}\b", seed) for seed in seeds)


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_named_exists(file: str) -> None:
    """The functions the page names are there, as tests of their file."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert {name for other, name in NAMED if other == file} - there == set()


def test_every_test_named_passes() -> None:
    """The tests the page names pass, run by themselves, all of them and in bounded time."""
    nodes = [f"{file}::{name}" for file, name in NAMED]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-rs", *nodes]
    # They are measured where they run with all the others.
    unmeasured = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    run = subprocess.run(
        command, cwd=ROOT, env=unmeasured, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-1000:]
    assert re.fullmatch(r"\d+ passed in .*", run.stdout.splitlines()[-1])
