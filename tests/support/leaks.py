"""Seeing to it that a block leaves nothing behind."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

__all__ = ["no_leaks", "open_fds", "tasks"]


def tasks() -> set[trio.lowlevel.Task]:
    """Every task below trio's root, those of other code included."""
    root = trio.lowlevel.current_root_task()
    found: set[trio.lowlevel.Task] = set()
    waiting = [] if root is None else [root]
    while waiting:
        task = waiting.pop()
        found.add(task)
        waiting.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return found


def open_fds() -> set[int]:
    """The numbers of this process's open files and sockets."""
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    with os.scandir(folder) as entries:
        numbers = {int(entry.name) for entry in entries}
    # One of them was the folder's own, closed by now.
    return {number for number in numbers if _is_open(number)}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@asynccontextmanager
async def no_leaks() -> AsyncIterator[None]:
    """Fail if a task, file or socket that was not there before the block is there after it.

    Enter it inside the test's servers and outside the code under test. A server's own task and socket for a
    connection end some scheduler passes after the client's: it looks again and again, for a bounded number of passes.
    """
    tasks_before, fds_before = tasks(), open_fds()
    yield
    for _ in range(200):
        new_tasks = tasks() - tasks_before
        new_fds = open_fds() - fds_before
        if not new_tasks and not new_fds:
            return
        await _let_others_run()
    assert not new_tasks, f"tasks left behind: {sorted(task.name for task in new_tasks)}"
    assert not new_fds, f"descriptors left behind: {sorted(_describe(number) for number in new_fds)}"


async def _let_others_run() -> None:
    for _ in range(10):
        await trio.lowlevel.checkpoint()


def _describe(number: int) -> str:
    try:
        return f"{number} -> {os.readlink(f'/proc/self/fd/{number}')}"
    except OSError:
        return str(number)
