"""The results of tools that the body of a request tells, in whichever wire's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Struct

__all__ = ["ResultTold", "results_in"]


class ResultTold(Struct, frozen=True):
    """One result in a request: the id of its call, empty where it is not told, and every text in it."""

    id: str
    texts: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return not any(text.strip() for text in self.texts)

    def tells(self, answer: str) -> bool:
        """Whether this text is among what is said, by itself, in a longer one, or as JSON."""
        if not answer:
            return True
        forms = answer, msgspec.json.encode(answer).decode()[1:-1], _ascii(answer)
        return any(form in text for text in self.texts for form in forms)


def results_in(body: bytes) -> tuple[ResultTold, ...]:
    """The results in the body of a request, in its order.

    Raises:
        msgspec.DecodeError: It is no JSON.
    """
    asked: object = msgspec.json.decode(body)
    if not isinstance(asked, dict):
        return ()
    fields = cast("dict[str, object]", asked)
    return tuple(_results([fields.get(name) for name in ("messages", "input", "contents")]))


def _results(value: object) -> Iterator[ResultTold]:
    """Those in messages, in their blocks, and in what is nested in the same way; not in what was called."""
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _results(each)
    elif isinstance(value, dict):
        item = cast("dict[str, Any]", value)
        found = next((form for (name, mark), form in _FORMS.items() if item.get(name) == mark), None)
        wrapped = next((item[name] for name in _WRAPPED if isinstance(item.get(name), dict)), None)
        if wrapped is not None:
            told = [
                each for name, each in wrapped.items() if name not in ("id", "name", "toolUseId", "status")
            ]
            yield ResultTold(str(wrapped.get("id") or wrapped.get("toolUseId") or ""), tuple(_texts(told)))
        elif found is not None:
            yield ResultTold(str(item.get(found[0]) or ""), tuple(_texts(item.get(found[1]))))
        else:
            yield from _results([item.get("content"), item.get("parts")])


_FORMS = {
    ("role", "tool"): ("tool_call_id", "content"),
    ("type", "function_call_output"): ("call_id", "output"),
    ("type", "tool_result"): ("tool_use_id", "content"),
}
"""By the field that marks a result: what holds the call's id, and what is told. So OpenAI's two wires, those like the
first, and Anthropic's."""

_WRAPPED = ("functionResponse", "function_response", "toolResult")
"""The fields that hold a result on Gemini's wire and on Bedrock's."""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _texts(each)
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts(each)


def _ascii(text: str) -> str:
    """A text as JSON that is written in ASCII alone."""
    return json.dumps(text)[1:-1]
