"""Calls of the caller's own tools: functions, whose arguments are JSON, and custom tools, whose input is any text.

https://platform.openai.com/docs/guides/function-calling
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._json import as_text
from ._openai_responses_events import ResponsesEvent
from ._openai_responses_items import OutputItem
from ._tool_calls import ToolCallAssembly
from .chunks import Chunk, ToolCall

__all__ = ["CALL_EVENTS", "CUSTOM", "FUNCTION", "ResponsesCalls"]

FUNCTION = "function_call"
CUSTOM = "custom_tool_call"

CALL_EVENTS: dict[str, tuple[str, bool]] = {
    "response.function_call_arguments.delta": (FUNCTION, False),
    "response.function_call_arguments.done": (FUNCTION, True),
    "response.custom_tool_call_input.delta": (CUSTOM, False),
    "response.custom_tool_call_input.done": (CUSTOM, True),
}
"""Of which kind of call an event tells, and whether it tells its arguments whole."""

_INPUT = '{"input":"'


class ResponsesCalls:
    """The calls of one response.

    A call closes where the provider tells its arguments whole, or its item; what it tells then counts, and not the
    pieces. The input of a custom tool is shown as the arguments `{"input": text}`.
    """

    def __init__(self) -> None:
        self._assembly = ToolCallAssembly()
        self._whole: set[int] = set()

    def __len__(self) -> int:
        return len(self._assembly)

    def begin(self, item: OutputItem, told: dict[str, Any], out: list[Chunk]) -> None:
        """The item of a call has begun."""
        id_, name = as_text(told.get("call_id")), as_text(told.get("name"))
        if item.call is None or (not item.named and (id_ or name)):
            item.named = bool(id_ and name)
            delta = self._assembly.add(item.place, id_, name, None)
            item.call = delta.index
            out.append(delta)

    def take(self, item: OutputItem, event: ResponsesEvent, out: list[Chunk], *, whole: bool) -> None:
        """An event that tells a piece of a call's arguments, or all of them."""
        if not whole:
            if event.delta:
                self._show(item, self._json_piece(item, event.delta), out)
        elif item.kind == CUSTOM:
            self._tell(item, _custom(event.input), out)
        else:
            self._tell(item, _function(event.arguments), out)

    def complete(self, item: OutputItem, told: dict[str, Any], out: list[Chunk]) -> None:
        """The item of a call is whole, or the response is in which it stands."""
        self.begin(item, told, out)
        arguments = _custom(told.get("input")) if item.kind == CUSTOM else _function(told.get("arguments"))
        place = self._tell(item, arguments, out)
        if told.get("status") == "incomplete":
            self._whole.discard(place)

    def closed(self, *, may_be_empty: bool) -> list[ToolCall]:
        """The calls that are whole; see `ToolCallAssembly.closed`."""
        calls = self._assembly.closed(may_be_empty=may_be_empty)
        return [call for call in calls if call.index in self._whole]

    def _tell(self, item: OutputItem, arguments: str, out: list[Chunk]) -> int:
        rest = item.text("arguments").rest(arguments)
        if item.call is None or rest:
            item.call = self._add(item, rest, out)
        if arguments.strip():
            self._assembly.settle(item.call, arguments)
        self._whole.add(item.call)
        return item.call

    def _show(self, item: OutputItem, fragment: str, out: list[Chunk]) -> None:
        item.text("arguments").add(fragment)
        item.call = self._add(item, fragment, out)

    def _add(self, item: OutputItem, fragment: str, out: list[Chunk]) -> int:
        delta = self._assembly.add(item.place, None, None, fragment)
        out.append(delta)
        return delta.index

    def _json_piece(self, item: OutputItem, text: str) -> str:
        if item.kind != CUSTOM:
            return text
        head = "" if item.text("arguments").begun else _INPUT
        return head + msgspec.json.encode(text).decode()[1:-1]


def _function(arguments: object) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return msgspec.json.encode(arguments).decode()


def _custom(text: object) -> str:
    return f'{_INPUT}{msgspec.json.encode(text).decode()[1:-1]}"}}' if isinstance(text, str) else ""
