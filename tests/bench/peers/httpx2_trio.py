"""Stock httpx2 on trio, with msgspec."""

from __future__ import annotations

import httpx2
from drive_trio import run
from meter import Meter

from .httpx_trio import plays


async def main(meter: Meter) -> None:
    """Play the scene."""
    await plays(meter, httpx2)


if __name__ == "__main__":
    run(main)
