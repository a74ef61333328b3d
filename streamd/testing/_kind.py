"""A kind of fault: one row of the catalogue."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._fault import At, Fault
from ._reply import Reply
from ._stage import Stage
from ._wire import Wire
from ._wire_event import EventKind, WireEvent

__all__ = ["FaultKind", "Layer", "Phase", "RetryRule", "Strike"]

Layer = Literal["net", "h1", "http", "sse", "json", "prov", "tool", "time", "use", "rt", "sec"]
"""The part of the way in which a fault is: the first word of its name."""

Phase = Literal["connect", "request", "head", "body", "after", "tool", "consumer", "runtime"]
"""When a fault strikes, in the order of a session's life."""

RetryRule = Literal["R0", "R1", "R2", "R3", "R4", "RT", "NO", "-"]
"""Whether a client may try again by itself.

R0: it was never processed, freely. R1: it was sent, and what became of it is not known: with the same idempotency key.
R2: as the status says. R3: nothing of it was delivered, so yes. R4: something was delivered: raise. RT: the turn was
complete: ignore it. NO: never. `-`: there is nothing to retry.
"""


_KINDS: tuple[str, ...] = get_args(EventKind)


class Strike(Struct, frozen=True):
    """One fault striking one request.

    `rng` is seeded by the run's seed, the request and the fault's place in the plan: whatever is to be chosen is drawn
    from it. `request` and `turn` are counted from 1. `key` is the canary, where there is one. Where a client reads a
    response on, `after` is the number of the last event that it has, and `before` are the events up to that.
    """

    fault: Fault
    wire: Wire
    rng: random.Random
    request: int
    turn: int
    key: str = ""
    after: int | None = None
    before: tuple[WireEvent, ...] = ()

    def byte(self, reply: Reply) -> int:
        """The body's byte before which the fault strikes: `byte`, `event` and `kind` places, or any if it says none."""
        size = len(reply.body)
        match self.fault.at:
            case None:
                return self.rng.randint(0, size)
            case At("byte", float() as share):
                return int(size * share)
            case At("byte", int() as place):
                return max(0, min(size, place if place >= 0 else size + place))
            case _:
                return reply.offset(self.event(reply))

    def event(self, reply: Reply) -> int:
        """The event before which the fault strikes: `event` and `kind` places, or any if it says none.

        Raises:
            ConfigError: The place is in another unit.
        """
        count = len(reply.events)
        match self.fault.at:
            case None:
                return self.rng.randint(0, count)
            case At("event", float() as share):
                return int(count * share)
            case At("event", int() as place):
                return max(0, min(count, place if place >= 0 else count + place))
            case At("kind", str() as kind) if kind in _KINDS:
                found = (place for place, event in enumerate(reply.events) if event.kind == kind)
                return next(found, count)
            case At("kind", kind):
                raise ConfigError(
                    f"the fault {self.fault}: no event is of the kind {kind!r}; they are {', '.join(_KINDS)}"
                )
            case at:
                raise ConfigError(f"the fault {self.fault} cannot strike at {at}")

    def with_events(self, reply: Reply, *events: WireEvent) -> Reply:
        """The reply with these events for a body, framed anew where the wire needs it."""
        return replace(reply, events=self.wire.joined(events))

    def number(self, default: float) -> float:
        """The fault's value as a number: zero or more, and finite.

        Raises:
            ConfigError: It is none.
        """
        if self.fault.value is None:
            return default
        try:
            number = float(self.fault.value)
        except ValueError:
            raise ConfigError(f"the value of the fault {self.fault} is no number") from None
        if not 0 <= number < math.inf:
            raise ConfigError(f"the value of the fault {self.fault} is no finite number from 0 on")
        return number


def _as_it_is(reply: Reply, _strike: Strike) -> Reply:
    return reply


def _as_staged(stage: Stage, _strike: Strike) -> Stage:
    return stage


class FaultKind(Struct, frozen=True, kw_only=True):
    """One row of the catalogue.

    Args:
        name: `layer.fault`.
        summary: One sentence: what happens.
        phase: When it strikes. Kinds of the phases `connect` and `request` are asked when a connection is made, before
            there is a request; those of `head`, `body` and `after` for each request; the others before the run.
        retry: Whether a client may try again.
        expect: How a run may end whose last attempt it struck, by what of the reply reaches a client, all faults
            applied. It is pure.
        apply: Makes the struck reply of the reply; of the phases `connect` to `after`. It is pure but for the strike's
            `rng`.
        stage: Makes the struck stage of the stage. What those of the phases `tool`, `consumer` and `runtime` expect
            holds for every attempt.
        resumed: Makes the struck reply of the reply that reads on a response which the fault struck before: that is no
            other strike. None where such a reply is struck as any other.
        late: Whether it is applied after the other faults of a plan, as its place is one of the raw stream, which those
            may move.
        sweep: The places that a sweep tries; none tries the fault without a place.
        values: The values that a sweep tries; none tries it without.
        wires: The names of the wires on which it can happen; on all if empty. On others it strikes nothing.
    """

    name: str
    summary: str
    phase: Phase
    retry: RetryRule
    expect: Callable[[Delivery, Strike], Expect]
    apply: Callable[[Reply, Strike], Reply] = _as_it_is
    stage: Callable[[Stage, Strike], Stage] = _as_staged
    resumed: Callable[[Reply, Strike], Reply] | None = None
    late: bool = False
    sweep: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    wires: tuple[str, ...] = ()

    def on(self, wire: str) -> bool:
        """Whether it can happen on this wire."""
        return not self.wires or wire in self.wires

    @property
    def layer(self) -> str:
        """The layer it is in."""
        return self.name.partition(".")[0]
