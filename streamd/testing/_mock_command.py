"""`streamd mock`, carried out."""

from __future__ import annotations

import signal
import sys

import trio

from streamd._cli_mock import MockCommand

from ._fault import plan_of
from ._render import WIRES
from ._scenario_file import scenario_of
from ._serve import serving
from ._wire_paths import example

__all__ = ["run_mock"]


async def run_mock(command: MockCommand) -> int:
    """Serve until a Ctrl-C or a SIGTERM; gives the exit code.

    Raises:
        ConfigError: There is no such scenario, wire or fault, or it cannot be served.
        OSError: The port is taken, or nobody reads the output any more; it may come in a group.
    """
    scenario = scenario_of(command.scenario)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serving(
            scenario,
            plan_of(command.faults),
            wire=command.wire,
            seed=command.seed,
            host=command.host,
            port=command.port,
            foreign=True,
            told=_say,
        ) as served:
            _say(f"streamd mock: {served.url} (no key is needed; Ctrl-C ends it)")
            for wire in [command.wire] if command.wire else WIRES:
                _say(f"  {wire:<18}  {example(served.url, wire)}")
            async for _number in signals:
                break
    return 0


def _say(line: str) -> None:
    # Whoever reads this may be a program that waits for the line.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
