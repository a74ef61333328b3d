"""A report, and how it reads as text. The same runs give the same report: there is no time in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ._section import Section

__all__ = ["Report", "report_text"]


@dataclass
class Report:
    """What was explored.

    Args:
        title: Of what.
        sections: One for each exploration, in order.
    """

    title: str
    sections: list[Section] = field(default_factory=list[Section])

    def section(self, name: str) -> Section:
        """Begin another part."""
        self.sections.append(Section(name))
        return self.sections[-1]

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(section.runs for section in self.sections)

    @property
    def findings(self) -> int:
        """How many findings there were."""
        return sum(section.findings for section in self.sections)

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong, and something was run."""
        return self.runs > 0 and self.findings == 0


def report_text(report: Report, *, rows: bool = False) -> str:
    """The report as text: the figures of each part, and every finding with the line that shows it again.

    Args:
        report: The report.
        rows: Whether every fault has a line of its own, with how its runs ended.
    """
    return "".join(f"{line}\n" for line in _lines(report, rows=rows))


def _lines(report: Report, *, rows: bool) -> Iterator[str]:
    yield report.title
    for section in report.sections:
        yield f"  {section.name}: {section.bound}"
        for figure in section.figures:
            yield f"    {figure}"
        for row in section.rows.values() if rows else ():
            ended = ", ".join(f"{row.ended[name]} {name}" for name in section.endings if row.ended[name])
            wrong = "".join(f"; {count} {name}" for name, count in sorted(row.findings.items()))
            yield f"    {row.name:<36} {row.runs:>6} runs: {ended}{wrong}"
    for section in report.sections:
        for found in section.found:
            yield ""
            yield f"{found.name} under {found.row}, in {section.name}"
            yield f"  {found.detail}"
            yield f"  {found.line}"
            if found.smallest and found.smallest != found.line:
                yield f"  the smallest: {found.smallest}"
    hidden = report.findings - sum(len(section.found) for section in report.sections)
    if hidden:
        yield ""
        yield f"and {hidden:,} more like them"
