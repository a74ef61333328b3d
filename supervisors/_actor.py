"""Actors: a task that owns its state and answers messages one at a time (OTP: `gen_server`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, TypeVarTuple, Unpack

import trio

from ._child import Child, current
from ._errors import ActorDown, AlreadyRunning, CallingSelf, InvalidSpec, MailboxFull
from ._exits import Exit
from ._mailbox import Mailbox, MailboxStatistics, PendingCast, calling_actor, serving
from ._reply import PendingCall, Reply
from ._spec import Backoff, ChildSpec, Restart

__all__ = ["Actor", "ActorRef"]

CallT = TypeVar("CallT")
CastT = TypeVar("CastT")
AnswerT = TypeVar("AnswerT")
Ts = TypeVarTuple("Ts")


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
        await actor.init()
        child = _child_in(mailbox.task)
        if child is not None:
            child.trap(mailbox.stop)
            child.publish().channels["mailbox"] = mailbox
        try:
            task_status.started(self)
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

    def _end(self, mailbox: Mailbox, began: float, error: BaseException | None) -> None:
        self._mailbox = None
        lifetime = trio.current_time() - began
        if error is None:
            child = _child_in(mailbox.task)
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


def _child_in(task: trio.lowlevel.Task | None) -> Child | None:
    """Return the child whose own task this is, or None: the actor runs in a task that is none, in a nursery."""
    child = current.get()
    return child if child is not None and child.task is task else None


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
