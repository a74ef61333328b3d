"""The line that runs the same again."""

from __future__ import annotations

from ._fault import Plan
from ._scenario import NAMED, Scenario

__all__ = ["repro_line"]


def repro_line(
    app: object, scenario: Scenario, plan: Plan, wire: str, seed: int, world: str = "simulate"
) -> str:
    """A line of Python that runs the same again, given names that `streamd.testing` and the application have.

    Args:
        app: What was tested; None where the world was given none.
        scenario: The conversation; shown by its name where it is one of `NAMED`.
        plan: What went wrong.
        wire: How the server spoke.
        seed: What the rest was drawn from.
        world: The function that ran it.
    """
    name = next((f"NAMED[{name!r}]" for name, known in NAMED.items() if known is scenario), "scenario")
    shown = "" if app is None else f"{getattr(app, '__qualname__', type(app).__name__)}, "
    faults = "".join(f"{str(fault)!r}, " for fault in plan)
    return f"{world}({shown}{name}, {faults}wire={wire!r}, seed={seed})"
