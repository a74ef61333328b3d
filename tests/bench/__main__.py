"""Measures streamd beside other clients, all in one run: `make bench`, or `make bench QUICK=1` for a short one.

The server has a core of its own, the clients another. Each client plays each scene in a fresh process; the clients
take turns, several rounds of them, so that a busy moment of the machine falls on all alike. Medians are shown. A
missed budget is reported, and fails nothing unless `--strict` is given; `--write` renews the page in docs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import decode
import report
import supervision
from limits import awake, cores, pin
from results import Results
from roster import PEERS
from scenes import QUICK, SCENES, Scene

HERE = Path(__file__).parent
DOCS = report.ROOT / "docs"
CLOCK = "import time; start = time.process_time(); import {}; print(time.process_time() - start)"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the scenes are played: the server's URLs, without and with TLS, and what the clients are run with."""

    urls: tuple[str, str]
    environ: dict[str, str]
    pythons: dict[str, str]

    def play(self, results: Results, scene: Scene, peer: str, run: int) -> None:
        """Let one client play one scene, and note what it measured or why it could not."""
        model = scene.of(peer).model(str(run), 0)
        command = [self.pythons[peer], "-m", f"peers.{PEERS[peer].module}", self.urls[scene.secure], model]
        try:
            done = subprocess.run(
                command, cwd=HERE, env=self.environ, capture_output=True, text=True, check=False, timeout=120
            )
            measured = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            results.failures[scene.name, peer] = "it took more than two minutes"
        except OSError as exc:
            results.failures[scene.name, peer] = f"its Python cannot be run: {exc.strerror}"
        except ValueError:
            results.failures[scene.name, peer] = _last_error(done.stderr)
        else:
            for quantity, value in measured.items():
                results.add(scene.name, peer, quantity, value)


def _last_error(output: str) -> str:
    """The last line that names an exception, without the frame of a group."""
    lines = [line.strip(" |+-") for line in output.splitlines()]
    return next((line for line in reversed(lines) if re.match(r"[\w.]+: ", line)), "see what it prints")


@contextmanager
def stage(core: int | None, pythons: dict[str, str]) -> Iterator[Stage]:
    """The server in its own process.

    Clients trust its certificate by `SSL_CERT_FILE`, which all of them heed. litellm asks the network for prices
    unless it is told not to.
    """
    with tempfile.TemporaryDirectory() as folder:
        authority = Path(folder, "authority.pem")
        process = subprocess.Popen(
            [sys.executable, "server.py", authority], cwd=HERE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
            plain, tls = process.stdout.readline().split()
            more = {"SSL_CERT_FILE": str(authority), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            yield Stage(
                (f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"), {**os.environ, **more}, pythons
            )
        finally:
            process.kill()
            process.wait()


def measure_imports(results: Results, stage: Stage, *, quick: bool) -> None:
    """Import each client in fresh processes; the bare socket's column stands for what streamd is made of.

    All are imported as they are once installed, from compiled bytecode, which the first turn writes down: this
    checkout may have none, and where that is forbidden streamd alone would be compiled each time.
    """
    environ = {name: value for name, value in stage.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    turns = {5: 3 if quick else 9, 2: 1 if quick else 3, 1: 1}
    for turn, (name, peer) in itertools.product(range(turns[5] + 1), PEERS.items()):
        if turn > turns[peer.rounds] or not peer.imports:
            continue
        _doing(f"import {peer.imports}")
        command = [stage.pythons[name], "-c", CLOCK.format(peer.imports)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
        except (OSError, subprocess.CalledProcessError):
            results.failures["import", name] = "it is not installed"
            continue
        if turn > 0:
            results.add("import", name, "seconds", float(done.stdout))


def _doing(what: str) -> None:
    print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print the report, and write it down if that is wanted."""
    parser = argparse.ArgumentParser(description="Measure streamd beside other clients.")
    parser.add_argument("--quick", action="store_true", help="one round, shorter, without the largest scenes")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a budget is missed")
    parser.add_argument("--write", action="store_true", help="renew the tables and the chart in docs")
    parser.add_argument("--litellm", default=sys.executable, help="the Python that litellm is installed for")
    options = parser.parse_args()
    pythons = {name: options.litellm if peer.apart else sys.executable for name, peer in PEERS.items()}
    pythons = {name: str(Path(python).absolute()) for name, python in pythons.items()}
    busy = os.getloadavg()[0]
    started = time.monotonic()
    results, run = Results(), itertools.count()
    server_core, client_core = cores()
    scenes = QUICK if options.quick else SCENES
    with stage(server_core, pythons) as the_stage, awake(client_core):
        pin(client_core)
        measure_imports(results, the_stage, quick=options.quick)
        supervision.measure(results, quick=options.quick)
        decode.measure(results, quick=options.quick)
        for turn, scene, peer in itertools.product(range(max(each.rounds for each in scenes)), scenes, PEERS):
            if scene.plays(peer, turn):
                _doing(f"round {turn + 1}: {scene.name}, {PEERS[peer].title}")
                the_stage.play(results, scene, peer, next(run))
    _doing("")

    seconds = round(time.monotonic() - started)
    whole = report.run(results, pythons, load=round(busy, 1), seconds=seconds, quick=options.quick)
    sys.path.append(str(DOCS))
    import performance_chart
    import performance_table

    budgets = performance_table.budgets(whole)
    decoding = list(decode.lines(results))
    print(performance_table.clients(whole), *decoding, "", budgets, sep="\n")
    print(f"{seconds} s; the load was {busy:.1f} on {os.cpu_count()} cores when it began")
    if options.write:
        (DOCS / "performance.json").write_text(report.written(whole), "utf-8")
        performance_table.main()
        performance_chart.main()
    return int(options.strict and any("FAIL" in line for line in (budgets, *decoding)))


if __name__ == "__main__":
    sys.exit(main())
