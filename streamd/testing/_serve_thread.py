"""A run on real sockets for code that is not trio's: the server has a thread and an event loop of its own."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import trio
import trio.testing

from streamd.errors import ConfigError

from ._fault import FaultLike, plan_of
from ._repro import repro_line
from ._scenario import Scenario
from ._serve import serving
from ._served import Served

__all__ = ["serve_in_thread"]


@contextmanager
def serve_in_thread(
    scenario: Scenario,
    *plan: FaultLike,
    wire: str | None = None,
    seed: int = 0,
    host: str = "127.0.0.1",
    port: int = 0,
    pace: float = 1.0,
    told: Callable[[str], None] | None = None,
) -> Generator[Served, None, None]:
    """What `serve` does, for code on asyncio, in threads or without any loop: a thread with its own trio serves.

    Leaving the block closes every connection and joins the thread.

    Args:
        scenario: The conversation.
        plan: What goes wrong; faults that are done to the application itself cannot be among it.
        wire: How the server speaks; if None, each request is answered in the wire of its path.
        seed: Where a fault strikes that names no place is drawn from it.
        host: Where to listen: only the loopback can be.
        port: Where to listen; any free port if 0.
        pace: How many of the server's seconds pass in one: with 20 a latency of two seconds is a tenth.
        told: Given a line for each request, in the server's thread.

    Raises:
        ConfigError: As `serve` does.
        OSError: The port is taken.
    """
    faults = plan_of(plan)
    unusual: dict[str, Any] = {"pace": pace} if pace != 1 else {}
    if not 0 < pace < math.inf:
        raise ConfigError(f"the server's time cannot pass {pace!r} times as fast")
    started: Future[tuple[Served, trio.lowlevel.TrioToken, trio.Event]] = Future()

    async def main() -> None:
        try:
            async with serving(
                scenario,
                faults,
                wire=wire,
                seed=seed,
                host=host,
                port=port,
                foreign=True,
                # Whoever reports is in another thread, and waits in real seconds.
                clock=time.monotonic,
                told=told,
            ) as served:
                served.repro = repro_line(None, scenario, faults, wire, seed, "serve_in_thread", **unusual)
                leave = trio.Event()
                started.set_result((served, trio.lowlevel.current_trio_token(), leave))
                await leave.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    clock = None if pace == 1 else trio.testing.MockClock(rate=pace)
    thread = threading.Thread(
        target=lambda: trio.run(main, clock=clock), name="streamd.testing server", daemon=True
    )
    thread.start()
    served, token, leave = started.result()
    try:
        yield served
    finally:
        token.run_sync_soon(leave.set)
        thread.join()
