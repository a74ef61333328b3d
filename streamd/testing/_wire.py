"""A wire as the harness speaks it: everything a server of it can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ._failures import Failure
from ._scenario import Turn
from ._wire_event import WireEvent

__all__ = ["Wire"]


class Wire(Struct, frozen=True, kw_only=True):
    """How one wire says things.

    Args:
        name: What the harness calls it: the decoder's name, but where a wire has two framings.
        decoder: Its name in `streamd.providers.WIRES`.
        content_type: Of a streamed response.
        events: A turn, event by event.
        answered: How many turns of tool calls the body of a request already holds: the place of the turn it asks for.
        error: How it says an error inside the stream. The event is `fatal`.
        refusal: The body of a response whose status is that failure's.
        keepalive: An event that holds nothing; None where the wire has none.
        provider: What a session is given for its provider, of a base URL and a key.
    """

    name: str
    decoder: str
    content_type: str
    events: Callable[[Turn], tuple[WireEvent, ...]]
    answered: Callable[[bytes], int]
    error: Callable[[Failure], WireEvent]
    refusal: Callable[[Failure], bytes]
    keepalive: WireEvent | None
    provider: Callable[[str, str], Any]
