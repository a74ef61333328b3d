"""What the machine allows: open files, and the cores a process may use."""

from __future__ import annotations

import os
import resource

__all__ = ["cores", "pin", "raise_file_limit"]


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: a scene needs one for each stream."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16_384 if hard == resource.RLIM_INFINITY else min(16_384, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cores() -> tuple[int | None, int | None]:
    """A core for the server and another for the clients, where the system can bind a process to one."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def pin(core: int | None) -> None:
    """Keep this process, and those it will start, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})
