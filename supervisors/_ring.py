"""The last events, kept to be looked at."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from ._errors import ChildFailure
from ._events import ChildExited, ChildRestarting, Event
from ._past import past_error, past_exit
from ._spec import require

__all__ = ["EventLog"]


class EventLog:
    """An observer that keeps the last events, and lets the older ones go.

    Give it as the `observer` of one supervisor, or of all supervisors of a tree; the events then stand in the order
    they happened. Memory is bounded: an error is kept as a `PastError`, which has its message and its last frames'
    names but holds no frame, and what a child returned is not kept.

    Iterating over it, oldest event first, is safe while events come in.

    Args:
        size: how many events are kept.

    Raises:
        InvalidSpec: `size` is less than 1.
    """

    __slots__ = ("_events", "_total")

    def __init__(self, size: int = 256) -> None:
        require(size >= 1, f"EventLog: size must be 1 or more, not {size!r}")
        self._events: deque[Event] = deque(maxlen=size)
        self._total = 0

    def __call__(self, event: Event) -> None:
        """Keep an event. Supervisors call it."""
        match event:
            case ChildExited(exit=end):
                event = replace(event, exit=past_exit(end))
            case ChildRestarting(cause=ChildFailure(id_, incarnation, error)):
                event = replace(event, cause=ChildFailure(id_, incarnation, past_error(error)))
            case _:
                pass
        self._total += 1
        self._events.append(event)

    @property
    def total(self) -> int:
        """How many events there were; all but the last `len()` of them are gone."""
        return self._total

    def __iter__(self) -> Iterator[Event]:
        """The events that are kept, oldest first."""
        return iter(tuple(self._events))

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._events)

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()
