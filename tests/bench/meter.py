"""Counts chunks, and takes the process's CPU time between the first and the last of them."""

from __future__ import annotations

import json
import resource
import sys
import time
import urllib.request
from pathlib import Path

from limits import raise_file_limit
from scenes import Scene

__all__ = ["Meter"]


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
    part begins (each stream has one chunk) and ends (each has them all).
    """

    def __init__(self, port: int, run: str, scene: Scene) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.port, self.run, self.scene = port, run, scene
        turns = scene.plan == "turns"
        self.first = scene.chunks if turns else scene.streams
        self.last = scene.streams * scene.chunks + (0 if turns else scene.streams)
        self.count = 0
        self.seconds = self.elapsed = 0.0
        self.left: dict[str, float] = {}
        self.opening = -cpu()
        self.size = memory()

    @classmethod
    def from_arguments(cls) -> Meter:
        """The meter for `python -m peers.NAME PORT MODEL`."""
        raise_file_limit()
        scene, run, _ = Scene.read(sys.argv[2])
        return cls(int(sys.argv[1]), run, scene)

    def model(self, number: int) -> str:
        """The model's name for stream `number`."""
        return self.scene.model(self.run, number)

    def chunk(self) -> None:
        """One more chunk of text has reached the user's loop."""
        self.count = count = self.count + 1
        if count == self.first:
            self.size = memory() - self.size
            self.elapsed -= time.monotonic()
            used = cpu()
            self.opening += used
            self.seconds -= used
        elif count == self.last:
            self.seconds += cpu()
            self.elapsed += time.monotonic()

    def leaves(self, number: int) -> None:
        """Stream `number` is abandoned from now on."""
        self.left[f"{self.run}:{number}"] = time.monotonic()

    def report(self) -> None:
        """Print what was measured, as JSON."""
        measured: dict[str, object]
        if self.scene.plan == "leave":
            time.sleep(0.2)
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/left") as answer:
                seen = json.load(answer)
            measured = {"lags": [seen[label] - when for label, when in self.left.items()]}
        else:
            assert self.count == self.last, f"{self.count} chunks came, {self.last} were sent"
            streams = self.scene.streams
            measured = {
                "cpu_per_chunk": self.seconds / (self.last - self.first),
                "cpu_per_opening": self.opening / streams,
                "bytes_per_stream": self.size / streams,
                "cpu_per_stream": self.seconds / max(1, streams - 1),
                "streams_per_second": (streams - 1) / self.elapsed,
            }
        print(json.dumps(measured))
