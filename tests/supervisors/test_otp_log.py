"""What is told: the cases of OTP's `supervisor_SUITE` under their own names; see `test_otp_cases`.

OTP formats one report in two ways; here are the log line and the event of each thing that can go wrong.
"""

from typing import Any

import pytest
import trio

from streamd.supervisors import (
    ChildExited,
    ChildRestarting,
    ChildSpec,
    ChildStopping,
    Event,
    RestartLimit,
    RestartLimitExceeded,
    SupervisorStopping,
    open_supervisor,
)


async def test_format_log_1(puppets: Any, caplog: Any) -> None:
    """Every failure is one line: a WARNING with child, error and what is left of the limit, an ERROR at the limit."""
    with pytest.raises(RestartLimitExceeded):
        async with open_supervisor(
            puppets.spec("1"),
            puppets.spec("2", restart="temporary"),
            name="sup_test",
            restarts=RestartLimit(1, per=60),
        ):
            await puppets.crash("2")
            await puppets.crash("1")
            await puppets.crash("1")
            await trio.sleep_forever()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "sup_test: child '2' failed and is not restarted: ValueError: 2"),
        ("WARNING", "sup_test: child '1' ended (ValueError: 1); restart 1 of 1 in 0 s"),
        (
            "ERROR",
            "sup_test: more than 1 restarts within 60 s; child '1' ended last (ValueError: 1)",
        ),
    ]


async def test_format_log_2(puppets: Any, autojump_clock: Any) -> None:
    """The same as events, with all that OTP's report holds: supervisor, child, error, and whether it was asked for."""
    events: list[Event] = []

    async def dirty() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ArithmeticError("late")

    with pytest.raises(RestartLimitExceeded):
        async with open_supervisor(
            ChildSpec(id="1", run=dirty),
            puppets.spec("2"),
            name="sup_test",
            restarts=RestartLimit(1, per=60),
            observer=events.append,
        ):
            await trio.sleep(1)
            await puppets.crash("2")
            await trio.sleep(1)
            await puppets.crash("2")
            await trio.sleep_forever()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert {event.path for event in events} == {"sup_test"}
    (restarting,) = (event for event in events if isinstance(event, ChildRestarting))
    assert (restarting.id, restarting.incarnation, restarting.time) == ("2", 1, 1)
    assert (restarting.charged, restarting.remaining, restarting.delay) == (1, 0, 0)
    assert str(restarting.cause.error) == "2"
    (stopping,) = (event for event in events if isinstance(event, SupervisorStopping))
    assert "more than 1 restarts" in stopping.why
    (asked,) = (event for event in events if isinstance(event, ChildStopping))
    assert (asked.id, asked.grace) == ("1", 0)
    exits = [
        (e.id, e.incarnation, e.expected, str(e.exit.error)) for e in events if isinstance(e, ChildExited)
    ]
    assert exits == [("2", 1, False, "2"), ("2", 2, False, "2"), ("1", 1, True, "late")]
