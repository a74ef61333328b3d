"""Which faults can be played to a real client, and which make sense only in a simulation."""

from __future__ import annotations

import random

from streamd.errors import ConfigError

from ._catalogue import kind_named
from ._fault import Fault, Plan
from ._kind import FaultKind, Strike
from ._render import render
from ._scenario import HELLO
from ._stage import Stage
from ._wire import Wire

__all__ = ["check_servable", "why_not_served"]

_STEPS = ("cancel_at", "quit_at", "crash", "shuffle")


def check_servable(plan: Plan, wire: Wire, *, foreign: bool) -> None:
    """See that a real server can play a plan.

    Args:
        plan: The faults.
        wire: How the server speaks.
        foreign: Whether the client is in another thread or process, where nothing can be done to it.

    Raises:
        ConfigError: It cannot; the message says why.
    """
    for fault in plan:
        why = why_not_served(fault, wire, foreign=foreign)
        if why is not None:
            raise ConfigError(f"the fault {fault} cannot be served: {why}; it can be simulated")


def why_not_served(fault: Fault, wire: Wire, *, foreign: bool) -> str | None:
    """Why a fault makes sense only in a simulation; None where a server can play it.

    Raises:
        ConfigError: There is no such fault, or it cannot strike where it says.
    """
    kind = kind_named(fault.name)
    strike = Strike(fault, wire, random.Random(0), 1, 1)
    if kind.phase == "connect":
        return "it happens at the client's end of the connection, before a server knows of it"
    staged = kind.stage(Stage(), strike)
    if any(getattr(staged, name) != getattr(Stage(), name) for name in _STEPS):
        return "it counts the steps of the application's tasks"
    if foreign and kind.phase in ("tool", "consumer", "runtime"):
        return "it is done to the application itself, which is not in reach"
    if kind.phase in ("body", "head") and _leaps(kind, strike):
        return "it sets the clock"
    return None


def _leaps(kind: FaultKind, strike: Strike) -> bool:
    if not kind.on(strike.wire.name):
        return False
    reply = kind.apply(render(HELLO.turns[0], strike.wire), strike)
    return any(wait.leaps for wait in reply.waits)
