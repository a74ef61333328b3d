"""A report as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from ._report import Report
from ._section import Section

__all__ = ["report_json"]


def report_json(report: Report) -> bytes:
    """The report as a JSON object, indented.

    It has `title`, `runs`, `findings`, `ok`, and `sections`; a section has `name`, `runs`, `findings`, `bound` (the
    95 % upper bound of the share of runs with a finding, null where there was one), `figures`, `rows` and `found`; a
    row `name`, `runs`, `ended` and `findings`, both counted by name; a finding `row`, `name`, `detail`, `line` and
    `smallest`.
    """
    whole = {
        "title": report.title,
        "runs": report.runs,
        "findings": report.findings,
        "ok": report.ok,
        "sections": [_section(section) for section in report.sections],
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def _section(section: Section) -> dict[str, Any]:
    clean = section.runs and not section.findings
    return {
        "name": section.name,
        "runs": section.runs,
        "findings": section.findings,
        "bound": 3 / section.runs if clean else None,
        "figures": section.figures,
        "rows": [
            {
                "name": row.name,
                "runs": row.runs,
                "ended": dict(sorted(row.ended.items())),
                "findings": dict(sorted(row.findings.items())),
            }
            for row in section.rows.values()
        ],
        "found": section.found,
    }
