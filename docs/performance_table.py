"""The tables of docs/performance.md, made of a run: `python docs/performance_table.py` writes them anew."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE, RUN = HERE / "performance.md", HERE / "performance.json"
BEGIN, END = "<!-- the tables: begin -->\n", "<!-- the tables: end -->\n"

Run = dict[str, Any]
Show = Callable[[float], str]


def rounded(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def scaled(factor: float) -> Show:
    """A value in another unit."""
    return lambda value: rounded(value * factor)


MICRO, MILLI, KIB, PLAIN = scaled(1e6), scaled(1e3), scaled(1 / 1024), scaled(1)

CHUNKS = {
    "firehose": "one, at full speed",
    "bursts": "100, bursts of 20",
    "paced 100": "100",
    "paced 1000": "1,000",
    "paced 5000": "5,000",
    "paced 10000": "10,000",
}
"""The scenes in which chunks are what costs, and what heads their columns."""

STREAMS = (
    ("turns", "first_p50", "first chunk: ms", MILLI),
    ("turns", "first_p99", "p99: ms", MILLI),
    ("turns", "streams_per_second", "a second", PLAIN),
    ("turns", "cpu_per_stream", "CPU: µs", MICRO),
    ("turns tls", "first_p50", "TLS, first chunk: ms", MILLI),
    ("turns tls", "first_p99", "TLS, p99: ms", MILLI),
    ("turns tls", "streams_per_second", "TLS, a second", PLAIN),
    ("turns tls", "cpu_per_stream", "TLS, CPU: µs", MICRO),
)

OTHERS = (
    ("paced 100", "bytes_per_stream", "open, of 100: KiB", KIB),
    ("paced 1000", "bytes_per_stream", "open, of 1,000: KiB", KIB),
    ("paced 1000", "cpu_per_opening", "opening, of 1,000: µs", MICRO),
    ("paced 1000", "cpu_per_closing", "closing: µs", MICRO),
    ("slow", "bytes_grown", "unread: KiB", KIB),
    ("leave 100", "lag_p50", "leaving, of 100: ms", MILLI),
    ("leave 100", "lag_p99", "p99: ms", MILLI),
    ("leave 1000", "lag_p99", "of 1,000, p99: ms", MILLI),
    ("tools", "cpu_per_chunk", "a round with a tool: µs", MICRO),
    ("import", "seconds", "import: ms", MILLI),
)

SUPERVISION = (
    ("1000 children", "start", "CPU to start each of 1,000 children, µs", MICRO),
    ("10000 children", "start", "CPU to start each of 10,000, µs", MICRO),
    ("1000 children", "stop", "CPU to stop each of 1,000, one by one, µs", MICRO),
    ("10000 children", "stop", "CPU to stop each of 10,000, one by one, µs", MICRO),
    ("10000 collected", "both", "both together, garbage collector on, µs", MICRO),
    ("3000 restarts", "latency", "crash → running again, median, µs", MICRO),
    ("20000 calls", "per_second", "questions answered in a second, one asker", PLAIN),
)


def median(run: Run, scene: str, peer: str, quantity: str) -> float | None:
    """What one peer had in one scene."""
    for row in run["measured"]:
        if (row["scene"], row["peer"]) == (scene, peer) and quantity in row:
            return float(row[quantity][0])
    return None


def over(one: float | None, other: float | None) -> float | None:
    """A ratio, where both were measured."""
    return one / other if one is not None and other else None


def aligned(head: list[str], rows: list[list[str]]) -> str:
    """A table whose columns are as wide as their cells; a row and a column that are all empty are left out."""
    rows = [row for row in rows if any(row[1:])]
    kept = [at for at in range(len(head)) if at == 0 or any(row[at] for row in rows)]
    cells = [[row[at] for at in kept] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        f"| {' | '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])} |" for row in cells
    ]
    rule = f"| {' | '.join(['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])} |"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def cell(value: float | None, show: Show) -> str:
    """A value as it is shown, nothing where none was measured."""
    return "" if value is None else show(value)


def first_chunks(run: Run) -> str:
    """Streams in turns, with how much later than the bare socket's each client's first chunk comes."""
    rows = []
    for peer, title in run["peers"].items():
        ours, bare = (median(run, "turns", each, "first_p50") for each in (peer, "socket"))
        later = "" if ours is None or bare is None else f"{(ours - bare) * 1e3:+.2f}"
        cells = [cell(median(run, scene, peer, quantity), show) for scene, quantity, _, show in STREAMS]
        rows.append([title, cells[0], later, *cells[1:]])
    heads = [label for _, _, label, _ in STREAMS]
    return aligned(["", heads[0], "over the bare socket's", *heads[1:]], rows)


def by_peer(run: Run, columns: tuple[tuple[str, str, str, Show], ...]) -> str:
    """A table with a row for each peer."""
    rows = [
        [title, *(cell(median(run, scene, peer, quantity), show) for scene, quantity, _, show in columns)]
        for peer, title in run["peers"].items()
    ]
    return aligned(["", *(label for _, _, label, _ in columns)], rows)


def multiples(run: Run) -> str:
    """CPU per chunk, as multiples of the bare socket's."""

    def ratio(scene: str, peer: str) -> str:
        costs = (median(run, scene, each, "cpu_per_chunk") for each in (peer, "socket"))
        return cell(over(*costs), lambda value: f"{value:.1f} ×")

    rows = [[title, *(ratio(scene, peer) for scene in CHUNKS)] for peer, title in run["peers"].items()]
    return aligned(["", *CHUNKS.values()], rows)


def decoding(run: Run) -> str:
    """Each wire beside its SDK, by how the bytes are cut."""
    rows = [row for row in run["measured"] if row["scene"].startswith("decode ")]
    cuts = list(dict.fromkeys(key for row in rows for key in row if key.endswith((" event", " each"))))
    head = ["wire", "SDK"]
    for cut in cuts:
        size = cut.partition(" ")[0]
        head += [
            f"in reads of {int(size):,}: µs" if size.isdecimal() else "an event a read: µs",
            "SDK: µs",
            "ratio",
        ]
    cells = []
    for wire, name in run["sdks"].items():
        cells.append([wire, name])
        for cut in cuts:
            ours, theirs = (median(run, f"decode {wire}", peer, cut) for peer in ("streamd", "SDK"))
            ratio = cell(over(theirs, ours), lambda value: f"{value:.1f} ×")
            cells[-1] += [cell(ours, MICRO), cell(theirs, MICRO), ratio]
    return aligned(head, cells)


def supervision(run: Run) -> str:
    """Supervision beside bare trio."""
    rows = []
    for scene, quantity, label, show in SUPERVISION:
        bare, ours = (median(run, scene, peer, quantity) for peer in ("bare trio", "supervisors"))
        costs = (bare, ours) if quantity == "per_second" else (ours, bare)
        rows.append(
            [label, cell(bare, show), cell(ours, show), cell(over(*costs), lambda value: f"{value:.1f} ×")]
        )
    return aligned(["", "bare trio", "supervisors", "ratio"], rows)


def budgets(run: Run) -> str:
    """Every budget, and whether it was kept."""
    verdict = {True: "pass", False: "FAIL", None: "not measured"}
    rows = [
        [
            each["says"],
            "" if each["measured"] is None else f"{each['measured']:.4g} {each['unit']}",
            f"{each['most']:.3g} {each['unit']}",
            verdict[each["kept"]],
        ]
        for each in run["budgets"]
    ]
    return aligned(["budget", "measured", "at most", ""], rows)


def chapters(run: Run) -> Iterator[tuple[str, str, str]]:
    """The tables about clients: what each is called, what is to be known of it, and the table."""
    columns = tuple((scene, "cpu_per_chunk", label, MICRO) for scene, label in CHUNKS.items())
    yield (
        "CPU for each chunk",
        "In µs, by how many streams are open and how their chunks come.",
        by_peer(run, columns),
    )
    yield "As multiples of the bare socket", "", multiples(run)
    yield "Streams, one after the other", "Each of three chunks, sent at once.", first_chunks(run)
    yield "Memory, leaving, tools, import", "", by_peer(run, OTHERS)
    yield "Supervision", "", supervision(run)


def clients(run: Run) -> str:
    """The tables about clients, as `make bench` prints them."""
    parts = [f"{title}. {says}".strip() + f"\n\n{table}" for title, says, table in chapters(run)]
    failed = (f"{row['peer']} failed in {row['scene']}: {row['reason']}" for row in run["failures"])
    return "\n".join([*parts, *failed])


def tables(run: Run) -> str:
    """All that the page has between its marks."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    parts = [
        f"CPython {run['python']} on {run['system']}, {run['cores']} cores, with a load of {run['load']} when it began"
        f"{', in a short run (`QUICK=1`)' if run['quick'] else ''}: {versions}.\n",
        f"## Budgets\n\n{budgets(run)}",
        *(f"## {title}\n\n{says}\n\n{table}".replace("\n\n\n", "\n") for title, says, table in chapters(run)),
        f"## Decoding\n\nCPU for each event, without a network.\n\n{decoding(run)}",
    ]
    if run["failures"]:
        parts.append("## Not measured\n")
        parts += [f"- {row['peer']} in {row['scene']}: {row['reason']}" for row in run["failures"]]
        parts.append("")
    return "\n".join(parts)


def renewed(page: str) -> str:
    """The page with tables that say what the run says."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + "\n" + tables(json.loads(RUN.read_text("utf-8"))) + "\n" + END + after


def main() -> None:
    """Write the tables."""
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
