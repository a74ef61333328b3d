"""The tables of docs/faults.md, made of the catalogue: `python docs/fault_table.py` writes them anew."""

import random
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from msgspec.structs import replace

from streamd.testing import CATALOGUE, ONE_TOOL, WIRES, Fault, FaultKind, Reply, Strike, delivery_of, render
from streamd.testing._cases import variants
from streamd.testing._servable import why_not_served

PAGE = Path(__file__).with_name("faults.md")
BEGIN, END = "<!-- the tables: begin -->\n", "<!-- the tables: end -->\n"
HEAD = ("where", "fault", "what happens", "a run ends", "retry", "places and values")
PHASES = {
    "connect": "C",
    "request": "Q",
    "head": "H",
    "body": "B",
    "after": "A",
    "tool": "T",
    "consumer": "U",
    "runtime": "R",
}
LAYERS = {
    "net": "net: the network below HTTP",
    "h1": "h1: HTTP/1.1's heads and framing",
    "http": "http: statuses, headers, and what the body is",
    "sse": "sse: the framing of events",
    "json": "json: what is inside an event",
    "prov": "prov: what the provider says",
    "tool": "tool: tool calls, and tools",
    "time": "time: silence, slowness, and limits",
    "use": "use: the consumer",
    "rt": "rt: the runtime's own tasks, and cancelling",
    "sec": "sec: keys, and what tries to get at them",
}


def tables() -> str:
    """A heading and a table for each layer."""
    return "".join(
        f"## {LAYERS.get(layer, layer)}\n\n{table(list(kinds))}\n"
        for layer, kinds in groupby(CATALOGUE.values(), lambda kind: kind.layer)
    )


def table(kinds: list[FaultKind]) -> str:
    """The rows of one layer."""
    lines = [HEAD, ("---",) * len(HEAD), *map(cells, kinds)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(kind: FaultKind) -> tuple[str, ...]:
    """What the table says of one fault."""
    simulated = why_not_served(variants(kind)[0], wire_of(kind), foreign=True)
    places = [f"`@{place}`" for place in kind.sweep] + [f"`={value}`" for value in kind.values]
    wires = f"<br>only {', '.join(kind.wires)}" if kind.wires else ""
    return (
        picture(kind),
        f"`{kind.name}`" + (" ◇" if simulated else ""),
        kind.summary.replace("|", "\\|") + wires,
        "<br>".join(endings(kind)),
        kind.retry if kind.retry != "-" else "",
        " ".join(places).replace("|", "\\|"),
    )


def picture(kind: FaultKind) -> str:
    """The way of a session with the place where the fault strikes."""
    marks = [letter if phase == kind.phase else "·" for phase, letter in PHASES.items()]
    return f"`{''.join(marks[:5])} {''.join(marks[5:])}`"


def endings(kind: FaultKind) -> list[str]:
    """How a run may end that it struck, over all its variants: by the text `completes` and the errors' names."""
    found: dict[str, None] = {}
    for fault in variants(kind):
        found.update(dict.fromkeys(endings_of(kind, fault)))
    return sorted(found, key=lambda ending: ending != "completes")


def endings_of(kind: FaultKind, fault: Fault) -> Iterator[str]:
    """How a run may end that this one struck."""
    wire = wire_of(kind)
    strike = Strike(fault, wire, random.Random(0), 1, 1, "sk-none")
    reply = kind.apply(render(ONE_TOOL.turns[0], wire), strike)
    delivery = delivery_of(reply)
    expect = kind.expect(delivery, strike)
    staged = kind.phase in ("tool", "consumer", "runtime")
    complete = delivery.terminal and not delivery.fatal_first
    if complete or expect.either or staged or reads_on(kind, strike):
        yield "completes"
    if not complete or expect.either or staged or expect.refusable:
        yield from (f"`{error}`" for error in expect.errors)


def reads_on(kind: FaultKind, strike: Strike) -> bool:
    """Whether a response that it struck can be read on to its end."""
    if kind.resumed is None:
        return False
    events = render(ONE_TOOL.turns[0], strike.wire, kept=True).events
    rest = Reply(events=events[1:])
    return delivery_of(kind.resumed(rest, replace(strike, after=0, before=events[:1]))).terminal


def wire_of(kind: FaultKind):
    """A wire on which it can happen."""
    return WIRES[kind.wires[0] if kind.wires and not kind.on("openai-chat") else "openai-chat"]


def renewed(page: str) -> str:
    """The page with the tables as the catalogue has it."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{tables()}{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
