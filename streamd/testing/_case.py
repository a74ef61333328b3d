"""One run that is to be made, as a value: what an exploration is a list of."""

from __future__ import annotations

import shlex
from typing import Literal, TypedDict

from msgspec import Struct

from ._decode import decode
from ._fault import Plan
from ._run import Run
from ._scenario import NAMED, Scenario
from ._simulate import simulate
from ._streamd_app import streamd_app
from ._world import App

__all__ = ["Case", "Limits", "ScriptedWorld", "scenario_name"]

ScriptedWorld = Literal["simulate", "decode"]
"""The worlds that a seed makes the same each time."""


class Limits(TypedDict, total=False):
    """What `simulate` takes besides: the virtual seconds, and the scheduler steps, after which a run hangs."""

    limit: float
    max_steps: int


class Case(Struct, frozen=True):
    """One run to be made.

    Args:
        scenario: The conversation.
        plan: What goes wrong.
        wire: How the server speaks.
        seed: What the rest is drawn from.
        world: Where it is played. In `decode` there is no application.
        source: Where the scenario is from: its name in `NAMED`, or a file; empty where neither is known.
    """

    scenario: Scenario
    plan: Plan = ()
    wire: str = "openai-chat"
    seed: int = 0
    world: ScriptedWorld = "simulate"
    source: str = ""

    def play(self, app: App, limits: Limits | None = None) -> Run:
        """Make the run."""
        if self.world == "decode":
            return decode(self.scenario, *self.plan, wire=self.wire, seed=self.seed)
        return simulate(app, self.scenario, *self.plan, wire=self.wire, seed=self.seed, **(limits or {}))

    def command(self, app: App) -> str | None:
        """A line for a shell that makes the same run.

        None where it has no faults, or where the application or the scenario has no name there.
        """
        source = self.source or scenario_name(self.scenario)
        shown = f"{getattr(app, '__module__', '')}:{getattr(app, '__qualname__', '')}"
        if (
            not self.plan
            or not source
            or (self.world == "simulate" and not shown.replace(":", "").replace(".", "").isidentifier())
        ):
            return None
        words = ["streamd", "faults", "--scenario", source, "--wire", self.wire, "--seed", str(self.seed)]
        if self.world == "decode":
            words += ["--world", "decode"]
        elif app is not streamd_app:
            words += ["--app", shown]
        for fault in self.plan:
            words += ["--fault", str(fault)]
        return shlex.join(words)


def scenario_name(scenario: Scenario) -> str:
    """The scenario's name in `NAMED`; empty where it has none."""
    return next((name for name, known in NAMED.items() if known == scenario), "")
