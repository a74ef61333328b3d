"""Sessions on real sockets, each cancelled at a random moment: what is left, and how soon every socket is closed."""

from __future__ import annotations

import random

import trio

from streamd import StreamdError, open_session
from streamd.testing import NAMED, Finding, Outcome, Plan, World, no_leaks, plan_of
from streamd.testing._serve import serving
from streamd.testing._verdict import FindingName

__all__ = ["LIMIT", "SESSIONS", "cancelled", "percentile"]

SESSIONS = 1000
LIMIT = 0.1
"""Seconds from cancelling to the last socket's end, in 99 of 100 sessions."""

_LONGEST = 0.06
"""Seconds after which the last is cancelled: about what the longest of them takes whole."""

_PLANS: tuple[Plan, ...] = tuple(
    plan_of(faults)
    for faults in (
        (),
        ("net.slice=3",),
        ("time.stall@event:2",),
        ("net.reset@event:2",),
        ("net.half_close@event:2",),
        ("http.status=503",),
    )
)
"""What goes wrong besides; where it is nothing, or makes the session ask again, and where it makes it wait."""


async def cancelled(seed: int) -> tuple[Outcome, float | None]:
    """Run a session on a server of its own, cancel it at a moment drawn from the seed, and look what is left.

    Gives what became of it, and the seconds from cancelling until the server had seen the end of each of its sockets;
    None where the session had ended before.
    """
    rng = random.Random(seed)
    name, plan, after = rng.choice(tuple(NAMED)), rng.choice(_PLANS), rng.uniform(0, _LONGEST)
    row = " + ".join(fault.name for fault in plan) or "no fault"
    line, ended = f"cancelled({seed})", "complete"
    took: float | None = None
    async with serving(NAMED[name], plan, wire="openai-chat", seed=seed, foreign=True) as served:
        try:
            async with no_leaks():
                with trio.move_on_after(after) as scope:
                    await _session(served.world)
                if scope.cancelled_caught:
                    await served.wait_closed()
                    ended, took = "cancelled", trio.current_time() - scope.deadline
        except AssertionError as left:
            what: FindingName = "leaked_task" if "tasks" in str(left) else "leaked_fd"
            found = (Finding(what, f"cancelled after {after:.4f} s: {left}", line),)
            return Outcome(row=row, ended=ended, findings=found, line=line), took
    return Outcome(row=row, ended=ended, line=line), took


async def _session(world: World) -> None:
    try:
        async with open_session(world.model, world.prompt, tools=world.tools) as session:
            async for _ in session:
                pass
    except StreamdError:
        pass


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
