"""A run on real sockets, for any client: a server on the loopback plays it."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
import trio.testing

from streamd.errors import ConfigError

from ._any_wire import AnyWire
from ._canary import new_key
from ._checked import check_scenario
from ._client import RunTransport
from ._fault import FaultLike, Plan, plan_of
from ._leaks import left_open, open_files
from ._render import wire_named
from ._repro import repro_line
from ._run import Run
from ._scenario import Scenario
from ._servable import check_servable
from ._served import LoopbackServer, Served
from ._trace import Trace
from ._world import App, World

__all__ = ["serve", "serve_to", "serving"]

LIMIT = 600.0

_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}


@asynccontextmanager
async def serve(
    scenario: Scenario,
    *plan: FaultLike,
    wire: str | None = None,
    seed: int = 0,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncGenerator[Served, None]:
    """Play a scenario with faults to whoever asks, on real sockets and in real time.

    Each request is read whole before it is answered, unless the fault is that it is not: so a FIN is a FIN, and a reset
    is one. No key is needed. Leaving the block closes every connection.

    Args:
        scenario: The conversation. Which of its turns a request asks for is told by the tool rounds in it.
        plan: What goes wrong.
        wire: How the server speaks, whatever is asked; if None, each request is answered in the wire of its path.
        seed: Where a fault strikes that names no place is drawn from it.
        host: Where to listen: only the loopback can be.
        port: Where to listen; any free port if 0.

    Raises:
        ConfigError: There is no such wire or fault, a fault of the plan makes sense only in a simulation, or the host
            is not the loopback.
        OSError: The port is taken.
    """
    async with serving(scenario, plan_of(plan), wire=wire, seed=seed, host=host, port=port) as served:
        yield served


def serve_to(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    wire: str = "openai-chat",
    seed: int = 0,
    limit: float = LIMIT,
    pace: float = 1.0,
) -> Run:
    """What `simulate` does, on real sockets: run an application once against a server on the loopback, and judge it.

    It is a plain function, and cannot be called from inside trio.

    Args:
        app: What is tested; its `world.client` reaches only the server.
        scenario: The conversation.
        plan: What goes wrong.
        wire: How the server speaks.
        seed: As in `simulate`, for all but the scheduler.
        limit: Seconds after which an application that has not ended hangs.
        pace: How many seconds pass in one, for the application too: with 20 a silence of a minute takes three seconds.
            What computing takes counts so often, too.

    Raises:
        ConfigError: There is no such wire or fault, or a fault of the plan makes sense only in a simulation.
    """
    if not 0 < pace < math.inf:
        raise ConfigError(f"time cannot pass {pace!r} times as fast")
    faults, files = plan_of(plan), open_files()
    unusual: dict[str, Any] = {"limit": limit} if limit != LIMIT else {}
    unusual |= {"pace": pace} if pace != 1 else {}

    async def main() -> tuple[Served, Run]:
        async with serving(scenario, faults, wire=wire, seed=seed) as served:
            served.repro = repro_line(app, scenario, faults, wire, seed, "serve_to", **unusual)
            return served, await served.run(app, limit=limit)

    served, run = trio.run(main, clock=None if pace == 1 else trio.testing.MockClock(rate=pace))
    observed = run.observed
    observed.leaked_fds, sockets = left_open(files)
    # The connections of the world's own client, which are counted already, are closed by now.
    observed.leaked_sockets += sockets
    return served.result()


@asynccontextmanager
async def serving(
    scenario: Scenario,
    plan: Plan,
    *,
    wire: str | None,
    seed: int,
    host: str = "127.0.0.1",
    port: int = 0,
    foreign: bool = False,
    clock: Callable[[], float] = trio.current_time,
    told: Callable[[str], None] | None = None,
) -> AsyncGenerator[Served, None]:
    """What `serve` does, with all that is open.

    Args:
        scenario: As in `serve`.
        plan: As in `serve`.
        wire: As in `serve`.
        seed: As in `serve`.
        host: As in `serve`.
        port: As in `serve`.
        foreign: Whether the client is in another thread or process: then it gets no client, and no fault of its own.
        clock: Tells the time, where it is asked for.
        told: Given a line for each request.
    """
    spoken = wire_named(wire or "openai-chat")
    check_scenario(scenario)
    check_servable(plan, spoken, foreign=foreign)
    if host not in _HOSTS:
        raise ConfigError(f"this server listens on the loopback alone ({', '.join(_HOSTS)}), not on {host!r}")
    trace, key, start = Trace(), new_key(random.Random(f"{seed}/key")), clock()

    def now() -> float:
        return clock() - start

    play = AnyWire(scenario, plan, None if wire is None else spoken, seed, trace, now, key=key, told=told)
    (listener,) = await trio.open_tcp_listeners(port, host=_HOSTS[host], backlog=1024)
    place, bound, *_ = listener.socket.getsockname()
    shown = f"[{place}]:{bound}" if ":" in place else f"{place}:{bound}"
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        server = LoopbackServer(f"http://{shown}", play)
        await nursery.start(trio.serve_listeners, server.handle, [listener])
        ways: list[trio.SocketStream] = []

        async def connect(_host: str, _port: int) -> trio.SocketStream:
            ways.append(await trio.open_tcp_stream(place, bound))
            return ways[-1]

        transport = RunTransport(connect)
        world = World(
            scenario=scenario,
            wire=spoken,
            url=server.url,
            key=key,
            client=None if foreign else httpx.AsyncClient(transport=transport, trust_env=False),
            stage=play.stage(),
            trace=trace,
            clock=now,
        )
        try:
            yield Served(
                url=server.url,
                world=world,
                trace=trace,
                plan=plan,
                wire=wire,
                seed=seed,
                server=server,
                nursery=nursery,
                clock=now,
                # Those that the client keeps for the next request are its own.
                open_streams=lambda: (
                    sum(way.socket.fileno() >= 0 for way in ways) - transport.connections_idle
                ),
            )
        except Exception as exc:  # noqa: BLE001 - raised again below
            failure = exc
        finally:
            await transport.aclose()
        nursery.cancel_scope.cancel()
    if failure is not None:
        # Outside the nursery, so that the block's own exception leaves it, and no group.
        raise failure
