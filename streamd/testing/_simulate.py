"""A run in virtual time: no socket, no waiting, and the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

import httpx
import trio
import trio.testing

from streamd.errors import ConfigError

from ._canary import broken_logging, captured_logs, full_traceback, new_key
from ._checked import check_scenario
from ._client import RunTransport
from ._crashing import Crashing
from ._fault import FaultLike, plan_of
from ._judge import judge
from ._leaks import below, left_open, open_files, tasks
from ._play import Play
from ._render import wire_named
from ._repro import repro_line
from ._run import Run
from ._scenario import Scenario
from ._seeded import seeded
from ._simulated import SimulatedNetwork
from ._trace import Trace
from ._watched import Watched
from ._world import App, World

__all__ = ["simulate"]

OWN_HOST = "memory.test"

LIMIT = 3600.0
MAX_STEPS = 1_000_000

LARGEST = 32 * 1024 * 1024
"""Bytes: what one event may be, on the wire whose events may be the largest."""

BUFFER = 64 * 1024
"""Bytes on their way in one direction of a simulated connection, as in the buffers of a socket."""


def simulate(
    app: App,
    scenario: Scenario,
    *plan: FaultLike,
    wire: str = "openai-chat",
    seed: int = 0,
    limit: float = LIMIT,
    max_steps: int = MAX_STEPS,
) -> Run:
    """Run an application once against a server in memory, in virtual time, with these faults.

    Everything that is open is drawn from the seed: where a fault strikes that names no place, in which order trio runs
    tasks that could run, what the module `random` gives. The same arguments give the same run, to the byte of its
    trace. It is a plain function, and cannot be called from inside trio.

    Args:
        app: What is tested.
        scenario: The conversation, as it would go without faults.
        plan: What goes wrong, as faults or as they are written.
        wire: How the server speaks, one of `streamd.testing.WIRES`.
        seed: Any whole number.
        limit: Virtual seconds after which an application that has not ended hangs. Where all its tasks wait for what
            never comes the clock jumps there at once. It ends what can be cancelled: an application that waits for
            ever in a shielded scope waits in real time, and so does this; give the test a time limit of its own.
        max_steps: Scheduler steps after which it hangs, too: a loop that never ends takes no virtual time.

    Raises:
        ConfigError: There is no such wire or fault, the fault cannot strike where it says, or the scenario cannot be
            played.
    """
    faults = plan_of(plan)
    check_scenario(scenario)
    spoken = wire_named(wire)
    key = new_key(random.Random(f"{seed}/key"))  # not what an application would draw, too
    trace = Trace()
    play = Play(scenario, faults, spoken, seed, trace, trio.current_time, key=key)

    async def main() -> World:
        async with trio.open_nursery() as nursery:
            network = SimulatedNetwork(play, nursery, buffer=BUFFER)
            transport = RunTransport(network.connect)
            client = httpx.AsyncClient(transport=transport, trust_env=False)
            world = World(
                scenario=scenario,
                wire=spoken,
                url=network.url,
                key=key,
                client=client,
                stage=stage,
                trace=trace,
                clock=trio.current_time,
            )
            before = tasks()
            async with trio.open_nursery() as own:
                own.start_soon(_drive, app, world, limit, max_steps)
            world.observed.leaked_tasks += await leaked_tasks(before, nursery)
            left_open = sum(not stream.closed for stream in network.clients)
            # Those that the client keeps for the next request are its own.
            world.observed.leaked_sockets = left_open - transport.connections_idle
            world.observed.grown = _unread(trace, network)
            world.observed.captured += [
                (f"a request to {network.hosts[request.connection][0]}", str(request.headers))
                for request in network.requests
                if network.hosts[request.connection] != (OWN_HOST, 80)
            ]
            await client.aclose()
            nursery.cancel_scope.cancel()
        return world

    stage, files = play.stage(), open_files()
    with seeded(seed, stage.shuffle), captured_logs() as logs, broken_logging(stage.broken_logging):
        try:
            world = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        except Exception as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            raise refusal from None
    if world.refused is not None:
        raise world.refused
    observed = world.observed
    observed.leaked_fds, sockets = left_open(files)
    observed.leaked_sockets += sockets
    observed.captured += [("what it told", observed.text), *(("a log record", line) for line in logs)]
    if observed.error is not None:
        observed.captured.append(("the error's traceback with locals", full_traceback(observed.error)))
    unusual: dict[str, Any] = {"limit": limit} if limit != LIMIT else {}
    unusual |= {"max_steps": max_steps} if max_steps != MAX_STEPS else {}
    repro = repro_line(app, scenario, faults, wire, seed, **unusual)
    verdict = judge(observed, trace, key=key, repro=repro)
    return Run(scenario, faults, wire, seed, observed, trace, verdict)


async def leaked_tasks(before: set[trio.lowlevel.Task], own: trio.Nursery) -> list[str]:
    """The names of the tasks that are neither of these nor below this nursery.

    trio closes an abandoned asynchronous generator in a task, which is none of the application's: that may end first.
    """
    for _ in range(100):
        left = tasks() - before - below(own)
        if not any(task.name.startswith("close asyncgen") for task in left):
            break
        await trio.lowlevel.checkpoint()
    return sorted(task.name for task in tasks() - before - below(own))


def _refusal(error: BaseException) -> ConfigError | None:
    """What is wrong with the plan, in an error or its group: faults are applied in the server's tasks."""
    if isinstance(error, ConfigError):
        return error
    inside: Sequence[BaseException] = getattr(error, "exceptions", ())
    return next((found for each in inside if (found := _refusal(each)) is not None), None)


def _unread(trace: Trace, network: SimulatedNetwork) -> int:
    """Bytes that one connection took, beyond whole events and one that may yet be whole: somebody must keep them."""
    whole = sum(attempt.reply.offset(attempt.delivery.events) for attempt in trace.attempts)
    return max(0, max((record.sent for record in network.connections), default=0) - whole - LARGEST)


async def _drive(app: App, world: World, limit: float, max_steps: int) -> None:
    """Run the application in this task, to its end or to the plan's."""
    observed, stage = world.observed, world.stage
    scope, again = trio.CancelScope(deadline=stage.cancel_after), trio.CancelScope()
    task = trio.lowlevel.current_task()
    watched = Watched(task, scope, stage.cancel_at, max_steps, again, stage.quit_at, world.end)
    instruments: list[trio.abc.Instrument] = [watched]
    if stage.crash is not None:
        instruments.append(Crashing(stage.crash, lambda: watched.steps))
    for each in instruments:
        trio.lowlevel.add_instrument(each)
    try:
        with trio.move_on_after(limit) as most, again, scope:
            await run_app(app, world)
    finally:
        for each in instruments:
            trio.lowlevel.remove_instrument(each)
    observed.steps = watched.steps
    observed.took = trio.current_time()
    observed.hung = watched.overrun or most.cancelled_caught
    observed.cancelled = scope.cancel_called and not observed.hung and not observed.finished


async def run_app(app: App, world: World) -> None:
    """Run the application, and take what it returns or raises for a report, where it made none.

    Cancelling it passes.
    """
    observed = world.observed
    try:
        answer = await app(world)
    except (trio.Cancelled, KeyboardInterrupt):
        raise
    except BaseExceptionGroup as group:
        cancelled, others = group.split(trio.Cancelled)
        if others is not None:
            world.failed(others.exceptions[0] if len(others.exceptions) == 1 else others)
        if cancelled is not None:
            raise cancelled from None
        return
    except BaseException as error:  # noqa: BLE001 - whatever it raises is what is looked at
        world.failed(error)
        return
    given = cast("object", answer)
    if not isinstance(given, str | None):
        world.failed(TypeError(f"the application returned no text, but {type(given).__name__}"))
    elif answer is not None and not observed.streams:
        observed.said.append(answer)
    if not observed.finished and observed.error is None:
        world.finished()
