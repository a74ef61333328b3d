"""One run that is over."""

from __future__ import annotations

from dataclasses import dataclass

from ._fault import Plan
from ._observation import Observation
from ._scenario import Scenario
from ._trace import Trace
from ._verdict import Verdict

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """One run: what was asked for, what happened, and what it came to."""

    scenario: Scenario
    plan: Plan
    wire: str
    seed: int
    observed: Observation
    trace: Trace
    verdict: Verdict
