"""The arguments of `streamd mock`, a server on this machine that plays a scenario to any client."""

from __future__ import annotations

import argparse
from typing import Any

from msgspec import Struct

__all__ = ["MockCommand", "add_mock"]


class MockCommand(Struct, frozen=True, kw_only=True):
    """`streamd mock`: what is played, where, and what goes wrong."""

    scenario: str = "hello"
    host: str = "127.0.0.1"
    port: int = 0
    wire: str | None = None
    faults: tuple[str, ...] = ()
    seed: int = 0


def add_mock(commands: Any) -> None:
    """Add the command to those of a parser.

    Args:
        commands: What `argparse.ArgumentParser.add_subparsers` gave.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "mock",
        help="a server that plays a scenario, with faults, to any client",
        description="Listen on the loopback and play a conversation to whoever asks, in every wire, without a key. "
        "Each request is printed. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--scenario",
        default="hello",
        metavar="FILE",
        help="a scenario as TOML, a session that --record wrote, or one that has a name; hello if not given",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help="127.0.0.1, localhost or ::1")
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="any free one if not given")
    parser.add_argument(
        "--wire", metavar="WIRE", help="answer every request in this wire; in that of its path if not given"
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        action="append",
        default=[],
        metavar="FAULT",
        help="such as 'net.reset@byte:120', 'http.status=429 x2' or 'net.fin x*'; may be given again",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="what the faults leave open is drawn from it"
    )


def _port(text: str) -> int:
    # The system's own look-up takes a larger number for another port, and says nothing.
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: it is a number from 0 to 65535")
    return int(text)
