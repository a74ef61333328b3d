"""Starting: the cases of OTP's `supervisor_SUITE` under their own names; see `test_otp_cases` for the whole list.

Where OTP returns an error as a value, ours is raised.
"""

import math
from collections.abc import Iterable
from typing import Any

import pytest
import trio

from streamd.supervisors import (
    ChildExists,
    ChildRunning,
    ChildSpec,
    ChildStartError,
    Counts,
    DynamicSupervisor,
    InvalidSpec,
    RestartLimit,
    Supervisor,
    UnknownChild,
    open_dynamic_supervisor,
    open_supervisor,
)


async def test_sup_start_normal() -> None:
    """A supervisor without children starts, stops when asked to, and returns."""
    supervisor = Supervisor()
    async with trio.open_nursery() as nursery:
        assert await nursery.start(supervisor.run) is supervisor
        supervisor.request_shutdown()
    assert supervisor.children() == ()


async def test_sup_start_ignore_child(puppets: Any) -> None:
    """A child that returns before it is ready is kept without running, and the next starts."""
    puppets.ignoring.add("1")
    async with open_supervisor() as supervisor:
        await supervisor.start_child(puppets.spec("1"))
        await supervisor.start_child(puppets.spec("2"))
        assert puppets.states(supervisor) == ["11 stopped", "21 running"]
        assert supervisor.counts() == Counts(specs=2, active=1, supervisors=0, workers=2)


async def test_sup_start_ignore_temporary_child(puppets: Any) -> None:
    """A temporary child of the first start that returns before it is ready is forgotten."""
    puppets.ignoring.add("1")
    specs = [puppets.spec(id_, restart="temporary") for id_ in "12"]
    async with open_supervisor(*specs) as supervisor:
        assert puppets.states(supervisor) == ["21 running"]
        assert supervisor.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)


async def test_sup_start_ignore_temporary_child_start_child(puppets: Any) -> None:
    """So is one added by start_child."""
    puppets.ignoring.add("1")
    async with open_supervisor() as supervisor:
        for id_ in "12":
            await supervisor.start_child(puppets.spec(id_, restart="temporary"))
        assert puppets.states(supervisor) == ["21 running"]


async def ignored_by_a_pool(restart: Any, puppets: Any) -> None:
    """A dynamic child that returns before it is ready is forgotten, whatever its restart type."""
    puppets.ignoring.add("1")
    async with open_dynamic_supervisor() as pool:
        for id_ in "12":
            await pool.start_child(puppets.spec(id_, restart=restart))
        assert puppets.states(pool) == ["21 running"]
        assert pool.counts() == Counts(specs=1, active=1, supervisors=0, workers=1)


async def test_sup_start_ignore_temporary_child_start_child_simple(puppets: Any) -> None:
    """A temporary dynamic child that returns before it is ready is forgotten."""
    await ignored_by_a_pool("temporary", puppets)


async def test_sup_start_ignore_permanent_child_start_child_simple(puppets: Any) -> None:
    """So is a permanent one, and the supervisor stops without an error."""
    await ignored_by_a_pool("permanent", puppets)


async def test_sup_start_fail() -> None:
    """OTP's init callback raises; ours is `build`, and what it raises is the cause of what run() raises."""

    def build() -> Iterable[ChildSpec]:
        raise LookupError("no configuration")

    with pytest.raises(ChildStartError, match="no configuration") as caught:
        await Supervisor(build=build, strategy="one_for_all").run()
    assert isinstance(caught.value.__cause__, LookupError)


async def test_sup_start_child_returns_error(puppets: Any) -> None:
    """A start that raises, or a function that gives no coroutine, is the caller's error, and nothing is kept."""
    puppets.failing["1"] = 1

    def no_coroutine(*, task_status: Any) -> Any:
        return "some other term"

    async with open_supervisor() as supervisor:
        with pytest.raises(ChildStartError, match="11 cannot start") as caught:
            await supervisor.start_child(puppets.spec("1"))
        assert isinstance(caught.value.__cause__, OSError)
        with pytest.raises(ChildStartError, match="some other term"):
            await supervisor.start_child(ChildSpec(id="2", run=no_coroutine))
        assert supervisor.children() == ()


async def test_sup_start_restart_child_returns_error(puppets: Any) -> None:
    """A restart_child whose start raises leaves the child stopped, and is not charged."""
    async with open_supervisor(puppets.spec("1"), restarts=RestartLimit(0)) as supervisor:
        await supervisor.stop_child("1")
        puppets.failing["1"] = 1
        with pytest.raises(ChildStartError, match="12 cannot start"):
            await supervisor.restart_child("1")
        assert puppets.states(supervisor) == ["12 stopped"]
        assert (await supervisor.restart_child("1")).incarnation == 3


async def test_sup_start_child_returns_error_simple(puppets: Any) -> None:
    """A dynamic child whose start raises is the caller's error, and nothing is kept."""
    puppets.failing["1"] = 2
    async with open_dynamic_supervisor() as pool:
        for restart in ("permanent", "temporary"):
            with pytest.raises(ChildStartError, match="11 cannot start"):
                await pool.start_child(puppets.spec("1", restart=restart))
        assert pool.children() == ()


async def test_sup_start_map(puppets: Any) -> None:
    """A spec's defaults are OTP's: permanent, five seconds, a worker; a supervisor gets all the time it needs.

    There is no get_childspec: a spec is a frozen value that whoever made it can keep.
    """
    one, two, three = puppets.spec("1"), puppets.spec("2", shutdown=0), Supervisor().as_child("3")
    assert (one.shutdown, two.shutdown, three.shutdown) == (5.0, 0, math.inf)
    async with open_supervisor(one, two, three) as supervisor:
        assert [(info.id, info.restart, info.kind) for info in supervisor.children()] == [
            ("1", "permanent", "worker"),
            ("2", "permanent", "worker"),
            ("3", "permanent", "supervisor"),
        ]
        with pytest.raises(UnknownChild):
            await supervisor.stop_child("4")


async def test_sup_start_map_simple(puppets: Any) -> None:
    """A dynamic child is temporary unless its spec says otherwise, where OTP's default stays permanent."""
    async with open_dynamic_supervisor() as pool:
        await pool.start_child(puppets.spec("1"))
        await pool.start_child(puppets.spec("2", restart="permanent"))
        assert [info.restart for info in pool.children()] == ["temporary", "permanent"]


async def test_sup_start_map_faulty_specs() -> None:
    """A missing id, a missing function, an unknown field and something else than a spec are refused.

    OTP lets unknown keys pass; a dataclass does not.
    """
    spec: Any = ChildSpec
    for fields in (
        {"run": trio.sleep_forever},
        {"id": "2"},
        {"id": "3", "run": trio.sleep_forever, "silly": 1},
    ):
        with pytest.raises(TypeError):
            spec(**fields)
    child: Any = "child4"
    with pytest.raises(InvalidSpec, match="child4"):
        Supervisor(child)


FAULTY_SPECS: list[dict[str, Any]] = [
    {"id": ""},
    {"id": 7},
    {"run": "mfa"},
    {"restart": "prmanent"},
    {"shutdown": -100},
    {"shutdown": math.nan},
    {"kind": "wrker"},
    {"kind": "supervisor", "shutdown": 5.0},
    {"significant": True},
    {"significant": True, "restart": "permanent"},
    {"start_timeout": 0},
    {"ready": "soon"},
]


@pytest.mark.parametrize("fields", FAULTY_SPECS)
async def test_child_specs(fields: dict[str, Any]) -> None:
    """A spec that cannot work is refused when it is made, before it comes near a supervisor."""
    spec: Any = ChildSpec
    with pytest.raises(InvalidSpec):
        spec(**{"id": "child", "run": trio.sleep_forever, **fields})


async def test_child_specs_map(puppets: Any) -> None:
    """Specs that do not suit each other or their supervisor are refused by both ways of adding them."""
    significant = puppets.spec("1", restart="transient", significant=True)
    for children in ([puppets.spec("1"), puppets.spec("1")], [significant]):
        with pytest.raises(InvalidSpec, match="'1'"):
            Supervisor(*children)
    async with open_supervisor(puppets.spec("2")) as supervisor:
        with pytest.raises(InvalidSpec, match="auto_shutdown"):
            await supervisor.start_child(significant)
        with pytest.raises(ChildExists, match="'2'"):
            await supervisor.start_child(puppets.spec("2"))
        assert puppets.states(supervisor) == ["21 running"]


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "none_for_one"},
        {"auto_shutdown": "sometimes"},
        {"cancel_grace": -1.0},
        {"cancel_grace": math.inf},
    ],
)
async def test_sup_flags(options: dict[str, Any]) -> None:
    """A supervisor's own options are checked when it is made, as are a limit's numbers."""
    with pytest.raises(InvalidSpec):
        Supervisor(**options)
    for numbers in ((-1, 5.0), (3, 0.0), (3, -5.0)):
        with pytest.raises(InvalidSpec):
            RestartLimit(*numbers)


async def test_extra_return(puppets: Any) -> None:
    """What a child says when it is ready reaches whoever started it, at the first start as at a restart."""
    async with open_supervisor(puppets.spec("1", "extra")) as supervisor:
        with pytest.raises(ChildRunning):
            await supervisor.restart_child("1")
        await supervisor.stop_child("1")
        assert (await supervisor.restart_child("1")).value == "extra"
        assert (await supervisor.start_child(puppets.spec("2", "more"))).value == "more"


async def test_already_started_outside_supervisor(puppets: Any) -> None:
    """OTP's start function finds the name taken by a process outside; ours can only clash with a sibling's id.

    The call is refused, the one that has the name lives on, and a spec may run in two supervisors at once.
    """
    spec = puppets.spec("1")
    async with open_supervisor(spec) as one, open_supervisor(spec) as two:
        with pytest.raises(ChildExists):
            await one.start_child(spec)
        assert puppets.states(one) == puppets.states(two) == ["11 running"]
        await one.stop_child("1")
        with pytest.raises(ChildExists):
            await one.start_child(spec)
        assert puppets.states(two) == ["11 running"]


async def test_external_start_no_progress_log(puppets: Any, caplog: Any) -> None:
    """A start that goes well is told to the observer alone; the log stays empty, and a child run bare tells nothing."""
    caplog.set_level("DEBUG")
    told: list[str] = []

    def observer(event: Any) -> None:
        told.append(type(event).__name__)

    async def bare() -> None:
        told.append("bare")

    async with open_supervisor(puppets.spec("1"), observer=observer):
        await bare()
        assert told == ["ChildStarting", "ChildStarted", "bare"]
    assert [record for record in caplog.records if "supervisors" in record.name] == []


async def test_a_dynamic_supervisor_has_no_first_children() -> None:
    """OTP's simple_one_for_one keeps one template; ours takes whole specs and none at its own start."""
    async with open_dynamic_supervisor() as pool:
        assert isinstance(pool, DynamicSupervisor)
        assert pool.counts() == Counts(specs=0, active=0, supervisors=0, workers=0)
