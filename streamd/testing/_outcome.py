"""What became of one run, in a few words that can be sent to another process."""

from __future__ import annotations

from msgspec import Struct

from ._case import Case
from ._run import Run
from ._verdict import Finding, FindingName
from ._world import App

__all__ = ["Outcome", "less_for_more", "outcome_of"]


class Outcome(Struct, frozen=True, kw_only=True):
    """One run that is over.

    Args:
        row: What it counts under: the names of its faults.
        ended: How it ended: `complete`, the name of an error, `cancelled`, `left` or `hung`.
        findings: What was wrong.
        told: How many characters of text it told.
        tools: How many tool runs there were.
        steps: How many scheduler steps it took.
        line: One that makes the same run: for a shell where that is possible, else Python's.
    """

    row: str
    ended: str
    findings: tuple[Finding, ...] = ()
    told: int = 0
    tools: int = 0
    steps: int = 0
    line: str = ""

    @property
    def complete(self) -> bool:
        """Whether the answer was complete."""
        return self.ended == "complete"


def outcome_of(run: Run, app: App, case: Case | None = None) -> Outcome:
    """What became of a run.

    Args:
        run: The run.
        app: What was tested.
        case: What the run was made of, where that is known to be more than the run tells.
    """
    observed = run.observed
    asked = case or Case(run.scenario, run.plan, run.wire, run.seed)
    findings = run.verdict.findings
    return Outcome(
        row=" + ".join(fault.name for fault in run.plan) or "no fault",
        ended=_ended(run),
        findings=findings,
        told=len(observed.text),
        tools=len(observed.tools),
        steps=observed.steps,
        line=(asked.command(app) or findings[0].repro) if findings else "",
    )


def _ended(run: Run) -> str:
    observed = run.observed
    if observed.hung:
        return "hung"
    if observed.error is not None:
        which = getattr(observed.error, "which", None)
        return type(observed.error).__name__ + (f"({which})" if isinstance(which, str) else "")
    if observed.cancelled:
        return "cancelled"
    return "complete" if observed.finished and observed.reason != "cancelled" else "left"


def less_for_more(before: Outcome, after: Outcome) -> tuple[Finding, ...]:
    """What is wrong with two runs of which the second got a byte more before it was cut: more bytes never give less."""
    found: list[tuple[FindingName, str]] = []
    if after.told < before.told:
        found.append(("lost_text", f"a byte less gave {before.told} characters of text, this {after.told}"))
    if after.tools < before.tools:
        found.append(("lost_text", f"a byte less ran {before.tools} tools, this {after.tools}"))
    if before.complete and not after.complete:
        found.append(("lost_finish", f"a byte less was complete, this ended with {after.ended}"))
    return tuple(Finding(name, detail, after.line) for name, detail in found)
