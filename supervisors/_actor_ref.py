"""What actors are started and spoken to by."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar, TypeVarTuple, Unpack

import trio

from ._actor import Actor, child_in, live
from ._errors import ActorDown, AlreadyRunning, CallingSelf, InvalidSpec, MailboxFull
from ._exits import Exit
from ._mailbox import Mailbox, MailboxStatistics, PendingCast, calling_actor, serving
from ._reply import PendingCall
from ._spec import Backoff, ChildSpec, Restart

__all__ = ["ActorRef"]

CallT = TypeVar("CallT")
CastT = TypeVar("CastT")
AnswerT = TypeVar("AnswerT")
Ts = TypeVarTuple("Ts")


class ActorRef(Generic[CallT, CastT, AnswerT]):
    """What an actor is started and spoken to by (OTP: a registered name); it stays the same over restarts.

    Run it as a child, `supervisor.start_child(ref.child_spec("counter"))`, or in a nursery, `nursery.start(ref.run)`.

    Args:
        actor: called for every incarnation: the subclass of `Actor`, or a function that returns one.
        *args: its positional arguments.
        mailbox: how many messages may wait; a sender who finds it full waits.
        name: how it is called in errors; None takes the function's name.

    Raises:
        InvalidSpec: `mailbox` is less than 1.
    """

    __slots__ = ("__weakref__", "_args", "_capacity", "_factory", "_mailbox", "name")

    name: str
    """How the actor is called in errors."""

    def __init__(
        self,
        actor: Callable[[Unpack[Ts]], Actor[CallT, CastT, AnswerT]],
        *args: *Ts,
        mailbox: int = 64,
        name: str | None = None,
    ) -> None:
        if not mailbox >= 1:
            raise InvalidSpec(f"mailbox must be 1 message or more, not {mailbox!r}")
        self.name = name or getattr(actor, "__qualname__", None) or repr(actor)
        self._factory: Callable[..., Actor[CallT, CastT, AnswerT]] = actor
        self._args: tuple[object, ...] = args
        self._capacity = mailbox
        self._mailbox: Mailbox | None = None

    # What its owner calls

    def child_spec(
        self,
        id: str,  # noqa: A002 - as the spec's field
        *,
        restart: Restart | None = None,
        shutdown: float = 5.0,
        start_timeout: float = math.inf,
        significant: bool = False,
        backoff: Backoff | None = None,
    ) -> ChildSpec:
        """Return a spec that runs this actor as a child. The arguments are those of `ChildSpec`.

        Asked to stop, the actor ends the message in hand and its `terminate`, within `shutdown` seconds; messages that
        wait are not handled, and their callers get `ActorDown`.
        """
        return ChildSpec(
            id=id,
            run=self.run,
            restart=restart,
            shutdown=shutdown,
            start_timeout=start_timeout,
            ready="task_status",
            significant=significant,
            backoff=backoff,
        )

    @trio.lowlevel.enable_ki_protection
    async def run(
        self,
        *,
        task_status: trio.TaskStatus[ActorRef[CallT, CastT, AnswerT]] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run one incarnation, until it is asked to stop.

        When it ends, in whatever way, every message that waits is dropped and every caller that waits gets `ActorDown`,
        before it returns and so before a restart.

        Args:
            task_status: told `started(self)` once `init` has returned.

        Raises:
            AlreadyRunning: an incarnation runs already.
            BaseException: whatever a method of the actor raised.

        Cancelling it cancels the method that runs, and `terminate` is not called.
        """
        if self._mailbox is not None:
            raise AlreadyRunning(f"actor {self.name!r}: run() was called while it runs")
        began = trio.current_time()
        mailbox = self._mailbox = Mailbox(self.name, self._capacity)
        token = serving.set(mailbox)
        try:
            await self._live(mailbox, task_status)
        except BaseException as exc:
            self._end(mailbox, began, exc)
            raise
        else:
            self._end(mailbox, began, None)
        finally:
            serving.reset(token)

    @trio.lowlevel.disable_ki_protection
    async def _live(
        self, mailbox: Mailbox, task_status: trio.TaskStatus[ActorRef[CallT, CastT, AnswerT]]
    ) -> None:
        actor = self._factory(*self._args)
        actor.ref = self
        await live(actor, mailbox, partial(task_status.started, self))

    def _end(self, mailbox: Mailbox, began: float, error: BaseException | None) -> None:
        self._mailbox = None
        lifetime = trio.current_time() - began
        if error is None:
            child = child_in(mailbox.task)
            asked = child is not None and child.stop_requested
            mailbox.close(Exit("stopped" if asked else "returned", None, lifetime))
        elif isinstance(error, trio.Cancelled):
            mailbox.close(Exit("cancelled", None, lifetime))
        else:
            mailbox.close(Exit("failed", error, lifetime))

    def request_stop(self) -> None:
        """Ask the actor to end after the message in hand; its run then returns (OTP: `{stop, normal, …}`).

        Idempotent, and does not wait; without effect on an actor that is not running. A permanent child is started
        again.
        """
        if self._mailbox is not None:
            self._mailbox.stop()

    # What anybody may do

    @property
    def running(self) -> bool:
        """Whether there is an incarnation that takes messages."""
        return self._mailbox is not None

    def statistics(self) -> MailboxStatistics:
        """Return how full the mailbox is; that of an actor that is not running is empty."""
        return (
            MailboxStatistics(0, self._capacity, 0, 0)
            if self._mailbox is None
            else self._mailbox.statistics()
        )

    @trio.lowlevel.enable_ki_protection
    async def call(self, message: CallT) -> AnswerT:
        """Ask the actor, and wait for its answer (OTP: `gen_server:call`).

        It waits for a place in the mailbox as well. There is no timeout but the caller's: `with trio.fail_after(5):`.

        Args:
            message: what is asked.

        Returns:
            What the actor gave to the `Reply`.

        Raises:
            ActorDown: the actor is not running (OTP: `noproc`), ended before it answered, or dropped the call. It may
                have done what was asked for.
            CallingSelf: the caller is the actor itself, or an actor that it is waiting for.

        Cancelling it takes the message back if it had no place yet; otherwise the actor deals with it all the same, and
        the late answer is dropped.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        mailbox = self._open()
        call: PendingCall[CallT, AnswerT] = PendingCall(message, mailbox, calling_actor(mailbox))
        mailbox.calls[call] = None
        mailbox.put(call)
        return await call.wait()

    @trio.lowlevel.enable_ki_protection
    async def cast(self, message: CastT) -> None:
        """Tell the actor something; return once the message has a place in the mailbox (OTP: `gen_server:cast`).

        Args:
            message: what is told.

        Raises:
            ActorDown: the actor is not running, or ended before there was a place. OTP says nothing here.
            MailboxFull: there is no place, and the caller is the actor itself or an actor that it is waiting for.

        Cancelling it takes the message back if it had no place yet.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        mailbox = self._open()
        letter = PendingCast(message)
        if not mailbox.full:
            mailbox.put(letter)
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        try:
            caller = calling_actor(mailbox)
        except CallingSelf as exc:
            raise MailboxFull(f"actor {self.name!r}: its mailbox is full, and {exc}") from None
        mailbox.put(letter)
        await letter.wait(mailbox, caller)

    @trio.lowlevel.enable_ki_protection
    def cast_nowait(self, message: CastT) -> None:
        """Tell the actor something without waiting.

        Args:
            message: what is told.

        Raises:
            MailboxFull: there is no place in the mailbox.
            ActorDown: the actor is not running.
        """
        mailbox = self._open()
        if mailbox.full:
            raise MailboxFull(
                f"actor {self.name!r}: {self._capacity} messages wait, which is the most allowed"
            )
        mailbox.put(PendingCast(message))

    def _open(self) -> Mailbox:
        if self._mailbox is None:
            raise ActorDown(f"actor {self.name!r} is not running")
        return self._mailbox

    def __repr__(self) -> str:
        return f"<ActorRef {self.name}>"
