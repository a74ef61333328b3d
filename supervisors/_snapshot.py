"""Looking at a supervision tree without disturbing it (OTP: `observer`, by way of `which_children`)."""

import os
from collections import deque
from typing import TypeAlias, cast

import trio

from ._child import Child
from ._dynamic import DynamicSupervisor
from ._past import past_exit
from ._published import Fill, Published
from ._slots import Slot
from ._supervisor import Supervisor
from ._tasks import TaskSupervisor
from ._tree import Branch, ChannelFill, Frame, Tree, TreeState

__all__ = ["AnySupervisor", "snapshot"]

AnySupervisor: TypeAlias = Supervisor | DynamicSupervisor | TaskSupervisor
"""Whatever holds children or tasks."""

DEPTH = 3
"""How many frames outside of trio a snapshot shows of each child."""

TRIO = os.path.dirname(trio.__file__) + os.sep
HOUSE = os.path.dirname(__file__) + os.sep


def snapshot(supervisor: AnySupervisor) -> Tree:
    """Return what a supervisor and all below it are doing now.

    Supervisors that run in a child, as it (`as_child`) or opened by it, are part of the tree. It costs some
    microseconds per child, and holds no reference to a task, a frame or an error: it can be kept, and costs nothing
    as long as nobody calls it. Call it in trio's thread, from any task or from an observer.

    Args:
        supervisor: a `Supervisor`, a `DynamicSupervisor` or a `TaskSupervisor`; it need not be running.
    """
    return _tree(supervisor, None)


def _tree(supervisor: AnySupervisor, host: str | None) -> Tree:
    """Return the tree of a supervisor that runs in the child of this path."""
    # It looks inside, so that supervisors need nothing for those who look.
    match supervisor:
        case Supervisor(_plan=plan, _run=run):  # pyright: ignore[reportPrivateUsage] - see above
            name, path = plan.name or "supervisor", supervisor.path
            if run is None:
                return Tree(name, path, "supervisor", "stopped", plan.strategy, plan.restarts.max_restarts)
            state: TreeState = (
                "stopping" if run.closing is not None else "running" if run.ready else "starting"
            )
            now, times = trio.current_time(), run.restarts.times()
            return Tree(
                *(name, path, "supervisor", state, plan.strategy, run.restarts.left(plan.restarts)),
                tuple(_branch(path, slot, now, times.get(slot.spec.id, now)) for slot in run.slots.values()),
            )
        case DynamicSupervisor(_plan=pool_plan, _run=pool):  # pyright: ignore[reportPrivateUsage] - see above
            name, path = pool_plan.name or "supervisor", supervisor.path
            if pool is None:
                return Tree(name, path, "dynamic", "stopped", None, pool_plan.restarts.max_restarts)
            state = "running" if pool.closing is None else "stopping"
            now, dues = trio.current_time(), pool.times()
            return Tree(
                *(name, path, "dynamic", state, None, pool.left()),
                tuple(_branch(path, place, now, dues.get(place, now)) for place in pool.places),
            )
        case TaskSupervisor(_name=name, _nursery=nursery, _shutdown=shutdown):  # pyright: ignore[reportPrivateUsage] - see above
            path = f"{host}/{name}" if host else name
            if nursery is None:
                return Tree(name, path, "tasks", "stopped")
            state = "running" if shutdown is not None and not shutdown.is_set() else "stopping"
            tasks = [_task(path, name, task) for task in nursery.child_tasks]
            return Tree(name, path, "tasks", state, children=tuple(sorted(tasks, key=_id)))


def _branch(above: str, slot: Slot, now: float, due: float) -> Branch:
    spec, child = slot.spec, slot.child
    path = f"{above}/{spec.id}"
    last = slot.last and past_exit(slot.last)
    if child is None:
        wait = max(0.0, due - now) if slot.state == "restarting" else None
        return Branch(spec.id, path, spec.kind, slot.state, slot.number, next_restart=wait, last=last)
    if child.exit is not None:  # its supervisor has not come to it yet
        return Branch(spec.id, path, spec.kind, "stopped", slot.number, last=past_exit(child.exit))
    shown = child.published or Published()
    return Branch(
        *(spec.id, path, spec.kind, _state(child), slot.number),
        uptime=now - child.started_at,
        blocked=() if child.task is None or spec.kind == "supervisor" else _blocked(child.task),
        last=last,
        channels=tuple(_fill(name, channel.statistics()) for name, channel in shown.channels.items()),
        supervisors=tuple(_tree(cast("AnySupervisor", one), path) for one in shown.supervisors),
    )


def _state(child: Child) -> TreeState:
    if child.expected:
        return "stopping"
    return "running" if child.ready else "starting"


def _task(above: str, name: str, task: trio.lowlevel.Task) -> Branch:
    id_ = task.name.removeprefix(f"{name}/")
    return Branch(id_, f"{above}/{id_}", "task", "running", 1, blocked=_blocked(task))


def _id(branch: Branch) -> str:
    return branch.id


def _fill(name: str, statistics: Fill) -> ChannelFill:
    return ChannelFill(
        name,
        statistics.current_buffer_used,
        statistics.max_buffer_size,
        statistics.tasks_waiting_send,
        statistics.tasks_waiting_receive,
    )


def _blocked(task: trio.lowlevel.Task) -> tuple[Frame, ...]:
    """Return the last frames that are the user's, and the first of the library's that the last of them calls."""
    own: deque[Frame] = deque(maxlen=DEPTH)
    called: tuple[Frame, ...] = ()
    outermost = True
    for frame, line in task.iter_await_frames():
        code = frame.f_code
        file = code.co_filename
        if file.startswith(HOUSE):
            if outermost:
                continue  # what every child runs in
        else:
            outermost = False
        if not file.startswith((HOUSE, TRIO)):
            own.append(Frame(code.co_qualname, file, line))
            called = ()
        elif not called:
            called = (Frame(code.co_qualname, file, line),)
    return (*own, *called)
