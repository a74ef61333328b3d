"""Functions that take the arguments of another, and say so to type checkers and to `help`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

__all__ = ["method_takes_arguments_of", "takes_arguments_of"]

P = ParamSpec("P")
T = TypeVar("T")
SelfT = TypeVar("SelfT")


def takes_arguments_of(model: Callable[P, object]) -> Callable[[Callable[..., T]], Callable[P, T]]:
    """Say that a function takes the arguments of another; its result is its own."""

    def same(function: Callable[..., T]) -> Callable[P, T]:
        _show(function, [*inspect.signature(model).parameters.values()])
        return function

    return same


def method_takes_arguments_of(
    model: Callable[P, object],
) -> Callable[[Callable[Concatenate[SelfT, ...], T]], Callable[Concatenate[SelfT, P], T]]:
    """Say that a method takes the arguments of a function; its result is its own."""

    def same(method: Callable[Concatenate[SelfT, ...], T]) -> Callable[Concatenate[SelfT, P], T]:
        own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        _show(method, [own, *inspect.signature(model).parameters.values()])
        return method

    return same


def _show(function: Any, parameters: list[inspect.Parameter]) -> None:
    shown = inspect.signature(function)
    function.__signature__ = shown.replace(parameters=parameters)
