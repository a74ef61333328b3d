"""The runs that a marker asks for: `@pytest.mark.llm_faults("net.*", "sse.crlf", seeds=3)`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from streamd.errors import ConfigError

from ._case import Case
from ._cases import variants
from ._catalogue import CATALOGUE
from ._checked import check_scenario
from ._fault import FaultLike, Plan, parse_plan, plan_of
from ._render import wire_named
from ._scenario import HELLO, Scenario
from ._servable import why_not_served

__all__ = ["Marked", "marked"]


class Marked(Struct, frozen=True, kw_only=True):
    """One run of a marked test.

    Args:
        case: The run.
        wire: The wire that the marker names; None where it names none.
        pace: How many of the server's seconds pass in one.
    """

    case: Case
    wire: str | None
    pace: float

    def __str__(self) -> str:
        """Its name in a test's."""
        plan = "+".join(str(fault).replace(" ", "_") for fault in self.case.plan)
        return "-".join([plan, *([self.wire] if self.wire else []), f"seed{self.case.seed}"])


def marked(
    *faults: FaultLike,
    seeds: int = 1,
    wires: Sequence[str] | str | None = None,
    scenario: Scenario = HELLO,
    pace: float = 20.0,
    served: bool = False,
) -> list[Marked]:
    """The runs that a marker with these arguments asks for.

    Args:
        faults: Names of faults, or patterns such as `net.*`, which stand for all their places and values; or plans as
            they are written, such as `net.reset@byte:120 x2`, which stand for themselves, as a `Fault` does.
        seeds: How many seeds each is run with.
        wires: How the server speaks.
        scenario: The conversation.
        pace: How many of a real server's seconds pass in one.
        served: Whether a real server must be able to play them: of a pattern the others are left out.

    Raises:
        ConfigError: One of the faults stands for nothing, there is none, or nothing would be run.
    """
    check_scenario(scenario)
    named = (wires,) if isinstance(wires, str) else tuple(wires or ())
    if not faults:
        raise ConfigError("llm_faults: name a fault, or a pattern such as 'net.*'")
    if seeds < 1 or not 0 < pace < math.inf:
        raise ConfigError(f"llm_faults: {seeds!r} seeds, or a pace of {pace!r}, run nothing")
    found: list[Marked] = []
    for fault in faults:
        runs = [
            Marked(case=Case(scenario, plan, wire, seed), wire=wire if named else None, pace=pace)
            for plan, wire, seed in itertools.product(_plans(fault), named or ("openai-chat",), range(seeds))
            if _can_be(plan, wire, served=served)
        ]
        if not runs:
            raise ConfigError(f"llm_faults: {str(fault)!r} stands for no fault that can be played here")
        found += runs
    return list({str(run): run for run in found}.values())


def _plans(fault: FaultLike) -> Iterator[Plan]:
    if not isinstance(fault, str):
        yield plan_of((fault,))
        return
    text = fault
    kinds = [kind for name, kind in CATALOGUE.items() if fnmatchcase(name, text)]
    for kind in kinds:
        yield from ((fault,) for fault in variants(kind))
    if not kinds and not text.endswith(".*"):
        yield parse_plan(text)


def _can_be(plan: Plan, wire: str, *, served: bool) -> bool:
    spoken = wire_named(wire)
    return all(
        fault.name in CATALOGUE
        and CATALOGUE[fault.name].on(wire)
        and not (served and why_not_served(fault, spoken, foreign=True))
        for fault in plan
    )
