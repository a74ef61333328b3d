"""Every fault that a real server can play, on sockets and in memory: streamd must do the same in both.

On sockets the application's clock is faster, so that a silence of half a minute takes a second; what computing takes
counts as often.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from msgspec.structs import replace

from streamd import Timeouts
from streamd.testing import (
    CATALOGUE,
    WIRES,
    Fault,
    Finding,
    Outcome,
    Run,
    serve_to,
    simulate,
    streamd_app_with,
)
from streamd.testing._case import Case
from streamd.testing._cases import drawn_cases
from streamd.testing._outcome import outcome_of
from streamd.testing._servable import why_not_served

__all__ = ["PACE", "PATIENT", "compared", "pace_of", "served", "served_cases", "told", "worldly"]

PATIENT = streamd_app_with(timeouts=Timeouts(connect=10, first_chunk=30, idle=15, progress=45))
"""Every silence ends soon, and no sooner where the machine is busy for some tenths of a second."""

PACE = 25.0
"""How many seconds pass in one."""

_OTHERWISE = {
    "net.lockstep": "net.lockstep=16",
    "time.slow_but_live": "time.slow_but_live=2",
    "time.slow_drip_1B": "time.slow_drip_1B=0.01",
    "use.slow": "use.slow=2",
    "use.stops_reading": "use.stops_reading=20",
}
"""Where less of a fault shows the same."""

_SLOWLY = {"sse.million_empty_events", "json.long_string", "sse.endless_line", "sse.endless_event"}
"""Where computing takes so long that it must not count more often than it is."""

_CHANCE = {"time.retry_after_expires_while_cancelled"}
"""Two things at the same moment: which is first is chance where the time is real."""


def served() -> Iterator[str]:
    """Every fault of the catalogue that a real server can play."""
    for name in sorted(CATALOGUE.keys() - _CHANCE):
        fault = _OTHERWISE.get(name, name)
        if _can_be_served(Fault.parse(fault), "openai-chat"):
            yield fault


def served_cases(n: int) -> Iterator[Case]:
    """Each of them n times, from whose seed the wire, the scenario, and how often it strikes are drawn."""
    kinds = [kind for kind in CATALOGUE.values() if kind.name not in _CHANCE]
    for case in drawn_cases(range(n), kinds=kinds):
        (fault,) = case.plan
        if fault.name in _OTHERWISE:
            fault = replace(Fault.parse(_OTHERWISE[fault.name]), times=fault.times)
        if fault.name in _SLOWLY and fault.times == math.inf:
            fault = replace(fault, times=1)
        if _can_be_served(fault, case.wire):
            yield replace(case, plan=(fault,))


def _can_be_served(fault: Fault, wire: str) -> bool:
    return why_not_served(fault, WIRES[wire], foreign=False) is None


def pace_of(fault: str) -> float:
    """How fast the clock may be under a fault."""
    return 1.0 if fault.partition("@")[0].partition("=")[0].partition(" ")[0] in _SLOWLY else PACE


def told(run: Run) -> dict[str, Any]:
    """What a run came to, without what differs from world to world."""
    error = run.observed.error
    return {
        "findings": [finding.name for finding in run.verdict.findings],
        "error": None if error is None else (type(error).__name__, getattr(error, "which", None)),
        "end": (run.observed.finished, run.observed.reason),
        "text": run.observed.text,
        "tools": [tool.id for tool in run.observed.tools],
        "attempts": [(attempt.turn, attempt.faults) for attempt in run.trace.attempts],
    }


def worldly(case: Case) -> tuple[Outcome, str]:
    """Make a run on sockets; what it came to, and where that is not what it comes to in memory, how."""
    options = {"wire": case.wire, "seed": case.seed}
    real = serve_to(
        PATIENT, case.scenario, *case.plan, pace=pace_of(str(case.plan[0])), limit=3600, **options
    )
    simulated = told(simulate(PATIENT, case.scenario, *case.plan, **options))
    outcome = outcome_of(real, PATIENT, case)
    differs = {
        name: (value, simulated[name]) for name, value in told(real).items() if value != simulated[name]
    }
    if not differs:
        return outcome, ""
    line = f"serve_to(PATIENT, {case.source}, '{case.plan[0]}', wire='{case.wire}', seed={case.seed})"
    detail = f"on sockets and in memory: {differs}"
    finding = Finding("wrong_finish", detail, line)
    return replace(outcome, findings=(*outcome.findings, finding), line=outcome.line or line), detail


def compared(cases: Iterable[Case], *, jobs: int) -> Iterator[tuple[Outcome, str]]:
    """What `worldly` gives of each case, in order."""
    if jobs < 2:
        yield from map(worldly, cases)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        try:
            yield from pool.map(worldly, cases, chunksize=4)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
