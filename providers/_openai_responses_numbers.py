"""The numbers that a server gives its events: what a hole in them means, and what a repeat."""

from __future__ import annotations

from .errors import SequenceGap

__all__ = ["EventNumbers"]


class EventNumbers:
    """The `sequence_number`s of one response, over all the bodies it comes in.

    Any first number is right, and each next one is one more. A number that is left out is a `SequenceGap`. Servers
    that give some events no number, or the same one, or start again in the middle, do not number at all: of such a
    stream nothing is checked any more, and nothing is dropped. A number that was seen before is a repeat, whose event
    is left out, only in a body that continues another one, and where the same event comes twice in a row.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self._data = b""  # of the last event
        self._proved = False  # that numbers go up
        self._counts = True
        self._continued = False

    @property
    def known(self) -> bool:
        """Whether the place in the response is known, so that it can be read on from there."""
        return self._counts and self.last is not None

    def go_on(self) -> None:
        """Say that the events to come are of another body, which continues the response."""
        self._continued = True

    def is_repeat(self, number: int | None, data: bytes = b"") -> bool:
        """Take the number of the next event, and its bytes, and say whether that event was read before.

        Raises:
            SequenceGap: The number does not follow on the last one.
        """
        last = self.last
        if last is None or number == last + 1:
            self._proved = last is not None
            self.last, self._data = number, data
        elif not self._counts:
            return False
        elif number is None:
            self._counts = self._continued
        elif number <= last:
            if self._continued or (self._proved and number == last and data == self._data):
                return True
            self._counts = False
        else:
            raise SequenceGap(f"the event after number {last} has the number {number}: some are missing")
        return False
