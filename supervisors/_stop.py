"""Stopping children: ask, wait, cancel, join."""

import math
from collections.abc import Collection

import trio

from ._child import Child
from ._events import Journal
from ._signal import Signal

__all__ = ["join", "stop_children"]

STUCK_AFTER = 5.0
"""Seconds after which a cancelled child that still runs is reported, once."""


async def stop_children(
    children: Collection[Child], signal: Signal, journal: Journal, *, reason: str, longest: float = math.inf
) -> None:
    """Stop children together and return when all have ended (OTP: `shutdown`, wait, `kill`).

    trio has no kill: a child that shields itself from cancellation is reported as stuck and waited for.

    Args:
        children: one, or several that are stopped at the same time.
        signal: what their supervisor sleeps on; each end sets it.
        journal: where the steps are told.
        reason: why, for the `Cancelled` they see.
        longest: a bound in seconds on everybody's grace.

    Cancelling it during the grace leaves children running that were asked to stop; the caller must call it again
    with the grace that is left. The join after the cancel is shielded.
    """
    waiting: dict[float, list[Child]] = {}
    for child in children:
        if child.exit is not None:
            continue
        child.request_stop()
        grace = min(child.spec.shutdown, longest) if child.traps else 0.0
        journal.stopping(child, grace)
        if grace > 0:
            waiting.setdefault(grace, []).append(child)
        else:
            child.scope.cancel(reason)
    now = trio.current_time()
    for grace, group in sorted(waiting.items()):
        with trio.CancelScope(deadline=now + grace):
            await _ended(group, signal)
        for child in group:
            if child.exit is None:
                child.scope.cancel(f"{reason}; its grace of {grace:g} s ran out")
    await _join(children, signal, journal)


async def join(child: Child, journal: Journal, *, shield: bool = True) -> None:
    """Wait for the end of a child that was cancelled, and tell where it is should that take long.

    Args:
        child: the child.
        journal: where that is told.
        shield: whether the wait is shielded.
    """
    with trio.CancelScope(shield=shield, deadline=trio.current_time() + STUCK_AFTER) as scope:
        await child.wait()
    if scope.cancelled_caught and child.exit is None:
        journal.stuck(child)
        with trio.CancelScope(shield=shield):
            await child.wait()


async def _ended(children: Collection[Child], signal: Signal) -> None:
    for child in children:
        while child.exit is None:
            await signal.wait()


async def _join(children: Collection[Child], signal: Signal, journal: Journal) -> None:
    with trio.CancelScope(shield=True, deadline=trio.current_time() + STUCK_AFTER) as scope:
        await _ended(children, signal)
    if scope.cancelled_caught:
        for child in children:
            if child.exit is None:
                journal.stuck(child)
        with trio.CancelScope(shield=True):
            await _ended(children, signal)
