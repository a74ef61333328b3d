"""Strikes the streamd that is on the path with faults, until one of them finds something: run as a script, in a copy.

It takes strikes as JSON on its standard input, and prints what it found as one line of JSON: `null` where that is
nothing.
"""

from __future__ import annotations

import fnmatch
import itertools
import math
import resource
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from streamd import Retry, StreamdError, Text, Thinking, open_session
from streamd.providers import Secret
from streamd.testing import (
    CATALOGUE,
    NAMED,
    App,
    Fault,
    Plan,
    Run,
    World,
    every_fault,
    every_step,
    plan_of,
    simulate,
    streamd_app,
    streamd_app_with,
)
from streamd.testing._cases import variants

__all__ = ["APPS", "Strike", "found_by"]

MEMORY = 3 * 1024**3
"""Bytes: what a streamd without its limits may take before it fails for want of more."""

STEPS = 100_000
"""Scheduler steps after which a run hangs."""


@dataclass(frozen=True, slots=True)
class Strike:
    """Some runs of one application.

    Args:
        faults: What strikes, one in each run: a fault as it is written, which strikes as that says; or a pattern of
            names, of which every fault strikes at each of its places with each of its values, once and always.
        app: The application, one of `APPS`.
        besides: Faults that strike in each of these runs, too.
        wires: How the server speaks.
        scenarios: The conversations.
        seeds: How many seeds each run is made with.
        steps: Whether the first fault strikes at every scheduler step in turn.
        limit: Virtual seconds after which a run hangs.
    """

    faults: tuple[str, ...]
    app: str = "streamd"
    besides: tuple[str, ...] = ()
    wires: tuple[str, ...] = ("openai-chat", "anthropic-messages")
    scenarios: tuple[str, ...] = ("one_tool",)
    seeds: int = 1
    steps: bool = False
    limit: float = 3600.0


async def trusting(world: World) -> None:
    """An application that did not ask for turns to be restarted, and so does not look for what takes one back."""
    try:
        async with open_session(world.model, world.prompt, client=world.client, tools=world.tools) as session:
            async for chunk in session:
                if isinstance(chunk, Text):
                    world.said(chunk.text)
                elif isinstance(chunk, Thinking):
                    world.thought(chunk.text)
            world.finished(session.snapshot.stop_reason)
    except StreamdError as error:
        world.failed(error)


async def with_fallback(world: World) -> None:
    """A session that falls back to another server, which is to get no header that the first one was given."""
    other = (world.wire.provider("http://fallback.test", "a-key-of-the-other"), "tiny-2")
    await streamd_app_with(retry=None, fallback=[other], extra_headers={"x-own": Secret(world.key)})(world)


async def with_effects(world: World) -> None:
    """A session whose tools change something outside."""
    tools = [
        tool.__class__(tool.function, name=tool.name, description="It acts.", effectful=True)
        for tool in world.tools
    ]
    await streamd_app_with(retry=Retry(restart=True), tools=tools)(world)


APPS: dict[str, App] = {
    "streamd": streamd_app,
    "once": streamd_app_with(retry=None),
    "restart": streamd_app_with(retry=Retry(restart=True)),
    "background": streamd_app_with(extra_body={"background": True}),
    "fallback": with_fallback,
    "effects": with_effects,
    "trusting": trusting,
}
"""What is struck: streamd as it comes, and with what an application can ask of it besides."""


def plans(strike: Strike) -> Iterator[Plan]:
    """The plans of a strike's runs."""
    besides = plan_of(strike.besides)
    for written in strike.faults:
        names = [name for name in CATALOGUE if fnmatch.fnmatchcase(name, written)]
        if not names:
            yield (*besides, *plan_of((written,)))
        for name, times in itertools.product(names, (1, math.inf)):
            for fault in variants(CATALOGUE[name]):
                yield (*besides, replace(fault, times=times))


def runs(strike: Strike) -> Iterator[Run]:
    """The runs of a strike."""
    app = APPS[strike.app]
    places = itertools.product(strike.scenarios, strike.wires, range(strike.seeds))
    for (name, wire, seed), plan in itertools.product(places, list(plans(strike))):
        if not all(CATALOGUE[fault.name].on(wire) for fault in plan):
            continue
        if strike.steps:
            fault = Fault(plan[-1].name, value=plan[-1].value)
            yield from every_step(
                app, NAMED[name], *plan[:-1], wire=wire, seed=seed, fault=fault, max_steps=STEPS
            )
        else:
            yield simulate(app, NAMED[name], *plan, wire=wire, seed=seed, limit=strike.limit, max_steps=STEPS)


def found_by(strikes: list[Strike], *, all_of_them: bool = False) -> dict[str, Any] | None:
    """The first finding of these strikes, or of the whole catalogue: by which faults, what, and in detail."""
    made = itertools.chain.from_iterable(map(runs, strikes))
    for run in itertools.chain(made, every_fault(streamd_app, max_steps=STEPS) if all_of_them else ()):
        for finding in run.verdict.findings:
            faults = " + ".join(map(str, run.plan))
            return {"name": finding.name, "detail": finding.detail, "faults": faults, "repro": finding.repro}
    return None


def main() -> None:
    """Read the strikes, make their runs, and print the first finding."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    asked = msgspec.json.decode(sys.stdin.buffer.read())
    strikes = [msgspec.convert(each, Strike) for each in asked["strikes"]]
    found = found_by(strikes, all_of_them=asked["all_of_them"])
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


def question(strikes: list[Strike], *, all_of_them: bool) -> bytes:
    """What the script is to be given."""
    return msgspec.json.encode({"strikes": [asdict(each) for each in strikes], "all_of_them": all_of_them})


if __name__ == "__main__":
    main()
