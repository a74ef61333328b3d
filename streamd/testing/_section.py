"""One part of a report: what the runs of one exploration came to, fault by fault, in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from ._outcome import Outcome
from ._verdict import FindingName

__all__ = ["KEPT", "Found", "Row", "Section"]

KEPT = 5
"""How many findings of one name are kept for each row; the others are counted."""

_FEW = 30
"""Below so many runs the approximation is none."""


class Found(Struct, frozen=True, kw_only=True):
    """One finding: under which row, its name, what exactly, the line that shows it again, and the smallest such."""

    row: str
    name: FindingName
    detail: str
    line: str
    smallest: str = ""


@dataclass
class Row:
    """What the runs of one fault, or of one pair, came to."""

    name: str
    runs: int = 0
    ended: Counter[str] = field(default_factory=Counter[str])
    findings: Counter[str] = field(default_factory=Counter[str])

    @property
    def layer(self) -> str:
        """The layer of its first fault; the name itself where it is no fault's."""
        return self.name.partition(".")[0]


@dataclass
class Section:
    """One exploration.

    Args:
        name: What was tried.
    """

    name: str
    rows: dict[str, Row] = field(default_factory=dict[str, Row])
    found: list[Found] = field(default_factory=list[Found])
    figures: list[str] = field(default_factory=list[str])
    """What else was measured, a sentence each."""

    def add(self, outcome: Outcome) -> None:
        """Count one run."""
        row = self.rows.setdefault(outcome.row, Row(outcome.row))
        row.runs += 1
        row.ended[outcome.ended] += 1
        for finding in outcome.findings:
            row.findings[finding.name] += 1
            if row.findings[finding.name] <= KEPT:
                line = outcome.line or finding.repro
                self.found.append(Found(row=row.name, name=finding.name, detail=finding.detail, line=line))

    def shrank(self, row: str, name: str, line: str) -> None:
        """Note the line of the smallest run for the first finding of this name under this row."""
        for place, found in enumerate(self.found):
            if (found.row, found.name) == (row, name):
                self.found[place] = replace(found, smallest=line)
                return

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(row.runs for row in self.rows.values())

    @property
    def findings(self) -> int:
        """How many findings there were, those that were not kept included."""
        return sum(row.findings.total() for row in self.rows.values())

    @property
    def endings(self) -> tuple[str, ...]:
        """How runs ended, each once: `complete` first, the others by their names."""
        names = {name for row in self.rows.values() for name in row.ended}
        return tuple(sorted(names, key=lambda name: (name != "complete", name)))

    @property
    def bound(self) -> str:
        """What so many runs say about the next one.

        With no finding in n independent runs the probability of one is below 3/n, with 95 % confidence: for with a
        larger one so many clean runs in a row would come in fewer than 5 of 100 tries, as (1 - 3/n)^n is about e^-3.
        """
        if self.findings:
            return f"{self.findings:,} findings in {self.runs:,}"
        if not self.runs:
            return "nothing was run"
        if self.runs < _FEW:
            return f"0 in {self.runs:,}"
        return f"0 in {self.runs:,}: the 95 % upper bound is 3/n = {3 / self.runs:.2g}"
