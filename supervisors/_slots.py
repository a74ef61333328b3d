"""What a supervisor remembers of a child across its incarnations."""

from contextvars import Context
from dataclasses import dataclass
from typing import Literal

from ._child import Child
from ._exits import Exit
from ._limit import Streak
from ._spec import ChildKind, ChildSpec, Restart

__all__ = ["ChildInfo", "ChildState", "Counts", "Slot"]

ChildState = Literal["starting", "running", "restarting", "stopped"]
"""Not ready yet, ready, between two incarnations, or kept without running."""


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child as `children()` reports it.

    Attributes:
        id: its id.
        state: what it is doing.
        incarnation: its last run's number, 0 before the first.
        restart: when it is restarted.
        kind: worker or supervisor.
        significant: whether its own end can end the supervisor.
    """

    id: str
    state: ChildState
    incarnation: int
    restart: Restart
    kind: ChildKind
    significant: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """How many children a supervisor has (OTP: `count_children`).

    Attributes:
        specs: all, running or not.
        active: those with a live task.
        supervisors: all of the kind supervisor.
        workers: all others.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


class Slot:
    """A child's place: its spec, its live incarnation if any, and how the last one ended."""

    __slots__ = ("child", "context", "last", "number", "restart", "restarting", "spec", "streak")

    def __init__(self, spec: ChildSpec, context: Context, default: Restart) -> None:
        self.spec = spec
        self.context = context
        self.restart: Restart = spec.restart or default
        self.number = 0
        self.child: Child | None = None
        self.last: Exit | None = None
        self.restarting = False
        self.streak: Streak | None = None

    @property
    def state(self) -> ChildState:
        """What the child is doing."""
        if self.child is not None:
            return "running" if self.child.ready else "starting"
        return "restarting" if self.restarting else "stopped"

    def info(self) -> ChildInfo:
        """Return what `children()` reports."""
        spec = self.spec
        return ChildInfo(spec.id, self.state, self.number, self.restart, spec.kind, spec.significant)


def count(infos: tuple[ChildInfo, ...]) -> Counts:
    """Count children by what `children()` reports."""
    active = sum(info.state in ("starting", "running") for info in infos)
    supervisors = sum(info.kind == "supervisor" for info in infos)
    return Counts(len(infos), active, supervisors, len(infos) - supervisors)
