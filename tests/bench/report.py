"""Turns what was measured into a table, its ratios, and the budgets they are held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

__all__ = ["PEERS", "Results"]

PEERS = {
    "socket": ("peers.socket_trio", "bare trio socket"),
    "streamd": ("peers.streamd_session", "streamd"),
    "httpx": ("peers.httpx_trio", "httpx on trio"),
    "openai": ("peers.openai_asyncio", "openai SDK"),
}
"""Each client's module and its name in the table."""

COLUMNS: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    (
        "firehose",
        "cpu_per_chunk",
        "CPU per chunk, one firehose stream",
        lambda value: f"{value * 1e6:.1f} µs",
    ),
    ("paced 100", "cpu_per_chunk", "CPU per chunk, 100 paced streams", lambda value: f"{value * 1e6:.0f} µs"),
    (
        "paced 1000",
        "cpu_per_chunk",
        "CPU per chunk, 1,000 paced streams",
        lambda value: f"{value * 1e6:.0f} µs",
    ),
    (
        "paced 5000",
        "cpu_per_chunk",
        "CPU per chunk, 5,000 paced streams",
        lambda value: f"{value * 1e6:.0f} µs",
    ),
    (
        "paced 1000",
        "cpu_per_opening",
        "CPU to open each of 1,000 streams",
        lambda value: f"{value * 1e6:,.0f} µs",
    ),
    (
        "paced 1000",
        "bytes_per_stream",
        "memory per open stream, 1,000 open",
        lambda value: f"{value / 1024:.1f} KiB",
    ),
    ("turns", "streams_per_second", "short streams opened, read, closed", lambda value: f"{value:,.0f} /s"),
    ("turns", "cpu_per_stream", "CPU for each of them", lambda value: f"{value * 1e6:,.0f} µs"),
    ("leave", "lag_p50", "leaving → server sees it, median", lambda value: f"{value * 1e3:.2f} ms"),
    ("leave", "lag_p99", "leaving → server sees it, p99", lambda value: f"{value * 1e3:.2f} ms"),
    (
        "import",
        "seconds",
        "import (first column: trio, httpx, msgspec)",
        lambda value: f"{value * 1e3:.0f} ms",
    ),
)


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
        return _over(self.median(scene, one, quantity), self.median(scene, other, quantity))

    def lines(self) -> Iterable[str]:
        """The whole report."""
        yield from self._table()
        yield ""
        yield from self._ratios()
        yield ""
        yield from self._budgets()
        for (scene, peer), reason in self.failures.items():
            yield f"{PEERS[peer][1] if peer in PEERS else peer} failed in {scene}: {reason}"

    def _table(self) -> Iterable[str]:
        yield f"{'':46}" + "".join(f"{label:>18}" for _, label in PEERS.values())
        for scene, quantity, label, show in COLUMNS:
            cells = [self.median(scene, peer, quantity) for peer in PEERS]
            if any(cell is not None for cell in cells):
                yield f"{label:46}" + "".join(f"{'-' if cell is None else show(cell):>18}" for cell in cells)

    def _ratios(self) -> Iterable[str]:
        yield "CPU per chunk as a multiple of the bare socket's"
        for scene in ("firehose", "paced 100", "paced 1000", "paced 5000"):
            cells = [self.ratio(scene, peer, "socket") for peer in PEERS]
            if any(cell is not None for cell in cells):
                yield f"{scene:46}" + "".join(
                    f"{'-' if cell is None else f'{cell:.1f} x':>18}" for cell in cells
                )

    def _budgets(self) -> Iterable[str]:
        growth = _over(self.median("paced 5000", "streamd"), self.median("paced 100", "streamd"))
        memory = self.median("paced 1000", "streamd", "bytes_per_stream")
        lag = self.median("leave", "streamd", "lag_p99")
        rows: tuple[tuple[str, float | None, float, str], ...] = (
            ("firehose: streamd / bare socket", self.ratio("firehose", "streamd", "socket"), 4, "x"),
            ("firehose: streamd / openai SDK", self.ratio("firehose", "streamd", "openai"), 1 / 20, "x"),
            ("1,000 paced: streamd / bare socket", self.ratio("paced 1000", "streamd", "socket"), 2.5, "x"),
            ("1,000 paced: streamd / openai SDK", self.ratio("paced 1000", "streamd", "openai"), 1 / 4, "x"),
            ("streamd: 5,000 streams / 100", growth, 1.5, "x"),
            ("memory per open session", _over(memory, 1024), 50, "KiB"),
            ("leaving → server sees it, p99", _over(lag, 1e-3), 10, "ms"),
            (
                "import streamd / trio + httpx + msgspec",
                self.ratio("import", "streamd", "socket", "seconds"),
                1.5,
                "x",
            ),
        )
        yield f"{'budget':46}{'measured':>14}{'at most':>14}"
        for label, value, budget, unit in rows:
            measured = "-" if value is None else f"{value:.3g} {unit}"
            verdict = "not measured" if value is None else "pass" if value <= budget else "FAIL"
            yield f"{label:46}{measured:>14}{f'{budget:.3g} {unit}':>14}  {verdict}"


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
