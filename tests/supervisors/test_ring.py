"""The log of the last events: bounded, in order, and holding nothing alive."""

import gc
import weakref
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.supervisors import (
    ChildExited,
    ChildRestarting,
    ChildSpec,
    ChildStarting,
    Event,
    EventLog,
    InvalidSpec,
    PastError,
    RestartLimit,
    RestartLimitExceeded,
    Supervisor,
    SupervisorStopped,
    SupervisorStopping,
    open_supervisor,
)


def started(number: int) -> Event:
    """Some event that can be told from others."""
    return ChildStarting(number, float(number), "app", "a", 1)


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 20), count=st.integers(0, 60))
def test_the_last_events_are_kept(size: int, count: int) -> None:
    """However many come, the last ones stay, oldest first, and all are counted."""
    log = EventLog(size)
    for number in range(count):
        log(started(number))
    assert [event.seq for event in log] == list(range(count))[-size:]
    assert (len(log), log.total) == (min(size, count), count)


def test_events_may_come_in_while_it_is_read() -> None:
    """Iterating shows what was there at its begin."""
    log = EventLog(2)
    log(started(1))
    for event in log:
        log(event)
    assert len(log) == 2
    log.clear()
    assert (list(log), log.total) == ([], 2)


@pytest.mark.parametrize("size", [0, -1])
def test_a_log_of_no_size(size: int) -> None:
    """A log that keeps nothing is refused."""
    with pytest.raises(InvalidSpec, match=f"size must be 1 or more, not {size}"):
        EventLog(size)


async def test_one_log_for_a_whole_tree(diary: Any, autojump_clock: Any) -> None:
    """Supervisors may share a log; what they tell stands in the order it happened."""
    log = EventLog()
    inner = Supervisor(diary.child("x"), observer=log)
    async with open_supervisor(inner.as_child("b"), name="top", observer=log):
        pass
    assert [(type(event).__name__, event.path) for event in log] == [
        ("ChildStarting", "top"),
        ("ChildStarting", "top/b"),
        ("ChildStarted", "top/b"),
        ("ChildStarted", "top"),
        ("SupervisorStopping", "top"),
        ("ChildStopping", "top"),
        ("SupervisorStopping", "top/b"),
        ("ChildStopping", "top/b"),
        ("ChildExited", "top/b"),
        ("SupervisorStopped", "top/b"),
        ("ChildExited", "top"),
        ("SupervisorStopped", "top"),
    ]


async def test_a_supervisors_events_tell_its_incarnation(diary: Any, autojump_clock: Any) -> None:
    """It is that of the child the supervisor runs in, and 1 for one on its own."""
    log = EventLog()
    inner = Supervisor(diary.child("x", crash_after=1), restarts=RestartLimit(0), observer=log)
    async with open_supervisor(inner.as_child("b"), name="top", observer=log):
        await trio.sleep(1.5)
    ends = [event for event in log if isinstance(event, SupervisorStopping | SupervisorStopped)]
    assert [(event.path, event.incarnation) for event in ends] == [
        ("top/b", 1),
        ("top/b", 1),
        ("top", 1),
        ("top/b", 2),
        ("top/b", 2),
        ("top", 1),
    ]


class Burden:
    """Something a failing child has at hand."""


async def test_nothing_is_kept_alive(autojump_clock: Any) -> None:
    """The log holds neither an error, nor the frames it passed through, nor what a child returned."""
    held: list[weakref.ref[Burden]] = []

    async def crash() -> None:
        burden = Burden()
        held.append(weakref.ref(burden))
        raise ValueError("bad", burden)

    async def give() -> Burden:
        burden = Burden()
        held.append(weakref.ref(burden))
        return burden

    log = EventLog()

    async def fail() -> None:
        with pytest.raises(RestartLimitExceeded):
            await Supervisor(
                ChildSpec(id="b", run=give, restart="temporary"),
                ChildSpec(id="a", run=crash),
                restarts=RestartLimit(1),
                observer=log,
            ).run()

    await fail()
    gc.collect()
    assert len(held) == 3
    assert [ref() for ref in held] == [None] * 3
    exits = [event.exit for event in log if isinstance(event, ChildExited) and event.id == "a"]
    errors = [end.error for end in exits]
    errors += [event.cause.error for event in log if isinstance(event, ChildRestarting)]
    assert len(errors) == 3
    for error in errors:
        assert isinstance(error, PastError)
        assert error.type == "ValueError"
        assert str(error).startswith("ValueError: ('bad', <")
        assert error.stack[-1].startswith("test_nothing_is_kept_alive.<locals>.crash (")
        assert error.__traceback__ is None
    copy = EventLog()
    for event in log:
        copy(event)
    assert [
        event.exit.error for event in copy if isinstance(event, ChildExited) and event.id == "a"
    ] == errors[:2]


async def test_what_is_kept_of_an_error_is_bounded(autojump_clock: Any) -> None:
    """Of a long message the beginning is kept, of a deep traceback the end."""

    def fall(depth: int) -> None:
        if depth:
            fall(depth - 1)
        raise ValueError("x" * 1_000_000)

    async def crash() -> None:
        fall(100)

    log = EventLog()
    async with open_supervisor(ChildSpec(id="a", run=crash, restart="temporary"), observer=log):
        await trio.sleep(1)
    (error,) = [event.exit.error for event in log if isinstance(event, ChildExited)]
    assert isinstance(error, PastError)
    assert len(str(error)) == 1000
    assert [place.partition(" ")[0].rpartition(".")[2] for place in error.stack] == ["fall"] * 8
