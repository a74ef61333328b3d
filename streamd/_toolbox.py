"""Running the tool calls of a round: each in a task of its own, each ending in a result the model can read."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import trio

from streamd.providers import ToolCall, ToolResult
from streamd.supervisors import TaskHandle, TaskSupervisor

from ._tools import Tool

__all__ = ["Approve", "Toolbox"]

Approve = Callable[[ToolCall], Awaitable[bool | str] | bool | str]
"""Asked before a call is run: `True` allows it; `False`, or a reason as text, denies it.

It may be async, and wait for a person: the tool's time begins after it.
"""


class Toolbox:
    """The tools of a session, and how long each call may take."""

    __slots__ = ("_approve", "_timeout", "_tools")

    def __init__(self, tools: Mapping[str, Tool], timeout: float | None, approve: Approve | None) -> None:
        self._tools = tools
        self._timeout = timeout
        self._approve = approve

    async def run(self, calls: Sequence[ToolCall], tasks: TaskSupervisor) -> list[ToolResult]:
        """Run all calls at once, and return their results in the calls' order.

        A call made twice, with one id, is run once. Nothing a tool does is an error here: an unknown tool, arguments
        that do not fit, a denial, an exception and a timeout each become a result that says so. What is no
        `Exception`, such as `KeyboardInterrupt`, is no failure of the tool: it ends the program as it would elsewhere.
        """
        handles: dict[str, TaskHandle[ToolResult]] = {}
        for call in calls:
            if call.id not in handles:
                handles[call.id] = tasks.start_soon(self._execute, call, name=call.name)
        return [await handles[call.id].result() for call in calls]

    async def _execute(self, call: ToolCall) -> ToolResult:
        try:
            return ToolResult(call.id, call.name, await self._answer(call))
        except Exception as exc:  # noqa: BLE001  (whatever it is, the model is told)
            return ToolResult(call.id, call.name, f"Error: {_told(exc)}", is_error=True)

    async def _answer(self, call: ToolCall) -> str:
        tool = self._tools.get(call.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            raise _Failure(f"there is no tool {call.name!r}; the tools are: {known}")
        try:
            arguments = tool.bind(call.arguments)
        except msgspec.ValidationError as exc:
            raise _Failure(f"the arguments do not fit: {exc}") from exc
        await self._ask(call)
        value: object = None
        with trio.move_on_after(math.inf if self._timeout is None else self._timeout) as scope:
            value = await tool.run(arguments)
        if scope.cancelled_caught:
            raise _Failure(f"the tool took longer than {self._timeout:g} s")
        return _text(value)

    async def _ask(self, call: ToolCall) -> None:
        if self._approve is None:
            return
        verdict = self._approve(call)
        if not isinstance(verdict, bool | str):
            verdict = await verdict
        if verdict is not True:
            raise _Failure(verdict or "the call was denied")


class _Failure(Exception):
    """A call ended without a value; the text is for the model."""


def _told(exc: Exception) -> str:
    """What the model is told of an exception."""
    try:
        return str(exc) if isinstance(exc, _Failure) else f"{type(exc).__name__}: {exc}"
    except Exception:  # noqa: BLE001  (its own text raises)
        return type(exc).__name__


def _text(value: object) -> str:
    """What the model is given of a tool's return value."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except Exception as exc:
        raise _Failure(f"the tool returned something JSON cannot hold: {exc}") from exc
