"""The tools of a session: which calls of a round are run, how often, and in what order."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from streamd.providers import Message, ToolCall, ToolResult
from streamd.supervisors import TaskSupervisor

from ._tool_places import Places
from ._tool_run import Approve, Round, ToolRun
from ._tools import Tool

if TYPE_CHECKING:
    from ._session import Session

__all__ = ["Approve", "Toolbox"]

CANCELLED = "the session was cancelled"


class Toolbox:
    """The tools of one session, and what was called of them.

    Args:
        tools: The tools by name.
        timeout: Seconds each call may take, unless its tool says otherwise.
        approve: Asked before each call is run.
    """

    __slots__ = ("_approve", "_effects", "_places", "_round", "_session", "_timeout", "_tools")

    def __init__(self, tools: Mapping[str, Tool], timeout: float | None, approve: Approve | None) -> None:
        self._tools = tools
        self._timeout = timeout
        self._approve = approve
        self._effects = Places(1)
        self._places = {
            name: self._effects if tool.effectful else Places(tool.concurrency)
            for name, tool in tools.items()
        }
        self._round: list[tuple[ToolCall, ToolRun | ToolResult]] = []
        self._session: Callable[[], Session | None] = lambda: None

    def serve(self, session: Session) -> None:
        """Say whose tools they are, before any is run."""
        self._session = weakref.ref(session)

    async def run(
        self, calls: Sequence[ToolCall], tasks: TaskSupervisor, *, messages: Sequence[Message], number: int
    ) -> list[ToolResult]:
        """Run all calls, and return a result for each, in the calls' order.

        They run at once, but for what their tools' marks say. A call made twice, with one id, is run once. Nothing a
        tool does is an error here: an unknown tool, arguments that do not fit, a denial, an exception and a timeout
        each become a result that says so. What is no `Exception`, such as `KeyboardInterrupt`, is no failure of the
        tool: it ends the program as it would elsewhere.

        Args:
            calls: The calls of a round.
            tasks: Where they run.
            messages: The conversation up to and with the calls.
            number: The round's, from 1.
        """
        here = Round(number=number, messages=tuple(messages), session=self._session)
        self._round = self._plan(calls, here)
        runs = dict.fromkeys(run for _, run in self._round if isinstance(run, ToolRun))
        handles = [tasks.start_soon(run.run, name=run.call.name) for run in runs]
        for handle in handles:
            await handle.result()
        return self.results(calls)

    def results(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """The results of these calls as far as they are there; of the others, that the session was cancelled."""
        begun = {id(call): run for call, run in self._round}
        return [_result(call, begun.get(id(call))) for call in calls]

    def _plan(self, calls: Sequence[ToolCall], here: Round) -> list[tuple[ToolCall, ToolRun | ToolResult]]:
        """What is to be run for each call, or what it is answered without."""
        planned: list[tuple[ToolCall, ToolRun | ToolResult]] = []
        by_id: dict[str, tuple[ToolCall, ToolRun | ToolResult]] = {}
        alike: dict[str, ToolRun] = {}
        last_effect: ToolRun | None = None
        for call in calls:
            tool = self._tools.get(call.name)
            twin = by_id.get(call.id)
            run: ToolRun | ToolResult
            if twin is not None:
                same = _said(twin[0]) == _said(call)
                run = twin[1] if same else _error(call, f"another call of this turn has the id {call.id!r}")
            elif tool is None:
                known = ", ".join(self._tools) or "none"
                run = _error(call, f"there is no tool {call.name!r}; the tools are: {known}")
            elif tool.idempotent and (earlier := alike.get(_said(call))) is not None:
                run = earlier
            else:
                run = ToolRun(
                    call,
                    tool,
                    here,
                    places=self._places[tool.name],
                    timeout=self._timeout,
                    approve=self._approve,
                    after=last_effect if tool.effectful else None,
                )
                if tool.idempotent:
                    alike[_said(call)] = run
                if tool.effectful:
                    last_effect = run
            by_id.setdefault(call.id, (call, run))
            planned.append((call, run))
        return planned


def _said(call: ToolCall) -> str:
    """What a call asks for, so that two that ask for the same can be told. `1`, `1.0` and `true` are not the same."""
    try:
        return f"{call.name} {json.dumps(call.arguments, sort_keys=True)}"
    except (RecursionError, TypeError, ValueError):
        return f"{call.name} {id(call)}"  # like no other


def _error(call: ToolCall, why: str) -> ToolResult:
    return ToolResult(call.id, call.name, f"Error: {why}", is_error=True)


def _result(call: ToolCall, run: ToolRun | ToolResult | None) -> ToolResult:
    match run:
        case None:
            return _error(call, f"{CANCELLED} before the tool was run")
        case ToolResult():
            return run
        case ToolRun():
            known = run.result or run.cut_short(CANCELLED)
            return ToolResult(call.id, call.name, known.content, known.is_error)
