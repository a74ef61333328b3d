"""A report as JUnit's XML, which continuous integration reads: a suite for each part, a case for each fault."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from ._report import Report
from ._section import Section

__all__ = ["report_junit"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report_junit(report: Report) -> bytes:
    """The report as a JUnit document, in UTF-8. A fault with findings is a failed case, which lists them."""
    suites = ET.Element("testsuites", name=_clean(report.title))
    for section in report.sections:
        _add(suites, section)
    failures = sum(int(suite.get("failures", "0")) for suite in suites)
    suites.set("tests", str(sum(len(section.rows) for section in report.sections)))
    suites.set("failures", str(failures))
    ET.indent(suites)
    document: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add(suites: ET.Element, section: Section) -> None:
    failed = sum(bool(row.findings) for row in section.rows.values())
    suite = ET.SubElement(
        suites, "testsuite", name=_clean(section.name), tests=str(len(section.rows)), failures=str(failed)
    )
    for row in section.rows.values():
        case = ET.SubElement(
            suite, "testcase", classname=_clean(f"{section.name}.{row.layer}"), name=_clean(row.name)
        )
        if row.findings:
            total = ", ".join(f"{count} {name}" for name, count in sorted(row.findings.items()))
            failure = ET.SubElement(case, "failure", type=_clean(min(row.findings)), message=_clean(total))
            failure.text = _clean(
                "\n".join(
                    f"{found.name}: {found.detail}\n    {found.smallest or found.line}"
                    for found in section.found
                    if found.row == row.name
                )
            )
        out = ET.SubElement(case, "system-out")
        out.text = _clean(
            f"{row.runs} runs: {', '.join(f'{n} {end}' for end, n in sorted(row.ended.items()))}"
        )


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)
