"""What other tasks ask a supervisor's loop to do, one thing at a time."""

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import Context
from typing import Literal

import trio

from ._child import Child, current
from ._errors import NotRunning, SupervisionError, WouldDeadlock
from ._exits import Exit
from ._ref import ChildRef
from ._spec import ChildSpec

__all__ = ["Answer", "Call", "Calls", "Verb", "around", "giving_in", "refuse_deadlock"]

Verb = Literal["start", "stop", "restart", "delete"]
Answer = ChildRef | Exit | SupervisionError | None


class Call:
    """One request and its answer.

    Attributes:
        verb: what is asked for.
        id: the child it is about.
        spec: the child to start, for the verb `start`.
        context: the context variables to start it with.
        abandoned: whether the caller was cancelled, so that whatever the call has begun is to be undone.
    """

    __slots__ = ("_answer", "_answered", "abandoned", "context", "id", "spec", "verb")

    def __init__(
        self,
        verb: Verb,
        id: str,  # noqa: A002 - as the spec's field
        spec: ChildSpec | None = None,
        context: Context | None = None,
    ) -> None:
        self.verb: Verb = verb
        self.id = id
        self.spec = spec
        self.context = context
        self.abandoned = False
        self._answered = trio.Event()
        self._answer: Answer = None

    def answer(self, answer: Answer) -> None:
        """Give the caller the result, or the error to raise; the first time counts."""
        if not self._answered.is_set():
            self._answer = answer
            self._answered.set()

    def refuse(self) -> None:
        """Tell the caller that the supervisor is not there."""
        self.answer(self.refusal())

    def refusal(self) -> NotRunning:
        """Return the error of this call to a supervisor that is not there."""
        return NotRunning(f"{self}: the supervisor has not started, is stopping, or has ended")

    async def wait(self) -> ChildRef | Exit | None:
        """Wait for the answer; raise it if it is an error."""
        await self._answered.wait()
        answer, self._answer = self._answer, None
        if not isinstance(answer, SupervisionError):
            return answer
        try:
            raise answer
        finally:
            del answer  # else the traceback and this frame keep each other alive

    async def wait_undone(self) -> None:
        """Wait, without being cancelled, until an abandoned call has been undone."""
        with trio.CancelScope(shield=True):
            await self._answered.wait()

    def __str__(self) -> str:
        return f"{self.verb}_child({self.id!r})"


class Calls:
    """The calls that wait for a supervisor's loop, and the one it is at.

    Attributes:
        waiting: those not begun, oldest first.
        current: the one that is being obeyed.
    """

    __slots__ = ("current", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Call] | tuple[()] = ()  # made when first needed
        self.current: Call | None = None

    def post(self, call: Call) -> None:
        """Add a call."""
        if not isinstance(self.waiting, deque):
            self.waiting = deque()
        self.waiting.append(call)

    def take(self) -> Call:
        """Begin the oldest."""
        assert isinstance(self.waiting, deque)
        self.current = self.waiting.popleft()
        return self.current

    def withdraw(self, call: Call) -> bool:
        """Take a call back, or mark it as abandoned and return False if it has begun."""
        if isinstance(self.waiting, deque) and call in self.waiting:
            self.waiting.remove(call)
            return True
        call.abandoned = True
        return False

    def calls_off(self, id: str) -> bool:  # noqa: A002 - as the spec's field
        """Tell whether somebody waits to stop this child."""
        return any(call.verb == "stop" and call.id == id for call in self.waiting)

    def refuse_all(self) -> None:
        """Answer all, the current one too: no more is done, and a child may wait for the answer before it stops."""
        for call in self.waiting:
            call.refuse()
        self.waiting = ()
        if self.current is not None:
            self.current.refuse()
            self.current = None


def around(owner: object) -> list[Child]:
    """Return the children that the calling task is part of, from the innermost to the one of this owner.

    Args:
        owner: whom the outermost reports to.

    Returns:
        The children, each of which waits for the calling task before it ends; none if the task is in no child of the
        owner.
    """
    chain: list[Child] = []
    task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
    while task is not None:
        child = task.context.get(current)
        if child is not None and child.task is task:
            chain.append(child)
            if child.owner is owner:
                return chain
        nursery = task.parent_nursery
        task = nursery.parent_task if nursery is not None else None
    return []


def refuse_deadlock(chain: Sequence[Child], call: Call) -> None:
    """Refuse a call from a child that its supervisor is waiting for.

    Args:
        chain: the children that the calling task is part of.
        call: what it asks for.

    Raises:
        WouldDeadlock: the caller is a child of this supervisor, or below one, that is not ready yet, is being stopped,
            or wants to wait for its own graceful stop.
    """
    if not chain:
        return
    child, outermost = chain[0], chain[-1]
    own = child.task is trio.lowlevel.current_task()
    if own and not any(one.ready for one in chain):
        raise WouldDeadlock(f"{call}: called by child {child.spec.id!r} before it was ready")
    stops_itself = call.verb == "stop" and call.id == outermost.spec.id and outermost is child and own
    if (child.stop_requested and outermost.stop_requested) or (stops_itself and child.traps):
        raise _own_stop(call, child)


@contextmanager
def giving_in(calls: Calls, call: Call, chain: Sequence[Child]) -> Generator[None, None, None]:
    """While a call is waited for, refuse it as soon as the supervisor waits for the end of its caller.

    Without grace, or in a block that lasts until the stop, the caller is cancelled, which goes first.

    Args:
        calls: those of the supervisor.
        call: the one that waits.
        chain: the children that the calling task is part of.
    """
    if not chain:
        yield
        return
    child, outermost = chain[0], chain[-1]

    def give_in() -> None:
        if child.traps and child.stop_requested and outermost.stop_requested:
            calls.withdraw(call)
            call.answer(_own_stop(call, child))

    for one in {child, outermost}:
        one.listen(give_in)
    try:
        yield
    finally:
        for one in {child, outermost}:
            one.untrap(give_in)


def _own_stop(call: Call, child: Child) -> WouldDeadlock:
    return WouldDeadlock(f"{call}: called by child {child.spec.id!r}, whose own stop this would wait for")
