"""An HTTP task that somebody else runs, and whose end is the end of the response."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import trio

from streamd.supervisors import Exit

from ._handoff import Handoff
from ._http_events import HTTPDone, HTTPEvent, HTTPFailure, ParserInput
from .errors import ConfigError, ConnectionLost

__all__ = ["Followed", "HTTPTask"]


class HTTPTask(Protocol):
    """What can be attached: a `TaskHandle` or a `ChildRef` of `streamd.supervisors`."""

    async def wait(self) -> Exit:
        """Wait until the task has ended, and tell how."""
        ...


class Followed:
    """The task attached last, and the actor that waits for its end."""

    __slots__ = ("_scope", "_task")

    def __init__(self) -> None:
        self._task: HTTPTask | None = None
        self._scope = trio.CancelScope()

    def attach(self, task: HTTPTask) -> None:
        """Follow this task, and no other any more. Raises `ConfigError` for what is none."""
        if not callable(getattr(task, "wait", None)):
            raise ConfigError(f"an HTTP task is a TaskHandle or a ChildRef, not {type(task).__name__}")
        self._task = task
        self._scope.cancel("another task was attached")

    async def run(self, events: Handoff[ParserInput]) -> None:
        """Send the end of the attached task as the end of the response."""
        while True:
            task, self._scope = self._task, trio.CancelScope()
            with self._scope:
                if task is None:
                    await trio.sleep_forever()
                else:
                    end = _end(await task.wait())
                    with suppress(trio.BrokenResourceError):
                        await events.send(end)
                    return


def _end(exit_: Exit) -> HTTPEvent:
    match exit_.kind:
        case "returned" | "stopped":
            return HTTPDone()
        case "cancelled":
            return HTTPFailure(ConnectionLost("the HTTP task was cancelled", phase="stream"))
        case "failed":
            error = exit_.error
            return HTTPFailure(error if isinstance(error, Exception) else RuntimeError(repr(error)))
