"""How a supervisor's loop does what it is called for: start, stop, restart or delete a child."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._calls import Answer, Call
from ._errors import (
    ChildExists,
    ChildFailure,
    ChildRunning,
    NotRunning,
    RestartPending,
    SupervisionError,
    UnknownChild,
    start_error,
)
from ._exits import Exit
from ._ref import ChildRef
from ._slots import Slot

if TYPE_CHECKING:
    from ._run import Run

__all__ = ["answer_next"]


async def answer_next(run: Run) -> None:
    """Do what the oldest call asks for, and answer it."""
    call = run.calls.take()
    answer = await _obey(run, call)
    slot = run.slots.get(call.id)
    if run.closing is not None and slot is not None and slot.state == "starting":
        return  # it is refused as the final stop begins
    run.calls.current = None
    call.answer(answer)


async def _obey(run: Run, call: Call) -> Answer:
    """Do what a call asks for; an error is returned, for the caller to raise."""
    slot = run.slots.get(call.id)
    if call.verb == "start":
        return ChildExists(f"{call}: there is one already") if slot is not None else await _add(run, call)
    if slot is None:
        return UnknownChild(f"{call}: there is no such child")
    if call.verb == "stop":
        return await _stop(run, slot)
    if slot.child is not None:
        return ChildRunning(f"{call}: it is running; stop it first")
    if slot.restarting:
        return RestartPending(f"{call}: it is about to be restarted; stop_child cancels that")
    if call.verb == "restart":
        return await _start(run, slot, call)
    del run.slots[call.id]
    return None


async def _add(run: Run, call: Call) -> ChildRef | SupervisionError:
    assert call.spec is not None
    assert call.context is not None
    slot = run.slots[call.id] = Slot(call.spec, call.context, "permanent")
    answer = await _start(run, slot, call)
    if isinstance(answer, SupervisionError) and slot.child is None and not run.calls.calls_off(call.id):
        run.slots.pop(call.id, None)
    return answer


async def _start(run: Run, slot: Slot, call: Call) -> ChildRef | SupervisionError:
    started = await run.start(slot, call)
    if isinstance(started, ChildFailure):
        return start_error(run.path, started)
    if started is None:
        return NotRunning(f"{call}: the start was called off")
    return ChildRef(started)


async def _stop(run: Run, slot: Slot) -> Exit:
    if slot.child is not None:
        await run.stop(slot, f"{run.path}: stop_child({slot.spec.id!r})")
        run.settle(slot)
    slot.restarting = False
    run.restarts.cancel(slot.spec.id)
    return slot.last or Exit("stopped")
