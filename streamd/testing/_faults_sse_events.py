"""Faults of server-sent events that are spoiled, too large, or errors in another form than the provider's."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from streamd.errors import ConfigError

from ._delivery import Delivery
from ._expect import Expect
from ._in_text import in_text
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, TOO_LARGE, fails_with
from ._payload import SSE_WIRES, before_terminal, first_terminal, new_event, payload_of, with_payload
from ._reply import Reply
from ._told import TOLD, told_of
from ._wire_event import WireEvent

__all__ = ["SSE_EVENTS"]

_PAGE = b"<html><head><title>502 Bad Gateway</title></head>\n<body><h1>502 Bad Gateway</h1></body></html>"
_BROKEN = {"ff": b"\xff", "overlong": b"\xc0\xaf", "cut": b"\xe2\x82"}
_LIMITS = {"gemini": 32, "openai-responses": 32}


def _instead(make: Callable[[bytes], bytes]) -> Callable[[Reply, Strike], Reply]:
    """Put other bytes in the place of the content of one event, at which a client must end."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        at = before_terminal(reply, strike.event(reply), strike.wire)
        if at is None:
            return reply
        event = reply.events[at]
        told = with_payload(event, strike.wire, make(payload_of(event, strike.wire) or b""))
        told = replace(told, gives=(), terminal=False, fatal=True)
        return strike.with_events(reply, *reply.events[:at], told, *reply.events[at + 1 :])

    return apply


def _before(reply: Reply, strike: Strike, event: WireEvent) -> Reply:
    """Put an event before the place, which is before the terminal evidence."""
    at = min(strike.event(reply), first_terminal(reply))
    return strike.with_events(reply, *reply.events[:at], event, *reply.events[at:])


def _page(reply: Reply, strike: Strike) -> Reply:
    if strike.fault.value == "data":
        data = b"data: " + _PAGE.replace(b"\n", b"\ndata: ") + b"\n\n"
    else:
        data = _PAGE + b"\n\n"
    at = max(1, min(strike.event(reply), first_terminal(reply)))
    return strike.with_events(reply, *reply.events[:at], WireEvent(data, "noise", fatal=True))


def _broken(reply: Reply, strike: Strike) -> Reply:
    value = strike.fault.value or "ff"
    if value not in _BROKEN:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_BROKEN)}")
    return in_text(reply, strike, _BROKEN[value], None)


def _unterminated(reply: Reply, strike: Strike) -> Reply:
    """The body ends with an event without its blank line: it counts only where it is the evidence."""
    at = min(strike.event(reply), len(reply.events) - 1)
    event = replace(reply.events[at], data=reply.events[at].data.rstrip(b"\r\n"))
    if not event.terminal:
        event = replace(event, gives=(), loosely=event.gives)
    return replace(reply, events=(*reply.events[:at], event))


def _error_field(reply: Reply, strike: Strike) -> Reply:
    told = told_of(strike)
    error = msgspec.json.encode({"code": told.status, "message": "The request failed.", "type": told.type})
    return _before(reply, strike, WireEvent(b"error: " + error + b"\n\n", "error", fatal=True))


def _event_error(nested: bool) -> Callable[[Reply, Strike], Reply]:  # noqa: FBT001 - given once, below
    def apply(reply: Reply, strike: Strike) -> Reply:
        told = told_of(strike)
        error = {"type": told.type, "code": told.code, "message": "The request failed."}
        data = msgspec.json.encode({"error": error} if nested else error)
        return _before(reply, strike, new_event(strike.wire, data, "error", name="error", fatal=True))

    return apply


def _bare_error(reply: Reply, strike: Strike) -> Reply:
    event = WireEvent(b"error: the model has left\n\n", "error", fatal=True)
    return _before(reply, strike, event)


def _as_told(_delivery: Delivery, strike: Strike) -> Expect:
    told = told_of(strike)
    return Expect((told.error,), final=not told.retryable)


def _mebibytes(strike: Strike) -> int:
    limit = _LIMITS.get(strike.wire.name, 8)
    return int(strike.number(limit + 1) * 1024 * 1024)


def _endless_line(reply: Reply, strike: Strike) -> Reply:
    event = WireEvent(b"data: " + b"x" * _mebibytes(strike), "noise", fatal=True)
    return _before(reply, strike, event)


def _endless_event(reply: Reply, strike: Strike) -> Reply:
    line = b"data: " + b"x" * 1017 + b"\n"
    event = WireEvent(line * (_mebibytes(strike) // len(line) + 1), "noise", fatal=True)
    return _before(reply, strike, event)


def _many_empty(reply: Reply, strike: Strike) -> Reply:
    return _before(reply, strike, WireEvent(b"data:\n\n" * int(strike.number(1_000_000)), "noise"))


_PLACES = ("event:0", "event:1", "event:50%", "kind:finish")


def _spoiled(
    name: str,
    summary: str,
    apply: Callable[[Reply, Strike], Reply],
    *errors: str,
    sweep: tuple[str, ...] = _PLACES,
    values: tuple[str, ...] = (),
    own: bool = False,
) -> FaultKind:
    return FaultKind(
        name=f"sse.{name}",
        summary=summary,
        phase="body",
        retry="NO" if errors == TOO_LARGE else "R4",
        expect=fails_with(*(errors or ("MalformedEvent",)), final=errors == TOO_LARGE, own=own),
        apply=apply,
        sweep=sweep,
        values=values,
        wires=SSE_WIRES,
    )


def _error(name: str, summary: str, apply: Callable[[Reply, Strike], Reply]) -> FaultKind:
    return FaultKind(
        name=f"sse.{name}",
        summary=summary,
        phase="body",
        retry="R4",
        expect=_as_told,
        apply=apply,
        sweep=_PLACES,
        values=tuple(TOLD),
        wires=SSE_WIRES,
    )


SSE_EVENTS: tuple[FaultKind, ...] = (
    _spoiled("comment_as_data", "A comment comes as an event's data.", _instead(lambda _told: b": X")),
    _spoiled("double_prefix", "The field's name comes twice.", _instead(lambda told: b"data: " + told)),
    _spoiled(
        "glued_events",
        "Two events come in one, the second within a text of the first.",
        _instead(lambda told: told[: told.index(b'"') + 3] + b"data: " + told),
    ),
    _spoiled(
        "html_mid_stream",
        "A proxy's web page comes in the middle of the stream, and ends it; `data` if it comes as an event.",
        _page,
        sweep=("event:1", "event:50%", "kind:finish"),
        values=("raw", "data"),
    ),
    FaultKind(
        name="sse.bom_mid",
        summary="A byte order mark stands in the text, where it is a character as any other.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=lambda reply, strike: in_text(reply, strike, b"\xef\xbb\xbf", "\ufeff"),
    ),
    FaultKind(
        name="sse.utf8_invalid",
        summary="Bytes of the text are no UTF-8.",
        phase="body",
        retry="R4",
        expect=fails_with("MalformedEvent"),
        apply=_broken,
        values=tuple(_BROKEN),
    ),
    _spoiled(
        "final_event_unterminated",
        "The body ends without the blank line of its last event, which counts only where it completes the turn.",
        _unterminated,
        "Truncated",
        own=True,
        sweep=("event:0", "event:1", "event:50%", "kind:finish", "event:-1"),
    ),
    _error("error_field", "An error comes as a field of its own, as llama.cpp sends it.", _error_field),
    _error("event_error", "An error comes as an event of that name.", _event_error(nested=True)),
    _error("event_error_flat", "The same, its data being the error itself.", _event_error(nested=False)),
    _spoiled("bare_error", "An error is a line of text.", _bare_error, "APIError"),
    _spoiled(
        "endless_line",
        "A line does not end within a client's limit, or so many MiB.",
        _endless_line,
        *TOO_LARGE,
        sweep=("event:1",),
    ),
    _spoiled(
        "endless_event",
        "An event of short lines does not end within a client's limit, or so many MiB.",
        _endless_event,
        *TOO_LARGE,
        sweep=("event:1",),
    ),
    FaultKind(
        name="sse.million_empty_events",
        summary="A million empty events come between two others, or as many as the value says.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_many_empty,
        sweep=("event:1",),
        wires=SSE_WIRES,
    ),
)
"""Those kinds of the layer `sse` that are more than noise."""
