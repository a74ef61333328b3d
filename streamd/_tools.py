"""Tools: functions a model may call, described to it by their signature and docstring."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast, final

import msgspec
import trio

from streamd.providers import ToolSpec

from ._arguments import is_whole
from ._tool_context import ToolContext
from ._tool_places import Place
from ._tool_schema import inner_function, signature_of
from .errors import ToolError

__all__ = ["Tool", "tool", "tools_by_name"]


@final
class Tool:
    """A function a model may call.

    Made by `streamd.tool`; calling it calls the function. `spec` is what the model is told: the name, the description
    and the JSON schema of the arguments. The marks are those given to `streamd.tool`.
    """

    def __init__(
        self,
        function: Callable[..., object],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
        concurrency: int | None = None,
        idempotent: bool = False,
        effectful: bool = False,
    ) -> None:
        self._function: Callable[..., object] = function.function if isinstance(function, Tool) else function
        function = self._function
        self._is_async = inspect.iscoroutinefunction(function)
        _check_texts(name, description)
        inner = inner_function(function)
        label = name or str(getattr(inner, "__name__", type(inner).__name__))
        self._signature = signature_of(function, label)
        _check_marks(label, timeout, concurrency, idempotent=idempotent, effectful=effectful)
        self.spec: ToolSpec = ToolSpec(
            name=label,
            description=description if description is not None else inspect.getdoc(inner) or "",
            input_schema=self._signature.schema,
        )
        # The function's own attributes stay its own: they could stand in for this object's.
        functools.update_wrapper(self, function, updated=())
        self.timeout: float | None = timeout
        self.concurrency: int | None = concurrency
        self.idempotent: bool = idempotent
        self.effectful: bool = effectful

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
        taken = self._signature.arguments
        # A copy, as what a function does to it must not change the conversation.
        bound = msgspec.convert(_copied(arguments), taken)
        return {field: getattr(bound, field) for field in taken.__struct_fields__}

    async def run(
        self, arguments: Mapping[str, Any], context: ToolContext | None = None, place: Place | None = None
    ) -> object:
        """Call the function with bound arguments and return what it returned.

        A plain function runs in a thread. Cancelling abandons that thread, as nothing can stop it: what it returns
        later is dropped.

        Args:
            arguments: What `bind` gave.
            context: For the parameter annotated `ToolContext`, where there is one.
            place: Told when the thread of a plain function has really ended.
        """
        if self._signature.context is not None:
            arguments = {**arguments, self._signature.context: context}
        if self._is_async:
            return await cast("Callable[..., Awaitable[object]]", self._function)(**arguments)
        # A limiter of its own, so that threads a tool never gives back do not starve the other tools. By trio's
        # documentation it may be anything with the two methods by which a thread takes and gives back its token.
        limiter = trio.CapacityLimiter(1) if place is None else cast("trio.CapacityLimiter", place)
        (result,) = await trio.to_thread.run_sync(
            lambda: [self._function(**arguments)], abandon_on_cancel=True, limiter=limiter
        )
        # A plain function around an async one returns what is yet to be awaited.
        return await cast("Awaitable[object]", result) if inspect.isawaitable(result) else result


@typing.overload
def tool(function: Callable[..., object], /) -> Tool: ...


@typing.overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    concurrency: int | None = None,
    idempotent: bool = False,
    effectful: bool = False,
) -> Callable[[Callable[..., object]], Tool]: ...


def tool(
    function: Callable[..., object] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    concurrency: int | None = None,
    idempotent: bool = False,
    effectful: bool = False,
) -> Tool | Callable[[Callable[..., object]], Tool]:
    """Make a function a tool: `@tool` or `@tool(name=..., description=...)`.

    The arguments' JSON schema comes from the type hints, by msgspec: anything msgspec can decode is allowed, and
    `Annotated[str, msgspec.Meta(description="...")]` describes and constrains an argument. The description is the
    docstring. A plain function runs in a thread, so that it may block. A parameter annotated `streamd.ToolContext` is
    given what the call is about, and is not described to the model.

    Args:
        function: The function, async or plain.
        name: What the model calls it; the function's name by default.
        description: What the model is told of it; the docstring by default.
        timeout: How long a call may take, in seconds, instead of the session's `tool_timeout`; `math.inf` for no
            bound.
        concurrency: How many calls of it a session runs at once; further ones wait, and their time begins after it.
        idempotent: The same call may be made again safely. Equal calls of a round (one name, the same arguments) are
            run once and share the result, and a call that failed or took too long is made once more.
        effectful: A call changes something outside. Such calls are made one after the other, in the order in which
            the model made them, with all effectful tools of the session; the result of one that was cut short says
            that its effect is unknown. It cannot be idempotent too.

    Raises:
        ToolError: An argument has no type hint, cannot be given by name, or has a type JSON cannot hold; a mark cannot
            be used.
    """
    made = functools.partial(
        Tool,
        name=name,
        description=description,
        timeout=timeout,
        concurrency=concurrency,
        idempotent=idempotent,
        effectful=effectful,
    )
    return made if function is None else made(function)


def tools_by_name(tools: Iterable[Tool | Callable[..., object]]) -> dict[str, Tool]:
    """The tools a session offers, by name; plain functions are made tools.

    Raises:
        ToolError: Two have one name, or one cannot be a tool.
    """
    if callable(tools) or not isinstance(tools, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - untyped callers
        raise ToolError(f"tools is a list, not {type(tools).__name__}: give tools=[...]")
    named: dict[str, Tool] = {}
    for each in tools:
        made = each if isinstance(each, Tool) else Tool(each)
        if made.name in named:
            raise ToolError(f"two tools are named {made.name!r}: give one another name with @tool(name=...)")
        named[made.name] = made
    return named


def _copied(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """JSON of the same content, however deep, of which nothing is shared that can be changed."""
    whole = dict(arguments)
    left: list[dict[Any, Any] | list[Any]] = [whole]
    while left:
        holder = left.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, dict | list):
                holder[key] = value.copy()
                left.append(holder[key])
    return whole


def _check_texts(name: object, description: object) -> None:
    if not (isinstance(name, str | None) and isinstance(description, str | None)):
        raise ToolError(f"a tool's name and its description are texts, not {name!r} and {description!r}")


def _check_marks(
    label: str, timeout: object, concurrency: object, *, idempotent: object, effectful: object
) -> None:
    if timeout is not None and not (
        isinstance(timeout, int | float) and not isinstance(timeout, bool) and timeout > 0
    ):
        raise ToolError(f"tool {label!r}: timeout is a positive number of seconds, not {timeout!r}")
    if concurrency is not None and not is_whole(concurrency, 1):
        raise ToolError(f"tool {label!r}: concurrency is a whole number of at least 1, not {concurrency!r}")
    if not (isinstance(idempotent, bool) and isinstance(effectful, bool)):
        raise ToolError(f"tool {label!r}: idempotent and effectful are True or False")
    if idempotent and effectful:
        raise ToolError(
            f"tool {label!r} is marked idempotent and effectful: a call that may be made again safely needs no more "
            "than idempotent, one that may not is effectful alone"
        )
