"""What decoding costs on each wire, beside the official SDK's parser on the same bytes; see `decode_play`."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from decode_play import FLOORS, PACED, READS
from decode_sdks import SDKS
from results import Results

__all__ = ["lines", "measure"]

PEERS = ("streamd", "SDK")
EVENTS = 2_000
BUDGET = 10
"""So many times faster than the SDK, on each wire, in reads as large as the transport's.

Smaller reads have no budget: the less a read holds, the more of it is what every read costs.
"""


def measure(results: Results, *, quick: bool) -> None:
    """Let both decode each wire's stream in fresh processes, taking turns."""
    rounds, seconds = (1, 0.1) if quick else (3, 0.3)
    plays = [(wire, peer) for wire in SDKS for peer in (*PEERS, "floor") if peer != "floor" or wire in FLOORS]
    for _, (wire, peer) in itertools.product(range(rounds), plays):
        print(f"\r\033[Kdecode: {wire}, {peer}", end="", file=sys.stderr)
        command = [sys.executable, "decode_play.py", wire, peer, str(EVENTS), str(seconds)]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        if done.returncode:
            results.failures[f"decoding {wire}", peer] = done.stderr.strip().rpartition("\n")[2]
            continue
        for quantity, value in json.loads(done.stdout).items():
            results.add(f"decode {wire}", peer, quantity, value)


def lines(results: Results) -> Iterable[str]:
    """The part of the report about decoding."""
    for size in READS:
        budget = BUDGET if size == READS[0] else None
        yield from _table(results, f"decoding, in reads of {size:,} bytes", f"{size} event", budget)
    yield from _table(results, "decoding, one event a read", f"{PACED} each", None)


def _table(results: Results, title: str, cost: str, budget: int | None) -> Iterable[str]:
    per_byte = f"{cost.partition(' ')[0]} byte"
    least_ratio = "" if budget is None else f"{budget} x"
    yield f"{title:46}{'streamd':>24}{'official SDK':>24}{'ratio':>10}{'at least' if budget else '':>10}"
    for wire, (name, _) in SDKS.items():
        each = [results.median(f"decode {wire}", peer, cost) for peer in PEERS]
        byte = [results.median(f"decode {wire}", peer, per_byte) for peer in PEERS]
        cells = "".join(f"{_cell(*both):>24}" for both in zip(each, byte, strict=True))
        ours, theirs = each
        ratio = theirs / ours if ours and theirs else None
        verdict = "not measured" if ratio is None else "pass" if ratio >= (budget or 0) else "FAIL"
        shown = "-" if ratio is None else f"{ratio:.1f} x"
        line = f"{f'{wire} beside {name}':46}{cells}{shown:>10}{least_ratio:>10}"
        yield f"{line}  {verdict}" if budget or ratio is None else line
        least = results.median(f"decode {wire}", "floor", cost)
        if least and theirs:
            cell = _cell(least, results.median(f"decode {wire}", "floor", per_byte))
            label = "  the least: cut, decode, make the chunk"
            yield f"{label:46}{cell:>24}{'':>24}{f'{theirs / least:.1f} x':>10}"


def _cell(event: float | None, byte: float | None) -> str:
    return "-" if event is None or byte is None else f"{event * 1e6:.2f} µs {1e-6 / byte:6,.1f} MB/s"
