"""What supervision costs beside bare trio: children, restarts, and calls of an actor; see `plays`."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

from results import Results

__all__ = ["measure"]

MANY, FEW = 10_000, 1_000
RESTARTS, CALLS = 3_000, 20_000
SCENES = (
    ("children", FEW),
    ("children", MANY),
    ("collected", MANY),
    ("restarts", RESTARTS),
    ("calls", CALLS),
)
PEERS = ("bare trio", "supervisors")


def measure(results: Results, *, quick: bool) -> None:
    """Let both play each scene in fresh processes, taking turns."""
    for _, (scene, number), peer in itertools.product(range(1 if quick else 3), SCENES, PEERS):
        played = number // 5 if quick and number in (RESTARTS, CALLS) else number
        print(f"\r\033[Ksupervision: {number:,} {scene}, {peer}", end="", file=sys.stderr)
        command = [sys.executable, "plays.py", scene, str(played), peer]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        if done.returncode:
            results.failures[scene, peer] = done.stderr.strip().rpartition("\n")[2]
            continue
        for quantity, value in json.loads(done.stdout).items():
            results.add(f"{number} {scene}", peer, quantity, value)
