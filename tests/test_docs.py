"""The documents: every example runs, prints what the page says where no model has a say, and names what is there."""

import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamd import Chunk, LocalServer

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
# No model has a say in these: what the page shows is what they print, to the letter.
DETERMINED = re.compile(
    r"\bhttpx\.MockTransport\b|\bMockClock\b|\bstreamd\.supervisors\b|\bstreamd\.testing\b"
)
PLACE = re.compile(r"(?<=\w):\d+")  # a line of the page, or of a version of trio
NAME = re.compile(r"\bstreamd(?:\.[A-Za-z_]\w*)+")


def examples() -> Iterator[typing.Any]:
    """Every example of every page: the page, its first line there, its source, and the output shown below it."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in EXAMPLE.finditer(text):
            line = text.count("\n", 0, found.start(1)) + 1
            yield pytest.param(page, line, found[1], found[2] or "", id=f"{page.name}:{line}")


@pytest.mark.parametrize(("page", "line", "source", "shown"), list(examples()))
def test_an_example_runs(
    page: Path,
    line: int,
    source: str,
    shown: str,
    local_server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """An example is a whole program; where it scripts the model, or needs none, it prints what the page shows.

    A provider that needs a key is the local server, which speaks its wire.
    """
    for provider, path in (("ANTHROPIC", ""), ("OPENAI", "/v1")):
        monkeypatch.setenv(f"{provider}_BASE_URL", f"{local_server.base_url}{path}")
        monkeypatch.setenv(f"{provider}_API_KEY", "none")
    monkeypatch.chdir(tmp_path)  # some write a file
    # Begun at its own line, so that a traceback points into the page.
    program = compile("\n" * (line - 1) + source, page, "exec")
    exec(program, {"__name__": "__main__"})
    printed = capsys.readouterr().out
    if DETERMINED.search(source):
        assert PLACE.sub("", printed) == PLACE.sub("", shown)
    elif shown:
        assert printed.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_there_is(page: Path) -> None:
    """Every dotted name that begins with `streamd` leads to a module or to something in one."""
    names = set(NAME.findall(page.read_text("utf-8")))
    assert {name for name in names if not exists(name)} == set()


def exists(name: str) -> bool:
    """Whether a dotted name leads somewhere, by attributes or by import."""
    thing: object = importlib.import_module("streamd")
    path = "streamd"
    for part in name.split(".")[1:]:
        path = f"{path}.{part}"
        if not hasattr(thing, part):
            try:
                importlib.import_module(path)
            except ImportError:
                return False
        thing = getattr(thing, part)
    return True


def test_the_tutorial_matches_every_chunk() -> None:
    """The tutorial's `match` has a case for each member of the closed union."""
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    cases = [line for line in tutorial.splitlines() if line.lstrip().startswith("case ")]
    assert {member.__name__ for member in typing.get_args(Chunk)} == set(
        re.findall(r"streamd\.(\w+)\(", " ".join(cases))
    )


@pytest.mark.parametrize("name", ["streamd", "streamd.providers", "streamd.supervisors"])
def test_the_reference_has_every_public_name(name: str) -> None:
    """Classes and functions are there by themselves; what is neither, an alias or a table, is named."""
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    package = importlib.import_module(name)
    named = set(re.findall(r"^\.\. autodata:: (\S+)$", reference, re.MULTILINE))
    others = {
        each
        for each in package.__all__
        if not inspect.isclass(getattr(package, each)) and not inspect.isroutine(getattr(package, each))
    }
    assert {each for each in others if not {f"{name}.{each}", f"streamd.{each}"} & named} == set()
    assert f".. automodule:: {name}\n" in reference
