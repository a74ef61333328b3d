"""Seeing to it that a block leaves nothing behind."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

__all__ = [
    "below",
    "children",
    "describe_fd",
    "left_open",
    "no_leaks",
    "open_fds",
    "open_files",
    "tasks",
    "threads",
]


def tasks() -> set[trio.lowlevel.Task]:
    """Every task below trio's root, those of other code included."""
    root = trio.lowlevel.current_root_task()
    return set() if root is None else below(root)


def below(top: trio.lowlevel.Task | trio.Nursery) -> set[trio.lowlevel.Task]:
    """A task with all tasks below it, or all below a nursery."""
    found: set[trio.lowlevel.Task] = set()
    waiting = [top] if isinstance(top, trio.lowlevel.Task) else list(top.child_tasks)
    while waiting:
        task = waiting.pop()
        found.add(task)
        waiting.extend(child for nursery in task.child_nurseries for child in nursery.child_tasks)
    return found


Files = dict[int, tuple[int, int]]
"""Open files by their numbers: which they are, as a number is given again once its file was closed."""


def open_files() -> Files:
    """This process's open files and sockets; none on Windows, where they cannot be listed."""
    folder = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
    if not os.path.isdir(folder):
        return {}
    with os.scandir(folder) as entries:
        numbers = [int(entry.name) for entry in entries]
    found: Files = {}
    for number in numbers:
        try:
            status = os.fstat(number)
        except OSError:
            continue  # the folder's own, closed by now
        found[number] = status.st_dev, status.st_ino
    return found


def open_fds() -> set[int]:
    """The numbers of this process's open files and sockets."""
    return set(open_files())


def left_open(before: Files) -> tuple[list[str], int]:
    """What was opened since and is open: what files lead to, in order, and how many sockets there are."""
    names = [describe_fd(number).partition(" -> ")[2] for number in _opened_since(before)]
    files = sorted(name.partition(":[")[0] or "a file" for name in names if not name.startswith("socket:"))
    return files, len(names) - len(files)


def _opened_since(before: Files) -> list[int]:
    return [number for number, which in open_files().items() if before.get(number) != which]


def describe_fd(number: int) -> str:
    """A descriptor, and what it leads to where that can be told."""
    try:
        return f"{number} -> {os.readlink(f'/proc/self/fd/{number}')}"
    except OSError:
        return str(number)


def threads() -> set[threading.Thread]:
    """Every thread but those that trio keeps for its next call."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("Trio thread")}


def children() -> set[int]:
    """The process ids of this process's children; none where there is no /proc to tell."""
    found: set[int] = set()
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            found.update(map(int, task.read_text().split()))
        except OSError:
            continue  # the thread has ended
    return found


@asynccontextmanager
async def no_leaks() -> AsyncGenerator[None, None]:
    """Fail if a task, file, socket, thread or child process that was not there before the block is there after it.

    Enter it inside the servers of a test and outside the code under test. What ends takes some scheduler passes to be
    gone, a server's own task and socket for a connection among it: this looks again and again, for a bounded number of
    passes. A block that raises is not looked at.

    Raises:
        AssertionError: Something was left; the message names all of it.
    """
    before = tasks(), open_files(), threads(), children()
    yield
    left = _left(*before)
    for _ in range(200):
        if not left:
            return
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        left = _left(*before)
    if left:
        raise AssertionError("left behind: " + "; ".join(left))


def _left(
    tasks_before: set[trio.lowlevel.Task],
    fds_before: Files,
    threads_before: set[threading.Thread],
    children_before: set[int],
) -> list[str]:
    new_tasks, new_fds = tasks() - tasks_before, _opened_since(fds_before)
    new_threads, new_children = threads() - threads_before, children() - children_before
    left: list[str] = []
    if new_tasks:
        left.append(f"tasks {sorted(task.name for task in new_tasks)}")
    if new_fds:
        left.append(f"descriptors {sorted(map(describe_fd, new_fds))}")
    if new_threads:
        left.append(f"threads {sorted(thread.name for thread in new_threads)}")
    if new_children:
        left.append(f"child processes {sorted(new_children)}")
    return left
