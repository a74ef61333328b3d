"""What is kept of a run: what was measured, under which circumstances, and whether the budgets were."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from budgets import BUDGETS
from decode_sdks import SDKS
from results import Results
from roster import PEERS

__all__ = ["Results", "run", "written"]

ROOT = Path(__file__).parents[2]
VERSIONS = (
    "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
)


def run(results: Results, pythons: Mapping[str, str], **more: object) -> dict[str, Any]:
    """The whole run, as it is written to a file.

    Args:
        results: What was measured.
        pythons: The Python of each peer, by its name.
        more: Anything else that is to be known of the run.
    """
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        **more,
        "versions": _versions(pythons),
        "peers": {name: peer.title for name, peer in PEERS.items()},
        "sdks": {wire: name for wire, (name, _) in SDKS.items()},
        "budgets": [budget.row(results) for budget in BUDGETS],
        "failures": [
            {"scene": scene, "peer": peer, "reason": reason}
            for (scene, peer), reason in results.failures.items()
        ],
        "measured": list(results.rows()),
    }


def written(run: Mapping[str, Any]) -> str:
    """The run as JSON, a row on each line."""
    parts = []
    for name, value in run.items():
        if isinstance(value, list) and value:
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in value)
            parts.append(f" {json.dumps(name)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _versions(pythons: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, peer in PEERS.items():
        command = [pythons[name], "-c", VERSIONS, *peer.distributions]
        with suppress(OSError, subprocess.CalledProcessError):
            found |= json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return dict(sorted(found.items()))
