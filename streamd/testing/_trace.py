"""What happened in a run, in order, with the time: the same for the same seed, byte by byte."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ._delivery import Delivery
from ._expect import Expect
from ._reply import Reply
from ._results import ResultTold

__all__ = ["Attempt", "Trace", "TraceEvent"]


class TraceEvent(Struct, frozen=True):
    """One thing that happened: when (seconds after the start; virtual ones in a simulation), where, and what."""

    at: float
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.at:12.6f}  {self.who:<8}  {self.what}"


class Attempt(Struct, frozen=True, kw_only=True):
    """One connection that was not made, or one request that was answered.

    Args:
        number: From 1.
        turn: The turn that was asked for, from 1; None where there was no request, or one for what is not kept.
        at: When it came.
        reply: What it was answered, faults included.
        faults: The places in the plan of the faults that struck it.
        delivery: What of the reply reaches a client that reads all it can; of a response that is read on, with what
            came of it before.
        alone: What of this reply alone reaches such a client, be it a repetition.
        after: The number of the last event that the client says to have of a response which it reads on; None where it
            asks for a response.
        kept: Whether the provider keeps the response.
        broke: The errors in which the run may end, besides, where a response could not be read on, or failed at its
            provider: those of the attempts before.
        results: The results of tools in the request's body; None where there was none to look at.
        request_key: What the request's field `Idempotency-Key` holds; empty without one, None where there was none to
            look at.
        expect: What each of those faults expects of a run of which this is the last attempt, and each that strikes the
            application itself.
        rules: Whether a client may try again after each of them, in the same order: their `FaultKind.retry`.
    """

    number: int
    turn: int | None
    at: float
    reply: Reply
    faults: tuple[int, ...]
    delivery: Delivery
    alone: Delivery
    after: int | None = None
    kept: bool = False
    broke: tuple[str, ...] = ()
    results: tuple[ResultTold, ...] | None = None
    request_key: str | None = None
    expect: tuple[Expect, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def asked(self) -> str:
        """What was asked for, in words."""
        if self.after is not None:
            response = "an unknown response" if self.turn is None else f"turn {self.turn}"
            return f"the rest of {response} after event {self.after}"
        return "no connection" if self.turn is None else f"turn {self.turn}"


class Trace:
    """A run's events and attempts, as they happen."""

    def __init__(self) -> None:
        self.events: list[TraceEvent] = []
        self.attempts: list[Attempt] = []
        self.staged: tuple[Expect, ...] = ()
        """What the faults that strike the application itself expect of a run that asks nothing."""

    def add(self, at: float, who: str, what: str) -> None:
        """Write down one event."""
        self.events.append(TraceEvent(at, who, what))

    @property
    def text(self) -> str:
        """All events, a line each."""
        return "".join(f"{event}\n" for event in self.events)

    def json(self) -> bytes:
        """All events as a JSON array."""
        return msgspec.json.encode(self.events)
