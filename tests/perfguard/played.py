"""Plays one scene once, uncounted: `python -m tests.perfguard.played SCENE SIZE`, to be looked at from outside."""

from __future__ import annotations

import gc
import sys

from tests.perfguard.counters import nothing, play
from tests.perfguard.scenes import SCENES

__all__: list[str] = []


def main() -> None:
    """Play it."""
    name, size = sys.argv[1:]
    gc.disable()  # how often it runs depends on what else is alive
    play(SCENES[name], int(size), nothing)


if __name__ == "__main__":
    main()
