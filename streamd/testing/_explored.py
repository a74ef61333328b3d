"""An exploration, run to its end and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from ._case import Case, Limits
from ._outcome import Outcome, less_for_more
from ._played import played
from ._progress import progress
from ._section import Section
from ._shrink import shrunk
from ._verdict import FindingName
from ._world import App

__all__ = ["SHRUNK", "compared", "explored"]

SHRUNK = 10
"""How many findings of an exploration are shrunk, as each takes many runs of its own."""


def explored(
    section: Section,
    cases: Iterable[Case],
    app: App,
    *,
    jobs: int = 1,
    total: int | None = None,
    limits: Limits | None = None,
    seen: Callable[[Outcome], object] | None = None,
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
        seen: Given each outcome, in order.
    """
    begun: deque[Case] = deque()

    def noted() -> Iterator[Case]:
        for case in cases:
            begun.append(case)
            yield case

    first: dict[tuple[str, FindingName], Case] = {}
    before: tuple[Case, Outcome] | None = None
    for outcome in progress(played(noted(), app, jobs=jobs, limits=limits), section.name, total):
        case = begun.popleft()
        told = outcome
        if before is not None and _is_a_byte_more(before[0], case):
            told = _with_less(before[1], outcome, case.command(app) or "")
        before = case, outcome
        section.add(told)
        if seen is not None:
            seen(told)
        for finding in told.findings:
            first.setdefault((told.row, finding.name), case)
    for (row, name), case in list(first.items())[:SHRUNK]:
        smaller, run = shrunk(app, case, name=name, limits=limits)
        if any(finding.name == name for finding in run.verdict.findings):
            section.shrank(row, name, smaller.command(app) or run.verdict.findings[0].repro)
    return section


def compared(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The same outcomes, of which those in one row follow each other byte by byte: a byte more never gives less.

    Rows of splits are not compared, as nothing is missing there.
    """
    before: Outcome | None = None
    for outcome in outcomes:
        is_next = before is not None and before.row == outcome.row and not outcome.row.endswith("net.split")
        yield _with_less(before, outcome, outcome.line) if before is not None and is_next else outcome
        before = outcome


def _with_less(before: Outcome, after: Outcome, line: str) -> Outcome:
    """The second of two outcomes, with what is wrong with it after the first."""
    less = less_for_more(before, replace(after, line=after.line or line))
    return replace(after, findings=(*after.findings, *less), line=after.line or line) if less else after


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
