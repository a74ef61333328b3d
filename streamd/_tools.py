"""Tools: functions a model may call, described to it by their signature and docstring."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast, final

import msgspec
import trio

from streamd.providers import ToolSpec

from .errors import ToolError

__all__ = ["Tool", "tool", "tools_by_name"]


@final
class Tool:
    """A function a model may call.

    Made by `streamd.tool`; calling it calls the function. `spec` is what the model is told: the name, the description
    and the JSON schema of the arguments.
    """

    def __init__(
        self, function: Callable[..., object], *, name: str | None = None, description: str | None = None
    ) -> None:
        self._function: Callable[..., object] = function.function if isinstance(function, Tool) else function
        function = self._function
        self._is_async = inspect.iscoroutinefunction(function)
        label = name or str(getattr(function, "__name__", type(function).__name__))
        self._arguments = _arguments_type(function, label)
        self.spec: ToolSpec = ToolSpec(
            name=label,
            description=description if description is not None else inspect.getdoc(function) or "",
            input_schema=_schema(self._arguments, label),
        )
        # The function's own attributes stay its own: they could stand in for this object's.
        functools.update_wrapper(self, function, updated=())

    @property
    def function(self) -> Callable[..., object]:
        """The function it was made of."""
        return self._function

    @property
    def name(self) -> str:
        """The name the model calls it by."""
        return self.spec.name

    def __repr__(self) -> str:
        return f"<streamd.Tool {self.name!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as if it were not a tool."""
        return self._function(*args, **kwargs)

    def bind(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function's own types.

        Raises:
            msgspec.ValidationError: They do not fit the schema; the message names the place.
        """
        bound = msgspec.convert(arguments, self._arguments)
        return {field: getattr(bound, field) for field in self._arguments.__struct_fields__}

    async def run(self, arguments: Mapping[str, Any]) -> object:
        """Call the function with bound arguments and return what it returned.

        A plain function runs in a thread. Cancelling abandons that thread, as nothing can stop it: what it returns
        later is dropped.
        """
        if self._is_async:
            return await cast("Callable[..., Awaitable[object]]", self._function)(**arguments)
        # A limiter of its own, so that threads a tool never gives back do not starve the other tools.
        (result,) = await trio.to_thread.run_sync(
            lambda: [self._function(**arguments)], abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
        )
        # A plain function around an async one returns what is yet to be awaited.
        return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result


@typing.overload
def tool(function: Callable[..., object], /) -> Tool: ...


@typing.overload
def tool(
    *, name: str | None = None, description: str | None = None
) -> Callable[[Callable[..., object]], Tool]: ...


def tool(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
) -> Tool | Callable[[Callable[..., object]], Tool]:
    """Make a function a tool: `@tool` or `@tool(name=..., description=...)`.

    The arguments' JSON schema comes from the type hints, by msgspec: anything msgspec can decode is allowed, and
    `Annotated[str, msgspec.Meta(description="...")]` describes and constrains an argument. The description is the
    docstring. A plain function runs in a thread, so that it may block.

    Args:
        function: The function, async or plain.
        name: What the model calls it; the function's name by default.
        description: What the model is told of it; the docstring by default.

    Raises:
        ToolError: An argument has no type hint, cannot be given by name, or has a type JSON cannot hold.
    """
    if function is None:
        return functools.partial(Tool, name=name, description=description)
    return Tool(function, name=name, description=description)


def tools_by_name(tools: Iterable[Tool | Callable[..., object]]) -> dict[str, Tool]:
    """The tools a session offers, by name; plain functions are made tools.

    Raises:
        ToolError: Two have one name, or one cannot be a tool.
    """
    if callable(tools):
        raise ToolError("tools is a list: give tools=[...]")
    named: dict[str, Tool] = {}
    for each in tools:
        made = each if isinstance(each, Tool) else Tool(each)
        if made.name in named:
            raise ToolError(f"two tools are named {made.name!r}: give one another name with @tool(name=...)")
        named[made.name] = made
    return named


def _arguments_type(function: Callable[..., object], label: str) -> type[msgspec.Struct]:
    """A struct with one field for each parameter."""
    if not callable(function):
        raise ToolError(f"a tool is made of a function, not of {type(function).__name__}")
    try:
        described = function if inspect.isroutine(function) else type(function).__call__
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
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise ToolError(f"parameter {parameter} of tool {label!r} cannot be given by name")
        if parameter.name == "self" and "self" not in hints:
            raise ToolError(f"tool {label!r} is a method without its object: give object.{label}")
        if parameter.name not in hints:
            raise ToolError(f"parameter {parameter.name!r} of tool {label!r} has no type hint")
        fields.append((parameter.name, hints[parameter.name], _default(parameter)))
    try:
        return msgspec.defstruct(f"{label}_arguments", fields, kw_only=True, forbid_unknown_fields=True)
    except (TypeError, ValueError, SyntaxError, RuntimeError) as exc:
        raise ToolError(f"tool {label!r} cannot be described: {exc}") from exc


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
