"""Holds counts against the committed ones, and prints both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.perfguard.committed import INSTRUCTIONS, Committed, Measured
from tests.perfguard.counters import COUNTS
from tests.perfguard.scenes import MANY, SCENES

__all__ = ["Line", "compared", "printed"]

FLOORS = {"paced": "bare", "paced-50": "bare-50"}
"""The scene that does the same without streamd."""

GROWTH = f"{MANY} : 1"


@dataclass(frozen=True, slots=True)
class Line:
    """One count of one scene, and what it is held against; without a bound its margin is infinite."""

    scene: str
    counted: str
    measured: float
    committed: float
    margin: float

    @property
    def holds(self) -> bool:
        """Whether it is no larger than it may be."""
        return self.measured <= self.committed + self.margin

    @property
    def verdict(self) -> str:
        """`pass` or `FAIL`; and whether so much was saved that the committed count is worth renewing."""
        if self.margin == math.inf:
            return "not judged"
        if not self.holds:
            return "FAIL"
        saved = self.scene != GROWTH and self.measured < self.committed - self.margin
        return "pass, less: renew" if saved else "pass"

    def __str__(self) -> str:
        numbers = f"{self.measured:12,.2f} {self.committed:12,.2f} {self.margin:+10,.2f}"
        return f"{self.scene:9} {self.counted:8} {numbers}  {self.verdict}"


def compared(measured: Measured, committed: Committed) -> Iterator[Line]:
    """Every count, held against the committed one; and that a chunk costs no more where there are many sessions."""
    before = committed.measured
    loose = committed.loose if measured.differences(before) else 0.0
    for name, counts in measured.counts.items():
        margins = committed.margins[SCENES[name].unit] | committed.margins.get(name, {})
        for counted, number in counts.items():
            number_before = before.counts.get(name, {}).get(counted)
            if number_before is None:
                continue
            margin = margins[counted] + (0.0 if counted in committed.exact else loose * abs(number_before))
            if counted == INSTRUCTIONS and measured.build != before.build:
                margin = math.inf
            yield Line(name, counted, number, number_before, margin)
    yield from growth(measured, committed)


def growth(measured: Measured, committed: Committed) -> Iterator[Line]:
    """What streamd adds to a chunk among many sessions, held against what it adds to one of a session alone."""
    counts = measured.counts
    if not {*FLOORS, *FLOORS.values()} <= counts.keys():
        return
    for counted in ("steps", "loops", "calls", "ccalls", "opcodes"):
        alone, among = (counts[name][counted] - counts[floor][counted] for name, floor in FLOORS.items())
        yield Line(GROWTH, counted, among, alone, committed.margins["chunk"][counted])


def printed(measured: Measured, committed: Committed, lines: list[Line]) -> Iterator[str]:
    """The table, line by line."""
    shown = dict.fromkeys(line.scene for line in lines)
    yield "Counted for one more unit of each scene; no time is measured:"
    yield from (
        f"  {name:9} per {SCENES[name].unit:8} {SCENES[name].says}" for name in shown if name in SCENES
    )
    if GROWTH in shown:
        yield f"  {GROWTH:9} per chunk    what streamd adds with {MANY} sessions, against what it adds with one"
    counted = {line.counted for line in lines}
    yield "What is counted:"
    yield from (f"  {name:9} {says}" for name, says in COUNTS.items() if name in counted)
    yield from notes(measured, committed, counted)
    yield ""
    yield f"{'scene':9} {'count':8} {'measured':>12} {'committed':>12} {'margin':>10}"
    scene = None
    for line in lines:
        if scene not in (None, line.scene):
            yield ""
        scene = line.scene
        yield str(line)


def notes(measured: Measured, committed: Committed, counted: set[str]) -> Iterator[str]:
    """What else is to be known of a comparison: that it is with something else, or lacks something."""
    before = committed.measured
    if others := measured.differences(before):
        here = ", ".join(f"{name} {what}" for name, what in measured.others.items())
        yield (
            f"The committed counts are of {', '.join(others)}, these of Python {measured.python}, {here}: all but "
            f"{' and '.join(sorted(committed.exact))} may be {committed.loose:.0%} larger for that."
        )
    if INSTRUCTIONS not in counted:
        yield f"Instructions of the machine ({INSTRUCTIONS!r}) were not counted here: nothing else depends on them."
    elif measured.build != before.build:
        yield (
            f"Instructions of the machine ({INSTRUCTIONS!r}) are not judged, as this Python was built otherwise: "
            f"{measured.build}, not {before.build}."
        )
