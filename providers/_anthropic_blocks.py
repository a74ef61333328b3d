"""The blocks of a message that are neither its words nor a call of the caller's tools.

https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/web-search-tool. The other tools that the provider runs
have blocks of the same make: fetching, code execution, a shell, an editor, a search for tools, and those of MCP.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._json import as_object, as_text, is_object
from ._tool_calls import arguments_object
from .chunks import Chunk, ServerToolCall, ServerToolResult
from .errors import EventTooLarge

__all__ = ["WIRE", "ServerBlock", "call_caller", "caller_signature", "is_server_block"]

WIRE = "anthropic-messages"

_OWN = frozenset(("", "redacted_thinking", "text", "thinking", "tool_use"))
_CALL = "_tool_use"
_RESULT = "_tool_result"
_MAX_TEXT = 1024 * 1024
_MAX_NAMES = 128


def is_server_block(kind: str) -> bool:
    """Whether a block of this type is the provider's own matter, which goes back as it came."""
    return kind not in _OWN


def caller_signature(caller: dict[str, Any] | None) -> str | None:
    """What goes back with a call that the provider's code made, as JSON; None where the model made it itself.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling
    """
    told = {name: text for name, value in (caller or {}).items() if (text := as_text(value))}
    if told.get("type", "direct") == "direct":
        return None
    return msgspec.json.encode({"caller": told}).decode()


def call_caller(signature: str | None) -> dict[str, Any]:
    """The field of a call that has such a signature; another wire's signature is none of it."""
    if not signature or not signature.startswith('{"caller"'):
        return {}
    return arguments_object(signature) or {}


class ServerBlock:
    """One such block, while it arrives.

    What its deltas add is laid over what it began with: fragments of JSON become its `input`, texts are joined, and
    what is no text replaces what was there. A block of a type that is not known here is kept too, as a result without
    a call: a summary in the place of earlier turns, a mark of another model that took over, or a file of the container
    has to go back.
    """

    __slots__ = ("_fragments", "_raw", "_size", "_texts")

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw
        self._fragments: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._size = 0

    def add(self, delta: dict[str, Any]) -> None:
        """Take what a delta adds.

        Raises:
            EventTooLarge: More than 1 MiB of text in one block.
        """
        for name, value in delta.items():
            if name == "type" or value is None:
                continue
            if not isinstance(value, str):
                if name in self._raw:  # ever new names would be kept without end
                    self._raw[name] = value
                continue
            self._size += len(value) + len(name)
            if self._size > _MAX_TEXT:
                raise EventTooLarge(f"a block of the provider is larger than {_MAX_TEXT} characters")
            if name == "partial_json":
                self._fragments.append(value)
            else:
                self._texts.setdefault(name, []).append(value)

    def chunk(self, names: dict[str, str]) -> Chunk:
        """The whole block; `names` holds the tools' names by the ids of their calls, and is kept up."""
        raw = self._raw
        if self._fragments:
            raw["input"] = arguments_object("".join(self._fragments)) or as_object(raw.get("input"))
        for name, texts in self._texts.items():
            raw[name] = (as_text(raw.get(name)) or "") + "".join(texts)
        kind = str(raw.get("type"))
        if kind.endswith(_CALL):
            id_ = as_text(raw.get("id")) or ""
            name = as_text(raw.get("name")) or kind.removesuffix(_CALL)
            if len(names) >= _MAX_NAMES:
                del names[next(iter(names))]
            names[id_] = name
            return ServerToolCall(id_, name, as_object(raw.get("input")), WIRE, raw)
        id_ = as_text(raw.get("tool_use_id")) or as_text(raw.get("id")) or ""
        name = names.get(id_) or kind.removesuffix(_RESULT)
        content = raw.get("content")
        if not kind.endswith(_RESULT):
            content = {field: value for field, value in raw.items() if field != "type"}
        return ServerToolResult(id_, name, content, WIRE, raw, _failed(raw))


def _failed(raw: dict[str, Any]) -> bool:
    content = raw.get("content")
    told = as_text(content.get("type")) if is_object(content) else None
    return raw.get("is_error") is True or (told or "").endswith("_error")
