"""Feeds every wire's decoder with mutations of its streams: `make fuzz`, or `make fuzz ARGS="--seconds 300 gemini"`.

Each wire has a process of its own. Where atheris is installed it chooses by what a mutation reaches in the code, else
the mutations are blind; either way they come of `mutator`, and the seed that is printed gives the same again. What
breaks a property is written to the folder given by `--finds`, and ends the run of its wire.
"""

from __future__ import annotations

import argparse
import importlib
import random
import subprocess
import sys
import time
from pathlib import Path

try:
    atheris = None if "--blind" in sys.argv else importlib.import_module("atheris")
except ImportError:
    atheris = None

if atheris is not None:
    with atheris.instrument_imports(include=["streamd.providers"]):
        from streamd.providers import WIRES
else:
    from streamd.providers import WIRES

from tests.fuzz.bodies import body_of, seeds
from tests.fuzz.mutator import mutate
from tests.fuzz.properties import check

_LONGEST = 16 * 1024
_GRACE = 1.0
"""Seconds of CPU that any script may take, as a garbage collection may fall into it."""
_EACH_BYTE = 500e-6
"""Seconds of CPU for each byte, decoded a few times over, once byte by byte, and with what atheris adds."""


class Finder:
    """Tries one script after the other."""

    def __init__(self, wire: str, finds: Path) -> None:
        self.wire, self.finds = wire, finds
        self.tried = 0

    def __call__(self, script: bytes) -> None:
        """Check a script, and keep it if it breaks a property."""
        self.tried += 1
        began = time.process_time()
        try:
            body = body_of(self.wire, script)
            check(self.wire, body, len(script))
            spent = time.process_time() - began
            assert spent < _GRACE + _EACH_BYTE * len(body), f"{spent:.2f} s for {len(body)} bytes"
        except BaseException:
            self.finds.mkdir(parents=True, exist_ok=True)
            path = self.finds / f"{self.wire}.{hash(script) & 0xFFFF_FFFF:08x}"
            path.write_bytes(script)
            print(f"{self.wire}: found {path}, after {self.tried:,} scripts", flush=True)
            raise


def blind(find: Finder, seconds: float, seed: int) -> None:
    """Mutate the seeds, and what came of them, at random."""
    rng = random.Random(seed)
    scripts = [*seeds(find.wire)]
    until = time.monotonic() + seconds
    for script in scripts:
        find(script)
    while time.monotonic() < until:
        script = mutate(rng.choice(scripts), _LONGEST, rng.randrange(2**32))
        find(script)
        if rng.random() < 0.05:
            scripts[rng.randrange(len(scripts))] = script


def guided(find: Finder, seconds: float, seed: int, corpus: Path) -> None:
    """Let atheris choose: it does not return, and its process ends with 0 only if nothing was found."""
    assert atheris is not None
    for folder in (corpus, find.finds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, script in enumerate(seeds(find.wire)):
        find(script)
        (corpus / f"seed-{number}").write_bytes(script)

    def mutated(script: bytes, longest: int, number: int) -> bytes:
        return atheris.Mutate(script, longest) if number % 4 == 0 else mutate(script, longest, number)

    options = [f"-seed={seed}", f"-max_total_time={seconds:.0f}", f"-max_len={_LONGEST}", "-verbosity=0"]
    options += [
        "-print_final_stats=1",
        "-timeout=60",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={find.finds}/",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], find, custom_mutator=mutated)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the wires one after the other, or one of them here if it is the only one named."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description="Fuzz the decoders.")
    parser.add_argument("wires", nargs="*", default=[*WIRES], help="default: all")
    parser.add_argument("--seconds", type=float, default=60, help="for each wire")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31))
    parser.add_argument("--finds", type=Path, default=Path("build/fuzz/finds"))
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz/corpus"))
    parser.add_argument("--blind", action="store_true", help="do without atheris")
    given = parser.parse_args()
    if len(given.wires) > 1:
        command = [sys.executable, "-m", "tests.fuzz", *sys.argv[1:], "--seed", str(given.seed)]
        command = [word for word in command if word not in given.wires]
        failed = [wire for wire in given.wires if subprocess.run([*command, wire], check=False).returncode]
        print(f"fuzz: {len(given.wires)} wires, found something in: {', '.join(failed) or 'none'}")
        return bool(failed)

    find = Finder(given.wires[0], given.finds)
    by = "blind" if atheris is None else "atheris"
    print(f"{find.wire}: {given.seconds:.0f} s, {by}, --seed {given.seed}", flush=True)
    if by == "atheris":
        guided(find, given.seconds, given.seed, given.corpus / find.wire)
    else:
        blind(find, given.seconds, given.seed)
        print(f"{find.wire}: {find.tried:,} scripts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
