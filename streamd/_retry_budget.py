"""How many retries sessions may make together, so that an outage is not amplified by those who wait for its end."""

from __future__ import annotations

import math
from typing import final

from msgspec import Struct

from .errors import ConfigError

__all__ = ["RetryBudget", "RetryTokens"]


class RetryBudget(Struct, frozen=True, kw_only=True):
    """What bounds the retries of all sessions of a runtime, for each provider alone: a token bucket.

    A retry takes one token, and every turn that is completed gives `refill` of one back, up to `capacity`, with which
    it begins. Where there is no whole token the error is raised at once. So there are never more retries than
    `capacity` and `refill` for each good turn: with the defaults an outage costs 10 requests on top of the first of
    each turn, however many sessions it meets, and a provider that fails one request in ten has most of them retried.
    Ten good turns earn the next retry, and no time has to pass.

    This is the retry token bucket of the AWS SDKs. gRPC's throttling (gRFC A6) counts failures rather than retries, and
    so needs many more successes after an outage before it allows a retry; a bucket that requests fill, as Finagle's,
    goes on retrying all through the outage.

    Args:
        capacity: How many retries may be made before the first turn is completed; 0 for none.
        refill: What part of a token each completed turn gives back, from 0 to 1.
    """

    capacity: float = 10.0
    refill: float = 0.1

    def __post_init__(self) -> None:
        numbers = (getattr(self, name) for name in self.__struct_fields__)
        if not (
            all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
            and 0 <= self.capacity < math.inf
            and 0 <= self.refill <= 1
        ):
            raise ConfigError(f"RetryBudget needs a finite capacity >= 0, and 0 <= refill <= 1, not {self!r}")


@final
class RetryTokens:
    """The tokens that are left of one budget. Nothing in it waits, and it has no clock."""

    __slots__ = ("_budget", "_left")

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self._left = float(budget.capacity)

    @property
    def left(self) -> int:
        """How many retries may be made now."""
        return int(self._left + ROUNDING)

    def take(self) -> bool:
        """Take the token of a retry that is about to be made; false where there is none, and it must not be made."""
        if not self.left:
            return False
        self._left = max(0.0, self._left - 1.0)
        return True

    def refill(self) -> None:
        """Note that a turn was completed."""
        self._left = min(float(self._budget.capacity), self._left + self._budget.refill)


ROUNDING = 1e-9
"""Ten tenths of a token are one, whatever their sum is in binary fractions."""
