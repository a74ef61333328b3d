"""What belongs into the fields of a conversation and its options: Python lets a caller put anything there."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, cast

from .chunks import (
    Media,
    RedactedThinking,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from .errors import ConfigError
from .messages import CachePoint, Context, File, Image, Message, Options, OutputSpec, ToolSpec

__all__ = ["check_types"]

Kinds = tuple[type[Any], ...]

_TEXT: Kinds = (str,)
_TEXT_OR_NONE: Kinds = (str, NoneType)
_NUMBER_OR_NONE: Kinds = (float, int, NoneType)
_WHOLE_OR_NONE: Kinds = (int, NoneType)
_SEQUENCE: Kinds = (tuple, list)
_MAPPING: Kinds = (Mapping,)

_FIELDS: dict[type[Any], dict[str, Kinds]] = {
    Context: {
        "messages": _SEQUENCE,
        "system": _TEXT_OR_NONE,
        "tools": _SEQUENCE,
        "server_tools": _SEQUENCE,
        "provider_state": _MAPPING,
    },
    Options: {
        "model": _TEXT,
        "max_tokens": _WHOLE_OR_NONE,
        "temperature": _NUMBER_OR_NONE,
        "top_p": _NUMBER_OR_NONE,
        "stop": _SEQUENCE,
        "tool_choice": _TEXT_OR_NONE,
        "output": (OutputSpec, NoneType),
        "logprobs": _WHOLE_OR_NONE,
        "cache": _TEXT_OR_NONE,
        "extra_headers": _MAPPING,
        "extra_body": _MAPPING,
    },
    ToolSpec: {"name": _TEXT, "description": _TEXT, "input_schema": _MAPPING},
    OutputSpec: {"name": _TEXT, "schema": _MAPPING},
    Message: {"content": _SEQUENCE},
    Text: {"text": _TEXT},
    Refusal: {"text": _TEXT},
    Thinking: {"text": _TEXT, "signature": _TEXT_OR_NONE, "id": _TEXT_OR_NONE},
    RedactedThinking: {"data": _TEXT},
    ToolCall: {"id": _TEXT, "name": _TEXT, "arguments": _MAPPING, "signature": _TEXT_OR_NONE},
    ServerToolCall: {"wire": _TEXT, "raw": _MAPPING},
    ServerToolResult: {"wire": _TEXT, "raw": _MAPPING},
    ToolResult: {"id": _TEXT, "name": _TEXT, "content": _TEXT, "is_error": (bool,)},
    Image: {"media_type": _TEXT, "data": (bytes, NoneType), "url": _TEXT_OR_NONE},
    File: {
        "media_type": _TEXT,
        "data": (bytes, NoneType),
        "url": _TEXT_OR_NONE,
        "file_id": _TEXT_OR_NONE,
        "name": _TEXT_OR_NONE,
    },
    Media: {"media_type": _TEXT, "data": (bytes, NoneType), "url": _TEXT_OR_NONE},
    CachePoint: {"time": _TEXT},
}

_WORDS: dict[Kinds, str] = {
    _TEXT: "text",
    _TEXT_OR_NONE: "text or None",
    _NUMBER_OR_NONE: "a number or None",
    _WHOLE_OR_NONE: "a whole number or None",
    _SEQUENCE: "a tuple or a list",
    _MAPPING: "a mapping",
    (bool,): "True or False",
    (bytes, NoneType): "bytes or None",
    (OutputSpec, NoneType): "an OutputSpec or None",
}


def check_types(provider: str, context: object, options: object) -> None:
    """Raise `ConfigError` where a value has the wrong type; the message names the provider, the place and the type.

    Which kinds of part a role takes is not looked at here; see `check_conversation`.
    """
    if not isinstance(context, Context):
        raise ConfigError(f"{provider}: the context is a Context, not a {_kind(context)}")
    if not isinstance(options, Options):
        raise ConfigError(f"{provider}: the options are an Options, not a {_kind(options)}")
    _check_fields(context, provider, ": the context")
    _check_fields(options, provider, ": the options")
    _check_items(provider, options)
    if options.output is not None:
        _check_fields(options.output, provider, ": the output")
    if options.cache not in {None, "5m", "1h"}:
        raise ConfigError(f'{provider}: the options: `cache` is "5m" or "1h", not {options.cache!r}')
    for number, tool in enumerate[object](context.tools):
        if not isinstance(tool, ToolSpec):
            raise ConfigError(f"{provider}: tool {number} is a ToolSpec, not a {_kind(tool)}")
        _check_fields(tool, provider, f": tool {number}")
    for number, declared in enumerate[object](context.server_tools):
        if not isinstance(declared, Mapping):
            raise ConfigError(f"{provider}: server tool {number} is a mapping, not a {_kind(declared)}")
    for number, message in enumerate(context.messages):
        _check_message(provider, number, message)


def _check_items(provider: str, options: Options) -> None:
    for number, text in enumerate[object](options.stop):
        if not isinstance(text, str) or not text:
            raise ConfigError(f"{provider}: stop {number} is not a text that could come")
    for number, name in enumerate[object](options.extra_body):
        if not isinstance(name, str):
            raise ConfigError(
                f"{provider}: extra_body: the name of field {number} is a {_kind(name)}, not text"
            )


def _check_message(provider: str, number: int, message: object) -> None:
    where = f"{provider}: message {number}"
    if not isinstance(message, Message):
        raise ConfigError(f"{where} is a Message, not a {_kind(message)}")
    role = cast("object", message.role)
    if not isinstance(role, str):
        raise ConfigError(f"{where}: `role` is text, not a {_kind(role)}")
    _check_fields(message, where, f" ({role})")
    for place, part in enumerate(message.content):
        if type(part) in _FIELDS:
            _check_fields(part, where, f" ({role}), part {place} ({part.__struct_config__.tag})")


def _check_fields(value: object, where: str, what: str) -> None:
    for name, kinds in _FIELDS[type(value)].items():
        given = getattr(value, name)
        if not isinstance(given, kinds):
            raise ConfigError(f"{where}{what}: `{name}` is {_WORDS[kinds]}, not a {_kind(given)}")


def _kind(value: object) -> str:
    return type(value).__name__
