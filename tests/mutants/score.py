"""How many of the faults that were sown were noticed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Score"]


@dataclass(frozen=True, slots=True)
class Score:
    """So many were sown, and so many of them noticed."""

    sown: int = 0
    noticed: int = 0

    @property
    def whole(self) -> bool:
        """Whether all were."""
        return self.noticed == self.sown

    def __str__(self) -> str:
        share = 100 * self.noticed / self.sown if self.sown else 100
        return f"{self.noticed} of {self.sown} ({share:.4g} %)"
