"""The handoff: the channel without a buffer between whoever feeds a parser and the parser."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Self, TypeVar

import trio

__all__ = ["Handoff"]

T = TypeVar("T", bound=object)


class Handoff(Generic[T]):
    """A memory channel of capacity nothing, with any number of senders and one receiver.

    It is `trio.open_memory_channel(0)` with one difference, which is why it is there: a value that needs no waiting
    costs no more than waking the receiver. Senders that wait are served in order; one that is cancelled takes its value
    back. `None` is no value. It ends when it is closed, from either side: senders then get `trio.BrokenResourceError`,
    the receiver `trio.EndOfChannel`.
    """

    __slots__ = ("_closed", "_given", "_receiver", "_senders")

    def __init__(self) -> None:
        self._closed = False
        self._receiver: trio.lowlevel.Task | None = None
        self._given: T | None = None
        self._senders: dict[trio.lowlevel.Task, T] | None = None  # made when first needed

    @trio.lowlevel.enable_ki_protection
    def send_nowait(self, value: T) -> None:
        """Give the value to the receiver, which waits for it.

        Raises:
            trio.WouldBlock: It does not.
            trio.BrokenResourceError: The channel is closed.
        """
        receiver = self._receiver
        if receiver is None:
            raise trio.BrokenResourceError if self._closed else trio.WouldBlock
        self._receiver = None
        self._given = value
        trio.lowlevel.reschedule(receiver)

    @trio.lowlevel.enable_ki_protection
    async def send(self, value: T) -> None:
        """Give the value to the receiver, and wait until it takes it. Cancelling takes the value back.

        Raises:
            trio.BrokenResourceError: The channel is closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._receiver is not None or self._closed:
            self.send_nowait(value)
            return
        task = trio.lowlevel.current_task()
        if self._senders is None:
            self._senders = {}
        senders = self._senders
        senders[task] = value

        def abort(_: object) -> trio.lowlevel.Abort:
            del senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if task in senders:
            del senders[task]
            raise trio.BrokenResourceError

    @trio.lowlevel.enable_ki_protection
    async def receive(self) -> T:
        """The next value, waited for. Cancelling takes none.

        Raises:
            trio.EndOfChannel: The channel is closed.
        """
        if self._closed:
            raise trio.EndOfChannel
        if self._senders:
            await trio.lowlevel.checkpoint_if_cancelled()
            task = next(iter(self._senders))
            value = self._senders.pop(task)
            trio.lowlevel.reschedule(task)
            # So that senders go on one after the other, and nobody else waits for all of them.
            await trio.lowlevel.cancel_shielded_checkpoint()
            return value
        self._receiver = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)
        given, self._given = self._given, None
        if given is None:
            raise trio.EndOfChannel
        return given

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED

    @trio.lowlevel.enable_ki_protection
    def close(self) -> None:
        """End the channel: nothing more is given, not by those who wait either. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._receiver is not None:
            trio.lowlevel.reschedule(self._receiver)
            self._receiver = None
        for task in self._senders or ():
            trio.lowlevel.reschedule(task)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
