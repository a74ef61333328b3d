"""Breaks the supervision library in one place after the other, and lets its tests find out.

Each mutant is made in a copy in a temporary folder, beside the tests of the library alone. A mutant that no test
notices fails the run; so does one whose text is no longer found in its file exactly once, and so do tests that fail
without any mutant.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.mutants.score import Score
from tests.mutants.table import MUTANTS, Mutant
from tests.support.alone import command, environment, lay_out

AT_ONCE = min(2, os.cpu_count() or 1)
PATIENCE = 20.0
"""Seconds without the next test's end after which the tests count as hanging, or ten times what the slowest takes."""

NO_SHRINKING = """
from hypothesis import Phase, settings
settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate])
settings.load_profile("mutants")
"""
"""That an example fails is enough; a small one need not be found."""


def sown(mutant: Mutant, source: Path) -> str | None:
    """The text of the mutant's file with the mutant in it; None if it does not apply any more."""
    file = source / mutant.file
    text = file.read_text("utf-8") if file.exists() else ""
    return text.replace(mutant.old, mutant.new) if text.count(mutant.old) == 1 else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests said of one mutant, or of none.

    `verdict` is `killed`, `hangs`, `survived` or `stale`, `by` the test that noticed, `slowest` the seconds that the
    slowest test took.
    """

    verdict: str
    by: str = ""
    slowest: float = 0.0


def tested(base: Path, patience: float, mutant: Mutant | None) -> Outcome:
    """Run the tests against one mutant, or none."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(base, tree)
        if mutant is not None:
            text = sown(mutant, tree / "streamd" / "supervisors")
            if text is None:
                return Outcome("stale", f"its text is not in supervisors/{mutant.file} exactly once")
            (tree / "streamd" / "supervisors" / mutant.file).write_text(text, "utf-8")
        return outcome(tree, patience)


def outcome(tree: Path, patience: float) -> Outcome:
    """Run the tests of a tree until the first fails or hangs."""
    output = tree / "output"
    options = ("-x", "-v", "--hypothesis-seed=0", "--tb=line", "--color=no")
    with output.open("wb") as file:
        process = subprocess.Popen(
            command(*options), cwd=tree, env=environment(tree, COLUMNS="200"), stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip  # shorter so
        try:
            size, since, slowest = 0, time.monotonic(), 0.0
            while process.poll() is None:
                time.sleep(0.05)
                slowest = max(slowest, time.monotonic() - since)
                if output.stat().st_size > size:
                    size, since = output.stat().st_size, time.monotonic()
                elif time.monotonic() - since > patience:
                    return Outcome("hangs", name_of(last_begun(output)))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = output.read_text("utf-8", "replace")
    if process.returncode == 0:
        return Outcome("survived", slowest=slowest)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    return Outcome("killed", name_of(failed[1] if failed else last_begun(output)))


def last_begun(output: Path) -> str:
    """The test that was begun last."""
    begun = re.findall(r"^(tests/\S+)", output.read_text("utf-8", "replace"), re.MULTILINE)
    return begun[-1] if begun else "the collection of the tests"


def name_of(node: str) -> str:
    """A test without its folder."""
    return node.removeprefix("tests/supervisors/")


def report(mutant: Mutant, outcome: Outcome) -> str:
    """One line about one mutant."""
    said = {"killed": "killed by", "hangs": "killed by hanging", "survived": "SURVIVED", "stale": "STALE:"}
    return f"{mutant.name:34} {said[outcome.verdict]} {outcome.by}".rstrip()


def try_mutants(words: list[str]) -> Score:
    """Try all mutants, or those whose name holds one of the words."""
    started = time.monotonic()
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    if not chosen:
        return Score()
    escaped: list[Mutant] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        base = Path(folder, "tree")
        lay_out(base)
        (base / "conftest.py").write_text(NO_SHRINKING, "utf-8")
        sound = tested(base, 10 * PATIENCE, None)
        if sound.verdict != "survived":
            print(f"without any mutant the tests fail or hang, at {sound.by}")
            return Score(len(chosen), 0)
        patience = max(PATIENCE, 10 * sound.slowest)
        for mutant, found in zip(chosen, pool.map(partial(tested, base, patience), chosen), strict=True):
            print(report(mutant, found), flush=True)
            if found.verdict in ("survived", "stale"):
                escaped.append(mutant)
    for mutant in escaped:
        print(
            f"\n{mutant.name}: {mutant.guard}\n  supervisors/{mutant.file}\n  - {mutant.old}\n  + {mutant.new}"
        )
    seconds = time.monotonic() - started
    print(f"\n{len(chosen)} mutants, {len(escaped)} not killed; {seconds:.0f} s")
    return Score(len(chosen), len(chosen) - len(escaped))
