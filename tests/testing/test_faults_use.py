"""The faults of the consumer: however it reads, text comes once and in order, and nothing is left behind."""

from itertools import product

import pytest
import trio

from streamd import Stalled, open_session
from streamd.testing import HELLO, NAMED, ONE_TOOL, FaultKind, World, simulate, streamd_app
from tests.support.faults import rows, variants

ALL_WIRES = ("openai-chat", "anthropic-messages", "gemini")


@pytest.mark.parametrize("wire", ALL_WIRES)
@pytest.mark.parametrize("kind", rows("use"), ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind, wire: str) -> None:
    """Every fault of the layer, at its places and with its values, in every conversation."""
    for fault, scenario, seed in product(variants(kind), NAMED.values(), range(3)):
        assert simulate(streamd_app, scenario, fault, wire=wire, seed=seed).verdict.findings == ()


@pytest.mark.parametrize("trouble", ["net.reset", "prov.eof_no_terminal", "time.stall", "net.slice=1"])
@pytest.mark.parametrize("kind", rows("use"), ids=lambda kind: kind.name)
def test_streamd_survives_it_on_a_bad_line(kind: FaultKind, trouble: str) -> None:
    """With a fault of the answer besides: what came is told before the error is."""
    for fault, seed in product(variants(kind), range(3)):
        assert simulate(streamd_app, ONE_TOOL, fault, trouble, seed=seed).verdict.findings == ()


@pytest.mark.parametrize("wire", ALL_WIRES)
def test_a_pause_of_the_consumer_is_not_the_servers(wire: str) -> None:
    """An application that does not read for a day holds one chunk: no timer fires, and the answer is whole."""
    run = simulate(streamd_app, HELLO, "use.stops_reading=86000@event:2", wire=wire, limit=90_000)
    assert run.verdict.ok
    assert run.observed.finished
    assert run.observed.took >= 86_000


def test_a_pause_of_the_consumer_does_not_hide_the_servers() -> None:
    """Once it reads again, a server that is silent is one that stalls: its time was not used up by the pause."""
    run = simulate(streamd_app, HELLO, "use.stops_reading=1000@event:1", "time.stall@event:3")
    error = run.observed.error
    assert isinstance(error, Stalled)
    assert error.which == "idle"
    assert 1000 < run.observed.took <= 1060


def test_every_chunk_goes_to_one_consumer() -> None:
    """Two that read at once have all of it between them, whatever the order in which they run."""
    for shuffle in range(20):
        plan = ("use.two_consumers", f"rt.scheduler_shuffle={shuffle}")
        run = simulate(streamd_app, HELLO, *plan)
        assert run.verdict.ok
        assert run.observed.text == HELLO.turns[0].text


def test_an_exception_of_the_block_leaves_it_alone() -> None:
    """It comes out as it is, though the server breaks the connection in the same moment; no group is around it."""

    class Own(Exception):
        pass

    raised: list[BaseException] = []

    async def app(world: World) -> None:
        world.said("")
        try:
            async with open_session(world.model, world.prompt, client=world.client) as session:
                await session.receive()
                raise Own
        except BaseException as error:
            raised.append(error)
            if isinstance(error, trio.Cancelled):
                raise
        world.finished("cancelled")

    for seed in range(10):
        simulate(app, HELLO, "net.reset@event:2", seed=seed)
    assert {type(error) for error in raised} == {Own}
