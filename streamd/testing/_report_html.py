"""A report as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ._report import Report
from ._section import Row, Section

__all__ = ["report_html"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --page: #ffffff; --line: #d9dce1;
  --head: #f4f5f7; --fill: 54 112 214; --bad: #b3261e; --bad-fill: #fde7e5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #a2a8b0; --page: #15181c; --line: #343a42;
  --head: #1f2429; --fill: 92 150 255; --bad: #ff8a80; --bad-fill: #43211f; } }
body { margin: 2rem auto; max-width: 84rem; padding: 0 1rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
p { max-width: 48rem; } .soft { color: var(--soft); }
.matrix { overflow: auto; max-height: 80vh; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
tbody th { text-align: left; font-weight: normal; font-family: ui-monospace, monospace; font-size: .9em;
  position: sticky; left: 0; background: var(--page); }
thead th { position: sticky; top: 0; background: var(--head); font-weight: 600; z-index: 1; }
thead th:first-child { left: 0; z-index: 2; text-align: left; }
tr.layer th { position: static; background: var(--head); font-weight: 600; font-family: inherit; text-align: left; }
td.found { background: var(--bad-fill); color: var(--bad); font-weight: 600; }
article { border-left: 3px solid var(--bad); padding: .1rem 0 .1rem 1rem; margin: 1rem 0; }
article h3 { font-size: 1rem; margin: .3rem 0; color: var(--bad); }
code { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow-x: auto; background: var(--head); padding: .5rem .75rem; border-radius: 4px; margin: .4rem 0; }
""".strip()


def report_html(report: Report) -> bytes:
    """The report as a page in UTF-8: for each part its figures, faults against outcomes, and the findings."""
    title = escape(report.title)
    verdict = "Nothing was found" if report.ok else f"{report.findings:,} findings"
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
        f"<p><strong>{verdict}</strong> in {report.runs:,} runs.</p>",
    ]
    for section in report.sections:
        lines += _section(section)
    return "\n".join([*lines, "</body></html>", ""]).encode()


def _section(section: Section) -> Iterator[str]:
    yield f"<section><h2>{escape(section.name)}</h2>"
    yield f'<p class="soft">{escape(section.bound)}</p>'
    for figure in section.figures:
        yield f"<p>{escape(figure)}</p>"
    yield from _findings(section)
    if section.rows:
        yield from _matrix(section)
    yield "</section>"


def _findings(section: Section) -> Iterator[str]:
    for found in section.found:
        yield f"<article><h3>{escape(found.name)} <code>{escape(found.row)}</code></h3>"
        yield f"<p>{escape(found.detail)}</p><pre><code>{escape(found.line)}</code></pre>"
        if found.smallest and found.smallest != found.line:
            yield f"<p>The smallest:</p><pre><code>{escape(found.smallest)}</code></pre>"
        yield "</article>"
    hidden = section.findings - len(section.found)
    if hidden:
        yield f"<p>And {hidden:,} more like them.</p>"


def _matrix(section: Section) -> Iterator[str]:
    endings = section.endings
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("runs", *endings, "findings"))
    yield '<div class="matrix" tabindex="0" role="region" aria-label="Faults against outcomes"><table>'
    yield f'<thead><tr><th scope="col">fault</th>{heads}</tr></thead><tbody>'
    layer = ""
    for row in section.rows.values():
        if row.layer != layer and "." in row.name:
            layer = row.layer
            yield f'<tr class="layer"><th colspan="{len(endings) + 3}" scope="rowgroup">{escape(layer)}</th></tr>'
        yield _row(row, endings)
    yield "</tbody></table></div>"


def _row(row: Row, endings: tuple[str, ...]) -> str:
    cells = "".join(_cell(row.ended[name], row.runs) for name in endings)
    count = row.findings.total()
    told = ", ".join(f"{name} {times}" for name, times in sorted(row.findings.items()))
    found = f'<td class="found" title="{escape(told)}">{count}</td>' if count else "<td>0</td>"
    return f'<tr><th scope="row">{escape(row.name)}</th><td>{row.runs}</td>{cells}{found}</tr>'


def _cell(count: int, runs: int) -> str:
    if not count:
        return "<td></td>"
    share = 0.08 + 0.42 * count / runs
    return f'<td style="background: rgb(var(--fill) / {share:.2f})">{count}</td>'
