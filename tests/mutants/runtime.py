"""Takes the runtime's guards out one after the other, and lets the catalogue of faults find out.

Each is taken out in a copy in a temporary folder, where the faults strike streamd in virtual time until one of them
finds something; no unit test is run. A guard that no fault misses fails the run: first its own faults are tried, and
then every fault of the catalogue with twenty seeds. So does one whose text is no longer found in its file exactly once,
and so do faults that find something where no guard is taken out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from tests.mutants.guards import GUARDS, Guard
from tests.mutants.score import Score
from tests.mutants.strike import Strike, question

__all__ = ["try_guards"]

ROOT = Path(__file__).parents[2]
AT_ONCE = min(2, os.cpu_count() or 1)
PATIENCE = 300.0
"""Seconds after which a run counts as one that hangs, though in virtual time it does not."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What came of taking out one guard, or none: `found`, `nothing`, `hangs`, `fails` or `stale`; and by what."""

    verdict: str
    what: str = ""
    by: str = ""


def struck(tree: Path, strikes: tuple[Strike, ...], *, all_of_them: bool = False) -> Missed:
    """Strike the streamd of a tree until something is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "STREAMD_"))}
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "mutants" / "strike.py")],
            input=question(list(strikes), all_of_them=all_of_them),
            env={**kept, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
            cwd=tree,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Missed("hangs", f"for {PATIENCE:g} s")
    if done.returncode:
        return Missed("fails", done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
    found = msgspec.json.decode(done.stdout)
    return Missed("nothing") if found is None else Missed("found", found["name"], found["faults"])


def without(base: Path, guard: Guard) -> Missed:
    """Take a guard out in a copy, and strike that."""
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(base, tree)
        for edit in guard.edits:
            file = tree / "streamd" / edit.file.removeprefix("streamd/")
            text = file.read_text("utf-8") if file.exists() else ""
            if text.count(edit.old) != 1:
                return Missed("stale", f"its text is not in {edit.file} exactly once")
            file.write_text(text.replace(edit.old, edit.new), "utf-8")
        missed = struck(tree, guard.strikes)
        return struck(tree, (), all_of_them=True) if missed.verdict == "nothing" else missed


def try_guards(words: list[str]) -> Score:
    """Take out all guards in turn, or those whose name holds one of the words."""
    started = time.monotonic()
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    if not chosen:
        return Score()
    left: list[Guard] = []
    with tempfile.TemporaryDirectory(prefix="guards-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        base = Path(folder, "tree")
        shutil.copytree(ROOT / "streamd", base / "streamd", ignore=shutil.ignore_patterns("__pycache__"))
        every = tuple(dict.fromkeys(strike for guard in chosen for strike in guard.strikes))
        halves = list(pool.map(partial(struck, base), (every[::2], every[1::2])))
        for sound in halves:
            if sound.verdict != "nothing":
                print(f"with all guards in their places: {sound.verdict} {sound.what} by {sound.by}")
                return Score(len(chosen), 0)
        for guard, missed in zip(chosen, pool.map(partial(without, base), chosen), strict=True):
            print(f"{guard.name:34} {line(missed)}", flush=True)
            if missed.verdict not in ("found", "hangs"):
                left.append(guard)
    for guard in left:
        print(f"\n{guard.name}: {guard.against}")
        for edit in guard.edits:
            print(f"  {edit.file}\n  - {edit.old}\n  + {edit.new}")
    seconds = time.monotonic() - started
    print(f"\n{len(chosen)} guards, {len(left)} not missed; {seconds:.0f} s")
    return Score(len(chosen), len(chosen) - len(left))


def line(missed: Missed) -> str:
    """What came of it, as text."""
    match missed.verdict:
        case "found":
            return f"{missed.what} by {missed.by}"
        case "hangs":
            return f"hangs {missed.what}"
        case "nothing":
            return "NOT MISSED"
        case verdict:
            return f"{verdict.upper()}: {missed.what}"
