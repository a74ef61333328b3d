"""Breaks what is to hold, one thing at a time, and looks whether it is noticed: `make mutants`.

The supervision library is broken under its own tests, and the runtime's guards are taken out under the faults of the
catalogue. The arguments are words of the names of those that are tried; all if there are none.
"""

from __future__ import annotations

import sys

from tests.mutants.runtime import try_guards
from tests.mutants.supervision import try_mutants


def main() -> int:
    """Try them, print the score, and give the exit code."""
    scores = {"the runtime's guards": try_guards(sys.argv[1:]), "supervision": try_mutants(sys.argv[1:])}
    print()
    for name, score in scores.items():
        if score.sown:
            print(f"mutation score of {name}: {score}")
    return 0 if all(score.whole for score in scores.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
