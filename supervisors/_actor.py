"""Actors: a task that owns its state and answers messages one at a time (OTP: `gen_server`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from ._child import Child, current
from ._mailbox import Mailbox, PendingCast
from ._reply import PendingCall, Reply

if TYPE_CHECKING:
    from ._actor_ref import ActorRef

__all__ = ["Actor", "child_in", "live"]

CallT = TypeVar("CallT")
CastT = TypeVar("CastT")
AnswerT = TypeVar("AnswerT")


class Actor(Generic[CallT, CastT, AnswerT]):
    """The state of an actor and what it does with its messages (OTP: a `gen_server` callback module).

    Subclass it, with the types of what it is asked, what it is told, and what it answers; `Never` for what it does
    not take. One object lives as long as one incarnation: a restart makes a new one, with fresh state and an empty
    mailbox. The methods run one at a time, in one task, under `current_child()`. What any of them raises ends the
    actor, and its supervisor decides what follows; an error that the caller is to handle is an answer.

    Example:
        ::

            class Counter(Actor[int, Literal["reset"], int]):  # is asked with ints, told "reset", answers ints
                def __init__(self, start: int) -> None:
                    self.total = start

                async def handle_call(self, message: int, reply: Reply[int]) -> None:
                    self.total += message
                    reply(self.total)

                async def handle_cast(self, message: Literal["reset"]) -> None:
                    self.total = 0

            counter = ActorRef(Counter, 5)
            async with open_supervisor(counter.child_spec("counter")):
                assert await counter.call(2) == 7
                await counter.cast("reset")
    """

    ref: ActorRef[CallT, CastT, AnswerT]
    """What others speak to it by; set before `init` (OTP: `self()`)."""

    idle_timeout: float = math.inf
    """Seconds without a message after which `handle_timeout` is called; may be changed at any time."""

    async def init(self) -> None:
        """Prepare; the actor counts as started once it returns. Messages that come meanwhile wait.

        Make sure of what the actor guarantees, not of the world: connect to others after it.
        """
        await trio.lowlevel.checkpoint()

    async def handle_call(self, message: CallT, reply: Reply[AnswerT]) -> None:
        """Answer a call.

        Args:
            message: what was asked.
            reply: takes the answer, now or later; see `Reply`.
        """
        raise NotImplementedError(f"{type(self).__qualname__} takes no calls, but got {message!r}")

    async def handle_cast(self, message: CastT) -> None:
        """Deal with a message that wants no answer.

        Args:
            message: what was told.
        """
        raise NotImplementedError(f"{type(self).__qualname__} takes no casts, but got {message!r}")

    async def handle_timeout(self) -> None:
        """Do what is due when no message came for `idle_timeout` seconds (OTP: `handle_info(timeout, …)`)."""
        raise NotImplementedError(f"{type(self).__qualname__} sets idle_timeout but not what to do then")

    async def terminate(self, error: Exception | None) -> None:
        """Clean up: after a stop request, within the grace, or after an error in another method but `init`.

        As in OTP it is not called for an actor that is cancelled; what must be undone even then belongs in the
        `finally` or `async with` of whoever runs the actor.

        Args:
            error: what ended the actor; None if it was asked to stop.
        """
        await trio.lowlevel.checkpoint()


def child_in(task: trio.lowlevel.Task | None) -> Child | None:
    """Return the child whose own task this is, or None: the actor runs in a task that is none, in a nursery."""
    child = current.get()
    return child if child is not None and child.task is task else None


async def live(actor: Actor[CallT, CastT, AnswerT], mailbox: Mailbox, on_ready: Callable[[], object]) -> None:
    """Run one incarnation from `init` to `terminate`; what the actor raises is passed on.

    Args:
        actor: the actor.
        mailbox: what its messages come by.
        on_ready: called once `init` has returned.
    """
    await actor.init()
    child = child_in(mailbox.task)
    if child is not None:
        child.trap(mailbox.stop)
        child.publish().channels["mailbox"] = mailbox
    try:
        on_ready()
        await _serve(actor, mailbox)
    except Exception as exc:
        with suppress(trio.Cancelled):  # the failure goes first
            await actor.terminate(exc)
        raise
    else:
        await actor.terminate(None)
    finally:
        if child is not None:
            child.untrap(mailbox.stop)
            child.publish().channels.pop("mailbox", None)


async def _serve(actor: Actor[Any, Any, Any], mailbox: Mailbox) -> None:
    """Deal with one message after another until the actor is to stop."""
    while True:
        if len(mailbox) or actor.idle_timeout == math.inf:
            await mailbox.wait()
            idle = False
        else:
            with trio.move_on_after(actor.idle_timeout) as scope:
                await mailbox.wait()
            idle = scope.cancelled_caught
        if mailbox.stopping:
            return
        if idle:
            await actor.handle_timeout()
            continue
        match mailbox.take():
            case PendingCall() as call:
                await actor.handle_call(call.message, Reply(call))
                call.defer()
            case PendingCast(message=message):
                await actor.handle_cast(message)
