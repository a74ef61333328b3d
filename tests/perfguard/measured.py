"""Counts what the streamd that is on the path costs: `python -m tests.perfguard.measured [SCENE...]`.

Prints the counts of each scene, and of what they are, as JSON.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version

from tests.perfguard.counters import count
from tests.perfguard.scenes import SCENES

__all__: list[str] = []

DEPENDENCIES = ("trio", "httpx", "msgspec", "httptools")
"""What is counted along with streamd: another version of one may have other counts."""


def main() -> None:
    """Count the scenes that are named, or all."""
    names = sys.argv[1:] or list(SCENES)
    told = {
        "python": platform.python_version(),
        "build": " ".join((platform.machine(), platform.python_compiler(), *platform.python_build())),
        "with": {name: version(name) for name in DEPENDENCIES} | {"on": sys.platform},
        "counts": {name: count(SCENES[name]) for name in names},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
