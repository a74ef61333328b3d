"""The arguments of `streamd faults`, which strikes an application with faults and reports what it made of them."""

from __future__ import annotations

import argparse
from typing import Any, Literal

from msgspec import Struct

__all__ = ["FaultsCommand", "add_faults"]


class FaultsCommand(Struct, frozen=True, kw_only=True):
    """`streamd faults`: what is struck, with what, and where the report goes."""

    app: str | None = None
    faults: tuple[str, ...] = ()
    wires: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    seed: int = 0
    n: int | None = None
    world: Literal["simulate", "decode"] = "simulate"
    jobs: int = 1
    json: str | None = None
    junit: str | None = None
    html: str | None = None
    catalogue: bool = False


def add_faults(commands: Any) -> None:
    """Add the command to those of a parser.

    Args:
        commands: What `argparse.ArgumentParser.add_subparsers` gave.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        "faults",
        help="strike an application with faults, in virtual time",
        description="Run an application against a server in memory whose answers fail, and judge what it makes of "
        "them. With --fault: that plan, on each wire and scenario, with N seeds; one run alone is printed event by "
        "event. Without: every fault of the catalogue with N seeds, from which wire and scenario are drawn. The exit "
        "code is 1 where anything was found.",
    )
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument(
        "--app",
        metavar="MODULE:FUNCTION",
        help="what is tested: an async function of a streamd.testing.World; streamd's own session if not given",
    )
    parser.add_argument(
        "--fault",
        dest="faults",
        metavar="FAULT",
        help="such as 'net.reset@byte:120 x2'; given again, all of them strike together",
        **several,
    )
    parser.add_argument("--wire", dest="wires", metavar="WIRE", help="may be given again", **several)
    parser.add_argument(
        "--scenario",
        dest="scenarios",
        metavar="NAME",
        help="a named one, a scenario as TOML, or a file that --record wrote; may be given again",
        **several,
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the first seed; 0 if not given")
    parser.add_argument("--n", type=_count, metavar="N", help="how many seeds; 20, or 1 with --fault")
    parser.add_argument(
        "--world",
        choices=["simulate", "decode"],
        default="simulate",
        help="decode: a decoder alone, no session",
    )
    parser.add_argument("--jobs", type=_count, default=1, metavar="J", help="how many processes")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    parser.add_argument("--junit", metavar="FILE", help="write the report as JUnit's XML")
    parser.add_argument("--html", metavar="FILE", help="write the report as a page")
    parser.add_argument(
        "--list", dest="catalogue", action="store_true", help="list the faults, and run nothing"
    )


def _count(text: str) -> int:
    # With none of them nothing would be run, and nothing found.
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)
