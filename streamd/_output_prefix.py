"""What can be shown of JSON data that is still growing, under the schema that it is to fit in the end."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

__all__ = ["Unfit", "goes_on", "visible"]

Schema = Mapping[str, Any]

_HIDDEN: Final = object()
"""In the place of a value that says nothing before it is whole: half a number, half a word of a choice."""

_ANYTHING: Schema = {}
_IN_WORDS = ("enum", "const", "pattern", "format", "contentEncoding")
"""What makes a text one of certain texts, so that half of it is none."""

_BOUNDS: Mapping[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "maximum": operator.le,
    "exclusiveMinimum": operator.gt,
    "exclusiveMaximum": operator.lt,
    "multipleOf": lambda number, factor: number % factor == 0,
}


class Unfit(Exception):
    """The data does not fit, whatever comes."""


def visible(data: object, schema: Schema) -> Any:
    """The part of growing JSON data that is sure: the data without a last value that is yet to be whole.

    All but the last value on every level is whole, and is checked; of the last one a text is shown as far as it came,
    unless the schema takes certain texts alone, and an object or a list as far as its parts are sure. The keywords
    that msgspec writes are known; formats are not checked.

    Args:
        data: What a parser made of the beginning of a JSON text whose whole is an object.
        schema: The schema of that object, its definitions under `$defs`.

    Raises:
        Unfit: What is there can no longer become data that fits.
    """
    return _Prefix(schema.get("$defs", {})).shown(data, schema, growing=True)


def goes_on(before: object, now: object) -> bool:
    """Whether data is what it was before, or more of that."""
    if isinstance(before, dict) and isinstance(now, dict):
        then, later = cast("dict[str, object]", before), cast("dict[str, object]", now)
        return all(name in later and goes_on(value, later[name]) for name, value in then.items())
    if isinstance(before, list) and isinstance(now, list):
        first, longer = cast("list[object]", before), cast("list[object]", now)
        return len(first) <= len(longer) and all(map(goes_on, first, longer))
    if isinstance(before, str) and isinstance(now, str):
        return now.startswith(before)
    return before == now


class _Prefix:
    """The rules, under one set of definitions."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def shown(self, data: object, schema: Schema, *, growing: bool) -> object:
        while "$ref" in schema:
            schema = self._definitions[str(schema["$ref"]).rpartition("/")[2]]
        if "anyOf" in schema:
            return self._shown_by_any(data, schema["anyOf"], growing=growing)
        if isinstance(data, dict):
            return self._object(cast("dict[str, object]", data), schema, growing=growing)
        if isinstance(data, list):
            return self._list(cast("list[object]", data), schema, growing=growing)
        if isinstance(data, str):
            return _text(data, schema, growing=growing)
        if data is None or isinstance(data, bool):
            _check_type("null" if data is None else "boolean", schema)
            return _chosen(data, schema)
        _check_type("integer" if isinstance(data, int) else "number", schema)
        return _number(cast("float", data), schema, growing=growing)

    def _shown_by_any(self, data: object, schemas: Sequence[Schema], *, growing: bool) -> object:
        hidden = False
        for schema in schemas:
            try:
                shown = self.shown(data, schema, growing=growing)
            except Unfit:
                continue
            if shown is not _HIDDEN:
                return shown
            hidden = True
        if hidden:
            return _HIDDEN
        raise Unfit

    def _object(self, data: dict[str, object], schema: Schema, *, growing: bool) -> dict[str, object]:
        _check_type("object", schema)
        named: Mapping[str, Schema] = schema.get("properties", {})
        others: bool | Schema = schema.get("additionalProperties", True)
        shown: dict[str, object] = {}
        for place, (name, value) in enumerate(data.items(), start=1):
            if name not in named and others is False:
                raise Unfit
            each = named.get(name, _ANYTHING if isinstance(others, bool) else others)
            part = self.shown(value, each, growing=growing and place == len(data))
            if part is not _HIDDEN:
                shown[name] = part
        if not growing and not data.keys() >= set(schema.get("required", ())):
            raise Unfit
        _check_size(len(data), schema, "minProperties", "maxProperties", growing=growing)
        return shown

    def _list(self, data: list[object], schema: Schema, *, growing: bool) -> list[object]:
        _check_type("array", schema)
        first: Sequence[Schema] = schema.get("prefixItems", ())
        rest: bool | Schema = schema.get("items", True)
        if rest is False and len(data) > len(first):
            raise Unfit
        each = _ANYTHING if isinstance(rest, bool) else rest
        shown = [
            self.shown(
                value,
                first[place] if place < len(first) else each,
                growing=growing and place == len(data) - 1,
            )
            for place, value in enumerate(data)
        ]
        _check_size(len(data), schema, "minItems", "maxItems", growing=growing)
        return shown[:-1] if shown and shown[-1] is _HIDDEN else shown


def _text(data: str, schema: Schema, *, growing: bool) -> object:
    _check_type("string", schema)
    choices = _choices(schema)
    if growing and choices is not None:
        if not any(isinstance(choice, str) and choice.startswith(data) for choice in choices):
            raise Unfit
        return _HIDDEN
    _check_size(len(data), schema, "minLength", "maxLength", growing=growing)
    if growing:
        return _HIDDEN if any(word in schema for word in _IN_WORDS) else data
    if "pattern" in schema and re.search(schema["pattern"], data) is None:
        raise Unfit
    return _chosen(data, schema)


def _number(data: float, schema: Schema, *, growing: bool) -> object:
    if growing:
        choices = _choices(schema)
        if choices is not None and not any(isinstance(choice, int | float) for choice in choices):
            raise Unfit
        return _HIDDEN
    if not all(holds(data, schema[name]) for name, holds in _BOUNDS.items() if name in schema):
        raise Unfit
    return _chosen(data, schema)


def _check_type(type_: str, schema: Schema) -> None:
    wanted = schema.get("type", type_)
    if wanted != type_ and (wanted, type_) != ("number", "integer"):
        raise Unfit


def _choices(schema: Schema) -> Sequence[object] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _chosen(data: object, schema: Schema) -> object:
    choices = _choices(schema)
    if choices is not None and not any(data == choice and type(data) is type(choice) for choice in choices):
        raise Unfit
    return data


def _check_size(size: int, schema: Schema, least: str, most: str, *, growing: bool) -> None:
    if size > schema.get(most, size) or (not growing and size < schema.get(least, 0)):
        raise Unfit
