"""Measures streamd beside other clients, all in one run: `make bench`, or `make bench QUICK=1` for a short one.

The server has a core of its own, the clients another. Each client plays each scene in a fresh process; the clients
take turns, several rounds of them, so that a busy moment of the machine falls on all alike. Medians are shown. A
missed budget is reported and fails nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import decode
import supervision
from limits import cores, pin
from report import PEERS, Results
from scenes import QUICK, SCENES, Scene

HERE = Path(__file__).parent
IMPORTS = {"socket": "trio, httpx, msgspec", "streamd": "streamd", "httpx": "trio, httpx", "openai": "openai"}
CLOCK = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


@contextmanager
def server(core: int | None) -> Iterator[int]:
    """The server in its own process; the value is its port."""
    process = subprocess.Popen([sys.executable, "server.py"], cwd=HERE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def play(results: Results, scene: Scene, peer: str, port: int, run: int) -> None:
    """Let one client play one scene, and note what it measured or why it could not."""
    command = [sys.executable, "-m", PEERS[peer][0], str(port), scene.model(str(run), 0)]
    try:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=120)
        measured = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        results.failures[scene.name, peer] = "it took more than two minutes"
    except ValueError:
        results.failures[scene.name, peer] = _last_error(done.stderr)
    else:
        if lags := measured.pop("lags", None):
            measured = {"lag_p50": statistics.median(lags), "lag_p99": statistics.quantiles(lags, n=100)[98]}
        for quantity, value in measured.items():
            results.add(scene.name, peer, quantity, value)


def _last_error(output: str) -> str:
    """The last line that names an exception, without the frame of a group."""
    lines = [line.strip(" |+-") for line in output.splitlines()]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+: ", line)), "see what it prints")


def measure_imports(results: Results, rounds: int) -> None:
    """Import each client in fresh processes; the bare socket's column stands for what streamd is made of.

    All are imported as they are once installed, from compiled bytecode, which the first turn writes down: this
    checkout may have none, and an environment that forbids it would have streamd alone compiled each time.
    """
    with tempfile.TemporaryDirectory() as folder:
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = folder
        for turn, (peer, modules) in itertools.product(range(rounds + 1), IMPORTS.items()):
            command = [sys.executable, "-c", CLOCK.format(modules)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
            if turn > 0 and done.returncode == 0:
                results.add("import", peer, "seconds", float(done.stdout))


def main() -> None:
    """Measure, and print the report."""
    quick = "--quick" in sys.argv
    started = time.monotonic()
    results, run = Results(), itertools.count()
    server_core, client_core = cores()
    with server(server_core) as port:
        pin(client_core)
        measure_imports(results, 3 if quick else 9)
        supervision.measure(results, quick=quick)
        decode.measure(results, quick=quick)
        scenes = QUICK if quick else SCENES
        for turn in range(max(scene.rounds for scene in scenes)):
            for scene in scenes:
                for peer in (scene.peers or PEERS) if turn < scene.rounds else ():
                    doing = f"round {turn + 1}: {scene.name}, {PEERS[peer][1]}"
                    print(f"\r\033[K{doing}", end="", file=sys.stderr)
                    play(results, scene, peer, port, next(run))
    print("\r\033[K", end="", file=sys.stderr)
    print(*results.lines(), "", *supervision.lines(results), "", *decode.lines(results), sep="\n")
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
