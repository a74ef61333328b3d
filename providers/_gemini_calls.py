"""The function calls of a turn of Gemini."""

from __future__ import annotations

import json

import msgspec

from ._gemini_arguments import PartialArguments
from ._gemini_events import GeminiCall
from ._json import is_finite
from ._tool_calls import ToolCallAssembly
from .chunks import ToolCall, ToolCallDelta

__all__ = ["OWN_ID", "GeminiCalls"]

OWN_ID = "gemini_call_"
"""How the ids begin that are given to calls that came without one: by the call's place in the turn. Gemini 3 names its
calls, older models do not; what was made up here is not sent to the provider."""


class _Streamed:
    """A call whose arguments are still arriving."""

    def __init__(self, place: int, name: str) -> None:
        self.place = place
        self.name = name
        self.arguments = PartialArguments()


class GeminiCalls:
    """The calls, as they arrive.

    A call comes whole, in one part. With Vertex AI it may be asked for in pieces: the first piece has its name, the
    pieces to come say so (`willContinue`), and what does not say so ends the call. One that is not ended never closes.
    """

    def __init__(self) -> None:
        self._assembly = ToolCallAssembly()
        self._streamed: _Streamed | None = None
        self._ended: set[int] = set()
        self._signatures: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._assembly)

    def add(self, call: GeminiCall, signature: str | None) -> ToolCallDelta:
        """Take one part, and give it as it is shown.

        Raises:
            EventTooLarge: There are too many calls, or one is too large.
        """
        streamed = self._streamed
        if streamed is None or call.args or call.name not in (None, "", streamed.name):
            return self._begin(call, signature)
        self._sign(streamed.place, signature)
        return ToolCallDelta(streamed.place, None, None, self._go_on(streamed, call))

    def closed(self) -> list[ToolCall]:
        """The calls that are whole: a name, and arguments that are one complete JSON object."""
        return [
            msgspec.structs.replace(call, signature=self._signatures.get(call.index))
            for call in self._assembly.closed(may_be_empty=False)
            if call.index in self._ended
        ]

    def _begin(self, call: GeminiCall, signature: str | None) -> ToolCallDelta:
        self._streamed = None
        place = len(self._assembly)
        in_pieces = bool(call.will_continue) or call.partial_args is not None
        arguments = None if in_pieces else _arguments(call)
        delta = self._assembly.add(place, call.id or f"{OWN_ID}{place}", call.name, arguments)
        self._sign(place, signature)
        if not in_pieces:
            self._ended.add(place)
            return delta
        streamed = self._streamed = _Streamed(place, call.name or "")
        return ToolCallDelta(delta.index, delta.id, delta.name, self._go_on(streamed, call))

    def _go_on(self, streamed: _Streamed, call: GeminiCall) -> str:
        arguments = streamed.arguments
        pieces = [arguments.take(entry) for entry in call.partial_args or ()]
        if not call.will_continue:
            self._streamed = None
            if not arguments.broken:
                pieces.append(arguments.finish())
                self._ended.add(streamed.place)
        text = "".join(pieces)
        return self._assembly.add(streamed.place, None, None, text).fragment if text else ""

    def _sign(self, place: int, signature: str | None) -> None:
        if signature:
            self._signatures[place] = signature


def _arguments(call: GeminiCall) -> object:
    """Arguments as they are taken; none at all are an empty object, as a call comes whole."""
    if call.args is None:
        return {}
    # A number that JSON has not is no value to run a tool with: as text it is refused.
    if not is_finite(call.args):
        return json.dumps(call.args)
    return call.args
