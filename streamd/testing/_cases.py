"""Lists of runs to be made: every byte, every pair, every fault."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from ._case import Case
from ._catalogue import CATALOGUE
from ._fault import At, Fault, FaultLike, Plan, plan_of
from ._kind import FaultKind
from ._render import WIRES, render, wire_named
from ._scenario import NAMED, Scenario

__all__ = ["CUTS", "byte_cases", "core_faults", "drawn_cases", "pair_cases", "sweep_cases", "variants"]

CUTS: tuple[FaultLike, ...] = ("net.fin", "net.reset", "net.split")
"""What is tried at every byte: a polite end, a reset, and no more than the end of a network read."""


def variants(kind: FaultKind) -> tuple[Fault, ...]:
    """A kind of fault at each of its places with each of its values."""
    # An empty one stands for none.
    places = [At.parse(place) if place else None for place in kind.sweep or ("",)]
    values = [value or None for value in kind.values or ("",)]
    return tuple(Fault(kind.name, place, value=value) for value in values for place in places)


def byte_cases(case: Case, faults: Iterable[FaultLike] = CUTS) -> Iterator[Case]:
    """The case with each of these faults before each byte of each turn's body, and after the last, at every attempt.

    The places of one fault in one turn follow each other, from the first to the last.
    """
    wire = wire_named(case.wire)
    turns = case.scenario.turns
    for (number, turn), fault in itertools.product(enumerate(turns, 1), plan_of(faults)):
        size = len(render(turn, wire, number).body)
        for place in range(size + 1):
            struck = Fault(
                fault.name,
                At("byte", place),
                times=math.inf,
                when=("turn", number) if len(turns) > 1 else None,
                value=fault.value,
            )
            yield replace(case, plan=(*case.plan, struck))


def pair_cases(case: Case, faults: Iterable[FaultLike] = (), seeds: Iterable[int] = (0,)) -> Iterator[Case]:
    """The case with each pair of these faults, in the order given; of the core ones if there are none."""
    chosen = plan_of(faults) or core_faults()
    for pair, seed in itertools.product(itertools.combinations(chosen, 2), tuple(seeds)):
        if all(CATALOGUE[fault.name].on(case.wire) for fault in pair if fault.name in CATALOGUE):
            yield replace(case, plan=(*case.plan, *pair), seed=seed)


def sweep_cases(
    case: Case,
    wires: Sequence[str] = ("openai-chat",),
    seeds: Sequence[int] = (0,),
    kinds: Iterable[FaultKind] | None = None,
) -> Iterator[Case]:
    """The case with every fault at each of its places with each of its values, on each wire, with each seed."""
    for kind in CATALOGUE.values() if kinds is None else kinds:
        for fault, wire, seed in itertools.product(variants(kind), wires, seeds):
            if kind.on(wire):
                yield replace(case, plan=(*case.plan, fault), wire=wire, seed=seed)


def drawn_cases(
    seeds: Iterable[int],
    *,
    plan: Plan = (),
    scenarios: Mapping[str, Scenario] = NAMED,
    wires: Sequence[str] = tuple(WIRES),
    kinds: Iterable[FaultKind] | None = None,
) -> Iterator[Case]:
    """Every fault with each of the seeds, from which wire, scenario and how often it strikes are drawn.

    The places and values of a fault take turns, so that as many seeds as it has variants try them all.
    """
    tried = tuple(seeds)
    for kind in CATALOGUE.values() if kinds is None else kinds:
        struck = variants(kind)
        spoken = [wire for wire in wires if kind.on(wire)]
        if not spoken:
            continue
        for seed in tried:
            rng = random.Random(f"{kind.name}/{seed}")
            name = rng.choice(tuple(scenarios))
            fault = replace(struck[seed % len(struck)], times=rng.choice((1, 1, 2, math.inf)))
            yield Case(scenarios[name], (*plan, fault), rng.choice(spoken), seed, source=name)


_CORE = (
    *("net.dns_fail", "net.refuse", "net.blackhole_connect", "net.tls_cut", "net.write_stall"),
    *("net.write_reset", "net.reset_before_headers", "net.fin_before_headers", "net.fin_mid_headers"),
    *(
        "net.fin",
        "net.reset",
        "net.half_close",
        "net.slice=3",
        "net.lockstep=64",
        "net.coalesce",
        "net.latency",
    ),
    *("net.jitter", "net.bandwidth", "net.slow_close", "h1.no_last_chunk", "h1.cut_in_chunk"),
    *("h1.bad_chunk_size", "h1.garbage_status", "h1.content_length_long", "h1.close_delimited_cut"),
    *(
        "h1.surplus_response",
        "h1.early_hints_103",
        "h1.keepalive_stale",
        "http.status=429",
        "http.status=503",
    ),
    *(
        "http.status=401",
        "http.html_200",
        "sse.comment",
        "sse.crlf",
        "json.invalid",
        "prov.error_mid=overloaded",
    ),
    *("prov.error_mid=auth", "prov.eof_no_terminal", "time.stall", "time.keepalive_forever"),
)


def core_faults() -> Plan:
    """Forty faults of all layers, whose pairs are tried."""
    return plan_of(_CORE)
