"""Hypothesis strategies for scenarios, faults and plans.

Use it so::

    @given(scenarios(), plans("net.*"), st.integers(0, 1000))
    def test_my_app(scenario, plan, seed):
        simulate(my_app, scenario, *plan, seed=seed).verdict.raise_if_found()

It needs Hypothesis, which `streamd.testing` does not import. What fails is shrunk to few turns, few pieces, few faults.
"""

from __future__ import annotations

import math
import string
from fnmatch import fnmatchcase

from hypothesis import strategies as st
from msgspec.structs import replace

from streamd.errors import ConfigError
from streamd.providers import Usage

from ._cases import variants
from ._catalogue import CATALOGUE
from ._fault import At, Fault, Plan
from ._kind import FaultKind
from ._render import wire_named
from ._scenario import Scenario
from ._servable import why_not_served
from ._turn import CallPart, Part, TextPart, ThinkingPart, Turn

__all__ = ["faults", "plans", "scenarios"]

_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
_NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=8).map(lambda name: f"{name}_")
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def scenarios(draw: st.DrawFn, *, max_turns: int = 3, tools: bool = True, thinking: bool = True) -> Scenario:
    """Conversations: turns of text, reasoning and calls in pieces; all but the last have a call.

    Args:
        draw: Hypothesis' own.
        max_turns: The most turns one has.
        tools: Whether there are tool calls; without, there is one turn.
        thinking: Whether there is reasoning.
    """
    count = draw(st.integers(1, max_turns)) if tools else 1
    turns = tuple(
        draw(_turns(number, last=number == count, thinking=thinking)) for number in range(1, count + 1)
    )
    return Scenario(turns, draw(_TEXTS))


@st.composite
def _turns(draw: st.DrawFn, number: int, *, last: bool, thinking: bool) -> Turn:
    pieces = st.lists(_TEXTS, min_size=1, max_size=4).map(tuple)
    parts: list[Part] = []
    if thinking and draw(st.booleans()):
        parts.append(ThinkingPart(draw(pieces), draw(st.none() | st.just("c2lnbmVk"))))
    if last or draw(st.booleans()):
        parts.append(TextPart(draw(pieces)))
    for place in range(1, (0 if last else draw(st.integers(1, 3))) + 1):
        arguments = draw(st.dictionaries(_NAMES, _VALUES, max_size=3))
        # Calls of one name take the same arguments: a tool is described by those of its first call.
        name = f"tool_{number}_{place}"
        parts.append(
            CallPart(f"call_{number}_{place}", name, arguments, draw(st.integers(1, 4)), draw(_TEXTS))
        )
    return Turn(tuple(parts), Usage(draw(st.integers(1, 1000)), draw(st.integers(1, 1000))))


def faults(*names: str, wire: str = "openai-chat", served: bool = False) -> st.SearchStrategy[Fault]:
    """Faults of the catalogue, at their places or at any byte, with their values, once, twice or always.

    Args:
        names: Names or patterns such as `net.*`; any fault if there are none.
        wire: They can happen on this wire.
        served: Whether a real server must be able to play them.

    Raises:
        ConfigError: There is no such wire, or no such fault.
    """
    spoken = wire_named(wire)
    kinds = [
        kind
        for kind in CATALOGUE.values()
        if kind.on(wire)
        and any(fnmatchcase(kind.name, name) for name in names or ("*",))
        and not (served and why_not_served(variants(kind)[0], spoken, foreign=True))
    ]
    if not kinds:
        raise ConfigError(f"no fault of the catalogue is {' or '.join(names)} and can happen on {wire}")
    return st.sampled_from(kinds).flatmap(_of_kind)


def plans(
    *names: str, wire: str = "openai-chat", max_size: int = 3, served: bool = False
) -> st.SearchStrategy[Plan]:
    """Plans of up to so many faults; the empty plan, in which nothing goes wrong, is one.

    Args:
        names: As in `faults`.
        wire: As in `faults`.
        max_size: The most faults one has.
        served: As in `faults`.

    Raises:
        ConfigError: As `faults` does.
    """
    return st.lists(faults(*names, wire=wire, served=served), max_size=max_size).map(tuple)


def _of_kind(kind: FaultKind) -> st.SearchStrategy[Fault]:
    chosen = st.sampled_from(variants(kind))
    anywhere = any(place.startswith("byte:") for place in kind.sweep)
    places = st.none() | st.integers(0, 2000) if anywhere else st.none()
    return st.builds(_struck, chosen, places, st.sampled_from((1, 2, math.inf)))


def _struck(fault: Fault, byte: int | None, times: float) -> Fault:
    return replace(fault, at=fault.at if byte is None else At("byte", byte), times=times)
