"""The line that runs the same again."""

from __future__ import annotations

from typing import Any

from ._fault import Plan
from ._scenario import NAMED, Scenario
from ._turn import CallPart, Part, TextPart, ThinkingPart, Turn

__all__ = ["repro_line"]

_LONGEST = 2000


def repro_line(
    app: object,
    scenario: Scenario,
    plan: Plan,
    wire: str | None,
    seed: int,
    world: str = "simulate",
    **options: object,
) -> str:
    """A line of Python that runs the same again, given names that `streamd.testing` and the application have.

    Args:
        app: What was tested; None where the world was given none.
        scenario: The conversation: shown by its name where it is one of `NAMED`, as it is built where that is not too
            long, and else as `scenario`.
        plan: What went wrong.
        wire: How the server spoke.
        seed: What the rest was drawn from.
        world: The function that ran it.
        options: What else that function was given; what it has by default is left out by the caller.
    """
    name = next((f"NAMED[{name!r}]" for name, known in NAMED.items() if known == scenario), "")
    words = [] if app is None else [_name(app)]
    words += [name or _built(scenario), *(repr(str(fault)) for fault in plan)]
    words += [f"{option}={value!r}" for option, value in {"wire": wire, "seed": seed, **options}.items()]
    return f"{world}({', '.join(words)})"


def _name(app: object) -> str:
    """What an application is called where it can be called: a function in a function by its own name."""
    name = str(getattr(app, "__qualname__", "")).rpartition("<locals>.")[2]
    return name if name and "<" not in name else "app"


def _built(scenario: Scenario) -> str:
    """An expression that builds it."""
    turns = ".then()".join("".join(map(_part, turn.parts)) + _ending(turn) for turn in scenario.turns)
    asked = "" if scenario.prompt == Scenario().prompt else f".ask({scenario.prompt!r})"
    written = f"Scenario(){asked}{turns}"
    return written if len(written) <= _LONGEST else "scenario"


def _part(part: Part) -> str:
    match part:
        case TextPart(pieces):
            return f".text({', '.join(map(repr, pieces))})"
        case ThinkingPart(pieces, signature):
            words = [*map(repr, pieces), *([] if signature is None else [f"signature={signature!r}"])]
            return f".thinking({', '.join(words)})"
        case CallPart():
            given: dict[str, Any] = {"pieces": part.pieces, "result": part.result, "id": part.id}
            words = [f"{name}={value!r}" for name, value in given.items()]
            return f".call({part.name!r}, {part.arguments!r}, {', '.join(words)})"


def _ending(turn: Turn) -> str:
    usage = turn.usage
    counted = "" if usage == Turn().usage else f".usage({usage.input_tokens}, {usage.output_tokens})"
    return counted + ("" if turn.reason is None else f".stop({turn.reason!r})")
