"""From a function's signature to the arguments a model gives it."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable
from typing import Annotated, Any, cast

import msgspec

from ._tool_context import ToolContext
from .errors import ToolError

__all__ = ["Signature", "inner_function", "signature_of"]


class Signature(msgspec.Struct, frozen=True):
    """What a tool's function takes: a struct with a field for each argument, and where the context goes, if anywhere.

    `schema` is the JSON schema of the arguments.
    """

    arguments: type[msgspec.Struct]
    schema: dict[str, Any]
    context: str | None


def inner_function(function: object) -> object:
    """What `functools.partial` was given: a name, a docstring and type hints are the function's own."""
    while isinstance(function, functools.partial):
        function = cast("functools.partial[object]", function).func
    return function


def signature_of(function: Callable[..., object], label: str) -> Signature:
    """Read a function's signature.

    Raises:
        ToolError: It cannot be a tool's; the message names the tool and the parameter.
    """
    if not callable(function):
        raise ToolError(f"a tool is made of a function, not of {type(function).__name__}")
    try:
        inner = inner_function(function)
        described = inner if inspect.isroutine(inner) else type(inner).__call__
        hints = typing.get_type_hints(described, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
    except Exception as exc:  # a hint given as text is evaluated, and may raise anything
        raise ToolError(f"the type hints of tool {label!r} cannot be read: {exc}") from exc
    if inspect.isasyncgenfunction(function):
        raise ToolError(f"tool {label!r} is an async generator: a tool returns one value")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", label):
        raise ToolError(
            f"{label!r} cannot be a tool's name: it has 1 to 64 letters, digits, _ and -; give name=..."
        )
    fields: list[tuple[str, Any, Any]] = []
    context: str | None = None
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolError(f"parameter {parameter} of tool {label!r} cannot be given by name")
        if parameter.name == "self" and "self" not in hints:
            raise ToolError(f"tool {label!r} is a method without its object: give object.{label}")
        if parameter.name not in hints:
            raise ToolError(f"parameter {parameter.name!r} of tool {label!r} has no type hint")
        hint = hints[parameter.name]
        if _takes_context(hint):
            _check_context(parameter, hint, context, label)
            context = parameter.name
        else:
            fields.append((parameter.name, hint, _default(parameter)))
    try:
        arguments = msgspec.defstruct(f"{label}_arguments", fields, kw_only=True, forbid_unknown_fields=True)
    except (TypeError, ValueError, SyntaxError, RuntimeError) as exc:
        raise ToolError(f"tool {label!r} cannot be described: {exc}") from exc
    return Signature(arguments, _schema(arguments, label), context)


def _takes_context(hint: object) -> bool:
    return hint is ToolContext or any(map(_takes_context, typing.get_args(hint)))


def _check_context(parameter: inspect.Parameter, hint: object, other: str | None, label: str) -> None:
    where = f"parameter {parameter.name!r} of tool {label!r}"
    if other is not None:
        raise ToolError(f"{where} is a second streamd.ToolContext: {other!r} is one already")
    bare = typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint
    if bare is not ToolContext:
        raise ToolError(f"{where} is annotated {hint}: annotate it streamd.ToolContext alone")
    if parameter.default is not parameter.empty:
        raise ToolError(f"{where} has a default: a streamd.ToolContext is always given")


def _default(parameter: inspect.Parameter) -> object:
    """A default the model can be told of, as it is; any other stays the function's own object."""
    value = parameter.default
    if value is parameter.empty:
        return msgspec.field()
    plain = value is None or isinstance(value, str | int | float)
    return value if plain else msgspec.field(default_factory=lambda: value)


def _schema(arguments: type[msgspec.Struct], label: str) -> dict[str, Any]:
    """The JSON schema of the arguments, as one object."""
    try:
        (outer,), components = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except TypeError as exc:
        raise ToolError(f"tool {label!r} takes something JSON cannot hold: {exc}") from exc
    own = outer["$ref"].rpartition("/")[2]
    schema = dict(components.pop(own))
    schema.pop("title", None)
    return {**schema, "$defs": components} if components else schema
