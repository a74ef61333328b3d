"""What is expected after the common kinds of faults."""

from __future__ import annotations

from collections.abc import Callable

from ._delivery import Delivery
from ._expect import Expect
from ._kind import Strike

__all__ = ["NOTHING", "TOO_LARGE", "after_cut", "either", "fails_with", "still_alive", "unsent"]


def fails_with(*errors: str, final: bool = False, own: bool = False) -> Callable[[Delivery, Strike], Expect]:
    """The run fails with one of these where the terminal evidence did not come, and completes where it did.

    Args:
        errors: Names of classes; see `Expect`.
        final: Whether no attempt may follow.
        own: Whether an application may fail with an error of its own where it did.
    """
    expected = Expect(errors, final=final, own=own)
    return lambda _delivery, _strike: expected


def either(*errors: str) -> Callable[[Delivery, Strike], Expect]:
    """The run completes, or fails with one of these."""
    expected = Expect(errors, either=True)
    return lambda _delivery, _strike: expected


def unsent(*errors: str) -> Callable[[Delivery, Strike], Expect]:
    """The run fails with one of these before a request is made."""
    expected = Expect(errors, either=True, unsent=True)
    return lambda _delivery, _strike: expected


TOO_LARGE = ("EventTooLarge",)
"""What passes a limit passes it the next time, too: these are not tried again."""

NOTHING: Callable[[Delivery, Strike], Expect] = fails_with()
"""The fault must have no effect."""


def after_cut(delivery: Delivery, _strike: Strike) -> Expect:
    """A body that ends as HTTP says is `Truncated` without terminal evidence; one that does not is `ConnectionLost`."""
    return Expect(("Truncated",) if delivery.end == "clean" else ("ConnectionLost",))


def still_alive(delivery: Delivery, _strike: Strike) -> Expect:
    """Which timer fires where bytes come and no output: that between two pieces of output, or that for the first."""
    return Expect(("Stalled(progress)",) if delivery.produced else ("Stalled(first_chunk)",))
