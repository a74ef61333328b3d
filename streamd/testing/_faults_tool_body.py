"""Faults of the tools themselves: what the application's own functions do when they are called."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._fault import At
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING
from ._stage import Stage, ToolBody

__all__ = ["BODIES"]


def _run(strike: Strike) -> int:
    """Which run of a tool is struck: that of the place `tool:n`, from 1, and else the first."""
    match strike.fault.at:
        case None:
            return 1
        case At("tool", int() as run):
            return run
        case at:
            raise ConfigError(f"the fault {strike.fault} cannot strike at {at}")


def _does(body: ToolBody) -> Callable[[Stage, Strike], Stage]:
    return lambda stage, strike: replace(stage, tools=(*stage.tools, (_run(strike), body)))


def _late(stage: Stage, strike: Strike) -> Stage:
    """The tool answers after the application was cancelled."""
    return replace(_does("ignores_cancel")(stage, strike), cancel_after=strike.number(1.0))


def _kind(name: str, summary: str, stage: Callable[[Stage, Strike], Stage]) -> FaultKind:
    return FaultKind(
        name=f"tool.{name}",
        summary=summary,
        phase="tool",
        retry="-",
        expect=NOTHING,
        stage=stage,
        sweep=("tool:1", "tool:2"),
    )


BODIES: tuple[FaultKind, ...] = (
    _kind("raises", "A tool raises: the model is told.", _does("raises")),
    _kind(
        "raises_group",
        "A tool raises a group of exceptions: the model is told of each.",
        _does("raises_group"),
    ),
    _kind(
        "hangs", "A tool never answers: it is cancelled when its time is over, and it alone.", _does("hangs")
    ),
    _kind(
        "ignores_cancel",
        "A tool answers after 5 seconds, whether it is cancelled or not.",
        _does("ignores_cancel"),
    ),
    _kind(
        "late",
        "The application is cancelled after a second, or so many, while a tool does not let itself be cancelled.",
        _late,
    ),
    _kind("floods", "A tool answers 8 MiB of text.", _does("floods")),
    _kind("unwritable", "A tool answers what no JSON can hold.", _does("unwritable")),
    _kind(
        "exits", "A tool raises what is no `Exception`: it ends the program, as elsewhere.", _does("exits")
    ),
    _kind("spawns", "A tool has tasks of its own, and cancels them.", _does("spawns")),
    _kind(
        "mutates",
        "A tool changes the arguments that it was given: the conversation stays as it was.",
        _does("mutates"),
    ),
    _kind(
        "result_injection",
        "A tool answers with what reads as an instruction, a call and an event: to the runtime it is a text.",
        _does("injects"),
    ),
)
"""Those kinds of the layer `tool` that are of the tools' own code."""
