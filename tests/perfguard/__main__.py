"""Holds what a chunk, a round of tools and a session cost against committed counts: `make perfguard`.

The exit status is 1 where one is larger than its margin allows. `--renew` writes the counts of this Python instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.perfguard.callgrind import LOOKED_AT, instructions, valgrind
from tests.perfguard.child import ROOT, measured
from tests.perfguard.committed import FILE, committed_for, renewed
from tests.perfguard.scenes import SCENES
from tests.perfguard.table import compared, printed

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print the table, and give the exit code."""
    parser = argparse.ArgumentParser(prog="make perfguard", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "scenes", nargs="*", metavar="SCENE", help=f"one of {', '.join(SCENES)}; all if none is named"
    )
    parser.add_argument(
        "--renew", action="store_true", help="write the counts of this Python to the file first"
    )
    parser.add_argument(
        "--file", type=Path, default=FILE, help=f"the committed counts ({FILE.relative_to(ROOT)})"
    )
    parser.add_argument(
        "--tree", type=Path, default=ROOT, help="the folder whose streamd is counted (this one)"
    )
    parser.add_argument("--quick", action="store_true", help="leave the instructions of the machine out")
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.scenes) - SCENES.keys()):
        parser.error(f"no scene is called {', '.join(unknown)}")
    found = measured(asked.scenes, asked.tree)
    if valgrind() is None:
        print(
            f"valgrind is not on PATH; with it, the instructions of {' and '.join(LOOKED_AT)} are counted, too."
        )
    elif not asked.quick:
        machine = instructions(found.counts, asked.tree)
        found = replace(
            found, counts={name: row | machine.get(name, {}) for name, row in found.counts.items()}
        )
    if asked.renew:
        renewed(found, asked.file)
    committed = committed_for(found, asked.file)
    lines = list(compared(found, committed))
    print(*printed(found, committed, lines), sep="\n")
    failed = sum(not line.holds for line in lines)
    print(
        f"\n{len(lines)} counts, {failed} too large"
        + (f"; {asked.file.name} is renewed" if asked.renew else "")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
