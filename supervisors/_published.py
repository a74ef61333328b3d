"""What a child shows of itself to whoever looks at the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import trio

if TYPE_CHECKING:
    from ._dynamic import DynamicSupervisor
    from ._supervisor import Supervisor
    from ._tasks import TaskSupervisor

__all__ = ["AnySupervisor", "Published", "Watchable"]

AnySupervisor: TypeAlias = "Supervisor | DynamicSupervisor | TaskSupervisor"
"""Whatever holds children or tasks."""


class Watchable(Protocol):
    """Either end of a memory channel."""

    def statistics(self) -> trio.MemoryChannelStatistics:
        """Tell how full the channel is, and who waits for it."""
        ...


class Published:
    """What a child shows of itself; made when there is something to show.

    Attributes:
        channels: those it watches, by what it calls them.
        supervisors: those that run in its task or in tasks it started, as keys.
    """

    __slots__ = ("channels", "supervisors")

    def __init__(self) -> None:
        self.channels: dict[str, Watchable] = {}
        self.supervisors: dict[AnySupervisor, None] = {}
