"""What streamd may cost: the budgets, each held against what was measured in the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from decode import BUDGET
from decode_play import READS
from decode_sdks import SDKS
from results import Results, over

__all__ = ["BUDGETS", "Budget"]


@dataclass(frozen=True, slots=True)
class Budget:
    """What is measured, and the most it may be."""

    says: str
    value: Callable[[Results], float | None]
    most: float
    unit: str = "x"

    def row(self, results: Results) -> dict[str, object]:
        """What the budget says, what was measured, and whether that is within it; `None` where nothing was."""
        value = self.value(results)
        return {
            "says": self.says,
            "measured": None if value is None else float(f"{value:.4g}"),
            "most": self.most,
            "unit": self.unit,
            "kept": None if value is None else value <= self.most,
        }


def _beside(scene: str, other: str, quantity: str = "cpu_per_chunk") -> Callable[[Results], float | None]:
    return lambda results: results.ratio(scene, "streamd", other, quantity)


def _value(scene: str, quantity: str, unit: float) -> Callable[[Results], float | None]:
    return lambda results: over(results.median(scene, "streamd", quantity), unit)


def _growth(scene: str, other: str, peer: str, quantity: str) -> Callable[[Results], float | None]:
    return lambda results: over(results.median(scene, peer, quantity), results.median(other, peer, quantity))


def _decoding(size: int) -> Callable[[Results], float | None]:
    def value(results: Results) -> float | None:
        ratios = [results.ratio(f"decode {wire}", "streamd", "SDK", f"{size} event") for wire in SDKS]
        known = [ratio for ratio in ratios if ratio is not None]
        return max(known) if len(known) == len(ratios) else None

    return value


BUDGETS = (
    Budget("firehose: streamd / bare socket", _beside("firehose", "socket"), 4),
    Budget("firehose: streamd / openai", _beside("firehose", "openai"), 1 / 20),
    Budget("1,000 paced streams: streamd / bare socket", _beside("paced 1000", "socket"), 2.5),
    Budget("1,000 paced streams: streamd / openai", _beside("paced 1000", "openai"), 1 / 4),
    Budget(
        "streamd: 5,000 streams / 100", _growth("paced 5000", "paced 100", "streamd", "cpu_per_chunk"), 1.5
    ),
    Budget(
        "memory for each of 1,000 open sessions", _value("paced 1000", "bytes_per_stream", 1024), 50, "KiB"
    ),
    Budget("leaving one of 1,000 → the server sees it, p99", _value("leave 1000", "lag_p99", 1e-3), 10, "ms"),
    Budget("import streamd / trio, httpx and msgspec", _beside("import", "socket", "seconds"), 1.5),
    Budget(
        f"decoding in reads of {READS[0]:,} bytes: streamd / SDK, on the dearest wire",
        _decoding(READS[0]),
        1 / BUDGET,
    ),
    Budget(
        "supervisors: 10,000 children / 1,000, each",
        _growth("10000 children", "1000 children", "supervisors", "both"),
        1.5,
    ),
)
