"""The figures of docs/promises.md, of a report: `python docs/promise_table.py REPORT.json` writes them anew."""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("promises.md")
BEGIN, END = "<!-- the figures: begin -->\n", "<!-- the figures: end -->\n"
DRAWN = ("every fault, with", "every fault that can be served", "sessions on real sockets")
"""The parts whose runs are drawn: of those in which everything is tried in turn no bound can be told."""
HEAD = "| what was tried | runs | findings | 95 % upper bound |\n|---|---:|---:|---:|\n"


def table(report: dict[str, Any]) -> str:
    """A row for each part of the report, and what else was measured."""
    rows = "".join(
        f"| {part['name']} | {part['runs']:,} | {part['findings']:,} | {bound(part)} |\n"
        for part in report["sections"]
    )
    figures = "".join(
        f"* {part['name']}: {line}\n" for part in report["sections"] for line in part["figures"]
    )
    return HEAD + rows + (f"\n{figures}" if figures else "")


def bound(part: dict[str, Any]) -> str:
    """What so many runs without a finding say of the next; nothing where they are not drawn, or there was one."""
    runs = part["runs"] if part["name"].startswith(DRAWN) else 0
    return f"{100 * (1 - 0.05 ** (1 / runs)):.2g} %" if runs and not part["findings"] else ""


def renewed(page: str, report: dict[str, Any]) -> str:
    """The page with the figures of this report."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table(report)}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(
        renewed(PAGE.read_text("utf-8"), json.loads(Path(sys.argv[1]).read_text("utf-8"))), "utf-8"
    )
