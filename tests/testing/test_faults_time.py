"""The faults of time: every timer names itself, none fires for nothing, and a finished turn waits for nobody."""

from itertools import product

import pytest

from streamd import Stalled, Timeouts
from streamd.testing import HELLO, ONE_TOOL, WIRES, FaultKind, simulate, streamd_app, streamd_app_with
from tests.support.faults import check, rows, runs


@pytest.mark.parametrize("kind", rows("time"), ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind) -> None:
    """Every fault of the layer, at its places and with its values, in a conversation with a tool."""
    for run in runs(kind):
        check(run, kind)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", rows("time"), ids=lambda kind: kind.name)
def test_streamd_survives_on_every_wire(kind: FaultKind, wire: str) -> None:
    """Each of them at the place that the seed draws, always."""
    assert simulate(streamd_app, ONE_TOOL, f"{kind.name} x*", wire=wire, seed=5).verdict.findings == ()


@pytest.mark.parametrize(
    ("fault", "which", "seconds", "phase"),
    [
        ("time.stall_before_headers", "first_chunk", 120, "headers"),
        ("time.stall_first_event", "first_chunk", 120, "stream"),
        ("time.stall_between_events@event:2", "idle", 60, "stream"),
        ("time.keepalive_forever@event:3", "progress", 300, "stream"),
    ],
)
def test_the_timer_that_fired_is_named(fault: str, which: str, seconds: float, phase: str) -> None:
    """Silence before the first output, silence, and noise without output are three timers; each fires on time.

    The error's phase is `headers` only where the head had not come.
    """
    run = simulate(streamd_app_with(retry=None), HELLO, f"{fault} x*")
    error = run.observed.error
    assert isinstance(error, Stalled)
    assert (error.which, error.seconds, run.observed.took) == (which, seconds, seconds)
    assert error.phase == phase


@pytest.mark.parametrize("wire", [name for name in WIRES if name != "gemini"])
def test_a_finished_turn_waits_for_nobody(wire: str) -> None:
    """The server holds the connection open after the turn: the session is over at once, and complete.

    An event stream of Gemini's has no event that ends it: there the idle timer does, and the turn is as complete.
    """
    run = simulate(streamd_app, HELLO, "time.stall_after_terminal", wire=wire)
    assert run.verdict.ok
    assert run.observed.reason == "stop"
    assert run.observed.took < 0.1


def test_slow_is_not_silent() -> None:
    """Events that come just before the idle timer would fire keep it from firing, however long it takes."""
    limits = Timeouts(first_chunk=None, idle=60.0, progress=None)
    run = simulate(streamd_app_with(timeouts=limits), HELLO, "time.slow_but_live=59.9")
    assert run.verdict.ok
    assert run.observed.finished
    assert run.observed.took > 300


def test_noise_is_life_and_no_progress() -> None:
    """Keep-alives hold off the idle timer for ever, and the progress timer not at all."""
    limits = Timeouts(idle=1.0, progress=50.0)
    app = streamd_app_with(timeouts=limits)
    run = simulate(app, HELLO, "time.keepalive_forever=0.9@event:3")
    assert run.verdict.ok
    assert getattr(run.observed.error, "which", None) == "progress"
    assert run.observed.took == pytest.approx(50)


def test_a_total_bounds_the_whole_session() -> None:
    """However lively the stream is."""
    run = simulate(
        streamd_app_with(timeouts=Timeouts(total=25.0)), HELLO, "time.slow_but_live=10", "use.slow=0"
    )
    assert getattr(run.observed.error, "which", None) == "total"
    assert run.observed.took == 25


@pytest.mark.parametrize("wire", WIRES)
def test_no_timer_fires_over_bytes_that_wait_to_be_read(wire: str) -> None:
    """The clock leaps beyond every timer, as after a call that blocks: what came meanwhile is read, and whole."""
    for place, seconds, seed in product(("event:0", "event:2", "event:-1"), (61, 121, 400), range(3)):
        fault = f"time.clock_jump={seconds}@{place}"
        run = simulate(streamd_app, HELLO, fault, wire=wire, seed=seed)
        assert run.verdict.ok
        assert run.observed.finished
        assert len(run.trace.attempts) == 1


def test_waiting_for_a_retry_ends_with_the_cancellation() -> None:
    """At the very moment at which the wait is over; before it; and after it."""
    for seconds in ("4.9", "5", "5.1"):
        plan = ("time.retry_after_expires_while_cancelled x*", f"rt.cancel@second:{seconds}")
        run = simulate(streamd_app, HELLO, *plan)
        assert run.verdict.ok
        assert run.observed.cancelled
        assert run.observed.took == min(5.0, float(seconds))
