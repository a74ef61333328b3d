"""Holds counts against the committed ones, and prints both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.perfguard.committed import Committed, Measured
from tests.perfguard.counters import COUNTS
from tests.perfguard.scenes import SCENES

__all__ = ["Line", "compared", "printed"]

FLOORS = {"paced": "bare", "paced-50": "bare-50"}
"""The scene that does the same without streamd."""


@dataclass(frozen=True, slots=True)
class Line:
    """One count of one scene, and what it is held against."""

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
        if not self.holds:
            return "FAIL"
        return "pass, less: renew" if self.measured < self.committed - self.margin else "pass"

    def __str__(self) -> str:
        numbers = f"{self.measured:12,.2f} {self.committed:12,.2f} {self.margin:+10,.2f}"
        return f"{self.scene:9} {self.counted:8} {numbers}  {self.verdict}"


def differences(measured: Measured, committed: Committed) -> list[str]:
    """With what the committed counts were made, where that was not with what these were."""
    theirs = committed.measured
    found = [f"Python {theirs.python}"] if theirs.minor != measured.minor else []
    names = theirs.dependencies.items()
    return found + [f"{name} {version}" for name, version in names if measured.dependencies[name] != version]


def compared(measured: Measured, committed: Committed) -> Iterator[Line]:
    """Every count, held against the committed one; and that a chunk costs no more where there are many sessions."""
    loose = committed.loose if differences(measured, committed) else 0.0
    for name, counts in measured.counts.items():
        margins = committed.margins[SCENES[name].unit]
        for counted, number in counts.items():
            before = committed.measured.counts.get(name, {}).get(counted)
            if before is not None:
                more = 0.0 if counted in committed.exact else loose * abs(before)
                yield Line(name, counted, number, before, margins[counted] + more)
    yield from growth(measured, committed)


def growth(measured: Measured, committed: Committed) -> Iterator[Line]:
    """What streamd adds to a chunk among many sessions, held against what it adds to one of a session alone."""
    counts = measured.counts
    if not {*FLOORS, *FLOORS.values()} <= counts.keys():
        return
    for counted in ("steps", "loops", "calls", "ccalls", "opcodes"):
        alone, among = (counts[name][counted] - counts[floor][counted] for name, floor in FLOORS.items())
        yield Line("50 : 1", counted, among, alone, committed.margins["chunk"][counted])


def printed(measured: Measured, committed: Committed, lines: list[Line]) -> Iterator[str]:
    """The table, line by line."""
    yield "Counted for one more unit of each scene; no time is measured:"
    shown = dict.fromkeys(line.scene for line in lines if line.scene in SCENES)
    yield from (f"  {name:9} per {SCENES[name].unit:8} {SCENES[name].says}" for name in shown)
    yield "  50 : 1    per chunk    what streamd adds with 50 sessions, against what it adds with one"
    yield "What is counted:"
    yield from (f"  {name:9} {says}" for name, says in COUNTS.items())
    others = differences(measured, committed)
    if others:
        yield (
            f"The committed counts are of {', '.join(others)}, and these of Python {measured.python} with "
            f"{', '.join(f'{name} {version}' for name, version in measured.dependencies.items())}: counts other than "
            f"{' and '.join(sorted(committed.exact))} may be {committed.loose:.0%} larger."
        )
    yield ""
    yield f"{'scene':9} {'count':8} {'measured':>12} {'committed':>12} {'margin':>10}"
    scene = None
    for line in lines:
        if scene not in (None, line.scene):
            yield ""
        scene = line.scene
        yield str(line)
