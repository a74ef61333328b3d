"""A Python type as the JSON schema of an object, and an answer's JSON as a value of that type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from .errors import ConfigError

__all__ = ["Mismatch", "OutputSchema"]

_PLACE = re.compile(r"\A(?P<reason>.*) - at (?:`key` in )?`(?P<path>\$.*)`\Z", re.DOTALL)
_WRAPPED = "value"


class Mismatch(Exception):
    """An answer is not what was asked for: `reason` says why, `path` where, as `$.items[2].price`."""

    def __init__(self, reason: str, path: str = "$") -> None:
        super().__init__(reason if path == "$" else f"{reason} at `{path}`")
        self.reason = reason
        self.path = path


class OutputSchema:
    """What answers are to be: a type, and its JSON schema.

    `schema` is always that of an object, as providers want it. A type that JSON writes otherwise, such as a list or a
    number, is put into an object as its only property; `wrapped` says so, and `decode` takes it out.

    Raises:
        ConfigError: JSON schema cannot describe the type.
    """

    __slots__ = ("_decoder", "schema", "wrapped")

    def __init__(self, type_: Any) -> None:
        self.schema: dict[str, Any]
        self.wrapped: bool
        try:
            self.schema, self.wrapped = _object_schema(type_)
            held = msgspec.defstruct("Answer", [(_WRAPPED, type_)]) if self.wrapped else type_
            self._decoder = msgspec.json.Decoder[Any](held)
        except Exception as exc:  # msgspec asks the type itself, which may do anything
            name = getattr(type_, "__name__", None) or repr(type_)
            raise ConfigError(f"output_type {name} cannot be described by a JSON schema: {exc}") from exc

    def decode(self, text: str) -> Any:
        """The value that JSON text holds.

        Raises:
            Mismatch: It is no JSON, or does not fit the type.
        """
        try:
            value = self._decoder.decode(text.encode("utf-8", "replace"))
        except msgspec.ValidationError as exc:
            place = _PLACE.match(str(exc))
            if place is None:
                raise Mismatch(str(exc)) from exc
            path = place["path"]
            raise Mismatch(place["reason"], self._shown_path(path)) from exc
        except msgspec.DecodeError as exc:
            raise Mismatch(str(exc)) from exc
        except RecursionError:
            raise Mismatch("it is nested too deeply") from None
        return value.value if self.wrapped else value

    def plain(self, text: str) -> Any:
        """The plain JSON data of a text that `decode` takes."""
        return self.unwrap(msgspec.json.decode(text.encode("utf-8", "replace")))

    def unwrap(self, data: Mapping[str, Any]) -> Any:
        """The data without the object around it; raises `KeyError` where that is empty yet."""
        return data[_WRAPPED] if self.wrapped else data

    def _shown_path(self, path: str) -> str:
        return "$" + path.removeprefix(f"$.{_WRAPPED}") if self.wrapped else path


def _object_schema(type_: Any) -> tuple[dict[str, Any], bool]:
    (root,), definitions = msgspec.json.schema_components([type_], ref_template="#/$defs/{name}")
    name = root["$ref"].rpartition("/")[2] if "$ref" in root else None
    schema = dict(root if name is None else definitions[name])
    wrapped = schema.get("type") != "object"
    if wrapped:
        schema = {"type": "object", "properties": {_WRAPPED: root}, "required": [_WRAPPED]}
    elif name is not None and f'"#/$defs/{name}"'.encode() not in msgspec.json.encode(definitions):
        definitions = {each: definitions[each] for each in definitions if each != name}
    return ({**schema, "$defs": definitions} if definitions else schema), wrapped
