"""An exploration, run to its end and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from ._case import Case, Limits
from ._outcome import Outcome, less_for_more
from ._played import played
from ._progress import progress
from ._section import Section
from ._shrink import shrunk
from ._world import App

__all__ = ["SHRUNK", "explored"]

SHRUNK = 10
"""How many findings of a section are shrunk, as each takes many runs of its own."""


def explored(
    section: Section,
    cases: Iterable[Case],
    app: App,
    *,
    jobs: int = 1,
    total: int | None = None,
    limits: Limits | None = None,
) -> Section:
    """Make these runs, count them, and find the smallest for the first finding of each name under each row.

    Runs of one fault at one byte after the other are compared: a byte more never gives less.

    Args:
        section: Where they are counted.
        cases: The runs.
        app: What is tested.
        jobs: As in `played`.
        total: How many there are, for the bar.
        limits: As in `simulate`.
    """
    begun: deque[Case] = deque()

    def noted() -> Iterator[Case]:
        for case in cases:
            begun.append(case)
            yield case

    first: dict[tuple[str, str], Case] = {}
    before: tuple[Case, Outcome] | None = None
    for outcome in progress(played(noted(), app, jobs=jobs, limits=limits), section.name, total):
        case = begun.popleft()
        if before is not None and _is_a_byte_more(before[0], case):
            line = outcome.line or case.command(app) or ""
            less = less_for_more(before[1], replace(outcome, line=line))
            before = case, outcome
            outcome = replace(outcome, findings=(*outcome.findings, *less), line=line)
        else:
            before = case, outcome
        section.add(outcome)
        for finding in outcome.findings:
            first.setdefault((outcome.row, finding.name), case)
    for (row, name), case in list(first.items())[:SHRUNK]:
        smaller, run = shrunk(app, case, limits=limits)
        if not run.verdict.ok:
            section.shrank(row, name, smaller.command(app) or run.verdict.findings[0].repro)
    return section


def _is_a_byte_more(before: Case, after: Case) -> bool:
    """Whether two runs differ in nothing but that the second is struck one byte later."""
    if not before.plan or len(before.plan) != len(after.plan):
        return False
    last, this = before.plan[-1], after.plan[-1]
    if last.at is None or this.at is None or this.at.unit != "byte":
        return False
    if not isinstance(last.at.place, int) or not isinstance(this.at.place, int):
        return False
    same = replace(before, plan=(*before.plan[:-1], replace(last, at=this.at))) == after
    return same and this.at.place == last.at.place + 1
