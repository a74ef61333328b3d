"""The guard of what a chunk costs: it passes, and fails where a step, a call, an object or memory is put in by hand."""

import ast
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.perfguard.__main__ import main
from tests.perfguard.child import ROOT, measured
from tests.perfguard.committed import FILE, Measured, committed_for
from tests.perfguard.counters import COUNTS
from tests.perfguard.scenes import SCENES
from tests.perfguard.table import compared, printed

FEW = ("bare", "paced")
"""The scenes that are played here; `make perfguard` plays all."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of streamd as it is."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "streamd", tree / "streamd", ignore=shutil.ignore_patterns("__pycache__"))
    return tree


@pytest.fixture(scope="module")
def sound(base: Path) -> Measured:
    """What it costs."""
    return measured(FEW, base)


@pytest.fixture(scope="module")
def against(sound: Measured, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of counts that holds those."""
    file = tmp_path_factory.mktemp("counts") / "committed.json"
    known = json.loads(FILE.read_text("utf-8"))
    row = {"python": sound.python, "build": sound.build, "with": sound.others, "counts": sound.counts}
    file.write_text(json.dumps({**known, "pythons": {"3.0": row}}), "utf-8")
    return file


def put_in(tree: Path, file: str, function: str, line: str) -> None:
    """A line more at the beginning of a function's body, such as that of `Session.receive`."""
    path = tree / "streamd" / file
    text = path.read_text("utf-8")
    node: ast.AST = ast.parse(text)
    for name in function.split("."):
        (node,) = (each for each in ast.iter_child_nodes(node) if getattr(each, "name", None) == name)
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    first = node.body[1 if ast.get_docstring(node) is not None else 0]
    lines = text.splitlines(keepends=True)
    lines.insert(first.lineno - 1, f"{' ' * first.col_offset}{line}\n")
    path.write_text("".join(lines) + "\n_KEPT = []\n", "utf-8")


def test_what_a_chunk_costs_is_as_committed(sound: Measured) -> None:
    """Steps and passes are within their margins, and nothing else is far off: `make perfguard` is the narrower one."""
    committed = committed_for(sound, FILE)
    lines = list(compared(sound, committed))
    assert {line.counted for line in lines} == COUNTS.keys() - {"machine"}
    wide = [replace(line, margin=line.margin + committed.loose * line.committed) for line in lines]
    held = [
        line if line.counted in committed.exact else wider for line, wider in zip(lines, wide, strict=True)
    ]
    assert [str(line) for line in held if not line.holds] == []


def test_the_same_code_gives_the_same_counts(base: Path, sound: Measured) -> None:
    """Steps, calls and instructions are equal in another process, and whole numbers for each chunk."""
    kept = ("blocks", "bytes")
    again, counts = (
        {
            name: {key: value for key, value in row.items() if key not in kept}
            for name, row in of.counts.items()
        }
        for of in (measured(FEW, base), sound)
    )
    assert again == counts
    assert [value for row in counts.values() for value in row.values() if value != int(value)] == []


CHECKPOINT = "await __import__('trio').lowlevel.checkpoint()"


@pytest.mark.parametrize(
    ("file", "function", "line", "noticed"),
    [
        ("_edge.py", "ConsumerEdge.receive", CHECKPOINT, {"steps", "calls", "opcodes"}),
        ("_http_exchange.py", "Exchange._read", CHECKPOINT, {"steps", "calls", "opcodes"}),
        ("_parser.py", "Parser.take", "_KEPT.append(bytearray(99))", {"blocks", "bytes", "opcodes"}),
        ("_parser.py", "Parser.take", "between = [event]", {"opcodes"}),
        ("_edge.py", "ConsumerEdge.push", "(lambda: None)()", {"calls", "opcodes"}),
        ("_edge.py", "ConsumerEdge.push", "len(chunks)", {"ccalls", "opcodes"}),
    ],
    ids=["consumer's checkpoint", "producer's checkpoint", "kept memory", "object", "call", "call of C"],
)
def test_a_line_more_for_each_chunk_fails(
    file: str,
    function: str,
    line: str,
    noticed: set[str],
    base: Path,
    against: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What each chunk then costs more is named, and the exit status is 1."""
    tree = shutil.copytree(base, tmp_path / "tree", ignore=shutil.ignore_patterns("__pycache__"))
    put_in(tree, file, function, line)
    assert main(["paced", "--quick", "--tree", str(tree), "--file", str(against)]) == 1
    failed = {row.split()[1] for row in capsys.readouterr().out.splitlines() if row.endswith("FAIL")}
    assert failed >= noticed


def test_another_python_is_held_against_the_nearest(sound: Measured, against: Path) -> None:
    """It is said with what it is compared, and only scheduler steps are held to their margin."""
    committed = committed_for(sound, against)
    assert committed.measured.counts == sound.counts
    other = Measured("3.99.0", "otherwise", sound.others, sound.counts)
    lines = list(compared(other, committed))
    text = "\n".join(printed(other, committed, lines))
    assert f"The committed counts are of Python {sound.python}, these of Python 3.99.0" in text
    margins = {line.counted: line.margin for line in lines if line.scene == "paced"}
    assert margins["steps"] < 1 < 100 < margins["opcodes"]


def test_the_committed_file_is_whole() -> None:
    """Each Python of the file has every scene, and each scene every count."""
    known = json.loads(FILE.read_text("utf-8"))
    assert {
        unit: row.keys() for unit, row in known["margins"].items() if unit in ("chunk", "round", "session")
    }
    for row in known["pythons"].values():
        assert row["counts"].keys() == SCENES.keys()
        assert {name for counts in row["counts"].values() for name in counts} <= COUNTS.keys()


def test_a_scene_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The scenes that there are, are named."""
    with pytest.raises(SystemExit, match="2"):
        main(["no-scene"])
    assert "no scene is called no-scene" in capsys.readouterr().err
