"""The same seed, the same bytes: in this process, in another, whatever the seed of its hashes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from streamd.testing import ONE_TOOL, TWO_TOOLS, simulate, streamd_app

ROOT = Path(__file__).parents[2]
PLANS = (
    ("http.status=503 x2", "net.slice=7 x*"),
    ("net.reset",),
    ("time.stall x2",),
    ("net.fin x2", "sse.comment"),
    ("prov.error_mid",),
)


def digest() -> str:
    """All that twenty runs left in their traces."""
    hashed = hashlib.sha256()
    for seed in range(2):
        for plan in PLANS:
            for scenario in (ONE_TOOL, TWO_TOOLS):
                run = simulate(streamd_app, scenario, *plan, seed=seed)
                hashed.update(run.trace.json() + str(run.observed.steps).encode())
    return hashed.hexdigest()


def test_another_process_gives_the_same_bytes() -> None:
    """Twenty runs with faults and tools, in processes whose sets and dictionaries are ordered otherwise."""
    script = "from tests.testing.test_determinism import digest; print(digest())"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {digest()}
