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
    "net.lockstep": "16",
    "time.burst_after_silence": "10",
    "time.slow_but_live": "2",
    "time.slow_drip_1B": "0.005",
    "use.slow": "2",
    "use.stops_reading": "20",
}
"""Where less of a fault shows the same, and lets a patient application be."""

_PACES = {
    "json.long_string": 1.0,
    "rt.cancel_during_tool": 1.0,
    "sse.endless_event": 1.0,
    "sse.endless_line": 1.0,
    "sse.million_empty_events": 1.0,
    "time.slow_drip_1B": 5.0,
}
"""Where computing takes so long that it must not count so often."""

_CHANCE = {"time.retry_after_expires_while_cancelled"}
"""Two things at the same moment: which is first is chance where the time is real."""


def served() -> Iterator[str]:
    """Every fault of the catalogue that a real server can play."""
    for name in sorted(CATALOGUE.keys() - _CHANCE):
        fault = Fault(name, value=_OTHERWISE.get(name))
        if _can_be_served(fault, "openai-chat"):
            yield str(fault)


def served_cases(n: int) -> Iterator[Case]:
    """Each of them n times, from whose seed the wire, the scenario, and how often it strikes are drawn."""
    kinds = [kind for kind in CATALOGUE.values() if kind.name not in _CHANCE]
    for case in drawn_cases(range(n), kinds=kinds):
        (fault,) = case.plan
        if fault.name in _OTHERWISE:
            fault = replace(fault, value=_OTHERWISE[fault.name])
        if fault.name in _PACES and fault.times == math.inf:
            fault = replace(fault, times=1)
        if _can_be_served(fault, case.wire):
            yield replace(case, plan=(fault,))


def _can_be_served(fault: Fault, wire: str) -> bool:
    return why_not_served(fault, WIRES[wire], foreign=False) is None


def pace_of(fault: str) -> float:
    """How fast the clock may be under a fault."""
    return _PACES.get(Fault.parse(fault).name, PACE)


def told(run: Run) -> dict[str, Any]:
    """What a run came to, without what differs from world to world."""
    error = run.observed.error
    return {
        "findings": [finding.name for finding in run.verdict.findings],
        "error": None if error is None else (type(error).__name__, getattr(error, "which", None)),
        "end": (run.observed.finished, run.observed.reason),
        "text": run.observed.text,
        # Those of one turn run at once: which begins first is chance.
        "tools": sorted(tool.id for tool in run.observed.tools),
        "attempts": [(attempt.turn, attempt.faults) for attempt in run.trace.attempts],
    }


def worldly(case: Case) -> tuple[Outcome, str]:
    """Make a run on sockets; what it came to, and where that is not what it comes to in memory, how."""
    pace, wire, seed = pace_of(str(case.plan[0])), case.wire, case.seed
    real = serve_to(PATIENT, case.scenario, *case.plan, wire=wire, seed=seed, pace=pace, limit=3600)
    simulated = told(simulate(PATIENT, case.scenario, *case.plan, wire=wire, seed=seed))
    outcome = outcome_of(real, PATIENT)
    differs = {
        name: (value, simulated[name]) for name, value in told(real).items() if value != simulated[name]
    }
    if not differs:
        return outcome, ""
    line = (
        f"serve_to(PATIENT, NAMED['{case.source}'], '{case.plan[0]}', wire='{case.wire}', seed={case.seed})"
    )
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
