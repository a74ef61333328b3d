"""Arguments of a call that arrive value by value, each with its place, written down as JSON text."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ._json import as_object, as_text

__all__ = ["PartialArguments"]

_STEP = re.compile(
    r"""
        \.(?P<name>[^.\[\]]+)
        | \[(?P<index>[0-9]{1,9})\]
        | \[(?P<quote>['"])(?P<quoted>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\]
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

Step = str | int
"""A field's name or a place in an array."""


class _Open:
    """An object or an array that has begun."""

    __slots__ = ("is_array", "size", "steps")

    def __init__(self, *, is_array: bool) -> None:
        self.is_array = is_array
        self.size = 0
        self.steps: set[Step] = set()

    @property
    def end(self) -> str:
        return "]" if self.is_array else "}"

    def enter(self, step: Step) -> str:
        """What stands before the next value; raises `ValueError` where that value cannot stand here now."""
        if (
            isinstance(step, int) is not self.is_array
            or step in self.steps
            or (self.is_array and step != self.size)
        ):
            raise ValueError("a value comes again, or out of its order")
        comma = "," if self.size else ""
        self.size += 1
        if isinstance(step, int):
            return comma
        self.steps.add(step)
        return f"{comma}{_json(step)}:"


class PartialArguments:
    """JSON text in the making: `take` each entry of `partialArgs` as it comes, then `finish`.

    An entry has a JSONPath (RFC 9535, of names and indices only) and a value, a text in pieces:
    https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling. The model writes its arguments
    from first to last, so that the text can be given as it grows. Where an entry does not fit behind the one before it,
    or cannot be read, the arguments are broken for good: nothing is guessed, as they are to be run.
    """

    def __init__(self) -> None:
        self.broken = False
        self._open = [_Open(is_array=False)]
        self._path: list[Step] = []  # of the last value
        self._in_text = False
        self._begun = False

    def take(self, entry: object) -> str:
        """The next piece of the JSON text; empty where the entry adds none."""
        found = as_object(entry)
        told = [name for name in ("stringValue", "numberValue", "boolValue", "nullValue") if name in found]
        if self.broken or not told:
            return ""
        try:
            path = _steps(as_text(found.get("jsonPath")) or "")
            return self._value(path, told[0], found[told[0]])
        except ValueError:
            self.broken = True
            return ""

    def finish(self) -> str:
        """The rest of the text."""
        text = self._begin() + self._leave(0)
        return text + "}"

    def _value(self, path: list[Step], kind: str, value: Any) -> str:
        if kind == "stringValue":
            if not isinstance(value, str):
                raise ValueError("no text")
            piece = _json(value)[1:-1]
            if path == self._path and self._in_text:
                return piece
            text = self._enter(path) + '"' + piece
            self._in_text = True
            return text
        if kind == "nullValue":
            value = None
        elif isinstance(value, bool) is not (kind == "boolValue") or not isinstance(value, int | float):
            raise ValueError("no number, or no truth value")
        elif value != value or value in (float("inf"), -float("inf")):
            raise ValueError("no number of JSON")
        return self._enter(path) + _json(value)

    def _enter(self, path: list[Step]) -> str:
        """The text from the end of the last value to the beginning of the one at `path`."""
        same = 0
        while same < min(len(path), len(self._path)) and path[same] == self._path[same]:
            same += 1
        if same == len(path) or (self._path and same == len(self._path)):
            raise ValueError("a value comes again, or inside another")
        text = [self._begin(), self._leave(same), self._open[-1].enter(path[same])]
        for step in path[same + 1 :]:
            self._open.append(_Open(is_array=isinstance(step, int)))
            text += ["[" if self._open[-1].is_array else "{", self._open[-1].enter(step)]
        self._path = path
        return "".join(text)

    def _begin(self) -> str:
        begun, self._begun = self._begun, True
        return "" if begun else "{"

    def _leave(self, depth: int) -> str:
        """End the last value, and what is open around it down to `depth` steps."""
        text = '"' if self._in_text else ""
        self._in_text = False
        while len(self._open) > depth + 1:
            text += self._open.pop().end
        return text


def _steps(path: str) -> list[Step]:
    steps: list[Step] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            break
        at = found.end()
        if found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(found["name"] or _ESCAPE.sub(r"\1", found["quoted"] or ""))
    if not steps or at < len(path) or path[0] != "$":
        raise ValueError("no path of names and indices")
    return steps


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
