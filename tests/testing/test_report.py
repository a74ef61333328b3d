"""Reports: the same runs give the same text, JSON, XML and page; and the command that writes them."""

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from streamd.__main__ import main
from streamd.testing import (
    CATALOGUE,
    Finding,
    Outcome,
    Report,
    World,
    report_html,
    report_json,
    report_junit,
    report_text,
)
from streamd.testing._progress import progress

LOST = Finding("lost_text", "'a<b>\x00' came & was not told", "streamd faults --fault net.fin")


async def silent(world: World) -> None:
    """It says nothing of what comes, and that all is well."""
    world.said("")
    await world.client.post(world.url, json={"messages": []})
    world.finished("stop")


def example() -> Report:
    """Two parts, one of them with seven findings of one name."""
    report = Report("An <example>")
    clean = report.section("clean")
    for _ in range(60):
        clean.add(Outcome(row="net.fin", ended="complete"))
    clean.figures.append("measured: 1 < 2")
    found = report.section("found")
    found.add(Outcome(row="http.status", ended="ServerError"))
    for _ in range(7):
        found.add(Outcome(row="net.fin", ended="Truncated", findings=(LOST,), line=LOST.repro))
    found.shrank("net.fin", "lost_text", "streamd faults --fault net.fin@byte:0")
    return report


TEXT = """\
An <example>
  clean: 0 in 60: the 95 % upper bound is 3/n = 0.05
    measured: 1 < 2
    net.fin                                  60 runs: 60 complete
  found: 7 findings in 8
    http.status                               1 runs: 1 ServerError
    net.fin                                   7 runs: 7 Truncated; 7 lost_text
"""


def test_the_text_is_as_it_should_be():
    """Figures first, then each finding with its line, the smallest run, and how many more there are."""
    text = report_text(example(), rows=True)
    assert text.startswith(TEXT)
    lines = text[len(TEXT) :].splitlines()
    assert lines[:5] == [
        "",
        "lost_text under net.fin, in found",
        "  'a<b>\x00' came & was not told",
        "  streamd faults --fault net.fin",
        "  the smallest: streamd faults --fault net.fin@byte:0",
    ]
    assert lines[-1] == "and 2 more like them"
    assert "runs:" not in report_text(example())
    assert report_text(example()) == report_text(example())


def test_a_report_of_nothing_is_not_ok():
    """Where nothing was run nothing was shown."""
    report = Report("empty")
    assert not report.ok
    assert report.section("none").bound == "nothing was run"
    report.sections[0].add(Outcome(row="net.fin", ended="complete"))
    assert report.ok
    assert report.sections[0].bound == "0 in 1"


def test_the_json_holds_everything():
    """Counts, the bound where nothing was found, rows and findings."""
    read = json.loads(report_json(example()))
    assert (read["runs"], read["findings"], read["ok"]) == (68, 7, False)
    assert [section["bound"] for section in read["sections"]] == [0.05, None]
    assert read["sections"][1]["rows"][1] == {
        "name": "net.fin",
        "runs": 7,
        "ended": {"Truncated": 7},
        "findings": {"lost_text": 7},
    }
    assert len(read["sections"][1]["found"]) == 5


def test_the_junit_document_parses():
    """A suite for each part, a case for each fault; a fault with findings failed. What XML cannot hold is replaced."""
    root = ET.fromstring(report_junit(example()))
    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "1")
    cases = root.findall("./testsuite/testcase")
    assert [case.get("name") for case in cases] == ["net.fin", "http.status", "net.fin"]
    (failure,) = root.iter("failure")
    assert (failure.get("type"), failure.get("message")) == ("lost_text", "7 lost_text")
    assert "net.fin@byte:0" in str(failure.text)
    assert "\x00" not in str(failure.text)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It closes the last that is open."""
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else():
    """It is well-formed, loads nothing, runs nothing, has both colour schemes, and escapes what it shows."""
    html = report_html(example()).decode()
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert {tag for tag, _ in page.seen} & {"script", "link", "img", "iframe", "object"} == set()
    assert [attrs for _, attrs in page.seen if {"src", "href"} & set(attrs)] == []
    assert re.search(r"url\(|@import|https?:", html) is None
    assert "prefers-color-scheme: dark" in html
    assert "An &lt;example&gt;" in html
    assert "&#x27;a&lt;b&gt;" in html
    assert '<td class="found" title="lost_text 7">7</td>' in html
    assert report_html(example()) == report_html(example())


def test_progress_is_drawn_only_on_a_terminal():
    """Elsewhere nothing is written; on a terminal the line is gone at the end."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            """It says that it is one."""
            return True

    plain, terminal = io.StringIO(), Terminal()
    assert list(progress(range(5), "label", 5, plain)) == list(range(5))
    assert plain.getvalue() == ""
    assert list(progress(range(5), "label", None, terminal)) == list(range(5))
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_command_runs_a_line_that_was_pasted(capsys: pytest.CaptureFixture[str]):
    """One run is shown event by event; the exit code says that nothing was found."""
    line = "faults --scenario hello --wire gemini --seed 4 --fault net.fin@byte:3"
    assert main([*line.split(), "--fault", "sse.crlf x2"]) == 0
    out = capsys.readouterr().out
    assert "attempt 1: turn 1; faults: net.fin@byte:3, sse.crlf x2" in out
    assert "net.fin@byte:3 + sse.crlf x2: 0 in 1" in out


def test_the_command_reports_what_it_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """It exits with 1, and writes all reports; the application is found by its name."""
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "junit", "html")}
    given = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    app = f"{__name__}:silent"
    assert main(["faults", "--app", app, "--fault", "sse.crlf", "--n", "3", *given]) == 1
    out = capsys.readouterr().out
    assert "lost_text under sse.crlf" in out
    assert (
        f"streamd faults --scenario one_tool --wire openai-chat --seed 0 --app {app} --fault sse.crlf" in out
    )
    assert json.loads(files["json"].read_bytes())["runs"] == 3
    assert ET.parse(files["junit"]).getroot().tag == "testsuites"
    assert files["html"].read_bytes().startswith(b"<!doctype html>")


def test_the_command_lists_the_catalogue(capsys: pytest.CaptureFixture[str]):
    """A line for each fault."""
    assert main(["faults", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CATALOGUE)


def test_the_command_sweeps_the_catalogue(capsys: pytest.CaptureFixture[str]):
    """Without a fault: every fault; here on one wire and scenario, in a decoder alone."""
    assert main(
        ["faults", "--world", "decode", "--n", "1", "--wire", "cohere-v2", "--scenario", "thinking"]
    ) in (0, 1)
    assert "every fault: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--fault", "net.nothing"], "no fault 'net.nothing'"),
        (["--fault", "net.fin", "--wire", "telex"], "no wire 'telex'"),
        (["--fault", "net.fin", "--scenario", "nowhere.json"], "neither a file nor a scenario"),
        (["--fault", "net.fin", "--app", "nowhere"], "--app nowhere"),
        (
            ["--fault", "sse.crlf", "--wire", "ollama-chat"],
            "sse.crlf cannot happen on ollama-chat; it can on openai-",
        ),
    ],
)
def test_the_command_says_what_is_wrong(given: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    """It exits with 2, and a line."""
    assert main(["faults", *given]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--n", "0"], ["--n", "-1"], ["--jobs", "0"], ["--n", "x"]])
def test_the_command_runs_something(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Or it fails: where nothing is run nothing is found, which looks well."""
    with pytest.raises(SystemExit) as caught:
        main(["faults", *given])
    assert caught.value.code == 2
    assert "is no number from 1 on" in capsys.readouterr().err


async def mistaken(_world: World) -> None:
    """It has a bug."""
    raise KeyError("a bug of its own")


def test_the_command_shows_where_an_application_is_mistaken(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception of Python's own comes with its traceback, in a run of its own."""
    assert main(["faults", "--app", f"{__name__}:mistaken", "--fault", "net.fin"]) == 1
    assert 'raise KeyError("a bug of its own")' in capsys.readouterr().out
