"""One tool call, from the asking for approval to the result the model can read."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
import trio
from msgspec import Struct

from streamd.providers import Message, ToolCall, ToolResult

from ._tool_context import ToolContext
from ._tool_places import AllLeftBehind, Places
from ._tools import Tool

if TYPE_CHECKING:
    from ._session import Session

__all__ = ["Approve", "Round", "ToolRun"]

Approve = Callable[[ToolCall], Awaitable[bool | str] | bool | str]
"""Asked before a call is run: `True` allows it; `False`, or a reason as text, denies it.

It may be async, and wait for a person: the tool's time begins after it.
"""

EFFECT_UNKNOWN = "; whether it took effect is unknown"


class Round(Struct, frozen=True, kw_only=True):
    """The round a call is of: its number, the conversation up to and with the call, and whose it is.

    The session is referred to weakly, as it holds its tools.
    """

    number: int
    messages: tuple[Message, ...]
    session: Callable[[], Session | None]


class ToolRun:
    """One call of a tool, made once or, where the tool is idempotent, at most twice.

    Args:
        call: The call.
        tool: The tool it names.
        round: The round it is of.
        places: How many of these may run at once.
        timeout: Seconds for each time the tool is called.
        approve: Asked before.
        after: What has to be over before this begins.
    """

    __slots__ = (
        "_approve",
        "_places",
        "_round",
        "_timeout",
        "after",
        "call",
        "over",
        "result",
        "started",
        "tool",
    )

    def __init__(
        self,
        call: ToolCall,
        tool: Tool,
        round: Round,  # noqa: A002  (as it is called elsewhere)
        *,
        places: Places,
        timeout: float | None,
        approve: Approve | None,
        after: ToolRun | None,
    ) -> None:
        self.call = call
        self.tool = tool
        self.started = False
        self.result: ToolResult | None = None
        self.over = trio.Event()
        self.after = after
        self._round = round
        self._places = places
        self._timeout = tool.timeout if tool.timeout is not None else timeout
        self._approve = approve

    async def run(self) -> None:
        """Run to the end; `result` is then there, and nothing a tool does is raised.

        What is no `Exception`, such as `KeyboardInterrupt`, is no failure of the tool: it leaves. Cancelling leaves no
        result.
        """
        call = self.call
        try:
            self.result = ToolResult(call.id, call.name, await self._answer())
        except Exception as exc:  # noqa: BLE001  (whatever it is, the model is told)
            self.result = ToolResult(call.id, call.name, f"Error: {_told(exc)}", is_error=True)
        finally:
            self.over.set()

    def cut_short(self, why: str) -> ToolResult:
        """The result of a call of which none came."""
        told = f"{why} before the tool had answered" if self.started else f"{why} before the tool was run"
        if self.started and self.tool.effectful:
            told += EFFECT_UNKNOWN
        return ToolResult(self.call.id, self.call.name, f"Error: {told}", is_error=True)

    async def _answer(self) -> str:
        arguments = self._bind()
        await self._ask()
        earlier = self.after
        while earlier is not None:  # one that was denied is over before those before it
            await earlier.over.wait()
            earlier = earlier.after
        try:
            value = await self._attempt(arguments)
        except _Refused:
            raise
        except Exception:
            if not self.tool.idempotent:
                raise
            # What was bound may have been changed by the first attempt.
            value = await self._attempt(self._bind())
        return _text(value)

    def _bind(self) -> dict[str, Any]:
        try:
            return self.tool.bind(self.call.arguments)
        except msgspec.ValidationError as exc:
            raise _Refused(f"the arguments do not fit: {exc}") from exc

    async def _ask(self) -> None:
        if self._approve is None:
            return
        verdict = self._approve(self.call)
        if inspect.isawaitable(verdict):
            verdict = await verdict
        if verdict is not True:
            raise _Refused((isinstance(verdict, str) and verdict) or "the call was denied")

    async def _attempt(self, arguments: Mapping[str, Any]) -> object:
        scope = trio.CancelScope()
        began = 0.0
        try:
            async with self._places.hold() as place:
                self.started = True
                began = trio.current_time()
                scope.deadline = began + (math.inf if self._timeout is None else self._timeout)
                with scope:
                    return await self.tool.run(arguments, self._context(scope), place)
        except AllLeftBehind:
            raise _Refused(
                "the tool was not run: earlier calls that took too long are still running"
            ) from None
        unknown = EFFECT_UNKNOWN if self.tool.effectful else ""
        if trio.current_time() < scope.deadline:
            raise _Refused(f"the call was cancelled{unknown}")
        raise _Failure(f"the tool took longer than {scope.deadline - began:g} s{unknown}")

    def _context(self, scope: trio.CancelScope) -> ToolContext:
        here = self._round
        session = here.session()
        assert session is not None, "its block is being run"
        return ToolContext(
            call=self.call,
            round=here.number,
            messages=here.messages,
            session=session,
            cancel_scope=scope,
        )


class _Failure(Exception):
    """A call ended without a value; the text is for the model."""


class _Refused(_Failure):
    """A call that another attempt would not help."""


def _told(exc: Exception) -> str:
    """What the model is told of an exception; of a group, what is in it."""
    if isinstance(exc, ExceptionGroup):
        return "; ".join(map(_told, cast("ExceptionGroup[Exception]", exc).exceptions))
    if isinstance(exc, _Failure):
        return str(exc)
    name = type(exc).__name__
    try:
        return f"{name}: {text}" if (text := str(exc)) else name
    except Exception:  # noqa: BLE001  (its own text raises)
        return name


def _text(value: object) -> str:
    """What the model is given of a tool's return value."""
    if isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value).decode()
    except Exception as exc:
        raise _Failure(f"the tool returned something JSON cannot hold: {exc}") from exc
