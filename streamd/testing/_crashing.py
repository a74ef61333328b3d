"""Bugs in a session's own actors: exceptions out of whatever their tasks wait for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import trio

from ._stage import Crash

__all__ = ["Crashing", "actor_of"]

_NAME = re.compile(r"(?:.*/)?(?P<actor>producer|parser|conversation)#\d+|(?P<tool>tools)/.*")


def actor_of(task: trio.lowlevel.Task) -> str | None:
    """Which actor of a session a task is, by its name; None for any other task, those of supervisors among them."""
    found = _NAME.fullmatch(task.name)
    return None if found is None else found["actor"] or "tool"


class Crashing(trio.abc.Instrument):
    """Has an actor raise in the place of the step that it would take.

    What a task is resumed with is private to trio, and there is no public way to resume it with something else; only
    this class knows of it. A task's first step is left alone: none of the actor's own code has run before it.

    Args:
        crash: What goes wrong.
        steps: How many steps the application has taken so far.
    """

    def __init__(self, crash: Crash, steps: Callable[[], int]) -> None:
        self.struck = 0
        self._crash = crash
        self._steps = steps
        self._own = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count, and strike where it is due."""
        crash, actor = self._crash, actor_of(task)
        if actor is None or inspect.getcoroutinestate(task.coro) == inspect.CORO_CREATED:
            return
        if crash.actor == "any":
            due = self._steps() == crash.step
        elif crash.actor == actor:
            self._own += 1
            due = self._own == crash.step or (crash.always and self._own > crash.step)
        else:
            due = False
        if due:
            self.struck += 1
            resumed: Any = task
            resumed._next_send_fn = task.coro.throw
            resumed._next_send = _failure(crash, actor)


def _failure(crash: Crash, actor: str) -> Exception:
    if crash.memory:
        return MemoryError(f"the {actor} has no memory left")
    return AssertionError(f"the {actor} has a bug")
