"""A scenario as a file: a TOML document.

prompt = "Will it rain in Oslo?"

[[turns]]
text = ["Let me ", "look."]
calls = [{ name = "weather", arguments = { city = "Oslo" }, pieces = 3, result = "rain" }]
usage = { input = 20, output = 12 }

[[turns]]
text = "It rains."
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from streamd.errors import ConfigError
from streamd.providers import StopReason, Usage

from ._scenario import NAMED, Scenario
from ._turn import CallPart, Part, TextPart, ThinkingPart, Turn

__all__ = ["load_scenario", "scenario_of"]


class _Call(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    arguments: dict[str, Any] = {}
    pieces: int = 1
    result: str = "done"
    id: str | None = None


class _Tokens(Struct, frozen=True, forbid_unknown_fields=True):
    input: int = 10
    output: int = 5


class _Turn(Struct, frozen=True, forbid_unknown_fields=True):
    thinking: str | list[str] = []
    signature: str | None = None
    text: str | list[str] = []
    calls: list[_Call] = []
    usage: _Tokens = _Tokens()
    stop: StopReason | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    turns: list[_Turn]
    prompt: str = "Hi"


def load_scenario(path: str | os.PathLike[str]) -> Scenario:
    """Read a scenario from a TOML file.

    It has a table in `turns` for each answer of the model, with `thinking` and its `signature`, `text`, `calls` (each
    with `name`, `arguments`, `pieces`, `result` and `id`), `usage` (`input` and `output`, in tokens) and `stop`, in
    which the turn's parts have this order. All but a call's `name` may be left out. A text is one piece, or a list of
    pieces. The prompt is `prompt`.

    Raises:
        ConfigError: There is no such file, or it is no such document; the message says where.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            found = msgspec.convert(tomllib.load(file), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the scenario {name} cannot be read: {error}") from error
    if not found.turns:
        raise ConfigError(f"the scenario {name} has no turn")
    return Scenario(tuple(_turn(each, number) for number, each in enumerate(found.turns, 1)), found.prompt)


def scenario_of(source: str) -> Scenario:
    """The scenario that has this name, or is in this file: a TOML document, or a recording.

    Raises:
        ConfigError: There is neither.
    """
    if source in NAMED:
        return NAMED[source]
    if source.endswith(".toml"):
        return load_scenario(source)
    if not os.path.exists(source):
        raise ConfigError(f"{source!r} is neither a file nor a scenario that has a name: {', '.join(NAMED)}")
    return Scenario.from_recording(source)


def _turn(turn: _Turn, number: int) -> Turn:
    usage = Usage(turn.usage.input, turn.usage.output)
    return Turn(tuple(_parts(turn, number)), usage, turn.stop)


def _parts(turn: _Turn, number: int) -> Iterator[Part]:
    if turn.thinking:
        yield ThinkingPart(_pieces(turn.thinking), turn.signature)
    if turn.text:
        yield TextPart(_pieces(turn.text))
    for place, call in enumerate(turn.calls, 1):
        own = call.id or f"call_{number}_{place}"
        yield CallPart(own, call.name, call.arguments, call.pieces, call.result)


def _pieces(text: str | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)
