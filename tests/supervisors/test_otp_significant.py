"""Significant children: the cases of OTP's `supervisor_SUITE` under their own names; see `test_otp_cases`.

A supervisor that shuts down by itself returns from `run`. `stopped` asks whether it has.
"""

from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from streamd.supervisors import (
    ChildSpec,
    InvalidSpec,
    RestartLimit,
    Supervisor,
    open_dynamic_supervisor,
    open_supervisor,
)

MODES = pytest.mark.parametrize("mode", ["any", "all"])


def stopped(supervisor: Supervisor) -> bool:
    """Whether a supervisor has come to its end: its children are gone."""
    return supervisor.children() == ()


@MODES
@pytest.mark.parametrize("how", ["end", "crash"])
async def test_nonsignificant_temporary(mode: Any, how: str, puppets: Any) -> None:
    """The end of a child that is not significant ends nothing."""
    specs = [puppets.spec("1", restart="temporary"), puppets.spec("2")]
    async with open_supervisor(*specs, auto_shutdown=mode) as supervisor:
        await getattr(puppets, how)("1")
        assert puppets.states(supervisor) == ["21 running"]


@MODES
async def test_nonsignificant_transient(mode: Any, puppets: Any) -> None:
    """Nor does that of a transient one; its crash is a restart."""
    specs = [puppets.spec("1", restart="transient"), puppets.spec("2")]
    async with open_supervisor(*specs, auto_shutdown=mode) as supervisor:
        await puppets.crash("1")
        assert puppets.states(supervisor) == ["12 running", "21 running"]
        await puppets.end("1")
        assert puppets.states(supervisor) == ["12 stopped", "21 running"]


@pytest.mark.parametrize("how", ["end", "crash"])
async def test_significant_temporary(how: str, puppets: Any) -> None:
    """A significant temporary child ends the supervisor however it ends by itself, but not when it is stopped."""

    def specs() -> list[ChildSpec]:
        ids = [("1", True), ("2", True), ("3", False)]
        return [puppets.spec(id_, restart="temporary", significant=significant) for id_, significant in ids]

    async with open_supervisor(*specs(), auto_shutdown="any") as supervisor:
        await supervisor.stop_child("1")
        await wait_all_tasks_blocked()
        assert puppets.states(supervisor) == ["21 running", "31 running"]
        puppets.take()
        await getattr(puppets, how)("2")
        assert stopped(supervisor)
        assert puppets.log == ["-21", "-31"]
    async with open_supervisor(*specs(), auto_shutdown="all") as supervisor:
        await getattr(puppets, how)("1")
        assert puppets.states(supervisor) == ["21 running", "31 running"]
        await getattr(puppets, how)("2")
        assert stopped(supervisor)
    with pytest.raises(InvalidSpec, match="auto_shutdown"):
        Supervisor(*specs(), auto_shutdown="never")


async def test_significant_transient(puppets: Any) -> None:
    """A significant transient child ends the supervisor when it returns; a crash is a restart; by hand is no end."""

    def specs() -> list[ChildSpec]:
        return [puppets.spec(id_, restart="transient", significant=True) for id_ in "12"]

    async with open_supervisor(*specs(), auto_shutdown="any") as supervisor:
        await puppets.crash("1")
        assert puppets.states(supervisor) == ["12 running", "21 running"]
        await supervisor.stop_child("1")
        assert puppets.states(supervisor) == ["12 stopped", "21 running"]
        await puppets.end("2")
        assert stopped(supervisor)
    async with open_supervisor(*specs(), auto_shutdown="all") as supervisor:
        await puppets.end("1")
        await puppets.crash("2")
        assert puppets.states(supervisor) == ["11 stopped", "22 running"]
        await puppets.end("2")
        assert stopped(supervisor)


async def test_significant_simple(puppets: Any) -> None:
    """No dynamic child can be significant."""
    async with open_dynamic_supervisor() as pool:
        with pytest.raises(InvalidSpec, match="significant"):
            await pool.start_child(puppets.spec("1", restart="transient", significant=True))


@MODES
@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
async def test_significant_bystander(strategy: Any, mode: Any, puppets: Any) -> None:
    """A significant child stopped with its group has not ended by itself, and ends nothing.

    A temporary one is gone all the same; later the end of another counts.
    """
    specs = [
        puppets.spec("1"),
        puppets.spec("2", restart="temporary", significant=True),
        puppets.spec("3", restart="transient", significant=True),
    ]
    async with open_supervisor(*specs, strategy=strategy, auto_shutdown=mode) as supervisor:
        await puppets.crash("1")
        if strategy == "one_for_one":
            assert puppets.states(supervisor) == ["12 running", "21 running", "31 running"]
            await puppets.end("2")
            if mode == "any":
                assert stopped(supervisor)
                return
        else:
            assert puppets.states(supervisor) == ["12 running", "32 running"]
        await puppets.end("3")
        assert stopped(supervisor)


@MODES
async def test_significant_escalation(mode: Any, puppets: Any) -> None:
    """A supervisor that shuts down by itself has returned: as a significant child it ends the one above in turn."""
    inner = Supervisor(puppets.spec("1", restart="transient", significant=True), auto_shutdown=mode)
    async with open_supervisor(
        puppets.spec("2"),
        inner.as_child("inner", restart="transient", significant=True),
        auto_shutdown=mode,
        restarts=RestartLimit(0),
    ) as top:
        puppets.take()
        await puppets.end("1")
        assert stopped(inner)
        assert stopped(top)
        assert puppets.log == ["-11", "-21"]
