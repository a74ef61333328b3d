"""What a supervisor remembers of a child across its incarnations."""

from contextvars import Context
from dataclasses import dataclass
from typing import Literal

from ._child import Child
from ._errors import ChildExists
from ._exits import Exit
from ._limit import Streak
from ._plan import Plan
from ._policy import should_restart
from ._spec import ChildKind, ChildSpec, Restart

__all__ = ["ChildInfo", "ChildState", "Counts", "Slot", "count", "rebuilt"]

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

    @property
    def expected(self) -> bool:
        """Whether the child runs, or is to be started again."""
        end = self.child.exit if self.child is not None else None
        if end is None:
            return self.child is not None or self.restarting
        # It has just ended, and what becomes of it is decided next.
        return should_restart(self.restart, failed=end.error is not None)

    def info(self) -> ChildInfo:
        """Return what `children()` reports."""
        spec = self.spec
        return ChildInfo(spec.id, self.state, self.number, self.restart, spec.kind, spec.significant)


def count(infos: tuple[ChildInfo, ...]) -> Counts:
    """Count children by what `children()` reports."""
    active = sum(info.state in ("starting", "running") for info in infos)
    supervisors = sum(info.kind == "supervisor" for info in infos)
    return Counts(len(infos), active, supervisors, len(infos) - supervisors)


def rebuilt(slots: dict[str, Slot], plan: Plan) -> dict[str, Slot]:
    """Return the slots of a new epoch: those of the specs that `build` gives, then those added at run time.

    A child keeps its count of incarnations. Whatever `build` raises is passed on.

    Raises:
        InvalidSpec: the specs do not suit each other.
        ChildExists: one has the id of a child that was added at run time and runs.
    """
    assert plan.build is not None
    specs = tuple(plan.context.run(plan.build))
    plan.check(specs)
    fresh: dict[str, Slot] = {}
    for spec in specs:
        slot = fresh[spec.id] = Slot(spec, plan.context, "permanent")
        before = slots.get(spec.id)
        if before is not None:
            if before.child is not None:
                raise ChildExists(
                    f"build gave a child {spec.id!r}, but one runs that was added by start_child"
                )
            slot.number, slot.last = before.number, before.last
    for id_, slot in slots.items():
        if slot.context is not plan.context:
            fresh.setdefault(id_, slot)
    return fresh
