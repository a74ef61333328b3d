"""Rounds of tool calls, run without a session."""

from typing import Any, cast

from streamd import Approve, Message, Session
from streamd._toolbox import Toolbox
from streamd._tools import tools_by_name
from streamd.providers import ToolCall, ToolResult
from streamd.supervisors import open_task_supervisor


class NoSession:
    """What tools find for their session, where there is none."""


NO_SESSION = NoSession()


def call(name: str, arguments: dict[str, Any] | None = None, id: str = "1") -> ToolCall:
    """A call of a tool."""
    return ToolCall(0, id, name, arguments or {})


def box(*tools: Any, timeout: float | None = 30.0, approve: Approve | None = None) -> Toolbox:
    """The toolbox of one session."""
    toolbox = Toolbox(tools_by_name(tools), timeout, approve)
    toolbox.serve(cast("Session", NO_SESSION))
    return toolbox


async def run_round(toolbox: Toolbox, *calls: ToolCall) -> list[ToolResult]:
    """The results of one round."""
    async with open_task_supervisor() as tasks:
        return await toolbox.run(calls, tasks, messages=(Message.user("Hi"),), number=1)
