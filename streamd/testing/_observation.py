"""What an application did in a run, as it reported it and as it was seen from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from streamd.providers import StopReason, Usage

from ._stage import Stage

__all__ = ["Observation", "ToolRunSeen"]


@dataclass(frozen=True)
class ToolRunSeen:
    """One run of a tool: the call it was for, what it was called with, when, and what it answered.

    `answer` is None where it failed, or was not waited for.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    at: float
    answer: str | None = None


@dataclass
class Observation:
    """What is known of the application once a run is over."""

    stage: Stage = field(default_factory=Stage)
    streams: bool = False
    """Whether it tells every piece of text as it comes: it has called `World.said`."""
    said: list[str] = field(default_factory=list[str])
    """The text it told of, in pieces; what it took back is not among them."""
    thinks: bool = False
    """Whether it tells every piece of reasoning as it comes: it has called `World.thought`."""
    thoughts: list[str] = field(default_factory=list[str])
    """The reasoning it told of, as `said`."""
    voided: bool = False
    """Whether it took back what it had of the last turn, and has told nothing of that since."""
    tools: list[ToolRunSeen] = field(default_factory=list[ToolRunSeen])
    in_order: bool = False
    """Whether it says that it tells the results of a turn's calls in the calls' order."""
    finished: bool = False
    reason: StopReason | None = None
    """Why the answer ended by its account; None where it does not say."""
    usage: Usage | None = None
    """The tokens that it counted, over all turns; None where it does not say."""
    error: BaseException | None = None
    """What it failed with: reported, or raised."""
    retries: int | None = None
    """How often it says that it asks again, in all; None where it does not say."""
    identifies: bool = False
    """Whether it says that all attempts at a turn have one `Idempotency-Key`, and no two turns the same."""
    beside: bool = False
    """Whether it is in one runtime with the other sessions that a fault opens: it is a session of streamd's."""
    cancelled: bool = False
    """Whether it was cancelled, by the plan, before it came to an end."""
    hung: bool = False
    """Whether it did not end, though nothing more was to come."""
    steps: int = 0
    """How many scheduler steps its tasks took."""
    took: float = 0.0
    """Seconds, virtual in a simulation."""
    leaked_tasks: list[str] = field(default_factory=list[str])
    leaked_sockets: int = 0
    leaked_fds: list[str] = field(default_factory=list[str])
    grown: int = 0
    """Bytes by which the process grew, where that was measured."""
    captured: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Texts in which no key may be: where each was seen, and the text."""

    @property
    def text(self) -> str:
        """All the text it told of."""
        return "".join(self.said)
