"""What other tasks ask a supervisor's loop to do, one thing at a time."""

from contextvars import Context
from typing import Literal

import trio

from ._child import ChildRef, current
from ._errors import NotRunning, SupervisionError, WouldDeadlock
from ._exits import Exit
from ._spec import ChildSpec

__all__ = ["Call", "Verb", "refuse_deadlock"]

Verb = Literal["start", "stop", "restart", "delete"]


class Call:
    """One request and its answer.

    Attributes:
        abandoned: the caller was cancelled: whatever the call has begun is to be undone.
    """

    __slots__ = ("_answered", "_error", "_result", "abandoned", "begun", "context", "id", "spec", "verb")

    def __init__(
        self, verb: Verb, id: str, spec: ChildSpec | None = None, context: Context | None = None
    ) -> None:  # noqa: A002 - as the spec's field
        self.verb = verb
        self.id = id
        self.spec = spec
        self.context = context
        self.begun = False
        self.abandoned = False
        self._answered = trio.Event()
        self._result: ChildRef | Exit | None = None
        self._error: SupervisionError | None = None

    def answer(self, result: ChildRef | Exit | SupervisionError | None) -> None:
        """Give the caller the result, or the error to raise."""
        if isinstance(result, SupervisionError):
            self._error = result
        else:
            self._result = result
        self._answered.set()

    async def wait(self, *, shield: bool = False) -> ChildRef | Exit | None:
        """Wait for the answer."""
        with trio.CancelScope(shield=shield):
            await self._answered.wait()
        if self._error is not None:
            raise self._error
        return self._result


def refuse_deadlock(owner: object, verb: Verb, id: str) -> None:  # noqa: A002 - as the spec's field
    """Refuse a call from a child that its supervisor is waiting for.

    Raises:
        WouldDeadlock: the calling task is a child of this supervisor that is not ready yet, is being stopped, or
            wants to wait for its own graceful stop.
    """
    child = current.get()
    if child is None or child.owner is not owner or child.task is not trio.lowlevel.current_task():
        return
    if not child.ready:
        raise WouldDeadlock(f"child {child.spec.id!r} called its own supervisor before it was ready")
    if child.stop_requested or (verb == "stop" and id == child.spec.id and child.traps):
        raise WouldDeadlock(f"child {child.spec.id!r} called its own supervisor, which waits for it to stop")


def not_running(what: str) -> NotRunning:
    """Return the error of a call to a supervisor that is not there."""
    return NotRunning(f"{what}: the supervisor has not started, is stopping, or has ended")
