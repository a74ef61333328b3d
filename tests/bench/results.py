"""What was measured, repetition by repetition, and how it is written down."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Results"]


@dataclass(slots=True)
class Results:
    """The values of each repetition, by scene, peer and quantity; medians are shown."""

    values: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, scene: str, peer: str, quantity: str, value: float) -> None:
        """One repetition's value."""
        self.values.setdefault((scene, peer, quantity), []).append(value)

    def median(self, scene: str, peer: str, quantity: str = "cpu_per_chunk") -> float | None:
        """The median over the repetitions; `None` where nothing was measured."""
        values = self.values.get((scene, peer, quantity))
        return statistics.median(values) if values else None

    def ratio(self, scene: str, one: str, other: str, quantity: str = "cpu_per_chunk") -> float | None:
        """How many times `other` goes into `one`."""
        return over(self.median(scene, one, quantity), self.median(scene, other, quantity))

    def rows(self) -> Iterator[dict[str, object]]:
        """A row for each scene and peer: how many repetitions, and each quantity's median, least and most."""
        played: dict[tuple[str, str], dict[str, object]] = {}
        for (scene, peer, quantity), values in self.values.items():
            row = played.setdefault((scene, peer), {"scene": scene, "peer": peer, "of": len(values)})
            row[quantity] = [_short(each) for each in (statistics.median(values), min(values), max(values))]
        yield from played.values()


def over(one: float | None, other: float | None) -> float | None:
    """A ratio, where both were measured."""
    return one / other if one is not None and other else None


def _short(value: float) -> float:
    return float(f"{value:.4g}")
