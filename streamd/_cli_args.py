"""What the command line asks for: `streamd chat`, `replay`, `providers`, `faults` and `mock`, as plain values."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Literal, cast

import msgspec
from msgspec import Struct

from ._cli_faults import FaultsCommand, add_faults
from ._cli_mock import MockCommand, add_mock
from ._tools import Tool
from ._version import __version__
from .errors import ConfigError

__all__ = ["ChatCommand", "Command", "ProvidersCommand", "ReplayCommand", "load_tool", "parse"]

DEFAULT_MODEL = "local"


class ChatCommand(Struct, frozen=True, kw_only=True):
    """`streamd chat`: the prompt, `None` where none was given, and how it is to be answered and shown."""

    prompt: str | None = None
    model: str = DEFAULT_MODEL
    system: str | None = None
    tools: tuple[str, ...] = ()
    max_tokens: int | None = None
    temperature: float | None = None
    record: str | None = None
    as_json: bool = False
    statistics: bool = False


class ReplayCommand(Struct, frozen=True, kw_only=True):
    """`streamd replay`: the recording, and how it is to be played and shown."""

    file: str
    speed: float = 1.0
    recut: int | Literal["whole"] | None = None
    as_json: bool = False
    statistics: bool = False


class ProvidersCommand(Struct, frozen=True):
    """`streamd providers`: the table of providers, or of those with the text `wanted` in their row."""

    wanted: str = ""


Command = ChatCommand | ReplayCommand | ProvidersCommand | FaultsCommand | MockCommand


def parse(arguments: Sequence[str] | None = None) -> Command:
    """The command in these arguments; the process's own where None.

    Raises:
        SystemExit: With 2 after saying what is wrong with them, or with 0 after `--help` or `--version`.
    """
    given = vars(_parser().parse_args(arguments))
    match given.pop("command"):
        case "providers":
            return ProvidersCommand(**given)
        case "faults":
            return msgspec.convert(given, FaultsCommand)
        case "mock":
            return msgspec.convert(given, MockCommand)
        case "replay":
            return msgspec.convert(given, ReplayCommand)
        case _:
            return msgspec.convert(given, ChatCommand)


def load_tool(reference: str, option: str = "--tool") -> Tool | Callable[..., object]:
    """The function that `module:function` names; the module is looked for in the current folder too.

    Args:
        reference: What was given.
        option: The option it was given with, for the messages.

    Raises:
        ConfigError: The reference has another form, its module cannot be imported, or the function is not in it.
    """
    module_name, colon, path = reference.partition(":")
    if not colon or not module_name or not path:
        raise ConfigError(f"{option} {reference}: give it as module:function")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = importlib.import_module(module_name)
    except Exception as exc:  # the module is the user's, and may raise anything
        raise ConfigError(
            f"{option} {reference}: the module {module_name!r} cannot be imported: {type(exc).__name__}: {exc}"
        ) from exc
    try:
        found: object = reduce(getattr, path.split("."), cast("object", module))
    except AttributeError as exc:
        raise ConfigError(f"{option} {reference}: {exc}") from exc
    if not callable(found):
        raise ConfigError(f"{option} {reference}: it is no function but a {type(found).__name__}")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamd", description="Stream answers of language models.")
    parser.add_argument("--version", action="version", version=f"streamd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chat = commands.add_parser(
        "chat",
        help="ask a model, or talk with it",
        description="Ask a model and stream its answer. Without a prompt: a conversation on a terminal; elsewhere the "
        "prompt is read from standard input.",
        epilog="Ctrl-C stops the answer; a second one, or one at the prompt, leaves.",
    )
    chat.add_argument("prompt", nargs="?", metavar="PROMPT", help="what to ask")
    chat.add_argument(
        "-m",
        "--model",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help="provider:name, such as anthropic:claude-sonnet-4-6; local (the default), a small model on this machine; "
        "or local:/path/to/file.gguf",
    )
    chat.add_argument("-s", "--system", metavar="TEXT", help="the instruction over the conversation")
    chat.add_argument(
        "--tool",
        dest="tools",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="a Python function the model may call; may be given again",
    )
    chat.add_argument("--max-tokens", type=_positive, metavar="N", help="the most tokens an answer may have")
    chat.add_argument("--temperature", type=_finite, metavar="T", help="on the provider's own scale")
    chat.add_argument(
        "--record",
        metavar="FILE",
        help="write the session to FILE, for `streamd replay`; further answers of a conversation go to files beside it",
    )
    replay = commands.add_parser(
        "replay",
        help="play a recorded session",
        description="Play a session that `--record` wrote: what came over the wire goes through streamd again, at its "
        "pace, without network or key.",
    )
    replay.add_argument("file", metavar="FILE", help="the recording")
    replay.add_argument(
        "--speed", type=_speed, default=1.0, metavar="X", help="so many times faster; inf for at once"
    )
    replay.add_argument(
        "--recut",
        type=_cut,
        metavar="N",
        help="give the bytes in reads of N, or `whole`, instead of those that were recorded",
    )
    for each in (chat, replay):
        each.add_argument(
            "--json", dest="as_json", action="store_true", help="print one chunk a line, as JSON"
        )
        each.add_argument(
            "--stats",
            dest="statistics",
            action="store_true",
            help="then print the time to the first chunk, chunks per second, tokens and rounds to standard error",
        )
    providers = commands.add_parser(
        "providers",
        help="list the providers, and whether a key of each is set",
        description="List the providers: their wire format, whether a key is set, the environment variables that are "
        "read, and where each answers. Keys are never shown.",
    )
    providers.add_argument(
        "wanted",
        nargs="?",
        default="",
        metavar="TEXT",
        help="only those with this text in their name, wire, variables or address",
    )
    add_faults(commands)
    add_mock(commands)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _speed(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, or inf")
    return number


def _cut(text: str) -> int | str:
    return text if text == "whole" else _positive(text)


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return number
