"""Counts the instructions of the machine, where valgrind is there to do it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.perfguard.child import environment
from tests.perfguard.committed import INSTRUCTIONS, Counts
from tests.perfguard.scenes import SCENES

__all__ = ["LOOKED_AT", "instructions", "valgrind"]

LOOKED_AT = ("paced", "burst")
"""The scenes: each is a minute's work of two processes, nearly all of it spent on imports."""

AT_ONCE = min(2, os.cpu_count() or 1)
LONGER = 2
"""By how much the runs are longer than those that are counted otherwise: Python rewrites code that runs often."""


def valgrind() -> str | None:
    """Where it is."""
    return shutil.which("valgrind")


def instructions(scenes: Iterable[str], tree: Path) -> Counts:
    """For one more unit of each of these scenes that is looked at: the difference of two runs, as everywhere."""
    names = [name for name in LOOKED_AT if name in scenes]
    runs = [(name, LONGER * times * SCENES[name].size, tree) for name in names for times in (1, 2)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        collected = dict(zip(runs, pool.map(collect, runs), strict=True))
    found: Counts = {}
    for name in names:
        few = LONGER * SCENES[name].size
        more = collected[name, 2 * few, tree] - collected[name, few, tree]
        found[name] = {INSTRUCTIONS: more / (few * SCENES[name].units)}
    return found


def collect(run: tuple[str, int, Path]) -> int:
    """The instructions of one run, imports and all."""
    name, size, tree = run
    with tempfile.TemporaryDirectory(prefix="perfguard-") as folder:
        done = subprocess.run(
            [
                *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"),
                *(sys.executable, "-m", "tests.perfguard.played", name, str(size)),
            ],
            env=environment(tree),
            cwd=tree,
            capture_output=True,
            text=True,
            check=False,
        )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or collected is None:
        raise RuntimeError(f"callgrind failed on {name}: {done.stderr[-2000:]}")
    return int(collected[1])
