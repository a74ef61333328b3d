"""Restarting: the cases of OTP's `supervisor_SUITE` under their own names; see `test_otp_cases` for the whole list.

OTP's three kinds of end are here: a `normal` one returns, `shutdown` cancels its own work and returns, an `abnormal`
one raises. Where OTP's supervisor exits with the reason `shutdown`, ours raises `RestartLimitExceeded`.
"""

from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    Backoff,
    ChildExists,
    ChildSpec,
    ChildStarting,
    Counts,
    Event,
    RestartLimit,
    RestartLimitExceeded,
    RestartPending,
    Supervisor,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)

ENDURING = RestartLimit(2, per=3600)


async def ending(how: str, restart: Any) -> list[str]:
    """Have a first incarnation end; return what its supervisor says of it afterwards."""

    async def run() -> None:
        if current_child().incarnation == 2:
            await trio.sleep_forever()
        with trio.CancelScope() as scope:
            await trio.sleep(1)
            if how == "shutdown":
                scope.cancel()
                await trio.lowlevel.checkpoint()
        if how == "abnormal":
            raise ValueError

    async with open_supervisor(ChildSpec(id="1", run=run, restart=restart), restarts=ENDURING) as supervisor:
        await trio.sleep(2)
        return [f"{info.state} {info.incarnation}" for info in supervisor.children()]


async def test_permanent_normal(autojump_clock: Any) -> None:
    """A permanent child that returns is started again."""
    assert await ending("normal", "permanent") == ["running 2"]


async def test_transient_normal(autojump_clock: Any) -> None:
    """A transient child that returns is kept without running."""
    assert await ending("normal", "transient") == ["stopped 1"]


async def test_temporary_normal(autojump_clock: Any) -> None:
    """A temporary child that returns is forgotten."""
    assert await ending("normal", "temporary") == []


async def test_permanent_shutdown(autojump_clock: Any) -> None:
    """A permanent child that ends its own work and returns is started again."""
    assert await ending("shutdown", "permanent") == ["running 2"]


async def test_transient_shutdown(autojump_clock: Any) -> None:
    """A transient child that ends its own work and returns is kept: that is no failure."""
    assert await ending("shutdown", "transient") == ["stopped 1"]


async def test_temporary_shutdown(autojump_clock: Any) -> None:
    """A temporary child that ends its own work and returns is forgotten."""
    assert await ending("shutdown", "temporary") == []


async def test_permanent_abnormal(autojump_clock: Any) -> None:
    """A permanent child that raises is started again."""
    assert await ending("abnormal", "permanent") == ["running 2"]


async def test_transient_abnormal(autojump_clock: Any) -> None:
    """A transient child that raises is started again."""
    assert await ending("abnormal", "transient") == ["running 2"]


async def test_temporary_abnormal(autojump_clock: Any) -> None:
    """A temporary child that raises is forgotten."""
    assert await ending("abnormal", "temporary") == []


async def test_multiple_restarts(puppets: Any, autojump_clock: Any) -> None:
    """Crashes far apart go on for ever; one too many within the window ends the supervisor."""
    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_supervisor(puppets.spec("1"), restarts=RestartLimit(1, per=1)) as supervisor:
            for number in range(2, 6):
                await puppets.crash("1")
                assert puppets.states(supervisor) == [f"1{number} running"]
                await trio.sleep(2)
            await puppets.crash("1")
            await puppets.crash("1")
            await trio.sleep_forever()
    assert [one.incarnation for one in caught.value.failures] == [1, 2, 3, 4, 5, 6]


async def test_one_for_one(puppets: Any) -> None:
    """Only the child that failed is started again; the third failure is one too many, and the others stop first."""
    with pytest.raises(RestartLimitExceeded):
        async with open_supervisor(puppets.spec("1"), puppets.spec("2"), restarts=ENDURING) as supervisor:
            puppets.take()
            await puppets.crash("1")
            assert puppets.take() == ["-11", "+12"]
            assert puppets.states(supervisor) == ["12 running", "21 running"]
            await puppets.crash("2")
            assert puppets.take() == ["-21", "+22"]
            await puppets.crash("1")
    assert puppets.log == ["-12", "-22"]


async def escalation(strategy: Any, puppets: Any) -> list[str]:
    """Have the first of two children never start again; return the log from its crash on."""
    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_supervisor(
            puppets.spec("1"), puppets.spec("2"), strategy=strategy, restarts=RestartLimit(4, per=3600)
        ):
            puppets.take()
            puppets.failing["1"] = 99
            await puppets.crash("1")
            await trio.sleep_forever()
    assert [one.incarnation for one in caught.value.failures] == [1, 2, 3, 4, 5]
    return puppets.take()


TRIES = ["+12", "-12", "+13", "-13", "+14", "-14", "+15", "-15"]


async def test_one_for_one_escalation(puppets: Any) -> None:
    """Each failed start is charged; at the limit the supervisor stops the others and gives up."""
    assert await escalation("one_for_one", puppets) == ["-11", *TRIES, "-21"]


async def test_one_for_all(puppets: Any) -> None:
    """All are stopped and started with the one that failed, the twin that failed with it included."""
    with pytest.raises(RestartLimitExceeded):
        async with open_supervisor(
            *(puppets.spec(id_) for id_ in "123"), strategy="one_for_all", restarts=ENDURING
        ) as supervisor:
            puppets.take()
            await puppets.crash("2")
            assert puppets.take() == ["-21", "-31", "-11", "+12", "+22", "+32"]
            await puppets.crash("1", "3")
            assert puppets.states(supervisor) == ["13 running", "23 running", "33 running"]
            puppets.take()
            await puppets.crash("3")
    assert puppets.log == ["-33", "-23", "-13"]


async def test_one_for_all_escalation(puppets: Any) -> None:
    """The others are stopped once, and never start before the one that cannot."""
    assert await escalation("one_for_all", puppets) == ["-11", "-21", *TRIES]


async def test_one_for_all_other_child_fails_restart(puppets: Any) -> None:
    """Another child of the group cannot start: those that had been are stopped again, and all are tried anew."""
    async with open_supervisor(
        *(puppets.spec(id_) for id_ in "123"), strategy="one_for_all", restarts=ENDURING
    ) as supervisor:
        puppets.take()
        puppets.failing["2"] = 1
        await puppets.crash("1")
        assert puppets.take() == [
            *("-11", "-31", "-21"),
            *("+12", "+22", "-22", "-12"),
            *("+13", "+23", "+32"),
        ]
        assert puppets.states(supervisor) == ["13 running", "23 running", "32 running"]


async def test_rest_for_one(puppets: Any) -> None:
    """Those started after the one that failed are stopped and started with it; those before live on."""
    with pytest.raises(RestartLimitExceeded):
        async with open_supervisor(
            *(puppets.spec(id_) for id_ in "123"), strategy="rest_for_one", restarts=ENDURING
        ) as supervisor:
            puppets.take()
            await puppets.crash("2")
            assert puppets.take() == ["-21", "-31", "+22", "+32"]
            await puppets.crash("3")
            assert puppets.take() == ["-32", "+33"]
            assert puppets.states(supervisor) == ["11 running", "22 running", "33 running"]
            await puppets.crash("1")
    assert puppets.log == ["-11", "-33", "-22"]


async def test_rest_for_one_escalation(puppets: Any) -> None:
    """As one_for_all, where the first of all fails."""
    assert await escalation("rest_for_one", puppets) == ["-11", "-21", *TRIES]


async def test_rest_for_one_other_child_fails_restart(puppets: Any) -> None:
    """Another child of the group cannot start: it is tried again from there, and those that are up stay."""
    async with open_supervisor(
        *(puppets.spec(id_) for id_ in "123"), strategy="rest_for_one", restarts=ENDURING
    ) as supervisor:
        puppets.take()
        puppets.failing["2"] = 1
        await puppets.crash("1")
        assert puppets.take() == ["-11", "-31", "-21", "+12", "+22", "-22", "+23", "+32"]
        assert puppets.states(supervisor) == ["12 running", "23 running", "32 running"]


async def test_simple_one_for_one(puppets: Any) -> None:
    """A dynamic child that fails is started again alone; the limit is one for all of them."""
    with pytest.raises(RestartLimitExceeded):
        async with open_dynamic_supervisor(restarts=ENDURING) as pool:
            for id_ in "12":
                await pool.start_child(puppets.spec(id_, restart="permanent"))
            puppets.take()
            await puppets.crash("1")
            assert puppets.take() == ["-11", "+12"]
            await puppets.end("2")
            assert puppets.take() == ["-21", "+22"]
            await puppets.crash("1")
    assert puppets.log[0] == "-12"
    assert sorted(puppets.log) == ["-12", "-22"]


async def test_simple_one_for_one_shutdown(diary: Any, autojump_clock: Any) -> None:
    """Dynamic children stop together; their graces run beside each other."""
    async with open_dynamic_supervisor() as pool:
        for id_ in "12":
            await pool.start_child(diary.graceful(id_, needs=0.9, shutdown=1))
    assert trio.current_time() == 0.9
    assert sorted(entry for entry in diary if entry.startswith("done")) == ["done 1", "done 2"]


async def test_simple_one_for_one_extra(puppets: Any) -> None:
    """Every child has its own arguments, which a restart keeps. OTP appends them to those of one template."""
    async with open_dynamic_supervisor() as pool:
        refs = [await pool.start_child(puppets.spec(i, f"args{i}", restart="permanent")) for i in "12"]
        assert [ref.value for ref in refs] == ["args1", "args2"]
        await puppets.crash("1")
        assert puppets.states(pool) == ["12 running", "21 running"]


async def test_simple_one_for_one_escalation(puppets: Any) -> None:
    """A dynamic child that cannot start again is tried until the limit, which ends its neighbours too."""
    with pytest.raises(RestartLimitExceeded) as caught:
        async with open_dynamic_supervisor(restarts=RestartLimit(4, per=3600)) as pool:
            for id_ in "12":
                await pool.start_child(puppets.spec(id_, restart="permanent"))
            puppets.take()
            puppets.failing["1"] = 99
            await puppets.crash("1")
            await trio.sleep_forever()
    assert len(caught.value.failures) == 5
    assert puppets.log == ["-11", *TRIES, "-21"]


async def test_simple_one_for_one_corruption(puppets: Any) -> None:
    """Starts that fail, are ignored, or succeed with a value, and ends of every kind leave the books in order."""
    async with open_dynamic_supervisor(restarts=RestartLimit(0)) as pool:
        puppets.failing["1"] = 1
        with pytest.raises(Exception, match="cannot start"):
            await pool.start_child(puppets.spec("1", {"extra": 1}))
        puppets.ignoring.add("2")
        await pool.start_child(puppets.spec("2"))
        for id_ in "345":
            await pool.start_child(puppets.spec(id_, {"extra": id_}))
        await puppets.crash("3")
        await puppets.end("4")
        assert puppets.states(pool) == ["51 running"]
        assert pool.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)


async def test_simple_one_for_one_restart_ignore(puppets: Any) -> None:
    """A dynamic child that, started again, returns before it is ready is forgotten: that is no failure."""
    async with open_dynamic_supervisor(restarts=RestartLimit(1)) as pool:
        await pool.start_child(puppets.spec("1", restart="permanent"))
        await pool.start_child(puppets.spec("2", restart="transient"))
        puppets.ignoring.add("1")
        await puppets.crash("1")
        assert puppets.states(pool) == ["21 running"]
        assert puppets.log == ["+11", "+21", "-11", "+12", "-12"]


@pytest.mark.parametrize("strategy", ["rest_for_one", "one_for_all"])
async def test_temporary_bystander(strategy: Any, puppets: Any) -> None:
    """A temporary child stopped with its group is neither started again nor kept."""
    async with open_supervisor(
        puppets.spec("1"), puppets.spec("2", restart="temporary"), strategy=strategy, restarts=ENDURING
    ) as supervisor:
        await puppets.crash("1")
        assert puppets.states(supervisor) == ["12 running"]
        assert supervisor.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)


async def test_tree(puppets: Any) -> None:
    """A tree of supervisors: failures below stay below until a limit is reached, then the one above starts it anew.

    A group restart begins with the initial state: a child stopped by hand runs again, one added by hand stays added.
    """
    one = Supervisor(puppets.spec("a"), puppets.spec("b"), strategy="one_for_one", restarts=RestartLimit(1))
    two = Supervisor(puppets.spec("c"), puppets.spec("d"), strategy="one_for_all", restarts=RestartLimit(1))
    async with open_supervisor(
        one.as_child("one"), two.as_child("two"), strategy="one_for_all", restarts=RestartLimit(9)
    ) as top:
        await top.start_child(puppets.spec("e"))
        await puppets.crash("a")
        assert puppets.states(one) == ["a2 running", "b1 running"]
        assert puppets.states(two) == ["c1 running", "d1 running"]
        await puppets.crash("c")
        assert puppets.states(two) == ["c2 running", "d2 running"]
        await top.stop_child("two")
        assert puppets.states(top) == ["one1 running", "two1 stopped", "e1 running"]
        await puppets.crash("b")
        assert puppets.states(top) == ["one2 running", "two2 running", "e2 running"]
        assert puppets.states(one) == ["a1 running", "b1 running"]
        assert puppets.states(two) == ["c1 running", "d1 running"]


async def pending(supervisor: Supervisor, ids: list[str], puppets: Any) -> None:
    """What may be asked about children that are about to be started again."""
    for id_ in ids:
        with pytest.raises(RestartPending):
            await supervisor.restart_child(id_)
        with pytest.raises(RestartPending):
            await supervisor.delete_child(id_)
        with pytest.raises(ChildExists):
            await supervisor.start_child(puppets.spec(id_))


async def test_hanging_restart_loop(puppets: Any, autojump_clock: Any) -> None:
    """A child that cannot start again leaves its supervisor time for everything else; stop_child ends the loop.

    OTP's supervisor is deaf while a start hangs; ours stops such a child on request.
    """
    limit, pause = RestartLimit(8, per=10), Backoff(initial=1, factor=1, jitter=0, max_consecutive=99)
    async with open_supervisor(puppets.spec("1"), restarts=limit, backoff=pause) as supervisor:
        puppets.failing["1"] = 2
        await puppets.crash("1")
        for tries in (1, 2, 3):
            assert puppets.states(supervisor) == [f"1{tries} restarting"]
            assert supervisor.counts() == Counts(specs=1, active=0, supervisors=0, workers=1)
            await pending(supervisor, ["1"], puppets)
            if tries == 3:
                puppets.hanging.add("1")
            await trio.sleep(1)
            await wait_all_tasks_blocked()
        assert puppets.states(supervisor) == ["14 starting"]
        assert (await supervisor.stop_child("1")).kind == "cancelled"
        await trio.sleep(99)
        assert puppets.states(supervisor) == ["14 stopped"]
        puppets.hanging.clear()
        assert (await supervisor.restart_child("1")).incarnation == 5


async def test_hanging_restart_loop_rest_for_one(puppets: Any, autojump_clock: Any) -> None:
    """The same for a group: those before it run on, those after it wait, and one of them can be let out."""
    limit, pause = RestartLimit(8, per=10), Backoff(initial=1, factor=1, jitter=0, max_consecutive=99)
    async with open_supervisor(
        *(puppets.spec(id_) for id_ in "1234"), strategy="rest_for_one", restarts=limit, backoff=pause
    ) as supervisor:
        puppets.failing["2"] = 2
        await puppets.crash("2")
        assert puppets.states(supervisor) == ["11 running", "21 restarting", "31 restarting", "41 restarting"]
        await pending(supervisor, ["2", "3", "4"], puppets)
        await supervisor.stop_child("3")
        await trio.sleep(1.5)
        assert puppets.states(supervisor) == ["11 running", "22 restarting", "31 stopped", "41 restarting"]
        await trio.sleep(2)
        assert puppets.states(supervisor) == ["11 running", "24 running", "31 stopped", "42 running"]


async def test_hanging_restart_loop_simple(puppets: Any, autojump_clock: Any) -> None:
    """A dynamic child that cannot start again holds nobody up, and stop_child ends its loop."""
    limit, pause = RestartLimit(8, per=10), Backoff(initial=1, factor=1, jitter=0, max_consecutive=99)
    async with open_dynamic_supervisor(restarts=limit, backoff=pause) as pool:
        ref = await pool.start_child(puppets.spec("1", restart="permanent"))
        puppets.failing["1"] = 1
        await puppets.crash("1")
        await trio.sleep(1.5)
        assert puppets.states(pool) == ["12 restarting"]
        await pool.start_child(puppets.spec("2"))
        puppets.hanging.add("1")
        await trio.sleep(1)
        assert puppets.states(pool) == ["13 starting", "21 running"]
        assert (await pool.stop_child(ref)).kind == "cancelled"
        assert puppets.states(pool) == ["21 running"]
        assert pool.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)


async def test_faulty_application_shutdown(puppets: Any) -> None:
    """A failure deep in a tree reaches the top with its whole way as causes; OTP's reason is a nest of tuples."""
    inner = Supervisor(puppets.spec("a"), restarts=RestartLimit(0), name="inner")
    events: list[Event] = []
    with pytest.raises(
        RestartLimitExceeded, match=r"'inner' ended last.*'a' ended last.*ValueError: a"
    ) as caught:
        async with open_supervisor(inner.as_child("inner"), restarts=RestartLimit(0), observer=events.append):
            await puppets.crash("a")
            await trio.sleep_forever()
    (outer_failure,) = caught.value.failures
    assert isinstance(outer_failure.error, RestartLimitExceeded)
    (inner_failure,) = outer_failure.error.failures
    assert (inner_failure.id, type(inner_failure.error)) == ("a", ValueError)
    assert isinstance(caught.value.__cause__, ExceptionGroup)
    assert caught.value.__cause__.exceptions == (outer_failure.error,)
    assert [event.id for event in events if isinstance(event, ChildStarting)] == ["inner"]
