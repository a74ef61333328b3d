"""The scenes that are played: how many streams, how many chunks on each, at what pace, and by whom.

A scene travels to the server inside the model's name, which is the one thing every client library sends as it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from roster import PEERS

__all__ = ["FIREHOSE", "QUICK", "SCENES", "Scene"]

FIREHOSE = 0
"""The pace of a stream that is sent as fast as the client reads it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What one process measures.

    `rate` is in chunks per second over all streams together, spread evenly, so that hardly two arrive at once. It lies
    between two errors: a client that is never idle reads several chunks at once and looks cheap, and one that sleeps
    before every chunk is charged for the system's waking it.
    With `burst`, so many chunks come to a stream at once.

    `plan` is `together` (all streams at once), `turns` (one after the other), `tools` (the same, and the model calls a
    tool in as many rounds as there are `chunks`, then answers), `slow` (all at once, each sent far more than its
    reader takes, who rests after each chunk) or `leave` (all at once, then each is abandoned).

    `peers` are those that play it; `rounds` is how often they do at most; see `Peer.rounds`.
    """

    name: str
    plan: str
    streams: int
    chunks: int
    rate: int
    burst: int = 1
    secure: bool = False
    peers: tuple[str, ...] = ()
    rounds: int = 3

    def model(self, run: str, number: int) -> str:
        """The model's name that asks the server for stream `number` of this scene."""
        fields = (self.name, self.plan, self.streams, self.chunks, self.rate, self.burst, run, number)
        return ":".join(map(str, fields))

    @classmethod
    def read(cls, model: str) -> tuple[Scene, str, int]:
        """The scene, the run and the stream's number, from a model's name."""
        name, plan, streams, chunks, rate, burst, run, number = model.split(":")
        return cls(name, plan, int(streams), int(chunks), int(rate), int(burst)), run, int(number)

    def of(self, peer: str) -> Scene:
        """The scene as this peer plays it: one that takes long gets less of it."""
        share = PEERS[peer].share
        if self.plan in ("turns", "tools"):
            return replace(self, streams=max(8, self.streams // share))
        return replace(self, chunks=max(self.burst, self.chunks // share))

    def plays(self, peer: str, turn: int) -> bool:
        """Whether this peer plays the scene in this turn, the first being 0."""
        return peer in self.peers and turn < min(self.rounds, PEERS[peer].rounds)


FEW = ("socket", "streamd")
CLIENTS = (*FEW, "aiohttp", "httpx", "httpx2")
SDKS = (*CLIENTS, "openai", "anthropic")
ALL = (*SDKS, "litellm", "pydantic-ai")
OPENERS = (*FEW, "runtime", *ALL[2:])

SCENES = (
    Scene("firehose", "together", 1, 30_000, FIREHOSE, peers=ALL),
    Scene("paced 100", "together", 100, 60, 4_000, peers=ALL),
    Scene("paced 1000", "together", 1_000, 6, 4_000, peers=SDKS, rounds=5),
    Scene("paced 5000", "together", 5_000, 2, 4_000, peers=FEW, rounds=2),
    Scene("paced 10000", "together", 10_000, 1, 4_000, peers=FEW, rounds=1),
    Scene("bursts", "together", 100, 60, 4_000, burst=20, peers=(*CLIENTS, "openai"), rounds=2),
    Scene("slow", "slow", 50, 40, FIREHOSE, peers=ALL, rounds=1),
    Scene("turns", "turns", 200, 3, FIREHOSE, peers=OPENERS),
    Scene("turns tls", "turns", 200, 3, FIREHOSE, secure=True, peers=OPENERS[:-2], rounds=2),
    Scene("tools", "tools", 60, 4, FIREHOSE, peers=(*FEW, "openai", "pydantic-ai")),
    Scene("leave 1000", "leave", 1_000, 1_000, 4_000, peers=(*FEW, "aiohttp")),
    Scene("leave 100", "leave", 100, 1_000, 400, peers=SDKS, rounds=1),
)


def _shorter(scene: Scene) -> Scene:
    shorter = replace(scene, rounds=1, peers=BRIEFLY.get(scene.name, FEW))
    if scene.plan in ("turns", "tools"):
        return replace(shorter, streams=scene.streams // 4)
    if scene.streams == 1_000:
        return shorter
    return replace(shorter, chunks=max(scene.burst, scene.chunks // 4))


BRIEFLY = {
    "firehose": ALL,
    "paced 100": SDKS,
    "paced 1000": (*FEW, "openai"),
    "turns": OPENERS[:-2],
    "tools": (*FEW, "openai"),
}
QUICK = tuple(_shorter(scene) for scene in SCENES if scene.streams <= 1_000)
"""A look in passing: one round, shorter, without the scenes of most streams, and most for two clients alone."""
