"""Shrinking: from a run that fails to the smallest that fails alike."""

import trio

from streamd.testing import HELLO, World, shrink, simulate, streamd_app


async def trusting(world: World) -> None:
    """It takes any end for the answer's end."""
    world.said("")
    try:
        async with world.client.stream("POST", world.url, json={"messages": []}) as response:
            async for _ in response.aiter_bytes():
                pass
    except Exception:
        pass
    world.finished("stop")


async def picky(world: World) -> None:
    """It fails where less than 200 bytes came, as if that were an end."""
    body = b""
    try:
        async with world.client.stream("POST", world.url, json={"messages": []}) as response:
            async for piece in response.aiter_bytes():
                body += piece
    except Exception:
        pass
    if len(body) >= 200:
        world.finished("stop")
    else:
        raise ValueError(len(body))


def test_the_smallest_run_has_one_fault_at_its_smallest():
    """Faults that play no part go, the other's place, times, turn and seed become the smallest ones."""
    plan = ("sse.crlf", "net.fin@byte:700 x3 if turn:1", "net.slice=7 x*")
    found = shrink(trusting, simulate(trusting, HELLO, *plan, seed=11))
    assert (tuple(map(str, found.plan)), found.seed) == (("net.fin",), 0)
    assert found.verdict.findings[0].repro.endswith("'net.fin', wire='openai-chat', seed=0)")


def test_a_place_is_halved_until_less_does_not_fail():
    """The boundary is found to the byte where no place drawn from a seed fails."""
    # Where no place is given there is nothing to strike: the second fault needs the first byte that it takes.
    run = simulate(picky, HELLO, "net.fin@raw:900 x*")
    assert run.verdict.findings[0].name == "fabricated_finish"
    found = shrink(picky, run)
    assert found.verdict.findings[0].name == "fabricated_finish"
    (fault,) = found.plan
    place = fault.at.place if fault.at else None
    assert fault.times == 1
    assert place is None or not simulate(picky, HELLO, f"net.fin@raw:{int(place) - 1}").observed.finished


def test_the_same_run_gives_the_same_smallest():
    """Nothing is random in it."""
    run = simulate(trusting, HELLO, "net.reset@event:-2 x*", "net.jitter=3", seed=5)
    assert shrink(trusting, run).trace.json() == shrink(trusting, run).trace.json()


def test_a_clean_run_is_given_back():
    """There is nothing to shrink."""
    run = simulate(streamd_app, HELLO, "net.fin x*", seed=3)
    assert shrink(streamd_app, run) is run


def test_it_stops_looking_after_so_many_tries():
    """The smallest so far is given."""
    run = simulate(trusting, HELLO, "sse.crlf", "net.fin@byte:700 x3", seed=11)
    assert tuple(map(str, shrink(trusting, run, tries=2).plan)) == ("net.fin@byte:700 x3",)


def test_the_limits_of_a_run_are_those_of_the_smaller() -> None:
    """An application that hangs by a limit of its own does so without any fault."""

    async def sleeps(world: World) -> None:
        await trio.sleep(100)
        world.finished("stop")

    run = simulate(sleeps, HELLO, "net.fin x2", "net.slice=4", seed=3, limit=50)
    found = shrink(sleeps, run, limit=50)
    assert (found.plan, found.seed) == ((), 0)
    assert [finding.name for finding in found.verdict.findings] == ["hung"]
