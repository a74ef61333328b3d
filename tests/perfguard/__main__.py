"""Holds what a chunk, a round of tools and a session cost against committed counts: `make perfguard`.

The exit status is 1 where one is larger than its margin allows. `--renew` writes the counts of this Python instead.
"""

from __future__ import annotations

import argparse
import sys

from tests.perfguard.child import measured
from tests.perfguard.committed import FILE, committed_for, renewed
from tests.perfguard.scenes import SCENES
from tests.perfguard.table import compared, printed

__all__: list[str] = []


def main() -> int:
    """Count, print the table, and give the exit code."""
    parser = argparse.ArgumentParser(prog="make perfguard", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "scenes", nargs="*", metavar="SCENE", help=f"those to count; all if none: {', '.join(SCENES)}"
    )
    parser.add_argument("--renew", action="store_true", help=f"write the counts to {FILE.name}")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.scenes) - SCENES.keys()):
        parser.error(f"no scene is called {', '.join(unknown)}")
    found = measured(asked.scenes)
    if asked.renew:
        renewed(found)
    committed = committed_for(found)
    lines = list(compared(found, committed))
    print(*printed(found, committed, lines), sep="\n")
    failed = sum(not line.holds for line in lines)
    print(f"\n{len(lines)} counts, {failed} too large" + (f"; {FILE.name} is renewed" if asked.renew else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
