"""What is expected after the common kinds of faults."""

from __future__ import annotations

from collections.abc import Callable

from ._delivery import Delivery
from ._kind import Expect

__all__ = ["LOST", "NOTHING", "after_cut", "after_refusal", "either", "fails_with"]

LOST = ("ConnectionLost", "ConnectFailed", "Truncated")
"""The errors of a connection that ended too early."""


def fails_with(*errors: str) -> Callable[[Delivery], Expect]:
    """The run fails with one of these where the terminal evidence did not come, and completes where it did."""
    expected = Expect(errors)
    return lambda _delivery: expected


def either(*errors: str) -> Callable[[Delivery], Expect]:
    """The run completes, or fails with one of these."""
    expected = Expect(errors, either=True)
    return lambda _delivery: expected


NOTHING: Callable[[Delivery], Expect] = fails_with()
"""The fault must have no effect."""


def after_cut(delivery: Delivery) -> Expect:
    """A body that ends as HTTP says is `Truncated` without terminal evidence; one that does not is `ConnectionLost`."""
    if delivery.end == "clean":
        return Expect(("Truncated",))
    return Expect(("ConnectionLost",))


def after_refusal(delivery: Delivery) -> Expect:
    """Any error of the provider's."""
    return Expect(("APIError",))
