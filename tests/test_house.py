"""The rules of the house, which no type checker knows: layers, exports, docstrings, sizes, and the wheel."""

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

import streamd

ROOT = Path(__file__).parent.parent
PACKAGES = ("streamd", "streamd.providers", "streamd.supervisors", "streamd.testing")
LEAVES = {"providers": {"msgspec"}, "supervisors": {"trio"}}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def sources(folder: str) -> list[Path]:
    """The Python files that are really in a folder, not those a link shows there."""
    return [
        Path(at, name)
        for at, _, names in os.walk(ROOT / folder)
        for name in sorted(names)
        if name.endswith(".py")
    ]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every import of a file: its line, and the absolute name, or the relative one with its dots."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=None, level=level, names=names):
                yield from ((node.lineno, "." * level + alias.name) for alias in names)
            case ast.ImportFrom(module=str(module), level=level):
                yield node.lineno, "." * level + module
            case _:
                pass


def strangers(folder: str, allowed: set[str]) -> list[str]:
    """The imports of a folder that are neither its own, nor the standard library's, nor allowed."""
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if name.startswith("..")
        or (name[0] != "." and name.partition(".")[0] not in allowed | set(sys.stdlib_module_names))
    ]


def declared() -> set[str]:
    """The import names of the core dependencies and the extras."""
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return {re.split(r"[^\w-]", need)[0].replace("-", "_") for needs in lists for need in needs}


@pytest.mark.parametrize(("leaf", "allowed"), LEAVES.items())
def test_a_leaf_imports_nothing_but_what_it_may(leaf: str, allowed: set[str]) -> None:
    """A leaf knows itself, the standard library and one more package: never the trunk, never the other leaf."""
    assert strangers(leaf, allowed) == []


def test_the_trunk_imports_nothing_but_what_it_declares() -> None:
    """The trunk knows the leaves and what pyproject.toml declares; httpx2 only as a client it may be given."""
    assert strangers("streamd", declared() | {"streamd", "httpx2"}) == []


def test_the_runtime_knows_nothing_of_its_harness() -> None:
    """`streamd.testing` is the trunk's one subfolder, and flat; only the command line may import it."""
    package = ROOT / "streamd"
    folders = {path.parent for path in sources("streamd")}
    assert folders == {package, package / "testing"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources("streamd")
        if path.parent == package and not path.name.startswith(("_cli_", "__main__"))
        for line, name in imports(path)
        if name.startswith(("streamd.testing", ".testing"))
    ]
    assert wrong == []


def test_the_trunk_names_the_leaves_in_full() -> None:
    """Nobody imports the folders by their own names, and the trunk never reaches a leaf by a relative import."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for folder in ("streamd", *LEAVES, "tests")
        for path in sources(folder)
        for line, name in imports(path)
        if name.partition(".")[0] in LEAVES
        or (folder == "streamd" and (name.startswith("..") or name.lstrip(".").partition(".")[0] in LEAVES))
    ]
    assert wrong == []


def test_the_links_are_relative() -> None:
    """The two links show tools the tree that a wheel has, wherever the checkout lies."""
    for leaf in LEAVES:
        link = ROOT / "streamd" / leaf
        assert link.is_symlink()
        assert link.readlink() == Path("..", leaf)


@pytest.mark.parametrize("name", PACKAGES)
def test_all_lists_the_public_names(name: str) -> None:
    """`__all__` is all that a package shows besides its modules, each name once; ruff keeps it sorted."""
    package = importlib.import_module(name)
    modules = {path.stem for path in Path(package.__path__[0]).iterdir()}
    # What is no identifier is pytest's: it rewrites the asserts of packages that hold plugins.
    names = filter(str.isidentifier, vars(package))
    public = [key for key in names if key[0] != "_" and key not in modules]
    assert sorted(package.__all__) == sorted({*public, *package.__all__})
    assert [key for key in package.__all__ if not hasattr(package, key)] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_has_a_docstring(name: str) -> None:
    """Every public function and class is documented, with its public methods; so is every module."""
    package = importlib.import_module(name)
    bare = [name] if not package.__doc__ else []
    for key in package.__all__:
        thing = getattr(package, key)
        if not (isinstance(thing, type) or callable(thing)) or not str(thing.__module__).startswith(
            "streamd"
        ):
            continue
        members = (
            {f"{key}.{m}": v for m, v in vars(thing).items() if m[0] != "_"}
            if isinstance(thing, type)
            else {}
        )
        bare += [
            f"{name}.{label}"
            for label, member in {key: thing, **members}.items()
            if (callable(member) or isinstance(member, property)) and not member.__doc__
        ]
    assert bare == []


def test_no_file_is_long() -> None:
    """One noun a file: none is longer than 300 lines."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for folder in ("streamd", *LEAVES)
        for path in sources(folder)
    }
    assert {path: lines for path, lines in lengths.items() if lines > 300} == {}


def test_every_test_says_what_it_shows() -> None:
    """Every test has a docstring."""
    mute = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources("tests")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert mute == []


def test_the_version_is_one() -> None:
    """`streamd.__version__`, pyproject.toml and the changelog's first heading agree."""
    assert streamd.__version__ == PROJECT["version"]
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert heading is not None
    assert heading[1] == PROJECT["version"]


DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: page.name)
def test_a_document_names_only_what_is_there(page: Path) -> None:
    """Every relative link of a document leads to a file, and every `make` it shows is a target."""
    text = page.read_text("utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", prose) if ":" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(re.findall(r"[`$] ?make ([a-z]+)", text)) <= set(targets)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a source archive, as a release is, but with the tools at hand: no network is needed."""
    source, out = tmp_path_factory.mktemp("source") / "streamd", tmp_path_factory.mktemp("dist")
    left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "_build")
    shutil.copytree(ROOT, source, symlinks=True, ignore=left_out)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source)
    (path,) = out.glob("*.whl")
    return path


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command to its end, and give what it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    """A wheel has one top-level package with both leaves in it, marked as typed."""
    files = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in files} == {
        "streamd",
        "streamd_llm-0.1.0.dist-info",
    }
    packed = {name for name in files if name.endswith(".py")}
    leaves = {f"streamd/{path.relative_to(ROOT)}" for leaf in LEAVES for path in sources(leaf)}
    trunk = {str(path.relative_to(ROOT)) for path in sources("streamd")}
    assert packed == leaves | trunk
    assert "streamd/py.typed" in files


def test_the_wheel_says_what_it_is_and_needs(wheel: Path) -> None:
    """The metadata names the distribution, its licence, and no dependency beyond the core ones."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(archive.read(name))
    assert (metadata["Name"], metadata["Version"]) == ("streamd-llm", "0.1.0")
    assert metadata["License-Expression"] == "MIT"
    needs = [str(line) for line in metadata.get_all("Requires-Dist", [])]
    core = {re.split(r"[^\w-]", line)[0] for line in needs if "extra ==" not in line}
    assert core == {"trio", "httpx", "msgspec", "httptools"}


def test_the_wheel_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed from the wheel the three packages import, and no top-level `providers` or `supervisors` appears."""
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel)
    # The dependencies are lent by this environment; a path file does not bring its editable install along.
    site = Path(run(python, "-Ic", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    look = (
        "import importlib, importlib.util, json\n"
        f"found = {{name: importlib.import_module(name).__file__ for name in {PACKAGES}}}\n"
        f"found |= {{name: importlib.util.find_spec(name) for name in {tuple(LEAVES)}}}\n"
        "print(json.dumps(found))"
    )
    (tmp_path / "empty").mkdir()
    found = json.loads(run(python, "-Ic", look, cwd=tmp_path / "empty"))
    assert found == {
        "streamd": str(site / "streamd" / "__init__.py"),
        "streamd.providers": str(site / "streamd" / "providers" / "__init__.py"),
        "streamd.supervisors": str(site / "streamd" / "supervisors" / "__init__.py"),
        "streamd.testing": str(site / "streamd" / "testing" / "__init__.py"),
        "providers": None,
        "supervisors": None,
    }
    assert (tmp_path / "env" / "bin" / "streamd").exists()
