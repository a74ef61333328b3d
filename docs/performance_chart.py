"""The chart of docs/performance.md, made of a run: `python docs/performance_chart.py` draws it anew."""

import json
import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RUN, CHART = HERE / "performance.json", HERE / "performance.svg"

Run = dict[str, Any]

WIDTH, HEIGHT = 980, 430
TOP, BOTTOM = 64, 360
DOTS = (140, 400)
"""From where to where the dots of one stream reach."""
LINES = (500, 830)
"""From where to where the lines over many streams reach; their names are written beside."""

PACED = {"paced 100": 100, "paced 1000": 1_000, "paced 5000": 5_000, "paced 10000": 10_000}

COLOURS = {
    "socket": ("#5f6670", "#a9b1bc"),
    "streamd": ("#c2255c", "#ff6b9d"),
    "aiohttp": ("#1c7ed6", "#6cb8ff"),
    "httpx": ("#2b8a3e", "#69db7c"),
    "httpx2": ("#5c940d", "#b5e655"),
    "openai": ("#0b7285", "#5fd4e6"),
    "anthropic": ("#b8530f", "#ffa45c"),
    "litellm": ("#7048e8", "#b6a0ff"),
    "pydantic-ai": ("#a03580", "#f19adb"),
}
"""Each client's colour on light ground and on dark."""

INK, FAINT, GROUND = ("#1f2328", "#e6e9ed"), ("#d5d9de", "#3a4048"), ("#ffffff", "#15181c")


def style() -> str:
    """The colours, which follow whether the reader's screen is light or dark."""

    def rules(which: int) -> str:
        each = "".join(
            f".{name}{{fill:{pair[which]};stroke:{pair[which]}}}" for name, pair in COLOURS.items()
        )
        return (
            f".ground{{fill:{GROUND[which]}}}text{{fill:{INK[which]}}}.grid{{stroke:{FAINT[which]}}}"
            f".axis{{stroke:{INK[which]}}}{each}"
        )

    return (
        "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif}.title{font-weight:600;font-size:15px}"
        f"polyline{{fill:none!important}}{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}"
    )


class Log:
    """A logarithmic axis: values of a range on pixels of another."""

    def __init__(self, values: tuple[float, float], pixels: tuple[float, float]) -> None:
        self.values, self.pixels = values, pixels

    def __call__(self, value: float) -> float:
        low, high = map(math.log10, self.values)
        part = (math.log10(value) - low) / (high - low)
        return round(self.pixels[0] + part * (self.pixels[1] - self.pixels[0]), 1)

    def ticks(self, *steps: int) -> list[int]:
        """The powers of ten on the axis, times each of the steps."""
        first, last = (math.floor(math.log10(each) + 1e-9) for each in self.values)
        ticks = [10**power * step for power in range(first, last + 1) for step in steps]
        return [tick for tick in ticks if self.values[0] <= tick <= self.values[1]]


def around(values: list[float]) -> tuple[float, float]:
    """The range of an axis that shows all the values, between two of 1, 2, 5, 10 and so on."""
    base = 10 ** math.floor(math.log10(min(values)))
    low = next(base * by for by in (5, 2, 1) if base * by <= min(values))
    base = 10 ** math.floor(math.log10(max(values)))
    return low, next(base * by for by in (1, 2, 5, 10) if base * by >= max(values))


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    """Some words."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>'


def micro(run: Run, scene: str) -> dict[str, float]:
    """The CPU per chunk of each client in a scene, in µs."""
    return {
        row["peer"]: row["cpu_per_chunk"][0] * 1e6
        for row in run["measured"]
        if row["scene"] == scene and row["peer"] in COLOURS and "cpu_per_chunk" in row
    }


def dots(run: Run) -> Iterator[str]:
    """One stream at full speed."""
    costs = dict(sorted(micro(run, "firehose").items(), key=lambda item: item[1]))
    axis = Log(around(list(costs.values())), DOTS)
    yield text(20, 30, "One stream at full speed", kind="title")
    for tick in axis.ticks(1):
        yield line(axis(tick), TOP, axis(tick), BOTTOM, "grid")
        yield text(axis(tick), BOTTOM + 20, f"{tick:,}", "middle")
    step = (BOTTOM - TOP) / len(costs)
    for place, (peer, cost) in enumerate(costs.items()):
        y = TOP + place * step
        yield line(DOTS[0], round(y + step / 2, 1), axis(cost), round(y + step / 2, 1), "grid")
        yield f'<circle cx="{axis(cost)}" cy="{y + step / 2:.1f}" r="6" class="{peer}"/>'
        yield text(DOTS[0] - 8, round(y + step / 2 + 4, 1), run["peers"][peer], "end")
        yield text(axis(cost) + 12, round(y + step / 2 + 4, 1), f"{cost:.3g}")
    yield line(DOTS[0], TOP, DOTS[0], BOTTOM, "axis")
    yield text((DOTS[0] + DOTS[1]) / 2, BOTTOM + 44, "CPU for each chunk, µs (logarithmic)", "middle")


def lines(run: Run) -> Iterator[str]:
    """Many paced streams."""
    costs = {scene: micro(run, scene) for scene in PACED}
    shown = [peer for peer in COLOURS if any(peer in each for each in costs.values())]
    across = Log((75, 10_000), LINES)
    up = Log(around([cost for each in costs.values() for cost in each.values()]), (BOTTOM, TOP))
    yield text(LINES[0] - 60, 30, "Many streams, 4,000 chunks a second in all", kind="title")
    for tick in up.ticks(1, 2, 5):
        yield line(LINES[0], up(tick), LINES[1], up(tick), "grid")
        yield text(LINES[0] - 8, up(tick) + 4, f"{tick:,}", "end")
    for streams in PACED.values():
        yield line(across(streams), BOTTOM, across(streams), BOTTOM + 5, "axis")
        yield text(across(streams), BOTTOM + 20, f"{streams:,}", "middle")
    ends: list[tuple[float, float, str]] = []
    for peer in shown:
        points = [(across(PACED[scene]), up(each[peer])) for scene, each in costs.items() if peer in each]
        wide = 3.5 if peer == "streamd" else 2
        path = " ".join(f"{x},{y}" for x, y in points)
        yield f'<polyline points="{path}" class="{peer}" stroke-width="{wide}"/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="{wide}" class="{peer}"/>' for x, y in points)
        ends.append((points[-1][1], points[-1][0], peer))
    yield from names(run, ends)
    yield line(LINES[0], TOP, LINES[0], BOTTOM, "axis")
    yield line(LINES[0], BOTTOM, LINES[1], BOTTOM, "axis")
    yield text((LINES[0] + LINES[1]) / 2, BOTTOM + 44, "open streams (logarithmic)", "middle")
    middle = (TOP + BOTTOM) / 2
    yield f'<g transform="rotate(-90 {LINES[0] - 52} {middle})">'
    yield text(LINES[0] - 52, middle, "CPU for each chunk, µs (logarithmic)", "middle")
    yield "</g>"


def names(run: Run, ends: list[tuple[float, float, str]]) -> Iterator[str]:
    """The clients' names in a column, in the order in which their lines end, and none over another."""
    ends.sort(reverse=True)
    below = BOTTOM + 18.0
    for y, x, peer in ends:
        below = round(min(y, below - 18), 1)
        yield f'<polyline points="{x + 6},{y} {LINES[1] + 4},{below}" class="grid" stroke-dasharray="2 3"/>'
        yield f'<circle cx="{LINES[1] + 12}" cy="{below}" r="4" class="{peer}"/>'
        yield text(LINES[1] + 22, below + 4, run["peers"][peer])


def chart(run: Run) -> str:
    """The whole chart, as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="CPU for each chunk, of streamd and of other clients">',
        f"<style>{style()}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" class="ground"/>',
        *dots(run),
        *lines(run),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Draw the chart."""
    CHART.write_text(chart(json.loads(RUN.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
