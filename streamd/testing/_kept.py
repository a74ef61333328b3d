"""The responses of one run that their provider keeps: what has come of each, and what comes when it is read on."""

from __future__ import annotations

from typing import final

from msgspec.structs import replace

from ._reply import Reply
from ._resuming import KeptResponse, ReadOn, Resuming, kept_response, rest_of, taken_in
from ._trace import Attempt
from ._wire_event import WireEvent

__all__ = ["Kept"]


@final
class Kept:
    """The kept responses, by their turns: of a turn that was asked for again the last one."""

    def __init__(self) -> None:
        self._responses: dict[int, KeptResponse] = {}
        self._under_way: int | None = None

    def forget(self, turn: int) -> None:
        """A turn is asked for anew, and its new response has the same id."""
        self._responses.pop(turn, None)
        self._under_way = None

    def begin(self, resuming: Resuming, good: Reply, attempt: Attempt) -> None:
        """Keep a response from now on, unless its request was refused.

        Args:
            resuming: The wire's way.
            good: The reply without faults.
            attempt: The one that asked for it.
        """
        found = kept_response(resuming, good, attempt.reply, attempt.delivery, _errors(attempt))
        if attempt.turn is not None and found is not None:
            self._responses[attempt.turn] = found
            self._under_way = attempt.turn

    def broke(self) -> tuple[str, ...]:
        """The errors that broke the response that is under way: what it ends in, if it cannot be read on."""
        found = None if self._under_way is None else self._responses.get(self._under_way)
        return () if found is None or found.delivery.terminal else found.errors

    def asked_unread(self, turn: int) -> ReadOn | None:
        """What a request may ask for that was not read: the rest of the turn's response, if that was not complete."""
        found = self._responses.get(turn)
        return None if found is None or found.delivery.terminal else ReadOn(turn, found.last)

    def rest(self, resuming: Resuming, asked: ReadOn) -> tuple[Reply, tuple[WireEvent, ...]] | None:
        """What the request for the rest of a response is answered, and the events before; None where it is not kept."""
        found = self._responses.get(asked.turn)
        if found is None:
            return None
        events = rest_of(resuming, found, asked.after)
        before = found.whole.events[: len(found.whole.events) - len(events)]
        return replace(found.whole, events=events), before

    def take_in(self, resuming: Resuming, asked: ReadOn, attempt: Attempt) -> Attempt:
        """The attempt to read a kept response on, with all that has come of that."""
        found, own = self._responses[asked.turn], attempt.delivery
        delivery, last = taken_in(resuming, found, asked.after, attempt.reply, own)
        answered = own.head and own.end != "refused"
        # A response that failed at its provider fails however often it is read.
        own_end = answered and not any(event.fatal for event in found.whole.events)
        errors = _errors(attempt) if own_end else found.errors
        self._responses[asked.turn] = replace(found, delivery=delivery, last=last, errors=errors)
        return replace(attempt, delivery=delivery, broke=() if own_end else found.errors)


def _errors(attempt: Attempt) -> tuple[str, ...]:
    return tuple(error for expected in attempt.expect for error in expected.errors)
