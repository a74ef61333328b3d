"""What happens to the application itself: how it reads, what its tools do, when it is cancelled."""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

__all__ = ["Reading", "Stage", "ToolBody"]

ToolBody = Literal["answers", "raises", "hangs", "ignores_cancel", "floods", "unwritable", "exits"]
"""What a tool does: answer; raise; hang; hang through a cancellation for a while; answer at enormous length; answer
what no JSON can hold; raise what is no `Exception`."""

Reading = Literal["eager", "stops", "leaves", "raises"]
"""How the application reads: to the end; not any more after `reading_from` chunks; until then, leaving the block or
raising an exception of its own."""


class Stage(Struct, frozen=True, kw_only=True):
    """What is done to the application in one run.

    Args:
        cancel_at: The scheduler steps of the application's tasks before which it is cancelled, from 1; a second one
            cancels what still runs of it.
        cancel_after: Virtual seconds after which it is cancelled.
        tools: What the n-th run of a tool does, from 1; other runs answer.
        pace: Seconds that the consumer takes for each chunk.
        reading: How it reads.
        reading_from: After how many chunks that begins.
    """

    cancel_at: tuple[int, ...] = ()
    cancel_after: float = math.inf
    tools: tuple[tuple[int, ToolBody], ...] = ()
    pace: float = 0.0
    reading: Reading = "eager"
    reading_from: int = 0

    @property
    def cuts_short(self) -> bool:
        """Whether the application may not come to its own end."""
        return bool(self.cancel_at) or self.cancel_after < math.inf or self.reading in ("leaves", "raises")

    def tool(self, run: int) -> ToolBody:
        """What the n-th run of a tool does."""
        for number, body in self.tools:
            if number == run:
                return body
        return "answers"
