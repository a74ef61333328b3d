"""What a child shows of itself to whoever looks at the tree."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Fill", "Published", "Watchable"]


class Fill(Protocol):
    """What of a `trio.MemoryChannelStatistics` the tree shows."""

    @property
    def current_buffer_used(self) -> int:
        """Items in the buffer."""
        ...

    @property
    def max_buffer_size(self) -> float:
        """Items it can hold."""
        ...

    @property
    def tasks_waiting_send(self) -> int:
        """Tasks that wait to send."""
        ...

    @property
    def tasks_waiting_receive(self) -> int:
        """Tasks that wait to receive."""
        ...


class Watchable(Protocol):
    """Either end of a memory channel, or what counts its items alike."""

    def statistics(self) -> Fill:
        """Tell how full the channel is, and who waits for it."""
        ...


class Published:
    """What a child shows of itself; made when there is something to show.

    Attributes:
        channels: those it watches, by what it calls them.
        supervisors: those that run in its task or in tasks it started, as keys. Of what kind they are is known to
            whoever looks: a child does not know what supervises.
    """

    __slots__ = ("channels", "supervisors")

    def __init__(self) -> None:
        self.channels: dict[str, Watchable] = {}
        self.supervisors: dict[object, None] = {}
