"""The timers: which fires, when, and what feeds or stops it; all in virtual time."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from streamd._timers import Clock, Timeouts
from streamd.errors import ConfigError, Stalled

SHORT = Timeouts(first_chunk=10.0, idle=5.0, progress=20.0)


async def watched(
    clock: Clock, waiting: Callable[[], Awaitable[object]] = trio.sleep_forever
) -> Stalled | None:
    """Wait as a parser does, in stretches of the clock's; the error that fired, None for the wait's end."""
    while True:
        with clock.watch() as stretch:
            await waiting()
        if not stretch.cancelled_caught:
            return None
        if stalled := clock.stalled("headers"):
            return stalled


async def fired(clock: Clock) -> tuple[str, float]:
    """Which timer fires if nothing more comes, and when."""
    stalled = await watched(clock)
    assert stalled is not None
    return stalled.which, trio.current_time()


async def test_first_chunk_fires_when_no_output_came(autojump_clock: MockClock) -> None:
    """Without any byte, the wait for the first output ends at its own limit, before the head."""
    start = trio.current_time()
    stalled = await watched(Clock(SHORT))
    assert stalled is not None
    assert (stalled.which, trio.current_time() - start) == ("first_chunk", 10.0)
    assert stalled.phase == "headers"
    assert str(stalled) == "the first_chunk timer fired after 10 s"


async def test_idle_fires_after_the_last_byte(autojump_clock: MockClock) -> None:
    """Silence after a read ends at the idle limit, although a longer sleep was under way."""
    clock = Clock(SHORT)
    await trio.sleep(1)
    clock.note_bytes()
    assert await fired(clock) == ("idle", trio.current_time())
    assert trio.current_time() == pytest.approx(6.0)


async def test_keep_alives_do_not_feed_progress(autojump_clock: MockClock) -> None:
    """Bytes without output keep idle quiet and let progress fire."""
    clock = Clock(SHORT)
    clock.note_bytes()
    clock.note_progress()

    async def keep_alive() -> None:
        while True:
            clock.note_bytes()
            await trio.sleep(3)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive)
        assert await fired(clock) == ("progress", pytest.approx(20.0))
        nursery.cancel_scope.cancel()


async def test_a_slow_but_live_stream_never_fires(autojump_clock: MockClock) -> None:
    """Output that comes just within every limit is never cut."""
    clock = Clock(SHORT)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched, clock)
        for _ in range(50):
            await trio.sleep(4.9)
            clock.note_bytes()
            clock.note_progress()
        nursery.cancel_scope.cancel()


async def test_the_clock_stands_still_while_paused(autojump_clock: MockClock) -> None:
    """An hour in which we did not read counts for nothing; after it each timer goes on where it was."""
    clock = Clock(SHORT)
    clock.note_bytes()
    await trio.sleep(2)
    full = trio.current_time() + 3600

    async def room() -> None:
        with clock.paused():
            await trio.sleep_until(full)

    assert await watched(clock, room) is None
    assert await fired(clock) == ("idle", pytest.approx(3605.0))


async def test_no_timer_where_none_is_set(autojump_clock: MockClock) -> None:
    """With every limit off the watch waits for ever."""
    with trio.move_on_after(1e6) as scope:
        await watched(Clock(Timeouts(first_chunk=None, idle=None, progress=None)))
    assert scope.cancelled_caught


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_must_be_positive(seconds: float) -> None:
    """A limit of zero, below zero or no number is refused by name."""
    with pytest.raises(ConfigError, match=r"Timeouts\.idle"):
        Timeouts(idle=seconds)


async def test_what_came_while_nothing_ran_is_read_first(mock_clock: MockClock) -> None:
    """After a call that blocked everything, or a suspended machine, no timer fires over bytes that wait to be read."""
    clock = Clock(SHORT)
    fired: list[tuple[str, float]] = []

    async def watch() -> None:
        stalled = await watched(clock)
        assert stalled is not None
        fired.append((stalled.which, trio.current_time() - start))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        start = trio.current_time()
        clock.note_bytes()
        clock.note_progress()
        await wait_all_tasks_blocked()
        mock_clock.jump(3600)
        await wait_all_tasks_blocked()
        assert fired == []
        clock.note_bytes()
        clock.note_progress()
        mock_clock.autojump_threshold = 0
    ((which, seconds),) = fired
    assert (which, seconds) == ("idle", pytest.approx(3605))


class CreepingClock(trio.abc.Clock):
    """Virtual time that moves on with every look at it, as real time does."""

    def __init__(self) -> None:
        self._time = 0.0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        self._time += 0.01
        return self._time

    def deadline_to_sleep_time(self, deadline: float) -> float:
        self._time = max(self._time, deadline)
        return 0


@pytest.mark.parametrize("looks", range(12))
def test_a_timer_that_falls_due_during_a_look_fires_then(looks: int) -> None:
    """However close to a look the moment comes, the timer is not left for the look after."""

    async def main() -> None:
        clock = Clock(SHORT)
        noted: list[float] = []

        async def silence() -> None:
            if not noted:
                for _ in range(looks):
                    trio.current_time()
                clock.note_bytes()
                noted.append(trio.current_time())
            await trio.sleep_forever()

        stalled = await watched(clock, silence)
        assert stalled is not None
        assert (stalled.which, trio.current_time()) == ("idle", pytest.approx(noted[0] + 5, abs=0.2))

    trio.run(main, clock=CreepingClock())
