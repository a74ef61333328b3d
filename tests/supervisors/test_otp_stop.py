"""Stopping: the cases of OTP's `supervisor_SUITE` under their own names; see `test_otp_cases` for the whole list.

OTP's `exit(kill)` has no counterpart in trio: a child out of grace is cancelled, and joined however long that takes.
"""

import math
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    ChildExited,
    ChildSpec,
    ChildStarting,
    ChildStopError,
    ChildStuck,
    Event,
    Supervisor,
    open_dynamic_supervisor,
    open_supervisor,
)


def ends(events: list[Event]) -> list[tuple[str, str]]:
    """How the children ended, in order."""
    return [(event.id, event.exit.kind) for event in events if isinstance(event, ChildExited)]


@pytest.fixture
def events() -> list[Event]:
    """What an observer is told."""
    return []


async def test_sup_stop_infinity(diary: Any, events: Any, autojump_clock: Any) -> None:
    """Endless grace is for supervisors and workers alike: both end by themselves."""
    inner = Supervisor(diary.graceful("x", needs=10_000, shutdown=math.inf))
    async with open_supervisor(observer=events.append) as supervisor:
        await supervisor.start_child(inner.as_child("1"))
        await supervisor.start_child(diary.graceful("2", needs=10_000, shutdown=math.inf))
    assert ends(events) == [("2", "stopped"), ("1", "stopped")]
    assert trio.current_time() == 20_000


async def test_sup_stop_timeout(diary: Any, events: Any, autojump_clock: Any) -> None:
    """A child that is done in time stops; one that is not is cancelled when its grace has run out."""
    async with open_supervisor(observer=events.append) as supervisor:
        await supervisor.start_child(diary.graceful("1", needs=0.5, shutdown=1))
        await supervisor.start_child(diary.graceful("2", needs=200, shutdown=1))
    assert ends(events) == [("2", "cancelled"), ("1", "stopped")]
    assert trio.current_time() == 1.5


async def test_sup_stop_timeout_dynamic(diary: Any, events: Any, autojump_clock: Any) -> None:
    """Dynamic children stop together: however many run out of their grace, it is waited for once."""
    async with open_dynamic_supervisor(observer=events.append) as pool:
        for number in range(10):
            await pool.start_child(diary.graceful("in time", needs=0.5, shutdown=1))
            await pool.start_child(diary.graceful(f"late{number}", needs=200, shutdown=1))
    assert trio.current_time() == 1
    assert ends(events)[:10] == [("in time", "stopped")] * 10
    assert {kind for _, kind in ends(events)[10:]} == {"cancelled"}


async def test_sup_stop_brutal_kill(diary: Any, events: Any, autojump_clock: Any) -> None:
    """A shutdown of 0 seconds cancels at once, though the child has opted in to grace."""
    async with open_supervisor(observer=events.append) as supervisor:
        await supervisor.start_child(diary.graceful("1", needs=0.5, shutdown=1))
        await supervisor.start_child(diary.graceful("2", needs=0.5, shutdown=0))
    assert ends(events) == [("2", "cancelled"), ("1", "stopped")]
    assert trio.current_time() == 0.5


async def test_sup_stop_brutal_kill_dynamic(diary: Any, events: Any, autojump_clock: Any) -> None:
    """So for dynamic children; those with grace keep theirs."""
    async with open_dynamic_supervisor(observer=events.append) as pool:
        for number in range(10):
            await pool.start_child(diary.graceful(str(number), needs=0.5, shutdown=0))
        await pool.start_child(diary.graceful("polite", needs=0.5))
    assert trio.current_time() == 0.5
    assert {kind for _, kind in ends(events)[:10]} == {"cancelled"}
    assert ends(events)[10] == ("polite", "stopped")


ENDS = ("normal", "shutdown", "abnormal", "kill")


async def race(how: str, seconds: float, *, task_status: Any) -> None:
    """End by oneself, some seconds after the sibling that stops first was asked to."""
    task_status.started()
    with trio.CancelScope() as scope:
        await trio.sleep(seconds)
        if how == "shutdown":
            scope.cancel()
            await trio.lowlevel.checkpoint()
    if how == "abnormal":
        raise ValueError("abnormal")
    if how == "kill":
        raise ExceptionGroup("all of it", [OSError("kill")])


@pytest.mark.parametrize("seconds", [1.0, 2.0])
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_sup_stop_race(
    restart: Any, how: str, seconds: float, diary: Any, events: Any, autojump_clock: Any
) -> None:
    """Children that end by themselves while the supervisor stops another are not started again, nor waited for.

    OTP logs an abnormal end among them; ours raises it once all have ended. At 2 s the racer ends in the very moment
    in which its turn comes, and either may be faster.
    """
    supervisor = Supervisor(
        ChildSpec(id="1", run=race, args=(how, seconds), restart=restart),
        diary.graceful("2", needs=2),
        observer=events.append,
    )
    failed = how in ("abnormal", "kill")
    raised: list[Exception] = []
    async with trio.open_nursery() as nursery:

        async def run(*, task_status: Any) -> None:
            try:
                await supervisor.run(task_status=task_status)
            except ChildStopError as exc:
                raised.append(exc)

        await nursery.start(run)
        supervisor.request_shutdown()
    assert trio.current_time() == 2
    assert [(e.id, e.incarnation) for e in events if isinstance(e, ChildStarting)] == [("1", 1), ("2", 1)]
    assert {id_ for id_, _ in ends(events)} == {"1", "2"}
    if seconds < 2:
        assert len(raised) == failed
    elif raised:
        assert failed


async def test_sup_stop_non_shutdown_exit_dynamic(events: Any, autojump_clock: Any) -> None:
    """Dynamic children that raise when they are stopped: OTP logs each; ours raises all, after all have ended."""

    async def run(number: int) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ArithmeticError(number)

    with pytest.raises(ChildStopError) as caught:
        async with open_dynamic_supervisor(observer=events.append) as pool:
            for number in range(3):
                await pool.start_child(ChildSpec(id=str(number), run=run, args=(number,)))
            await wait_all_tasks_blocked()
    assert sorted(one.id for one in caught.value.failures) == ["0", "1", "2"]
    assert all(isinstance(one.error, ArithmeticError) for one in caught.value.failures)
    assert len(ends(events)) == 3


@pytest.mark.parametrize("by_hand", [False, True])
async def test_child_unlink(by_hand: bool, diary: Any, events: Any, autojump_clock: Any) -> None:
    """OTP's naughty child unlinks itself from its supervisor; ours shields itself from being cancelled.

    It is waited for and reported with its stack, and the supervisor does not hang on it for ever.
    """

    async def naughty() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(30)

    async with open_supervisor(
        diary.child("1"), ChildSpec(id="2", run=naughty), observer=events.append
    ) as supervisor:
        await wait_all_tasks_blocked()
        if by_hand:
            assert (await supervisor.stop_child("2")).kind == "stopped"
    assert trio.current_time() == 30
    (stuck,) = (event for event in events if isinstance(event, ChildStuck))
    assert (stuck.id, stuck.time) == ("2", 5)
    assert "naughty" in stuck.stack[0]
    assert [id_ for id_, _ in ends(events)] == ["2", "1"]
