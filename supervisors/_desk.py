"""How a supervisor's loop does what it is called for: start, stop, restart or delete a child."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._calls import Answer, Call
from ._child import ChildRef
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
from ._slots import Slot

if TYPE_CHECKING:
    from ._run import Run

__all__ = ["obey"]


async def obey(run: Run, call: Call) -> Answer:
    """Do what a call asks for, and return its answer; an error is returned, for the caller to raise."""
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
    if isinstance(answer, SupervisionError) and slot.child is None and not run.is_called_off(call.id):
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
    for due in run.dues:
        if slot.spec.id in due.ids:
            due.ids.remove(slot.spec.id)
    run.dues = [due for due in run.dues if due.ids]
    return slot.last or Exit("stopped")
