"""The command `streamd`: `streamd chat`, `streamd replay`, `streamd providers`, `streamd faults`, `streamd mock`.

It exits with 0; 1 where the answer failed, or a fault found something; 2 where it was asked for in a wrong way; 130
after Ctrl-C; 143 after a SIGTERM; 141 where nobody reads its output any more.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import assert_never, cast

import trio

from streamd.providers import known_providers

from ._cli_args import ChatCommand, Command, ProvidersCommand, ReplayCommand, load_tool, parse
from ._cli_chat import INTERRUPTED, chat
from ._cli_faults import FaultsCommand
from ._cli_mock import MockCommand
from ._cli_prompt import LineReader, history_file
from ._cli_providers import print_providers
from ._cli_render import error_text
from ._cli_replay import play
from ._cli_screen import Screen
from ._local_model import cache_directory
from .errors import ConfigError, StreamdError, ToolError

__all__ = ["main"]

UNREAD = 128 + signal.SIGPIPE
EXPECTED: tuple[type[BaseException], ...] = (StreamdError, OSError, KeyboardInterrupt)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments`, the process's own where None; gives the exit code.

    Raises:
        SystemExit: The arguments are wrong, or ask for help or the version.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    command = parse(arguments)
    failure: BaseException
    try:
        return _run(command)
    except* EXPECTED as group:
        failure = _first(group)
    return _report(failure, command)


def _run(command: Command) -> int:
    match command:
        case ChatCommand():
            return _chat(command)
        case ReplayCommand():
            return trio.run(play, command, _screen(command))
        case ProvidersCommand():
            return _providers(command)
        case FaultsCommand():
            # The harness is imported only where it is used.
            from .testing._faults_command import run_faults  # noqa: PLC0415  (the harness costs every other command nothing)

            return run_faults(command)
        case MockCommand():
            from .testing._mock_command import run_mock  # noqa: PLC0415 - as above

            return trio.run(run_mock, command)
    assert_never(command)


def _providers(command: ProvidersCommand) -> int:
    found = print_providers(known_providers(), sys.stdout, command.wanted)
    sys.stdout.flush()
    if not found:
        sys.stderr.write(f"streamd: error: no provider has {command.wanted!r} in its row\n")
    return 0 if found else 1


def _screen(command: ChatCommand | ReplayCommand) -> Screen:
    styled = os.environ.get("TERM") != "dumb"
    return Screen(sys.stdout, sys.stderr, as_json=command.as_json, styled=styled)


def _chat(command: ChatCommand) -> int:
    tools = [load_tool(reference) for reference in command.tools]
    screen = _screen(command)
    prompt, reader = command.prompt, None
    if prompt is None and sys.stdin.isatty() and sys.stdout.isatty():
        reader = LineReader(history_file(cache_directory()))
    elif prompt is None:
        prompt = sys.stdin.read()
    return trio.run(chat, command, _sound(prompt or ""), tools, screen, reader)


def _sound(text: str) -> str:
    """`text` as UTF-8 can hold it: an argument's bytes may be none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _first(error: BaseException) -> BaseException:
    """The error itself, or the first one in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _report(failure: BaseException, command: Command) -> int:
    """Say what ended the command, where there is something to say; gives the exit code."""
    match failure:
        case KeyboardInterrupt():
            return INTERRUPTED
        case BrokenPipeError():
            # Or the interpreter would flush what is left, and complain, on its way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return UNREAD
        case _:
            model = command.model if isinstance(command, ChatCommand) else ""
            sys.stderr.write(error_text(failure, model, known_providers()) + "\n")
            return 2 if isinstance(failure, ConfigError | ToolError) else 1


if __name__ == "__main__":
    sys.exit(main())
