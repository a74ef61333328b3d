"""What follows on a failed attempt: a decision, which does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ._retry import Retry
from .errors import (
    AuthenticationError,
    ConnectFailed,
    NotAStream,
    NotFoundError,
    OverloadedError,
    QuotaError,
    RateLimitError,
    SequenceGap,
    ServerError,
    StreamdError,
    StreamError,
    TransportError,
    Truncated,
)

__all__ = ["Failed", "Step", "next_steps"]

Step = Literal["read_on", "again", "another"]
"""The response is read on from where it broke; its request is made again; another model is asked."""

BROKEN = (TransportError, Truncated, SequenceGap)
"""Breaks after which a response may go on at the provider."""

REFUSED = (ConnectFailed, AuthenticationError, QuotaError)
"""Errors which, where they are for good, say nothing of the response that was to be read on: its request would fail so,
too."""

ANOTHER = (
    TransportError,
    StreamError,
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    QuotaError,
    OverloadedError,
    ServerError,
)
"""Errors of one provider, where another may answer. A `BadRequestError` says that the request is wrong: to ask somebody
else would hide it; `ConfigError`, `ActorCrashed` and the rest are not the provider's."""

ONCE = (NotAStream,)
"""Errors after which one more attempt is enough to tell chance from a wrong address."""


class Failed(Struct, frozen=True, kw_only=True):
    """A failed attempt, and what came before it.

    Args:
        error: What ended it.
        earlier: The errors of the attempts at this turn before it, with the same model.
        unread: What reading a response on failed with, where none of it came: `error` is then the break before.
        delivered: The consumer was given output of this turn.
        acted: What was given may have had an effect that a repetition would double.
        alone: Nothing at all was given in this session.
        others: There are models that were not asked.
    """

    error: StreamdError
    earlier: Sequence[StreamdError] = ()
    unread: StreamdError | None = None
    delivered: bool = False
    acted: bool = False
    alone: bool = True
    others: bool = False

    @property
    def cause(self) -> StreamdError:
        """What says how long to wait."""
        return self.unread if self.unread is not None and self.unread.retryable else self.error


def next_steps(failed: Failed, retry: Retry | None) -> tuple[Step, ...]:
    """What may be done, the best first; of these `read_on` and `again` are retries, and need what a retry needs."""
    error = failed.error
    steps: list[Step] = []
    if retry is not None and retry.resume and _may_read_on(failed):
        steps.append("read_on")
    if retry is not None and _may_repeat(failed, retry):
        steps.append("again")
    if failed.others and failed.alone and isinstance(error, ANOTHER):
        steps.append("another")
    return tuple(steps)


def _may_read_on(failed: Failed) -> bool:
    if failed.unread is not None:
        return failed.unread.retryable
    if isinstance(failed.error, SequenceGap):
        return not any(isinstance(each, SequenceGap) for each in failed.earlier)
    return isinstance(failed.error, BROKEN)


def _may_repeat(failed: Failed, retry: Retry) -> bool:
    error, unread = failed.error, failed.unread
    if isinstance(unread, REFUSED) and not unread.retryable:
        return False
    if isinstance(error, ONCE) and any(type(each) is type(error) for each in failed.earlier):
        return False
    return not failed.delivered or (retry.restart and not failed.acted)
