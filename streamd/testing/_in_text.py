"""Bytes put into the text of an answer, wherever the wire tells it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from streamd.providers import Text

from ._kind import Strike
from ._payload import payload_of, with_payload
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["in_text"]


def in_text(reply: Reply, strike: Strike, sent: bytes, shown: str | None) -> Reply:
    """The reply with bytes before the text of the first event that has text.

    Args:
        reply: The reply; one without text, or whose text was struck so before, is left as it is.
        strike: The fault.
        sent: The bytes.
        shown: As what a client is to show them; None where it must end with an error there.
    """
    for at, event in enumerate(reply.events):
        payload = payload_of(event, strike.wire)
        first = next((chunk for chunk in event.gives if isinstance(chunk, Text)), None)
        if event.kind != "text" or first is None or payload is None:
            continue
        text = msgspec.json.encode(first.text)
        head, found, rest = payload.rpartition(text)
        if not found:
            return reply
        told = with_payload(event, strike.wire, head + b'"' + sent + text[1:] + rest)
        if shown is None:
            told = replace(told, gives=(), fatal=True)
        else:
            gives = tuple(Text(shown + first.text) if chunk is first else chunk for chunk in event.gives)
            told = replace(told, gives=gives)
        events = (*reply.events[:at], told, *reply.events[at + 1 :])
        return strike.with_events(reply, *(_told_again(each, first.text, sent) for each in events))
    return reply


def _told_again(event: WireEvent, text: str, sent: bytes) -> WireEvent:
    """The event; where it tells the text again, whole, it says the same as the pieces."""
    if event.kind not in ("close", "end"):
        return event
    begins = b'"text":' + msgspec.json.encode(text)[:-1]
    return replace(event, data=event.data.replace(begins, b'"text":"' + sent + begins[8:]))
