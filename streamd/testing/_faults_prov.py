"""Faults of what the provider says: errors inside the stream, and ends that are none."""

from __future__ import annotations

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._failures import FAILURES
from ._kind import FaultKind, Strike
from ._outcomes import fails_with
from ._reply import Reply

__all__ = ["PROV"]


def _error_mid(reply: Reply, strike: Strike) -> Reply:
    name = strike.fault.value or "overloaded"
    if name not in FAILURES:
        raise ConfigError(f"the fault {strike.fault}: the failures are {', '.join(FAILURES)}")
    last = next((place for place, event in enumerate(reply.events) if event.terminal), len(reply.events))
    at = min(strike.event(reply), last)
    return strike.with_events(reply, *reply.events[:at], strike.wire.error(FAILURES[name]))


def _told(_delivery: Delivery, strike: Strike) -> Expect:
    failure = FAILURES[strike.fault.value or "overloaded"]
    told = strike.wire.told(failure)
    return Expect((told,), final=told == failure.error and not failure.retryable)


def _eof(reply: Reply, strike: Strike) -> Reply:
    return strike.with_events(reply, *(event for event in reply.events if not event.terminal))


PROV: tuple[FaultKind, ...] = (
    FaultKind(
        name="prov.error_mid",
        summary="The provider ends the stream with an error of its own, before the turn was complete.",
        phase="body",
        retry="R4",
        expect=_told,
        apply=_error_mid,
        sweep=("event:0", "event:1", "event:50%", "kind:finish"),
        values=tuple(FAILURES),
    ),
    FaultKind(
        name="prov.eof_no_terminal",
        summary="The body ends as HTTP says a body ends, but without the provider's terminal evidence.",
        phase="body",
        retry="R4",
        expect=fails_with("Truncated"),
        apply=_eof,
    ),
)
"""The kinds of the layer `prov`."""
