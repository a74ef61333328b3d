"""A supervision tree at one moment: frozen values, without a reference to anything that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ._exits import Exit
from ._spec import Strategy

__all__ = ["Branch", "BranchKind", "ChannelFill", "Frame", "Tree", "TreeKind", "TreeState"]

TreeKind = Literal["supervisor", "dynamic", "tasks"]
"""A `Supervisor`, a `DynamicSupervisor` or a `TaskSupervisor`."""

BranchKind = Literal["worker", "supervisor", "task"]
"""The kind of a child's spec, or a task of a `TaskSupervisor`."""

TreeState = Literal["starting", "running", "restarting", "stopping", "stopped"]
"""Not ready yet, ready, between two incarnations, asked to stop, or not running."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One place in the code.

    Attributes:
        function: the function's qualified name.
        file: the path of its source.
        line: the line it is at, from 1.
    """

    function: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ChannelFill:
    """A channel that a child has named by `current_child().watch()`.

    Attributes:
        name: what the child calls it.
        used: items in its buffer.
        size: items its buffer can hold; may be `math.inf`.
        sending: tasks that wait to send: the receiver is too slow.
        receiving: tasks that wait to receive: there is nothing to do.
    """

    name: str
    used: int
    size: float
    sending: int
    receiving: int


@dataclass(frozen=True, slots=True)
class Branch:
    """One child of a supervisor, or one task of a `TaskSupervisor`.

    Attributes:
        id: its id, or the task's name.
        path: its id after the names of the supervisors above it, joined by `/`.
        kind: what it is.
        state: what it is doing.
        incarnation: its last run's number, 0 before the first.
        uptime: seconds since it was started; None if it is not running, and for tasks.
        next_restart: seconds until it is started again, 0 if that is due; None if it does not wait for a restart.
        blocked: where its task is: the last frames outside of trio and of this library, outermost first, at most 3, and
            the function of these that they wait in. Empty if it has not begun, or is a supervisor itself.
        last: how the incarnation before ended, if there was one; its error is a `PastError`, its value is left out.
        channels: the channels it watches.
        supervisors: those that run in it, or in tasks it started.
    """

    id: str
    path: str
    kind: BranchKind
    state: TreeState
    incarnation: int
    uptime: float | None = None
    next_restart: float | None = None
    blocked: tuple[Frame, ...] = ()
    last: Exit | None = None
    channels: tuple[ChannelFill, ...] = ()
    supervisors: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """One supervisor and all below it.

    Attributes:
        name: what it was called, `supervisor` if it was not.
        path: its name after those of the supervisors above it, joined by `/`.
        kind: what it is.
        state: what it is doing.
        strategy: that of a `Supervisor`; None for the others.
        restarts_left: how many restarts its limit still allows now; None for a `TaskSupervisor`.
        children: in start order; tasks by name.
    """

    name: str
    path: str
    kind: TreeKind
    state: TreeState
    strategy: Strategy | None = None
    restarts_left: int | None = None
    children: tuple[Branch, ...] = ()
