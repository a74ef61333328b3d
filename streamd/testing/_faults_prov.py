"""Faults of what the provider says: errors inside the stream, and ends that are none."""

from __future__ import annotations

from msgspec.structs import replace

from streamd.errors import ConfigError

from ._expect import after_refusal, fails_with
from ._failures import FAILURES
from ._kind import FaultKind, Strike
from ._reply import Reply

__all__ = ["PROV"]


def _error_mid(reply: Reply, strike: Strike) -> Reply:
    name = strike.fault.value or "overloaded"
    if name not in FAILURES:
        raise ConfigError(f"the fault {strike.fault}: the failures are {', '.join(FAILURES)}")
    last = next((place for place, event in enumerate(reply.events) if event.terminal), len(reply.events))
    at = min(strike.event(reply), last)
    return replace(reply, events=(*reply.events[:at], strike.wire.error(FAILURES[name])))


def _eof(reply: Reply, _strike: Strike) -> Reply:
    kept = tuple(event for event in reply.events if not event.terminal)
    return replace(reply, events=kept)


PROV: tuple[FaultKind, ...] = (
    FaultKind(
        name="prov.error_mid",
        summary="The provider ends the stream with an error of its own, before the turn was complete.",
        phase="body",
        retry="R4",
        expect=after_refusal,
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
