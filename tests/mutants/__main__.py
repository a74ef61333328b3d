"""Breaks the supervision library in one place after the other and lets its tests find out: `make mutants`.

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
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant
from tests.support.alone import command, environment, lay_out

AT_ONCE = min(2, os.cpu_count() or 1)
PATIENCE = 20.0
"""Seconds without the next test's end after which the tests count as hanging; none takes a tenth of that."""


def sown(mutant: Mutant, source: Path) -> str | None:
    """The text of the mutant's file with the mutant in it; None if it does not apply any more."""
    file = source / mutant.file
    text = file.read_text("utf-8") if file.exists() else ""
    return text.replace(mutant.old, mutant.new) if text.count(mutant.old) == 1 else None


def tested(base: Path, mutant: Mutant | None) -> tuple[str, str]:
    """Run the tests against one mutant, or none: `killed`, `hangs`, `survived` or `stale`, and by which test."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        tree = Path(folder, "tree")
        shutil.copytree(base, tree)
        if mutant is not None:
            text = sown(mutant, tree / "streamd" / "supervisors")
            if text is None:
                return "stale", f"its text is not in supervisors/{mutant.file} exactly once"
            (tree / "streamd" / "supervisors" / mutant.file).write_text(text, "utf-8")
        return outcome(tree)


def outcome(tree: Path) -> tuple[str, str]:
    """Run the tests of a tree until the first fails or hangs."""
    output = tree / "output"
    options = ("-x", "-v", "--hypothesis-seed=0", "--tb=line", "--color=no")
    with output.open("wb") as file:
        process = subprocess.Popen(
            command(*options), cwd=tree, env=environment(tree, COLUMNS="200"), stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            size, since = 0, time.monotonic()
            while process.poll() is None:
                time.sleep(0.05)
                if output.stat().st_size > size:
                    size, since = output.stat().st_size, time.monotonic()
                elif time.monotonic() - since > PATIENCE:
                    return "hangs", name_of(last_begun(output))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    text = output.read_text("utf-8", "replace")
    if process.returncode == 0:
        return "survived", ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    return "killed", name_of(failed[1] if failed else last_begun(output))


def last_begun(output: Path) -> str:
    """The test that was begun last."""
    begun = re.findall(r"^(tests/\S+)", output.read_text("utf-8", "replace"), re.MULTILINE)
    return begun[-1] if begun else "the collection of the tests"


def name_of(node: str) -> str:
    """A test without its folder."""
    return node.removeprefix("tests/supervisors/")


def report(mutant: Mutant, verdict: str, by: str) -> str:
    """One line about one mutant."""
    said = {"killed": "killed by", "hangs": "killed by hanging", "survived": "SURVIVED", "stale": "STALE:"}
    return f"{mutant.name:34} {said[verdict]} {by}".rstrip()


def main() -> int:
    """Try all mutants, or those whose name holds one of the arguments; give the exit code."""
    started = time.monotonic()
    chosen = [m for m in MUTANTS if not sys.argv[1:] or any(word in m.name for word in sys.argv[1:])]
    escaped: list[Mutant] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        base = Path(folder, "tree")
        lay_out(base)
        verdict, by = tested(base, None)
        if verdict != "survived":
            print(f"without any mutant the tests fail or hang, at {by}")
            return 1
        for mutant, (verdict, by) in zip(chosen, pool.map(partial(tested, base), chosen), strict=True):
            print(report(mutant, verdict, by), flush=True)
            if verdict in ("survived", "stale"):
                escaped.append(mutant)
    for mutant in escaped:
        print(
            f"\n{mutant.name}: {mutant.guard}\n  supervisors/{mutant.file}\n  - {mutant.old}\n  + {mutant.new}"
        )
    seconds = time.monotonic() - started
    print(f"\n{len(chosen)} mutants, {len(escaped)} not killed; {seconds:.0f} s")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
