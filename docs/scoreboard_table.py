"""The tables of docs/scoreboard.md, made of a run: `python docs/scoreboard_table.py` writes them anew."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE, RUN = HERE / "scoreboard.md", HERE / "scoreboard.json"
BEGIN, END = "<!-- the tables: begin -->\n", "<!-- the tables: end -->\n"

COUNTED = {"typed error": "error", "untyped error": "other error", "done": "done", "hang": "hang"}
"""How a client can end, and how a cell says it."""


def cell(ended: dict[str, Any] | None) -> str:
    """How one client ended, in a cell."""
    if ended is None:
        return ""
    told = COUNTED[ended["ended"]]
    if told != "done":
        return told
    called = ", call given" if ended["calls"] else ""
    return f"done ({ended['reason'] or 'no reason'}{called})"


def table(run: dict[str, Any], wire: str) -> Iterator[str]:
    """The table of one wire, line by line."""
    names = [name for name, client in run["clients"].items() if client["wire"] == wire]
    shown = [run["clients"][name]["name"] for name in names]
    yield f"| what comes | fault | {' | '.join(shown)} |"
    yield f"| --- | --- | {' | '.join('---' for _ in shown)} |"
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    for row in run["rows"]:
        ended = [row["ended"].get(name) for name in names]
        if not any(ended):
            continue
        fault = f"`{row['fault']}`" if row["fault"] else ""
        yield f"| {row['says']} | {fault} | {' | '.join(map(cell, ended))} |"
        for name, each in zip(names, ended, strict=True):
            if row["fault"] and each is not None:
                counts[name][each["ended"]] += 1
    rows = sum(counts[names[0]].values())
    for how, told in COUNTED.items():
        cells = " | ".join(str(counts[name][how]) for name in names)
        yield f"| **{told}**, of {rows} | | {cells} |"


def errors(run: dict[str, Any]) -> Iterator[str]:
    """The errors that were counted as other libraries', by client."""
    for name, client in run["clients"].items():
        found = (row["ended"].get(name) or {} for row in run["rows"])
        others = Counter(each["error"] for each in found if each.get("ended") == "untyped error")
        if others:
            told = ", ".join(f"`{error}` ({count})" for error, count in sorted(others.items()))
            yield f"| {client['name']} | {client['wire']} | {told} |"


def tables(run: dict[str, Any]) -> str:
    """All that the page has between its marks."""
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run["versions"].items()))
    lines = [
        f"Run with CPython {run['python']} on {run['system']}: {versions}.",
        "",
        "## OpenAI's chat completions",
        "",
        *table(run, "openai-chat"),
        "",
        "## Anthropic's messages",
        "",
        *table(run, "anthropic-messages"),
        "",
        "## The errors of others",
        "",
        "| client | wire | what it raised, how often |",
        "| --- | --- | --- |",
        *errors(run),
    ]
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    """The page with tables that say what the run says."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + "\n" + tables(json.loads(RUN.read_text("utf-8"))) + "\n" + END + after


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
