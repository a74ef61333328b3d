"""Tools that the server runs itself while it answers: https://console.groq.com/docs/compound/built-in-tools."""

from __future__ import annotations

from typing import Any

from ._json import as_object, as_text
from ._tool_calls import arguments_object
from .chunks import Chunk, ServerToolCall, ServerToolResult
from .errors import EventTooLarge

__all__ = ["WIRE", "ExecutedTools"]

WIRE = "openai-chat"

_RESULTS = ("search_results", "code_results", "browser_results", "output")
_MAX_CALLS = 128


class ExecutedTools:
    """The entries of `executed_tools`: each call comes once without a result and once with it, or only with it.

    They are for display: the server takes none of them back.
    """

    __slots__ = ("_answered", "_calls")

    def __init__(self) -> None:
        # The number on the wire and the tool of each call, in order.
        self._calls: list[tuple[object, str]] = []
        self._answered: list[int] = []

    def add(self, entries: list[Any], out: list[Chunk]) -> None:
        """Tell of calls and results not told before.

        Raises:
            EventTooLarge: More than 128 calls in a turn.
        """
        for number, entry in enumerate(map(as_object, entries)):
            name = as_text(entry.get("name")) or as_text(entry.get("type"))
            if name is None:
                continue
            index = entry.get("index")
            known = (index if isinstance(index, int) else f"unnumbered {number}", name)
            if known not in self._calls:
                if len(self._calls) >= _MAX_CALLS:
                    raise EventTooLarge(f"the turn has more than {_MAX_CALLS} calls of the server's tools")
                self._calls.append(known)
                place = len(self._calls) - 1
                out.append(ServerToolCall(f"executed_{place}", name, _arguments(entry), WIRE, entry))
            place = self._calls.index(known)
            result = next((entry[field] for field in _RESULTS if entry.get(field)), None)
            if result is not None and place not in self._answered:
                self._answered.append(place)
                out.append(ServerToolResult(f"executed_{place}", name, result, WIRE, entry))


def _arguments(entry: dict[str, Any]) -> dict[str, Any]:
    given = entry.get("arguments")
    return (arguments_object(given) if isinstance(given, str) else as_object(given)) or {}
