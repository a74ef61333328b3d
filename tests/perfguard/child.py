"""Runs the counting in a process of its own, where nothing was imported before and strings hash alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.perfguard.committed import Measured, measured_of

__all__ = ["ROOT", "environment", "measured"]

ROOT = Path(__file__).parents[2]


def environment(tree: Path) -> dict[str, str]:
    """The variables for a process that imports the streamd of a tree, and these tests."""
    # A process that is traced for coverage would count that, too.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "STREAMD_", "PYTHON"))
    }
    return {**kept, "PYTHONPATH": f"{tree}{os.pathsep}{ROOT}", "PYTHONHASHSEED": "0"}


def measured(scenes: Iterable[str] = (), tree: Path = ROOT) -> Measured:
    """Count scenes, or all if none is named.

    Args:
        scenes: Their names.
        tree: The folder with the `streamd` that is counted.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.perfguard.measured", *scenes],
        env=environment(tree),
        cwd=tree,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return measured_of(json.loads(done.stdout))
