"""Where one incarnation of an actor finds its messages, bounded, and who waits on it."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import trio

from ._errors import ActorDown, CallingSelf, describe
from ._exits import Exit
from ._reply import PendingCall

__all__ = ["Letter", "Mailbox", "MailboxStatistics", "PendingCast", "calling_actor", "serving"]

CastT = TypeVar("CastT")

serving: ContextVar[Mailbox | None] = ContextVar("streamd.supervisors.serving", default=None)


class PendingCast(Generic[CastT]):
    """One cast; a caster waits for no more than a place in the mailbox.

    Attributes:
        message: what the actor is told.
    """

    __slots__ = ("_task", "message")

    def __init__(self, message: CastT) -> None:
        self.message: CastT = message
        self._task: trio.lowlevel.Task | None = None

    def wake(self) -> None:
        """Let the caster go on: the message has its place, or the actor has ended."""
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)

    async def wait(self, to: Mailbox, caller: Mailbox | None) -> None:
        """Wait for a place. Cancelling it takes the message back.

        Raises:
            ActorDown: the actor ended before there was one.
        """
        self._task = trio.lowlevel.current_task()
        if caller is not None:
            caller.waits_for = to

        def abort(_: object) -> trio.lowlevel.Abort:
            to.withdraw(self)
            return trio.lowlevel.Abort.SUCCEEDED

        try:
            await trio.lowlevel.wait_task_rescheduled(abort)
        finally:
            if caller is not None:
                caller.waits_for = None
        if to.withdraw(self):
            raise to.down()


Letter = PendingCall[Any, Any] | PendingCast[Any]


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """How full a mailbox is; the names are those of `trio.MemoryChannelStatistics`.

    Attributes:
        current_buffer_used: messages that wait in it (OTP: `message_queue_len`).
        max_buffer_size: messages it can hold.
        tasks_waiting_send: senders that wait for a place: the actor is too slow.
        tasks_waiting_receive: 1 if the actor waits for a message, 0 if it has something to do.
    """

    current_buffer_used: int
    max_buffer_size: int
    tasks_waiting_send: int
    tasks_waiting_receive: int


class Mailbox:
    """The messages of one incarnation: at most `capacity` inside, and those whose senders wait, in one order.

    The actor's task is its one reader. Its senders' tasks wait on their letters, never on the mailbox.

    Attributes:
        name: the actor's, for errors.
        task: the actor's.
        token: the run's, to reach it from wherever a `Reply` is collected.
        calls: the calls not settled, oldest first.
        waits_for: the mailbox of the actor that this one is calling, while nobody else can give the answer.
        stopping: whether the actor is to end after the message in hand.
        exit: how the incarnation ended, once it has.
    """

    __slots__ = (
        "_capacity",
        "_inside",
        "_outside",
        "_reader",
        "calls",
        "exit",
        "name",
        "stopping",
        "task",
        "token",
        "waits_for",
    )

    def __init__(self, name: str, capacity: int) -> None:
        self.name: str = name
        self.task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        self.token: trio.lowlevel.TrioToken = trio.lowlevel.current_trio_token()
        self.calls: dict[PendingCall[Any, Any], None] = {}
        self.waits_for: Mailbox | None = None
        self.stopping: bool = False
        self.exit: Exit | None = None
        self._capacity = capacity
        self._inside: deque[Letter] = deque()
        self._outside: dict[Letter, None] = {}
        self._reader: trio.lowlevel.Task | None = None

    def __len__(self) -> int:
        """Return how many messages are inside."""
        return len(self._inside)

    @property
    def full(self) -> bool:
        """Whether the next sender has to wait."""
        return len(self._inside) >= self._capacity

    # What senders do

    def put(self, letter: Letter) -> bool:
        """Add a letter; False if it has to wait outside for a place."""
        if len(self._inside) < self._capacity:
            self._inside.append(letter)
            self._wake()
            return True
        self._outside[letter] = None
        return False

    def withdraw(self, letter: Letter) -> bool:
        """Take back a letter that is outside; False if it is not."""
        if letter in self._outside:
            del self._outside[letter]
            return True
        return False

    def down(self) -> ActorDown:
        """Return the error of a message that the incarnation cannot deal with any more."""
        end = self.exit
        assert end is not None
        how = end.kind if end.error is None else describe(end.error)
        error = ActorDown(f"actor {self.name!r} has ended ({how})", end)
        error.__cause__ = end.error
        return error

    # What the actor does

    async def wait(self) -> None:
        """Wait until there is a letter, or reason to stop. A checkpoint in every case."""
        if self._inside or self.stopping:
            await trio.lowlevel.checkpoint()
            return
        self._reader = trio.lowlevel.current_task()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._reader = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def take(self) -> Letter:
        """Remove the oldest letter, which must be there, and let one from outside in."""
        letter = self._inside.popleft()
        if self._outside:
            entering = next(iter(self._outside))
            del self._outside[entering]
            self._inside.append(entering)
            if isinstance(entering, PendingCast):
                entering.wake()
        return letter

    def stop(self) -> None:
        """Have the actor end after the message in hand."""
        self.stopping = True
        self._wake()

    def close(self, end: Exit) -> None:
        """End the incarnation: whoever waits on it is told, in the order they came; what is inside is dropped."""
        self.exit = end
        self.task = None
        self._inside.clear()
        for call in tuple(self.calls):
            self._outside.pop(call, None)
            call.settle(None, self.down())
        for letter in self._outside:
            if isinstance(letter, PendingCast):
                letter.wake()

    def _wake(self) -> None:
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def statistics(self) -> MailboxStatistics:
        """Return how full it is."""
        reading = int(self._reader is not None)
        return MailboxStatistics(len(self._inside), self._capacity, len(self._outside), reading)


def calling_actor(to: Mailbox) -> Mailbox | None:
    """Return the mailbox of the actor whose own task is about to wait for another, or None if it is no actor's.

    Args:
        to: the mailbox of whom it is going to wait for.

    Raises:
        CallingSelf: that one waits for the caller, directly or through others, or is the caller.
    """
    caller = serving.get()
    if caller is None or caller.task is not trio.lowlevel.current_task():
        return None
    at: Mailbox | None = to
    names = [caller.name]
    while at is not None:
        names.append(at.name)
        if at is caller:
            raise CallingSelf(f"an actor would wait for itself: {' -> '.join(names)}")
        at = at.waits_for
    return caller
