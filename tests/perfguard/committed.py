"""The committed counts: one file, by minor version of Python, with the margins beside them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "FILE",
    "INSTRUCTIONS",
    "Committed",
    "Counts",
    "Measured",
    "committed_for",
    "measured_of",
    "renewed",
]

FILE = Path(__file__).with_name("committed.json")

INSTRUCTIONS = "machine"
"""The count that depends on how Python was built."""

Counts = dict[str, dict[str, float]]
"""By scene and by what is counted: how many for one more unit of the scene."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was counted, and with what: Python's version, its build, and the versions and system that matter."""

    python: str
    build: str
    others: dict[str, str]
    counts: Counts

    @property
    def minor(self) -> tuple[int, int]:
        """The version of Python on which the counts depend."""
        major, minor, *_ = self.python.split(".")
        return int(major), int(minor)

    def differences(self, other: Measured) -> list[str]:
        """What the other was counted with, as far as it may have other counts for that."""
        found = [f"Python {other.python}"] if other.minor != self.minor else []
        return found + [
            f"{name} {what}" for name, what in other.others.items() if self.others.get(name) != what
        ]


@dataclass(frozen=True, slots=True)
class Committed:
    """What it is held against.

    Args:
        measured: The committed counts.
        margins: By unit of a scene, or by its name, and by what is counted: by how much a count may be larger.
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
    return Measured(told["python"], told["build"], told["with"], told["counts"])


def committed_for(measured: Measured, file: Path) -> Committed:
    """The counts to hold these against: those of the same minor version of Python, or of the nearest."""
    known = json.loads(file.read_text("utf-8"))
    rows = [measured_of(row) for row in known["pythons"].values()]

    def distance(row: Measured) -> tuple[int, int]:
        (major, minor), (other, lesser) = row.minor, measured.minor
        return abs(major - other), abs(minor - lesser)

    return Committed(min(rows, key=distance), known["margins"], known["loose"], frozenset(known["exact"]))


def renewed(measured: Measured, file: Path) -> None:
    """Write these counts for their version of Python; scenes that were not counted, and the margins, stay."""
    known = json.loads(file.read_text("utf-8"))
    name = ".".join(map(str, measured.minor))
    before = known["pythons"].get(name, {"counts": {}})["counts"]
    counts = {
        scene: {counted: round(number, 2) for counted, number in row.items()}
        for scene, row in (before | measured.counts).items()
    }
    row = {"python": measured.python, "build": measured.build, "with": measured.others, "counts": counts}
    pythons = known["pythons"] | {name: row}
    known["pythons"] = dict(sorted(pythons.items(), key=lambda item: tuple(map(int, item[0].split(".")))))
    text = json.dumps(known, indent=2)
    # A scene on a line, so that a change can be read.
    text = re.sub(r"[{\[][^{}\[\]]*[}\]]", lambda found: " ".join(found[0].split()), text)
    file.write_text(text + "\n", "utf-8")
