"""A wire as the harness speaks it: everything a server of it can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from ._failures import FAILURES, Failure
from ._resuming import Resuming
from ._scenario import Turn
from ._wire_event import WireEvent

__all__ = ["Wire"]


def _as_they_are(events: tuple[WireEvent, ...]) -> tuple[WireEvent, ...]:
    return events


class Wire(Struct, frozen=True, kw_only=True):
    """How one wire says things.

    Args:
        name: What the harness calls it: the decoder's name, but where a wire has two framings.
        decoder: Its name in `streamd.providers.WIRES`.
        content_type: Of a streamed response.
        events: A turn, event by event; and its number in the scenario, from 1, which is in the response's id.
        answered: How many turns of tool calls the body of a request already holds: the place of the turn it asks for.
        error: How it says an error inside the stream. The event is `fatal`.
        refusal: The body of a response whose status is that failure's.
        keepalive: An event that holds nothing.
        joined: Frames events anew of which some were added, dropped or moved, where a frame depends on its place.
        provider: What a session is given for its provider, of a base URL and a key.
        model: The model's name.
        resuming: How a response is kept, and the rest of it is asked for; None where no provider of it does that.
        tells: The names of the failures it has words of its own for inside a stream; any other comes as a server's.
    """

    name: str
    decoder: str
    content_type: str
    events: Callable[[Turn, int], tuple[WireEvent, ...]]
    answered: Callable[[bytes], int]
    error: Callable[[Failure], WireEvent]
    refusal: Callable[[Failure], bytes]
    keepalive: WireEvent
    provider: Callable[[str, str], Any]
    joined: Callable[[tuple[WireEvent, ...]], tuple[WireEvent, ...]] = _as_they_are
    model: str = "tiny-1"
    resuming: Resuming | None = None
    tells: frozenset[str] = frozenset(FAILURES)

    def told(self, failure: Failure) -> str:
        """The class in `streamd.errors` of this failure inside a stream."""
        return failure.error if failure.name in self.tells else "ServerError"
