"""Responses that a provider keeps, so that a client can read on from where its connection broke."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from streamd.providers import Chunk

from ._delivery import Delivery
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["KeptResponse", "ReadOn", "Resuming", "kept_response", "rest_of", "taken_in"]


class ReadOn(Struct, frozen=True):
    """A request for the rest of a response: the place of its turn in the scenario, and the last number it has."""

    turn: int
    after: int


class Resuming(Struct, frozen=True, kw_only=True):
    """How a wire says that a response is kept, and asks for the rest of one.

    Args:
        keeps: Whether the request with this body asks for a response that is kept.
        asked: What the target of a request by GET asks for; None where it does not ask for the rest of a response. A
            response that no turn has is of the turn 0.
        kept: The events of a response as they are where it is kept.
        number: The number of an event; None where it has none.
        gone: The body of a refusal with this status: the response is not there, or is not streamed any more.
    """

    keeps: Callable[[bytes], bool]
    asked: Callable[[str], ReadOn | None]
    kept: Callable[[tuple[WireEvent, ...]], tuple[WireEvent, ...]]
    number: Callable[[WireEvent], int | None]
    gone: Callable[[int], bytes]


class KeptResponse(Struct, frozen=True):
    """A response at its provider, and how much of it has come.

    Args:
        whole: The reply that would be all of it.
        delivery: What has come, in all of the replies so far.
        last: The number of the last event that came; -1 where none has.
        errors: The errors in which a run may end whose last attempt brought that.
    """

    whole: Reply
    delivery: Delivery
    last: int = -1
    errors: tuple[str, ...] = ()


def kept_response(
    resuming: Resuming, good: Reply, struck: Reply, delivery: Delivery, errors: tuple[str, ...]
) -> KeptResponse | None:
    """What a provider keeps of the response that it began with a reply; None where that refused the request.

    Args:
        resuming: The wire's way.
        good: The reply without faults.
        struck: The reply.
        delivery: What of it reaches the client.
        errors: The errors in which a run may end whose last attempt this was.
    """
    if delivery.end == "refused":
        return None
    last = _last(resuming, struck.events[: delivery.events])
    return KeptResponse(replace(good, events=_own_words(resuming, good, struck)), delivery, last, errors)


def rest_of(resuming: Resuming, response: KeptResponse, after: int) -> tuple[WireEvent, ...]:
    """The events of a response that follow on the one with this number."""
    numbers = [resuming.number(event) for event in response.whole.events]
    late = (place for place, number in enumerate(numbers) if number is not None and number > after)
    # What has no number ends a response that failed: it comes again.
    return response.whole.events[next(late, _trailing(numbers)) :]


def taken_in(
    resuming: Resuming, response: KeptResponse, after: int, reply: Reply, own: Delivery
) -> tuple[Delivery, int]:
    """What has come of a response with one more reply, every event once; and the last number of that.

    What a client says to have counts as what came: if it has not, it loses that.

    Args:
        resuming: The wire's way.
        response: The response, and what came of it before.
        after: The number after which the client asked for the rest.
        reply: What it was answered.
        own: What of that alone reaches the client.
    """
    before, last = response.delivery, max(response.last, after)
    skipped = _numbered(resuming, response.whole.events, response.last, last)

    def merged(own: Delivery) -> Delivery:
        events = reply.events[: own.events]
        new = (event for event in events if _is_new(resuming.number(event), last))
        gives = (*before.gives, *skipped, *(chunk for event in new for chunk in event.gives))
        loose = None if own.loose is None else merged(own.loose)
        return replace(
            own,
            gives=gives,
            terminal=before.terminal or own.terminal,
            fatal_first=own.fatal_first and not before.terminal,
            loose=loose,
        )

    return merged(own), max(last, _last(resuming, reply.events[: own.events]))


def _own_words(resuming: Resuming, good: Reply, struck: Reply) -> tuple[WireEvent, ...]:
    """The response as the provider has it: with what it said itself, and without what the way did to it."""
    broken = [event.kind for event in struck.events if event.fatal]
    whole = not broken and any(event.terminal for event in struck.events)
    numbered = [event for event in struck.events if resuming.number(event) is not None]
    said = broken[:1] == ["error"] or (whole and len(numbered) >= len(good.events))
    return struck.events if said else good.events


def _numbered(resuming: Resuming, events: tuple[WireEvent, ...], after: int, upto: int) -> tuple[Chunk, ...]:
    """What the events give whose numbers are above the one and not above the other."""
    numbers = [(event, resuming.number(event)) for event in events]
    found = (event for event, number in numbers if number is not None and after < number <= upto)
    return tuple(chunk for event in found for chunk in event.gives)


def _last(resuming: Resuming, events: tuple[WireEvent, ...]) -> int:
    numbers = [number for event in events if (number := resuming.number(event)) is not None]
    return max(numbers, default=-1)


def _is_new(number: int | None, last: int) -> bool:
    return number is None or number > last


def _trailing(numbers: list[int | None]) -> int:
    """Where the events begin that follow on the last one with a number."""
    return max((place for place, number in enumerate(numbers) if number is not None), default=-1) + 1
