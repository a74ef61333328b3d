"""What the reuse of connections means for counting attempts: some are none of the client's, and some are not seen."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ._reply import Reply
from ._trace import Attempt

__all__ = ["free_attempts", "says_more", "unread_attempts"]


def free_attempts(attempts: Sequence[Attempt]) -> frozenset[int]:
    """The numbers of those that need not be counted.

    What is sent on a connection that its server has closed by then is never processed, and may be sent again.
    """
    pairs = itertools.pairwise(attempts)
    return frozenset(after.number for before, after in pairs if _may_stay(before) and _is_silent(after.reply))


def unread_attempts(attempts: Sequence[Attempt]) -> int:
    """How many may have been made besides, on connections whose server had more to say, and did not read on."""
    return sum(says_more(attempt.reply) for attempt in attempts[:-1])


def _may_stay(attempt: Attempt) -> bool:
    """Whether a client can use the connection for another request: the response on it came to its end."""
    return attempt.delivery.head and attempt.delivery.end in ("clean", "refused")


def _is_silent(reply: Reply) -> bool:
    """Whether the server ends the connection before any byte of an answer, as it does with one that was idle."""
    cut = reply.cut
    return cut is not None and cut.raw and cut.at == 0 and cut.how != "stall"


def says_more(reply: Reply) -> bool:
    """Whether bytes follow on a response that is whole by its head."""
    short = reply.length is not None and reply.length < len(reply.body)
    return bool(reply.surplus) or (reply.framing == "length" and (short or reply.repeat is not None))
