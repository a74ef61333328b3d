"""The supervision library by itself: its folder and its tests, laid out where nothing else of the project is."""

import os
import shutil
import sys
from pathlib import Path

__all__ = ["command", "environment", "lay_out"]

ROOT = Path(__file__).parents[2]
CACHES = shutil.ignore_patterns("__pycache__")


def lay_out(tree: Path) -> None:
    """Copy `supervisors/` into an empty package `streamd` of a new folder, and its tests beside it."""
    shutil.copytree(ROOT / "supervisors", tree / "streamd" / "supervisors", ignore=CACHES)
    (tree / "streamd" / "__init__.py").touch()
    shutil.copytree(ROOT / "tests" / "supervisors", tree / "tests" / "supervisors", ignore=CACHES)
    shutil.copy(ROOT / "pyproject.toml", tree)


def environment(*path: Path, **variables: str) -> dict[str, str]:
    """The variables to run Python with: its path, few examples, only the plugins asked for, no coverage."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("COV_", "COVERAGE_", "PYTEST_", "STREAMD_"))
    }
    return {
        **kept,
        "STREAMD_EXAMPLES": "600",
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **variables,
    }


def command(*options: str) -> list[str]:
    """What runs the tests of `tests/supervisors` in the working folder."""
    plugins = ("-p", "pytest_trio.plugin", "-p", "_hypothesis_pytestplugin", "-p", "no:cacheprovider")
    return [sys.executable, "-m", "pytest", "tests/supervisors", *plugins, *options]
