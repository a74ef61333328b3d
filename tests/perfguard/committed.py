"""The committed counts: one file, by minor version of Python, with the margins beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FILE", "Committed", "Counts", "Measured", "committed_for", "renewed"]

FILE = Path(__file__).with_name("committed.json")

Counts = dict[str, dict[str, float]]
"""By scene and by what is counted: how many for one more unit of the scene."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted, and with what."""

    python: str
    dependencies: dict[str, str]
    counts: Counts

    @property
    def minor(self) -> tuple[int, int]:
        """The version of Python on which the counts depend."""
        major, minor, *_ = self.python.split(".")
        return int(major), int(minor)


@dataclass(frozen=True, slots=True)
class Committed:
    """What it is held against.

    Args:
        measured: The committed counts.
        margins: By unit of a scene and by what is counted: by how much a count may be larger.
        loose: The share by which it may be larger besides, where the counts were made with another Python or other
            dependencies than these.
        exact: What is held to its margin there, too: it depends on neither.
    """

    measured: Measured
    margins: Counts
    loose: float
    exact: frozenset[str]


def measured_of(told: dict[str, Any]) -> Measured:
    """What was counted, of its JSON."""
    return Measured(told["python"], told["with"], told["counts"])


def committed_for(measured: Measured, file: Path = FILE) -> Committed:
    """The counts to hold these against: those of the same minor version of Python, or of the nearest."""
    known = json.loads(file.read_text("utf-8"))
    rows = [measured_of(row) for row in known["pythons"].values()]

    def distance(row: Measured) -> tuple[int, int]:
        (major, minor), (other, lesser) = row.minor, measured.minor
        return abs(major - other), abs(minor - lesser)

    return Committed(min(rows, key=distance), known["margins"], known["loose"], frozenset(known["exact"]))


def renewed(measured: Measured, file: Path = FILE) -> None:
    """Write these counts for their version of Python; scenes that were not counted, and the margins, stay."""
    known = json.loads(file.read_text("utf-8"))
    name = ".".join(map(str, measured.minor))
    before = known["pythons"].get(name, {"counts": {}})
    counts = {scene: dict(row) for scene, row in (before["counts"] | measured.counts).items()}
    known["pythons"][name] = {"python": measured.python, "with": measured.dependencies, "counts": counts}
    known["pythons"] = dict(
        sorted(known["pythons"].items(), key=lambda row: tuple(map(int, row[0].split("."))))
    )
    file.write_text(json.dumps(known, indent=2) + "\n", "utf-8")
