"""What supervision costs beside bare trio: children, restarts, and calls of an actor; see `plays`."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from report import Results

__all__ = ["lines", "measure"]

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
    for _, (scene, number), peer in itertools.product(range(1 if quick else 5), SCENES, PEERS):
        played = number // 5 if quick and number in (RESTARTS, CALLS) else number
        print(f"\r\033[Ksupervision: {number:,} {scene}, {peer}", end="", file=sys.stderr)
        command = [sys.executable, "plays.py", scene, str(played), peer]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        if done.returncode:
            results.failures[scene, peer] = done.stderr.strip().rpartition("\n")[2]
            continue
        for quantity, value in json.loads(done.stdout).items():
            results.add(f"{number} {scene}", peer, quantity, value)


def lines(results: Results) -> Iterable[str]:
    """The part of the report about supervision."""

    def micro(value: float) -> str:
        return f"{value * 1e6:.1f} µs"

    rows: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
        (f"{FEW} children", "start", f"CPU to start each of {FEW:,} children", micro),
        (f"{MANY} children", "start", f"CPU to start each of {MANY:,}", micro),
        (f"{FEW} children", "stop", f"CPU to stop each of {FEW:,}, one by one", micro),
        (f"{MANY} children", "stop", f"CPU to stop each of {MANY:,}, one by one", micro),
        (f"{MANY} collected", "both", "both together, garbage collector on", micro),
        (f"{RESTARTS} restarts", "latency", "crash → running again, median", micro),
        (f"{CALLS} calls", "per_second", "questions answered, one asker", lambda n: f"{n:,.0f} /s"),
    )
    yield f"{'supervision':46}" + "".join(f"{label:>18}" for label in PEERS) + f"{'ratio':>18}"
    for scene, quantity, label, show in rows:
        one, other = (results.median(scene, peer, quantity) for peer in PEERS)
        if one is None or other is None:
            continue
        cost = other / one if quantity != "per_second" else one / other
        yield f"{label:46}{show(one):>18}{show(other):>18}{f'{cost:.1f} x':>18}"
    growth = [
        _over(*(results.median(f"{number} children", peer, "both") for number in (MANY, FEW)))
        for peer in PEERS
    ]
    if None not in growth:
        verdict = "pass" if growth[-1] is not None and growth[-1] <= 1.5 else "FAIL"
        cells = "".join(f"{f'{ratio:.2f} x':>18}" for ratio in growth)
        yield f"{f'CPU of {MANY:,} / {FEW:,}, each; at most 1.5 x':46}{cells}{verdict:>18}"


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
