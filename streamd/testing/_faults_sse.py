"""Faults of the framing of server-sent events, most of which a client must not notice."""

from __future__ import annotations

from msgspec.structs import replace

from ._kind import FaultKind, Strike
from ._outcomes import NOTHING
from ._reply import Reply
from ._sse import COMMENT

__all__ = ["SSE"]


def _comment(reply: Reply, strike: Strike) -> Reply:
    if not _is_sse(reply):
        return reply
    at = strike.event(reply)
    return strike.with_events(reply, *reply.events[:at], COMMENT, *reply.events[at:])


def _crlf(reply: Reply, _strike: Strike) -> Reply:
    if not _is_sse(reply):
        return reply
    return replace(
        reply,
        events=tuple(replace(event, data=event.data.replace(b"\n", b"\r\n")) for event in reply.events),
    )


def _is_sse(reply: Reply) -> bool:
    return (reply.header("content-type") or "").startswith("text/event-stream")


SSE: tuple[FaultKind, ...] = (
    FaultKind(
        name="sse.comment",
        summary="A comment line comes between two events.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_comment,
        sweep=("event:0", "event:50%", "event:-1"),
    ),
    FaultKind(
        name="sse.crlf",
        summary="Lines end in CR LF.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_crlf,
    ),
)
"""The kinds of the layer `sse`."""
