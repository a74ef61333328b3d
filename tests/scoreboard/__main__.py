"""Plays every row of the scoreboard to every client, on the loopback: `make scoreboard`.

The server is `streamd.testing.serve`; each client runs in a process of the environment that it is installed in. What
came of it is written to docs/scoreboard.json, of which docs/scoreboard_table.py makes the tables of the page.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import sys
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import trio
from msgspec.structs import replace

from streamd.testing import HELLO, ONE_TOOL, parse_plan, serve
from tests.scoreboard.clients import CLIENTS, PATIENCE
from tests.scoreboard.rows import ROWS, Row

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "docs" / "scoreboard.json"
SCRIPT = ROOT / "tests" / "scoreboard" / "clients.py"
ENVIRONMENTS = {"litellm": ".venv-scoreboard-litellm"}
"""Where a client is installed, if not with the others: litellm needs an older openai."""

ENVIRON = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""What the clients' processes are started with: without it litellm asks the network for prices."""

WAIT = 2.0
"""Seconds: the time limit that every client is given as its own."""


async def play(row: Row, name: str, process: trio.Process, lines: Lines) -> dict[str, Any]:
    """Play one row to one client."""
    client = CLIENTS[name]
    scenario = ONE_TOOL if row.called else HELLO
    faults = [replace(fault, times=math.inf) for fault in parse_plan(row.fault)]
    async with serve(scenario, *faults, wire=client.wire) as served:
        assert process.stdin is not None
        question = json.dumps({"client": name, "url": served.url, "wait": WAIT})
        await process.stdin.send_all(question.encode() + b"\n")
        found: dict[str, Any] = json.loads(await lines.next())
        return found | {"requests": len(served.requests)}


class Lines:
    """The lines of a process's output."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._rest = b""

    async def next(self) -> bytes:
        """The next line.

        Raises:
            EOFError: The process has ended.
        """
        while b"\n" not in self._rest:
            data = await self._stream.receive_some()
            if not data:
                raise EOFError("the client's process has ended")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return line


async def ask_all(name: str, result: dict[str, Any]) -> None:
    """Play all rows to one client."""
    client = CLIENTS[name]
    python = ROOT / ENVIRONMENTS.get(client.name, ".venv-scoreboard") / "bin" / "python"
    async with trio.open_nursery() as nursery:
        run = partial(trio.run_process, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=ENVIRON, check=False)
        process: trio.Process = await nursery.start(run, [str(python), str(SCRIPT)])
        assert process.stdout is not None
        assert process.stdin is not None
        lines = Lines(process.stdout)
        # The first time a client also imports and looks around, which takes seconds and is not to count.
        await play(next(row for row in ROWS if row.whole), name, process, lines)
        for row in ROWS:
            if client.wire not in row.wires:
                continue
            found = await play(row, name, process, lines)
            if row.whole and found["ended"] != "done":
                raise SystemExit(
                    f"{name} is asked wrongly, or the machine is busy: {row.says}, and it {found}"
                )
            result["versions"][client.distribution] = found.pop("version")
            result["rows"][ROWS.index(row)]["ended"][name] = found
            print(f"{name:36} {row.says:56} {found['ended']} {found.get('error', '')}", flush=True)
        await process.stdin.aclose()


def main() -> int:
    """Ask all clients, and write down what came of it."""
    result: dict[str, Any] = {
        "python": platform.python_version(),
        "system": platform.system(),
        "wait": WAIT,
        "patience": PATIENCE,
        "versions": {},
        "clients": {name: {"name": each.name, "wire": each.wire} for name, each in CLIENTS.items()},
        "rows": [{"says": row.says, "fault": row.fault, "ended": {}} for row in ROWS],
    }
    for name in CLIENTS:
        if not sys.argv[1:] or any(word in name for word in sys.argv[1:]):
            trio.run(ask_all, name, result)
    result["versions"]["streamd-llm"] = importlib.metadata.version("streamd-llm")
    if not sys.argv[1:]:
        RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
