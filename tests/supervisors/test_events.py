"""What a supervisor tells, and what it logs when nobody listens."""

import logging
from typing import Any, get_args

import pytest
import trio

from streamd.supervisors import (
    ChildExited,
    ChildRestarting,
    ChildSpec,
    ChildStarted,
    ChildStarting,
    ChildStopping,
    DynamicSupervisor,
    Event,
    RestartLimit,
    RestartLimitExceeded,
    Supervisor,
    SupervisorStopped,
    SupervisorStopping,
    current_child,
    open_supervisor,
)


async def test_the_story_of_a_restart(diary: Any, autojump_clock: Any) -> None:
    """Events are numbered, timed, and tell the path, in order."""
    events: list[Event] = []
    async with open_supervisor(
        diary.child("a", crash_after=1, crash_times=1), name="top", observer=events.append
    ) as supervisor:
        await trio.sleep(2)
        supervisor.request_shutdown("enough")
    assert [type(event) for event in events] == [
        ChildStarting,
        ChildStarted,
        ChildExited,
        ChildRestarting,
        ChildStarting,
        ChildStarted,
        SupervisorStopping,
        ChildStopping,
        ChildExited,
        SupervisorStopped,
    ]
    assert [event.seq for event in events] == list(range(1, 11))
    assert [event.time for event in events] == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert {event.path for event in events} == {"top"}
    exited, restarting, stopping, stopped = events[2], events[3], events[6], events[8]
    assert isinstance(exited, ChildExited)
    assert (exited.exit.kind, exited.expected) == ("failed", False)
    assert isinstance(restarting, ChildRestarting)
    assert (restarting.delay, restarting.charged, restarting.remaining) == (0, 1, 2)
    assert restarting.cause.error is exited.exit.error
    assert isinstance(stopping, SupervisorStopping)
    assert stopping.why == "enough"
    assert isinstance(stopped, ChildExited)
    assert (stopped.exit.kind, stopped.expected) == ("cancelled", True)


async def test_the_default_log(diary: Any, autojump_clock: Any, caplog: Any) -> None:
    """A warning for each restart, an error for the limit, nothing for an ordinary life."""
    async with open_supervisor(diary.child("a")):
        pass
    assert caplog.records == []
    with pytest.raises(RestartLimitExceeded):
        await Supervisor(diary.child("a", crash_after=1), restarts=RestartLimit(1)).run()
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            "streamd.supervisors",
            logging.WARNING,
            "supervisor: child 'a' ended (ValueError: a1); restart 1 of 1 in 0 s",
        ),
        (
            "streamd.supervisors",
            logging.ERROR,
            "supervisor: more than 1 restarts within 5 s; child 'a' ended last (ValueError: a2)",
        ),
    ]


async def test_a_failure_nobody_restarts_is_logged(diary: Any, autojump_clock: Any, caplog: Any) -> None:
    """The error of a temporary child would be seen by nobody else."""
    async with open_supervisor(diary.child("a", crash_after=1, restart="temporary")):
        await trio.sleep(2)
    assert [record.getMessage() for record in caplog.records] == [
        "supervisor: child 'a' failed and is not restarted: ValueError: a1"
    ]


async def test_an_observer_that_raises_hurts_nobody(diary: Any, autojump_clock: Any, caplog: Any) -> None:
    """Its error is logged, and the supervisor goes on."""

    def observer(event: Event) -> None:
        raise ZeroDivisionError

    async with open_supervisor(diary.child("a"), observer=observer) as supervisor:
        assert supervisor.children()[0].state == "running"
    assert "the observer raised on ChildStarting" in caplog.text
    assert diary == ["+a1", "-a1"]


async def test_the_paths_of_a_tree(diary: Any, autojump_clock: Any) -> None:
    """A nested supervisor's path begins with that of the child it runs as."""
    paths: set[str] = set()

    def observer(event: Event) -> None:
        paths.add(event.path)

    inner = Supervisor(diary.child("x"), observer=observer)
    async with open_supervisor(inner.as_child("b"), name="top", observer=observer):
        pass
    assert paths == {"top", "top/b"}


async def test_an_observer_may_raise_on_every_event(autojump_clock: Any, caplog: Any) -> None:
    """Whatever it is told, what it raises is logged, and supervisors and children go on as without it."""
    told: list[str] = []

    async def crash() -> None:
        if current_child().incarnation == 1:
            await trio.sleep(1)
            raise ValueError("bad")
        with trio.CancelScope(shield=True):
            await trio.sleep(10)

    async def once(*supervisors: Supervisor | DynamicSupervisor) -> None:
        async with trio.open_nursery() as nursery:
            for supervisor in supervisors:
                await nursery.start(supervisor.run)
                if isinstance(supervisor, DynamicSupervisor):
                    ref = await supervisor.start_child(child)
                    assert ref.incarnation == 1
            await trio.sleep(2)
            for supervisor in supervisors:
                assert [(info.state, info.incarnation) for info in supervisor.children()] == [("running", 2)]
                supervisor.request_shutdown()

    def observer(event: Event) -> None:
        told.append(type(event).__name__)
        raise ZeroDivisionError(told[-1])

    child = ChildSpec(id="a", run=crash, restart="transient")
    await once(Supervisor(child, observer=observer), DynamicSupervisor(observer=observer))
    assert set(told) == {kind.__name__ for kind in get_args(Event)}
    assert len([record for record in caplog.records if "observer raised" in record.message]) == len(told)
    assert trio.current_time() == 11


async def test_an_error_that_cannot_be_told(autojump_clock: Any, caplog: Any) -> None:
    """An error whose message cannot be made is a crash like any other; one of many lines takes one in the log."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    async def crash() -> None:
        match current_child().incarnation:
            case 1:
                raise Mute
            case 2:
                raise ValueError("two\nlines")
            case 3:
                raise ExceptionGroup("many", [ExceptionGroup("few", [KeyError("a")]), Mute()])
            case _:
                await trio.sleep_forever()

    async with open_supervisor(ChildSpec(id="a", run=crash)) as supervisor:
        await trio.sleep(1)
        assert supervisor.children()[0].incarnation == 4
    assert [record.getMessage() for record in caplog.records] == [
        "supervisor: child 'a' ended (Mute: its message cannot be told); restart 1 of 3 in 0 s",
        "supervisor: child 'a' ended (ValueError: two\\nlines); restart 2 of 3 in 0 s",
        "supervisor: child 'a' ended (ExceptionGroup: many (2 sub-exceptions): ExceptionGroup: few (1 sub-exception): "
        "KeyError: 'a'); restart 3 of 3 in 0 s",
    ]
