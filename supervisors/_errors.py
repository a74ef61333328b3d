"""Every error of this library.

    SupervisionError             everything below; `failures` names the children behind it
    ├── InvalidSpec              yours, ValueError: a spec or an option cannot work
    ├── ChildStartError          a child failed before it was ready
    ├── RestartLimitExceeded     children failed more often than allowed
    ├── ChildStopError           children raised while they were stopped for good
    ├── LeakedCancellation       a child let the Cancelled of somebody else's scope out: its scopes are misnested
    ├── UnknownChild             LookupError: no child of this id
    ├── ChildExists              there is one already
    ├── ChildRunning             not while it runs
    ├── RestartPending           not while its restart is due
    ├── MaxChildrenReached       no place for one more
    ├── NotRunning               the supervisor has not started, is stopping, or has ended
    ├── AlreadyRunning           one supervisor object cannot run twice at a time
    ├── WouldDeadlock            a child asks for what its supervisor can do only after the child has moved on
    ├── ActorDown                the actor is not running, or ended before it answered; `exit` tells how
    ├── CallingSelf              an actor's call would wait for itself
    ├── MailboxFull              no place for one more message
    ├── NameTaken                something has this name already
    └── UnknownName              LookupError: nothing has this name

`ChildReturned` stands as the error of a permanent child that returned without one. `KeyboardInterrupt`, `SystemExit`
and `trio.Cancelled` are never wrapped in any of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ._exits import Exit

__all__ = [
    "ActorDown",
    "AlreadyRunning",
    "CallingSelf",
    "ChildExists",
    "ChildFailure",
    "ChildReturned",
    "ChildRunning",
    "ChildStartError",
    "ChildStopError",
    "InvalidSpec",
    "LeakedCancellation",
    "MailboxFull",
    "MaxChildrenReached",
    "NameTaken",
    "NotRunning",
    "RestartLimitExceeded",
    "RestartPending",
    "SupervisionError",
    "UnknownChild",
    "UnknownName",
    "WouldDeadlock",
    "describe",
    "start_error",
]

MAX_LIVE_FAILURES = 16
"""How many failures an error carries: each live exception keeps the frames it passed through alive."""


@dataclass(frozen=True, slots=True)
class ChildFailure:
    """One failure of one child.

    Attributes:
        id: the child's id.
        incarnation: which of its runs failed, from 1.
        error: the exception itself, or a `ChildReturned`.
    """

    id: str
    incarnation: int
    error: BaseException


class SupervisionError(Exception):
    """A supervisor could not do its work.

    Attributes:
        failures: the children's failures behind it, oldest first, at most the last 16.
    """

    failures: tuple[ChildFailure, ...]

    def __init__(self, message: str, failures: Sequence[ChildFailure] = ()) -> None:
        super().__init__(message)
        self.failures = tuple(failures[-MAX_LIVE_FAILURES:])


class InvalidSpec(SupervisionError, ValueError):
    """A child spec, a limit or an option of a supervisor cannot work; the message says which and why."""


class ChildStartError(SupervisionError):
    """A child raised, or took longer than its `start_timeout`, before it was ready.

    What it raised is the `__cause__`. Children started before it were stopped in reverse order. A failed first start
    is not retried (OTP: `failed_to_start_child`).
    """


class RestartLimitExceeded(SupervisionError):
    """More restarts were needed than the supervisor's `RestartLimit`, or the `Backoff`, allows.

    Its `__cause__` is an `ExceptionGroup` of the failures. OTP ends with the reason `shutdown` here, so that a
    transient supervisor is silently gone; an error that propagates cannot be overlooked.
    """


class ChildStopError(SupervisionError):
    """Children raised while the supervisor stopped them for good. Its `__cause__` is a group of what they raised."""


class LeakedCancellation(SupervisionError):
    """A child ended with a `trio.Cancelled` that belongs to no scope of its own: its cancel scopes are misnested."""


class UnknownChild(SupervisionError, LookupError):
    """The supervisor has no child of this id."""


class ChildExists(SupervisionError):
    """The supervisor has a child of this id already, running or not; delete it first or choose another id."""


class ChildRunning(SupervisionError):
    """The child is running; stop it first."""


class RestartPending(SupervisionError):
    """The child's restart is due; `stop_child` cancels the restart."""


class MaxChildrenReached(SupervisionError):
    """The supervisor has as many children as it may have."""


class NotRunning(SupervisionError):
    """The supervisor has not started yet, is stopping, or has ended."""


class AlreadyRunning(SupervisionError):
    """`run` was called while the same supervisor runs."""


class WouldDeadlock(SupervisionError):
    """A child asked its own supervisor for something before it was ready or while it was being stopped.

    The supervisor does one thing at a time, and it is waiting for this very child.
    """


class ActorDown(SupervisionError):
    """An actor is not running, or it ended or dropped the call before it answered (OTP: `noproc`, or the reason).

    What ended it, if it failed, is the `__cause__`. It may have done what it was asked for.

    Attributes:
        exit: how it ended; None if it was not running, or if it dropped the call.
    """

    exit: Exit | None

    def __init__(self, message: str, exit: Exit | None = None) -> None:  # noqa: A002 - as the attribute
        super().__init__(message)
        self.exit = exit


class CallingSelf(SupervisionError):
    """An actor called itself, or an actor that waits for it, and would never get an answer (OTP: `calling_self`).

    A task of its own may make the call: the actor goes on meanwhile.
    """


class MailboxFull(SupervisionError):
    """As many messages wait for an actor as its mailbox holds."""


class NameTaken(SupervisionError):
    """Something is registered under this name; it is free once the child that registered it has ended."""


class UnknownName(SupervisionError, LookupError):
    """Nothing is registered under this name."""


class ChildReturned(Exception):
    """A permanent child returned. Nothing raises it: it stands as `ChildFailure.error`."""


def describe(error: BaseException) -> str:
    """Return an error's type and message on one line; of a group, also those of the first error in it."""
    parts: list[str] = []
    inner: BaseException | None = error
    while inner is not None:
        parts.append(type(inner).__name__)
        try:
            parts.append("\\n".join(str(inner).splitlines()))
        except Exception:  # noqa: BLE001 - the error of a child, whose str() must not become its supervisor's
            parts.append("its message cannot be told")
        group = (
            cast("BaseExceptionGroup[BaseException]", inner)
            if isinstance(inner, BaseExceptionGroup)
            else None
        )
        inner = group.exceptions[0] if group is not None else None
    return ": ".join(filter(None, parts))


def start_error(path: str, failure: ChildFailure) -> ChildStartError:
    """Return the error of a failed start, caused by what the child raised."""
    error = ChildStartError(
        f"{path}: child {failure.id!r} failed to start ({describe(failure.error)})", (failure,)
    )
    error.__cause__ = failure.error
    return error
