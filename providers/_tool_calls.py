"""Tool calls put together from their fragments, under every way in which servers number them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec

from ._json import UNREADABLE, is_object, load
from .chunks import ToolCall, ToolCallDelta
from .errors import EventTooLarge

__all__ = ["ToolCallAssembly", "arguments_object"]

_MAX_CALLS = 128
_MAX_ARGUMENTS = 1024 * 1024
_MAX_NAME = 256


def arguments_object(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` is, whole and with nothing after it; None where it is anything else."""
    data = text.encode("utf-8", "replace")
    try:
        value = msgspec.json.decode(data)
    except UNREADABLE:
        if "\\u" not in text:
            return None
        try:  # only lone surrogates are forgiven here: NaN in an argument is no value to run a tool with
            json.loads(text, parse_constant=_refuse)
            value = load(data)
        except UNREADABLE:
            return None
    return value if is_object(value) else None


def _refuse(name: str) -> None:
    raise ValueError(name)


class _Call:
    __slots__ = ("doubtful", "given", "id", "index", "key", "name", "parts", "rivals", "size")

    def __init__(self, index: int, key: int | None, id_: str) -> None:
        self.index = index  # the place in the turn
        self.key = key  # the index on the wire
        self.id = id_
        self.name = ""
        self.parts: list[str] = []
        self.size = 0
        self.given: dict[str, Any] | None = None  # arguments that came as an object, not as text
        # Earlier calls at the same index, which a fragment without id may continue.
        self.rivals: list[_Call] = []
        self.doubtful = False  # a fragment could have been its own or another's: it never closes

    @property
    def whole(self) -> bool:
        return self.arguments(may_be_empty=False) is not None

    def arguments(self, *, may_be_empty: bool) -> dict[str, Any] | None:
        text = "".join(self.parts)
        if not text.strip():
            return {} if self.given is None and may_be_empty else self.given
        told = arguments_object(text)
        return told if self.given is None or told == self.given else None


class ToolCallAssembly:
    """The calls of one turn, while they arrive.

    A fragment belongs to the call of its id. Without an id it belongs to the latest call at its index, and without an
    index to the latest call of all. An id that is new at a known index opens another call there, as some servers give
    every call the index 0. Where that leaves it open which of two unfinished calls a fragment continues, neither
    closes: nothing is guessed, as what is put together here is run.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._latest: dict[int | None, _Call] = {}
        self._touched: list[int] = []

    def __len__(self) -> int:
        return len(self._calls)

    def begin_event(self) -> None:
        """Say that the fragments to come are of a new event.

        Within one event, entries without id and index are separate calls.
        """
        self._touched.clear()

    def add(self, index: int | None, id_: str | None, name: str | None, arguments: object) -> ToolCallDelta:
        """Take one fragment, and give it as it is shown.

        Args:
            index: The call's number on the wire, if it has one.
            id_: The call's id; empty counts as none.
            name: The tool's name or the next piece of it; a repeat of the whole name counts once. A name of more
                than 256 characters is no tool's: such a call never closes, and what is beyond them is not kept.
            arguments: The next piece of the arguments' JSON text, or the arguments as an object; None where there are
                none. A call with anything else for arguments never closes.

        Raises:
            EventTooLarge: More than 128 calls in a turn, or more than 1 MiB of arguments for one call.
        """
        call = self._find(index, id_ or "", name or "")
        is_new = call is None
        if call is None:
            call = self._open(index, id_ or "")
        shown_id = call.id if is_new and call.id else None
        if id_ and not call.id:
            call.id = shown_id = id_
        shown_name = self._take_name(call, name or "")
        fragment = self._take_arguments(call, arguments)
        self._touched.append(call.index)
        return ToolCallDelta(call.index, shown_id, shown_name, fragment)

    def settle(self, place: int, arguments: str) -> None:
        """Take the whole arguments of a call from one who tells them whole: what came in pieces does not count.

        Args:
            place: The call's place in the turn, as a delta of it showed it.
            arguments: The JSON text.

        Raises:
            EventTooLarge: More than 1 MiB of arguments.
        """
        call = self._calls[place]
        if len(arguments) > _MAX_ARGUMENTS:
            raise _too_large()
        call.parts, call.size, call.given = [arguments], len(arguments), None

    def closed(self, *, may_be_empty: bool) -> list[ToolCall]:
        """The calls that are whole: a name, and arguments that are one complete JSON object.

        A call that is not whole is left out; its fragments were shown, and nothing is run from it. A call without an
        id, or with the id of another, is given its own; one that repeats another entirely is the same call.

        Args:
            may_be_empty: Whether no arguments at all stand for an empty object. True only where the provider says that
                it ended the turn by itself: a turn that was cut may have been cut before the first byte. Where calls
                of one name share an index they never do: the arguments may have gone to another.
        """
        calls: list[ToolCall] = []
        alike = Counter((call.key, call.name) for call in self._calls)
        for call in self._calls:
            arguments = call.arguments(may_be_empty=may_be_empty and alike[call.key, call.name] == 1)
            if arguments is None or not call.name or call.doubtful:
                continue
            twin = next((other for other in calls if other.id == call.id), None)
            if twin is None or twin.name != call.name or twin.arguments != arguments:
                id_ = call.id if call.id and twin is None else f"{call.id or 'call'}_{call.index}"
                calls.append(ToolCall(call.index, id_, call.name, arguments))
        return calls

    def _find(self, index: int | None, id_: str, name: str) -> _Call | None:
        latest = self._latest.get(index) if index is not None else (self._calls[-1] if self._calls else None)
        if id_:
            return self._find_by_id(latest, index, id_, name)
        if latest is None or (index is None and latest.index in self._touched):
            return None
        if name and latest.name and name != latest.name and not latest.doubtful and latest.whole:
            return None
        if latest.rivals:
            rivals = [rival for rival in latest.rivals if not rival.whole]
            latest.rivals = []
            for call in (*rivals, latest) if rivals else ():
                call.doubtful = True
        return latest

    def _find_by_id(self, latest: _Call | None, index: int | None, id_: str, name: str) -> _Call | None:
        if latest is not None and latest.id == id_:
            return latest
        if latest is not None and not latest.id:
            if not (name and latest.name) or (name == latest.name and not latest.whole):
                return latest  # the id comes late
            latest.doubtful = latest.doubtful or not latest.whole
        known = next((call for call in self._calls if call.id == id_ and index in (None, call.key)), None)
        if known is None and not name:
            known = next((call for call in self._calls if call.id == id_), None)
            if known is None and latest is not None and (latest.doubtful or not latest.whole):
                latest.doubtful = True  # its id changed, or the head of another call is missing
                return latest
        return known

    def _open(self, index: int | None, id_: str) -> _Call:
        if len(self._calls) >= _MAX_CALLS:
            raise EventTooLarge(f"the turn has more than {_MAX_CALLS} tool calls")
        call = _Call(len(self._calls), index, id_)
        if index is not None:
            call.rivals = [other for other in self._calls if other.key == index]
            self._latest[index] = call
        self._calls.append(call)
        return call

    def _take_name(self, call: _Call, name: str) -> str | None:
        if not name or name == call.name:
            return None
        if call.name and (call.parts or call.given is not None):
            call.doubtful = True  # the name changes under arguments that have begun
            return None
        if len(call.name) + len(name) > _MAX_NAME:
            call.doubtful = True
            return None
        call.name += name
        return name

    def _take_arguments(self, call: _Call, arguments: object) -> str:
        if arguments is None or arguments == "":
            return ""
        if is_object(arguments):
            call.doubtful = call.doubtful or call.given not in (None, arguments)
            call.given = arguments
            return msgspec.json.encode(arguments).decode()
        if not isinstance(arguments, str):
            call.doubtful = True
            return ""
        call.parts.append(arguments)
        call.size += len(arguments)
        if call.size > _MAX_ARGUMENTS:
            raise _too_large()
        return arguments


def _too_large() -> EventTooLarge:
    return EventTooLarge(f"the arguments of a tool call are larger than {_MAX_ARGUMENTS} characters")
