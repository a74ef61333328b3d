"""One call on its way: what the caller waits on, and what the actor answers by."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

import trio

from ._errors import ActorDown

if TYPE_CHECKING:
    from ._mailbox import Mailbox

__all__ = ["PendingCall", "Reply"]

CallT = TypeVar("CallT")
AnswerT = TypeVar("AnswerT")


class PendingCall(Generic[CallT, AnswerT]):
    """One call, from the moment it is made: settled once, by an answer, by `ActorDown`, or by its caller's leaving.

    Attributes:
        message: what the actor is asked.
        to: the mailbox it was put in.
    """

    __slots__ = ("_answer", "_caller", "_down", "_settled", "_task", "message", "to")

    def __init__(self, message: CallT, to: Mailbox, caller: Mailbox | None) -> None:
        self.message: CallT = message
        self.to: Mailbox = to
        self._caller = caller
        self._task: trio.lowlevel.Task | None = None
        self._settled = False
        self._answer: AnswerT | None = None
        self._down: ActorDown | None = None

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self._settled

    def settle(self, answer: AnswerT | None, down: ActorDown | None = None) -> bool:
        """Wake the caller with an answer or an error; False if the call was settled before."""
        if self._settled:
            return False
        self._answer = answer
        self._down = down
        self._close()
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
        return True

    def defer(self) -> None:
        """Note that the actor has moved on: the answer comes from somebody else, if it was not given yet."""
        if self._caller is not None and not self._settled:
            self._caller.waits_for = None

    async def wait(self) -> AnswerT:
        """Wait for the answer.

        Raises:
            ActorDown: there will be none.

        Cancelling it takes the message back if there was no room for it yet, and drops the answer otherwise.
        """
        self._task = trio.lowlevel.current_task()
        if self._caller is not None:
            self._caller.waits_for = self.to

        def abort(_: object) -> trio.lowlevel.Abort:
            self.to.withdraw(self)
            self._close()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if self._down is None:
            return cast("AnswerT", self._answer)
        try:
            raise self._down
        finally:
            self._down = None  # else the error's traceback and this call keep each other alive

    def _close(self) -> None:
        self._settled = True
        self.to.calls.pop(self, None)
        if self._caller is not None:
            self._caller.waits_for = None


class Reply(Generic[AnswerT]):
    """What a call is answered by (OTP: the `From` of `handle_call`, and `gen_server:reply`).

    Call it with the answer, now or later, once: `reply(answer)`. It may be handed to any task of the same
    `trio.run`, which may outlive the actor. If it is dropped unused, the caller gets `ActorDown`; a task that may fail
    or be cancelled does its work in a block, `with reply:`, as an error that somebody keeps would keep the `Reply` too.
    """

    __slots__ = ("_call", "_used")

    def __init__(self, call: PendingCall[object, AnswerT]) -> None:
        self._call = call
        self._used = False

    def __call__(self, answer: AnswerT, /) -> bool:
        """Answer the call. Does not wait.

        Args:
            answer: what `call` returns.

        Returns:
            Whether the caller gets it. False: it was cancelled, or the actor has ended and the caller knows.

        Raises:
            RuntimeError: it was used before.
        """
        if self._used:
            raise RuntimeError("a call was answered twice")
        self._used = True
        return self._call.settle(answer)

    def __enter__(self) -> Self:
        """Return the `Reply`; when the block is left without an answer, the caller gets `ActorDown` at once."""
        return self

    def __exit__(self, *_: object) -> None:
        if not self._used:
            self._used = True
            _no_reply(self._call)

    def __del__(self) -> None:
        call = self._call
        if not (self._used or call.settled):
            # A collection may happen in any thread and at any place: trio's own queue is safe everywhere.
            with suppress(trio.RunFinishedError):
                call.to.token.run_sync_soon(_no_reply, call)


def _no_reply(call: PendingCall[Any, Any]) -> None:
    call.settle(None, ActorDown(f"actor {call.to.name!r} gave no reply: it dropped the call unanswered"))
