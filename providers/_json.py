"""Reading JSON that other people's servers wrote: typed and fast, and forgiving where the typed way refuses."""

from __future__ import annotations

import json
import math
from typing import Any, TypeGuard, TypeVar, get_args, get_origin

import msgspec

__all__ = [
    "OBJECT",
    "UNREADABLE",
    "as_list",
    "as_object",
    "as_text",
    "is_finite",
    "is_list",
    "is_object",
    "is_text",
    "load",
    "read",
]

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading JSON can raise; `UnicodeDecodeError` and `json.JSONDecodeError` are `ValueError`s."""

OBJECT = ord("{")
"""The first byte of nearly all data."""

_S = TypeVar("_S", bound=msgspec.Struct)
_UNFIT = object()


def read(decoder: msgspec.json.Decoder[_S], data: bytes) -> _S:
    """The struct that `data` holds.

    What msgspec refuses is read again with leave: a field of a wrong type is as if it were not there, a number may
    come as text and text with lone surrogates is repaired to U+FFFD, NaN and Infinity may stand where they are not
    read. So one odd field does not cost the answer.

    Raises:
        ValueError: It is no JSON object (or one of `UNREADABLE`, for what nothing can read).
    """
    # msgspec does not look into what it passes over: a name with a byte that is wrong would be one it does not know.
    if not data.isascii() and not is_text(data):
        raise ValueError("it is not UTF-8")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # left before the next try: an error of it would hold this one, and with it the data
    value = load(data)
    if not is_object(value):
        raise ValueError("a JSON object was expected")
    return _struct(decoder.type, value)


def load(data: bytes) -> Any:
    """Any JSON value, with NaN and Infinity let through and lone surrogates made U+FFFD.

    Raises:
        ValueError: It is no JSON, or no UTF-8. It does not hold the data, as the standard library's errors do.
        RecursionError: It is nested too deep.
    """
    try:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        reason = str(error)
    else:
        return _repaired(value) if b"\\u" in data or b"\xed" in data else value
    raise ValueError(reason)


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a decoded JSON value is an array."""
    return isinstance(value, list)


def is_finite(value: object) -> bool:
    """Whether a value that `load` gave is one that JSON has: no NaN and no Infinity stands in it."""
    if is_object(value):
        return all(map(is_finite, value.values()))
    if is_list(value):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def as_object(value: object) -> dict[str, Any]:
    """The JSON object that `value` is, or an empty one."""
    return value if is_object(value) else {}


def as_list(value: object) -> list[Any]:
    """The JSON array that `value` is, or an empty one."""
    return value if is_list(value) else []


def as_text(value: object) -> str | None:
    """The text that `value` is, unless it is empty or no text."""
    return value if isinstance(value, str) and value else None


def is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8, surrogates included."""
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if is_list(value):
        return [_repaired(item) for item in value]
    if is_object(value):
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return value


def _struct(kind: type[_S], value: dict[str, Any]) -> _S:
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name in value:
            fit = _fit(field.type, value[field.encode_name])
            if fit is not _UNFIT:
                fields[field.name] = fit
    return kind(**fields)


def _fit(kind: Any, value: object) -> object:
    if kind is Any:
        return value
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _struct(kind, value) if is_object(value) else _UNFIT
    if kind is int:
        return _whole(value)
    origin, arms = get_origin(kind), get_args(kind)
    if origin is list:
        if not is_list(value):
            return _UNFIT
        return [fit for fit in (_fit(arms[0], item) for item in value) if fit is not _UNFIT]
    if origin is dict:
        return value if is_object(value) else _UNFIT
    if arms:  # a union
        return next((fit for arm in arms if (fit := _fit(arm, value)) is not _UNFIT), _UNFIT)
    return value if isinstance(value, kind) else _UNFIT


def _whole(value: object) -> object:
    if isinstance(value, bool):
        return _UNFIT
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else _UNFIT
