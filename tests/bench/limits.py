"""What the machine allows: open files, and the cores a process may use."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["awake", "cores", "pin", "raise_file_limit"]

SPIN = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile os.getppid() == {parent}: pass"


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: a scene needs one for each stream."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(16_384, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cores() -> tuple[int | None, int | None]:
    """A core for the server and another for the clients, where the system can bind a process to one."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


@contextmanager
def awake(core: int | None) -> Iterator[None]:
    """Keep a core from falling asleep, where the system has a scheduling class for what runs when nothing else does.

    A client that waits for each chunk is otherwise charged for the waking of a sleeping core, which is the machine's
    and not the client's, and in a virtual machine as large as the rest, and differs from minute to minute.
    """
    if core is None or not hasattr(os, "SCHED_IDLE"):
        yield
        return
    spinner = subprocess.Popen([sys.executable, "-c", SPIN.format(parent=os.getpid())])
    os.sched_setaffinity(spinner.pid, {core})
    try:
        yield
    finally:
        spinner.kill()
        spinner.wait()


def pin(core: int | None) -> None:
    """Keep this process, and those it will start, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})
