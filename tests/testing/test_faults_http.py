"""The faults of HTTP: streamd survives every one, tries again where that helps, and comes when it was told to."""

import pytest

from streamd.errors import RateLimitError, RedirectRefused
from streamd.testing import HELLO, ONE_TOOL, THINKING, FaultKind, simulate, streamd_app
from tests.support.faults import WIRES, check, rows, runs


@pytest.mark.parametrize("kind", rows("http"), ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind) -> None:
    """Every fault of the layer, at its places and with its values, in a conversation with a tool."""
    for run in runs(kind, seeds=1):
        check(run, kind)


@pytest.mark.parametrize(
    ("value", "waited"),
    [
        ("7", 7.0),
        ("1.5", 1.5),
        ("ms:1500", 1.5),
        ("date:30", 30.0),
        ("date:-30", 0.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("nan", 0.0),
        ("1e3", 0.0),
        ("soon", 0.0),
    ],
)
def test_the_wait_that_was_asked_for_is_a_floor(value: str, waited: float) -> None:
    """It is kept to the letter, in each of its forms; what cannot be read counts for nothing."""
    run = simulate(streamd_app, HELLO, f"http.429_retry_after={value}")
    assert run.verdict.findings == ()
    assert run.observed.finished
    first, second = run.trace.attempts
    assert waited <= second.at - first.at <= max(waited, 0.5) + 0.001


@pytest.mark.parametrize("value", ["600", "1000000000", "date:9999"])
def test_a_wait_that_is_too_long_is_an_error_at_once(value: str) -> None:
    """The error has the time that was asked for."""
    run = simulate(streamd_app, HELLO, f"http.429_retry_after={value}")
    assert run.verdict.findings == ()
    assert isinstance(run.observed.error, RateLimitError)
    assert (run.observed.error.retry_after or 0) >= 600
    assert len(run.trace.attempts) == 1
    assert run.observed.took < 0.1


@pytest.mark.parametrize(("value", "attempts"), [("true", 2), ("false", 1)])
def test_the_server_says_whether_to_come_again(value: str, attempts: int) -> None:
    """`x-should-retry` overrules the status, both ways."""
    run = simulate(streamd_app, HELLO, f"http.x_should_retry={value}")
    assert len(run.trace.attempts) == attempts
    assert run.observed.finished is (value == "true")


def test_nothing_is_sent_to_where_a_redirect_leads() -> None:
    """The error names the host, and nobody ever connected to it."""
    run = simulate(streamd_app, HELLO, "http.redirect_307=cross")
    assert isinstance(run.observed.error, RedirectRefused)
    assert "elsewhere.test" in str(run.observed.error)
    assert [attempt.turn for attempt in run.trace.attempts] == [1]
    assert run.observed.captured
    assert not any(where.startswith("a request to") for where, _ in run.observed.captured)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("scenario", [HELLO, THINKING, ONE_TOOL])
def test_an_answer_that_is_not_streamed_is_an_answer(wire: str, scenario: object) -> None:
    """It is not paid for twice: text, calls and usage are taken from the document."""
    run = simulate(streamd_app, scenario, "http.json_200 x*", wire=wire)  # type: ignore[arg-type]  # a parameter
    assert run.verdict.findings == ()
    assert run.observed.finished


@pytest.mark.parametrize("value", ["flood", "trickle"])
def test_an_endless_error_is_read_only_so_far(value: str) -> None:
    """64 KiB, or five seconds, are enough to say what the status says."""
    run = simulate(streamd_app, HELLO, f"http.error_body_endless={value} x*")
    assert run.verdict.findings == ()
    sent = [int(event.what.split()[-2]) for event in run.trace.events if "closed by" in event.what]
    assert all(count < 300_000 for count in sent)
    assert run.observed.took < 30
