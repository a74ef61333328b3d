"""The scenes that are played: how many streams, how many chunks on each, at what pace.

A scene travels to the server inside the model's name, which is the one thing every client library sends as it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["FIREHOSE", "QUICK", "SCENES", "Scene"]

FIREHOSE = 0
"""The pace of a stream that is sent as fast as the client reads it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one process measures.

    `rate` is in chunks per second over all streams together, spread evenly, so that hardly two arrive at once. It lies
    between two errors: a client that is never idle reads several chunks at once and looks cheap, and one that sleeps
    before every chunk is charged for the system's waking it (80 µs for a bare socket at 1,000 a second, 24 at 4,000).
    `plan` is `together` (all streams at once), `turns` (one after the other) or `leave` (all at once, then each is
    abandoned). `peers` are those that play it, all of them when empty; `rounds` is how often they do.
    """

    name: str
    plan: str
    streams: int
    chunks: int
    rate: int
    peers: tuple[str, ...] = ()
    rounds: int = 3

    def model(self, run: str, number: int) -> str:
        """The model's name that asks the server for stream `number` of this scene."""
        return f"{self.name}:{self.plan}:{self.streams}:{self.chunks}:{self.rate}:{run}:{number}"

    @classmethod
    def read(cls, model: str) -> tuple[Scene, str, int]:
        """The scene, the run and the stream's number, from a model's name."""
        name, plan, streams, chunks, rate, run, number = model.split(":")
        return cls(name, plan, int(streams), int(chunks), int(rate)), run, int(number)


SCENES = (
    Scene("firehose", "together", 1, 30_000, FIREHOSE),
    Scene("paced 100", "together", 100, 60, 4_000),
    Scene("paced 1000", "together", 1_000, 6, 4_000),
    Scene("paced 5000", "together", 5_000, 2, 4_000, ("socket", "streamd"), rounds=1),
    Scene("turns", "turns", 200, 3, FIREHOSE),
    Scene("leave", "leave", 1_000, 1_000, 4_000, ("socket", "streamd")),
)

QUICK = tuple(
    replace(scene, chunks=max(2, scene.chunks // 4), rounds=1)
    for scene in SCENES
    if scene.name not in ("paced 5000", "leave")
)
"""A look in passing: one round, shorter, without the scenes only two clients play."""
