"""Counts chunks, and takes the process's CPU time between the first and the last of them."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

from limits import raise_file_limit
from scenes import Scene

__all__ = ["BATCH", "REST", "Meter", "Read"]

Read = Callable[[int], Awaitable[None]]
"""Opens the stream of a number, reads it to its end, and calls `meter.chunk()` for each chunk of text."""

BATCH = 64
"""So many streams are opened at once: no more than any system's queue of new connections holds."""

REST = 0.02
"""Seconds that a slow reader rests after each chunk."""


def cpu() -> float:
    """The seconds of CPU this process has used, its own and the kernel's for it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory() -> int:
    """The bytes of memory this process holds; the most it ever held, where the system tells no more."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Meter:
    """What one process measures in one scene.

    Every stream's first chunk comes before the server starts to pace, so the count alone tells where the measured
    part begins (each stream has one chunk) and ends (each has them all). Of streams that are read in turns the first
    is not measured: it opens what the client keeps. There, a tool that is called counts as a chunk.
    """

    def __init__(self, url: str, run: str, scene: Scene) -> None:
        self.url, self.run, self.scene = url, run, scene
        self.base_url = f"{url}/v1"
        streams, chunks = scene.streams, scene.chunks
        self.turns = scene.plan in ("turns", "tools")
        self.slow = scene.plan == "slow"
        self.each = chunks + (scene.plan == "tools")
        self.first = self.each if self.turns else streams
        self.last = streams * self.each + (0 if self.turns else streams)
        self.enough = self.last if self.slow else streams + scene.rate
        self.count = 0
        self.seconds = self.elapsed = 0.0
        self.begun = 0.0
        self.waits: list[float] = []
        self.left: dict[str, float] = {}
        self.opening = -cpu()
        self.closing = 0.0
        self.opened = memory()
        self.grown = 0

    @classmethod
    def from_arguments(cls) -> Meter:
        """The meter for `python -m peers.NAME URL MODEL`."""
        raise_file_limit()
        scene, run, _ = Scene.read(sys.argv[2])
        return (TurnsMeter if scene.plan == "turns" else cls)(sys.argv[1], run, scene)

    def model(self, number: int) -> str:
        """The model's name for stream `number`."""
        return self.scene.model(self.run, number)

    def begins(self) -> None:
        """The next of the streams that are read in turns is opened now."""
        self.begun = time.perf_counter()

    def chunk(self) -> bool:
        """One more chunk of text has reached the user's loop; whether its reader is a slow one."""
        self.count = count = self.count + 1
        if count == self.first:
            self.opened = memory() - self.opened
            self.grown = -memory()
            self.elapsed -= time.monotonic()
            used = cpu()
            self.opening += used
            self.seconds -= used
        elif count == self.last:
            used = cpu()
            self.seconds += used
            self.closing -= used
            self.elapsed += time.monotonic()
            self.grown += memory()
        return self.slow

    def leaves(self, number: int) -> None:
        """Stream `number` is abandoned from now on."""
        self.left[f"{self.run}:{number}"] = time.monotonic()

    def report(self) -> None:
        """Print what was measured, as JSON; all streams are closed."""
        self.closing += cpu()
        print(json.dumps(self._lags() if self.scene.plan == "leave" else self._costs()))

    def _lags(self) -> dict[str, float]:
        time.sleep(0.2)
        with urllib.request.urlopen(f"{self.url}/left") as answer:
            seen = json.load(answer)
        assert seen.keys() >= self.left.keys(), "the server has not seen all of them leave"
        return _middle("lag", [seen[label] - when for label, when in self.left.items()])

    def _costs(self) -> dict[str, float]:
        assert self.slow or self.count == self.last, f"{self.count} chunks came, {self.last} were sent"
        streams = self.scene.streams
        measured = {"cpu_per_chunk": self.seconds / (self.last - self.first)}
        if self.slow:
            return measured | {"bytes_grown": self.grown / streams}
        if self.turns:
            measured["cpu_per_stream"] = self.seconds / (streams - 1)
            measured["streams_per_second"] = (streams - 1) / self.elapsed
            return measured | _middle("first", self.waits[1:])
        measured["cpu_per_opening"] = self.opening / streams
        measured["cpu_per_closing"] = self.closing / streams
        measured["bytes_per_stream"] = self.opened / streams
        return measured


class TurnsMeter(Meter):
    """Takes the time to each stream's first chunk too."""

    def chunk(self) -> bool:
        """See `Meter.chunk`."""
        if self.count % self.each == 0:
            self.waits.append(time.perf_counter() - self.begun)
        return super().chunk()


def _middle(name: str, values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"{name}_p50": statistics.median(values), f"{name}_p99": statistics.quantiles(values, n=100)[98]}
