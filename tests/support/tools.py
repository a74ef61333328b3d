"""Rounds of tool calls, run without a session."""

from typing import Any, cast

from streamd import Approve, Message, Session
from streamd._toolbox import Round, Toolbox
from streamd._tools import tools_by_name
from streamd.providers import ToolCall, ToolResult
from streamd.supervisors import open_task_supervisor

HERE = Round(number=1, messages=(Message.user("Hi"),), session=cast("Session", "the session"))
"""A round of no session: tools that look at theirs find a text."""


def call(name: str, arguments: dict[str, Any] | None = None, id: str = "1") -> ToolCall:
    """A call of a tool."""
    return ToolCall(0, id, name, arguments or {})


def box(*tools: Any, timeout: float | None = 30.0, approve: Approve | None = None) -> Toolbox:
    """The toolbox of one session."""
    return Toolbox(tools_by_name(tools), timeout, approve)


async def run_round(toolbox: Toolbox, *calls: ToolCall, here: Round = HERE) -> list[ToolResult]:
    """The results of one round."""
    async with open_task_supervisor() as tasks:
        return await toolbox.run(calls, tasks, here)
