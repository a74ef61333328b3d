"""Looking after children: the cases of OTP's `supervisor_SUITE` under their own names; see `test_otp_cases`."""

import gc
import time
import weakref
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    Backoff,
    ChildExists,
    ChildRunning,
    ChildSpec,
    Counts,
    DynamicSupervisor,
    Registry,
    RestartLimit,
    RestartPending,
    Supervisor,
    UnknownChild,
    UnknownName,
    current_child,
    open_dynamic_supervisor,
    open_supervisor,
)

PAUSE = Backoff(initial=1, factor=1, jitter=0, max_consecutive=99)


async def test_child_adm(puppets: Any, autojump_clock: Any) -> None:
    """Every verb in every state of a child: running, starting, about to be restarted, stopped, and unknown."""
    refused: list[tuple[str, str, str]] = []

    async def ask(state: str, *verbs: str) -> None:
        for verb in verbs:
            argument = puppets.spec("1") if verb == "start" else "1"
            try:
                await getattr(supervisor, f"{verb}_child")(argument)
            except (ChildExists, ChildRunning, RestartPending, UnknownChild) as exc:
                refused.append((state, verb, type(exc).__name__))

    async with open_supervisor(backoff=PAUSE) as supervisor, trio.open_nursery() as nursery:
        await ask("unknown", "stop", "restart", "delete")
        ref = await supervisor.start_child(puppets.spec("1", "value"))
        assert (ref.id, ref.incarnation, ref.value) == ("1", 1, "value")
        assert supervisor.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)
        await ask("running", "start", "restart", "delete")
        assert (await supervisor.stop_child("1")).kind == "cancelled"
        assert (await ref.wait()).kind == "cancelled"
        assert supervisor.counts() == Counts(specs=1, active=0, supervisors=0, workers=1)
        assert (await supervisor.stop_child("1")).kind == "cancelled"
        await ask("stopped", "start")
        assert (await supervisor.restart_child("1")).incarnation == 2
        await puppets.crash("1")
        assert puppets.states(supervisor) == ["12 restarting"]
        await ask("restarting", "start", "restart", "delete")
        puppets.hanging.add("1")
        await trio.sleep(1.5)
        assert puppets.states(supervisor) == ["13 starting"]
        nursery.start_soon(ask, "starting", "start")
        await wait_all_tasks_blocked()
        await supervisor.stop_child(
            "1"
        )  # the start gives way to it; the call before it waited, and is answered first
        puppets.hanging.clear()
        await ask("started again", "stop", "delete", "stop", "restart", "delete")
    assert refused == [
        *(("unknown", verb, "UnknownChild") for verb in ("stop", "restart", "delete")),
        ("running", "start", "ChildExists"),
        ("running", "restart", "ChildRunning"),
        ("running", "delete", "ChildRunning"),
        ("stopped", "start", "ChildExists"),
        ("restarting", "start", "ChildExists"),
        ("restarting", "restart", "RestartPending"),
        ("restarting", "delete", "RestartPending"),
        ("starting", "start", "ChildExists"),
        *(("started again", verb, "UnknownChild") for verb in ("stop", "restart", "delete")),
    ]


async def test_child_adm_simple(puppets: Any, autojump_clock: Any) -> None:
    """Dynamic children are started and stopped by their refs; nothing is kept, so that nothing is deleted.

    OTP refuses to delete or restart a child of a simple_one_for_one supervisor; ours has no such verbs.
    """
    async with open_dynamic_supervisor(backoff=PAUSE) as pool:
        one = await pool.start_child(puppets.spec("1", restart="permanent"))
        two = await pool.start_child(puppets.spec("2"))
        assert pool.counts() == Counts(specs=2, active=2, supervisors=0, workers=2)
        assert (await pool.stop_child(two)).kind == "cancelled"
        with pytest.raises(UnknownChild):
            await pool.stop_child(two)
        await puppets.crash("1")
        assert puppets.states(pool) == ["11 restarting"]
        assert (await pool.stop_child(one)).kind == "failed"
        with pytest.raises(UnknownChild):
            await pool.stop_child(one)
        assert pool.counts() == Counts(specs=0, active=0, supervisors=0, workers=0)
        assert not hasattr(DynamicSupervisor, "restart_child")
        assert not hasattr(DynamicSupervisor, "delete_child")


async def test_order_of_children(puppets: Any) -> None:
    """children() is in start order, whatever restarts there were, where OTP's which_children is in reverse."""
    async with open_supervisor(*(puppets.spec(i) for i in "123"), strategy="one_for_all") as supervisor:
        await supervisor.start_child(puppets.spec("4"))
        await puppets.crash("2")
        assert [info.id for info in supervisor.children()] == ["1", "2", "3", "4"]
        await supervisor.stop_child("2")
        await supervisor.restart_child("2")
        assert [info.id for info in supervisor.children()] == ["1", "2", "3", "4"]
        await supervisor.stop_child("1")
        await supervisor.delete_child("1")
        await supervisor.start_child(puppets.spec("1"))
        assert [info.id for info in supervisor.children()] == ["2", "3", "4", "1"]
        puppets.take()
    assert [entry[:2] for entry in puppets.log] == ["-1", "-4", "-3", "-2"]


async def test_which_children(puppets: Any) -> None:
    """children() tells of every child, running or not, what it is and how it is doing."""
    async with open_supervisor(
        puppets.spec("1"), Supervisor().as_child("2", restart="transient")
    ) as supervisor:
        await supervisor.start_child(puppets.spec("3", restart="temporary"))
        await supervisor.stop_child("2")
        seen = [(i.id, i.incarnation, i.state, i.restart, i.kind) for i in supervisor.children()]
        assert seen == [
            ("1", 1, "running", "permanent", "worker"),
            ("2", 1, "stopped", "transient", "supervisor"),
            ("3", 1, "running", "temporary", "worker"),
        ]
    assert supervisor.children() == ()


async def test_which_children_simple(puppets: Any) -> None:
    """So does a dynamic supervisor, for those it has."""
    async with open_dynamic_supervisor() as pool:
        assert pool.children() == ()
        for id_ in "121":
            await pool.start_child(puppets.spec(id_))
        assert puppets.states(pool) == ["11 running", "21 running", "11 running"]
        await puppets.end("2")
        assert puppets.states(pool) == ["11 running", "11 running"]


async def test_count_children(puppets: Any) -> None:
    """A thousand dynamic children are counted, and those that have gone are not."""
    async with open_dynamic_supervisor() as pool:
        refs = [await pool.start_child(puppets.spec(str(number))) for number in range(1000)]
        assert pool.counts() == Counts(specs=1000, active=1000, supervisors=0, workers=1000)
        for ref in refs[::2]:
            await pool.stop_child(ref)
        assert pool.counts() == Counts(specs=500, active=500, supervisors=0, workers=500)


async def test_count_children_supervisor(puppets: Any) -> None:
    """Supervisors are counted apart from workers."""
    async with open_dynamic_supervisor() as pool, open_supervisor(puppets.spec("1")) as supervisor:
        for number in range(10):
            await pool.start_child(Supervisor().as_child(f"s{number}", restart="temporary"))
            await supervisor.start_child(Supervisor().as_child(f"s{number}"))
        assert pool.counts() == Counts(specs=10, active=10, supervisors=10, workers=0)
        await supervisor.stop_child("s3")
        assert supervisor.counts() == Counts(specs=11, active=10, supervisors=10, workers=1)


async def test_count_restarting_children(puppets: Any, autojump_clock: Any) -> None:
    """A child about to be restarted has a spec and no task; once it is stopped, a dynamic one is not counted at all."""
    limit = RestartLimit(99, per=3600)
    async with (
        open_dynamic_supervisor(restarts=limit, backoff=PAUSE) as pool,
        open_supervisor(*(puppets.spec(i) for i in "ab"), restarts=limit, backoff=PAUSE) as supervisor,
    ):
        refs = [await pool.start_child(puppets.spec(id_, restart="permanent")) for id_ in "12"]
        await puppets.crash("1", "2", "a")
        assert pool.counts() == Counts(specs=2, active=0, supervisors=0, workers=2)
        assert supervisor.counts() == Counts(specs=2, active=1, supervisors=0, workers=2)
        await pool.stop_child(refs[0])
        await supervisor.stop_child("a")
        assert pool.counts() == Counts(specs=1, active=0, supervisors=0, workers=1)
        assert supervisor.counts() == Counts(specs=2, active=1, supervisors=0, workers=2)
        await trio.sleep(2)
        assert pool.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)
        assert supervisor.counts() == Counts(specs=2, active=1, supervisors=0, workers=2)


class Argument:
    """Something to refer to."""


async def short(thing: object, how: str, *, task_status: Any) -> None:
    """End after a second, in one way or another."""
    task_status.started(thing)
    await trio.sleep(1)
    if how == "abnormal":
        raise ValueError(thing)


@pytest.mark.parametrize("how", ["normal", "abnormal", "stopped"])
async def test_do_not_save_start_parameters_for_temporary_children(how: str, autojump_clock: Any) -> None:
    """The arguments of a temporary child go with it, however it ends; those of any other are kept for its restart."""
    kept: list[weakref.ref[Argument]] = []
    async with open_supervisor(restarts=RestartLimit(99)) as supervisor, open_dynamic_supervisor() as pool:
        for restart in ("temporary", "transient"):
            thing = Argument()
            kept.append(weakref.ref(thing))
            spec = ChildSpec(id=restart, run=short, args=(thing, how), restart=restart)  # type: ignore[arg-type]  # a text of the table
            await supervisor.start_child(spec)
            if restart == "temporary":
                thing = Argument()
                kept.append(weakref.ref(thing))
                ref = await pool.start_child(ChildSpec(id="x", run=short, args=(thing, how)))
                if how == "stopped":
                    await pool.stop_child(ref)
                del ref
            if how == "stopped":
                await supervisor.stop_child(restart)
            del thing, spec
        await trio.sleep(1.5)
        gc.collect()
        assert [ref() is None for ref in kept] == [True, True, False]


async def test_do_not_save_child_specs_for_temporary_children(autojump_clock: Any) -> None:
    """Nor is its spec kept: its id is free again, and there is nothing to restart or delete."""
    async with open_supervisor() as supervisor:
        for _ in range(3):
            await supervisor.start_child(
                ChildSpec(id="1", run=short, args=(0, "normal"), restart="temporary")
            )
            await trio.sleep(2)
            assert supervisor.children() == ()
        for verb in (supervisor.restart_child, supervisor.delete_child, supervisor.stop_child):
            with pytest.raises(UnknownChild):
                await verb("1")


async def seconds(children: int) -> float:
    """How many seconds of CPU it takes to start that many dynamic children, have each second end, and stop the rest."""
    async with open_dynamic_supervisor() as pool:
        gate = trio.Event()
        began = time.process_time()
        for number in range(children):
            run = gate.wait if number % 2 else trio.sleep_forever
            await pool.start_child(ChildSpec(id="x", run=run))
        gate.set()
        await wait_all_tasks_blocked()
        assert pool.counts().active == children // 2
    return time.process_time() - began


async def linear(small: int, factor: int, slack: float) -> None:
    """Have so many times the children cost about so many times the CPU."""
    least = min([await seconds(small) for _ in range(5)])
    assert min([await seconds(factor * small) for _ in range(2)]) < slack * factor * least


async def test_simple_one_for_one_scale_many_temporary_children() -> None:
    """Ten times as many children do not cost ten times as much each; OTP allows five times, and so does this."""
    await linear(200, 10, slack=5)


async def test_scale_start_stop_many_children(puppets: Any) -> None:
    """The same for a Supervisor's own: a thousand added, stopped and deleted by hand, against a hundred."""

    async def cost(children: int) -> float:
        async with open_supervisor() as supervisor:
            began = time.process_time()
            for number in range(children):
                await supervisor.start_child(ChildSpec(id=str(number), run=trio.sleep_forever))
            for number in range(children):
                await supervisor.stop_child(str(number))
                await supervisor.delete_child(str(number))
            return time.process_time() - began

    least = min([await cost(100) for _ in range(5)])
    assert min([await cost(1000) for _ in range(2)]) < 50 * least


async def test_simple_global_supervisor() -> None:
    """A restarted child has its name again. OTP registers it globally; names here belong to a registry object."""
    names: Registry[int] = Registry()

    async def run() -> None:
        names.register("name", current_child().incarnation)
        await crashes[0].wait()
        raise ValueError

    crashes = [trio.Event()]
    async with open_supervisor(ChildSpec(id="1", run=run)) as supervisor:
        await wait_all_tasks_blocked()
        assert names.lookup("name") == 1
        crash, crashes[0] = crashes[0], trio.Event()
        crash.set()
        await wait_all_tasks_blocked()
        assert names.lookup("name") == 2
        await supervisor.stop_child("1")
        with pytest.raises(UnknownName):
            names.lookup("name")
