"""The faults of HTTP/1.1: streamd survives every one, and connections are used again only where that is safe."""

import itertools

import pytest

from streamd.errors import ConnectionLost, ProtocolViolation
from streamd.testing import ONE_TOOL, FaultKind, simulate, streamd_app
from tests.support.faults import check, rows, runs


@pytest.mark.parametrize("kind", rows("h1"), ids=lambda kind: kind.name)
def test_streamd_survives(kind: FaultKind) -> None:
    """Every fault of the layer, at its places and with its values, in a conversation with a tool."""
    for run in runs(kind):
        check(run, kind)


def opened(*plan: str, seed: int = 0) -> int:
    """How many connections a conversation of two requests takes."""
    run = simulate(streamd_app, ONE_TOOL, *plan, seed=seed)
    assert run.verdict.findings == ()
    assert run.observed.finished
    return sum("closed by" in event.what for event in run.trace.events)


def test_a_connection_is_used_again() -> None:
    """A conversation without faults has one: its answers end as HTTP says."""
    assert opened() == 1


@pytest.mark.parametrize(
    "fault",
    ["h1.surplus_response", "h1.keepalive_stale=race", "h1.keepalive_stale=closed", "h1.content_length_long"],
)
@pytest.mark.parametrize("seed", range(10))
def test_a_connection_that_cannot_be_trusted_is_left(fault: str, seed: int) -> None:
    """What came unasked, or a server that is gone, is no answer to the next request: that has another connection."""
    assert opened(fault, seed=seed) == 2


@pytest.mark.parametrize("fault", ["h1.trailers", "h1.early_hints_103=20", "h1.100_continue"])
def test_what_is_allowed_costs_no_connection(fault: str) -> None:
    """Trailers and informational answers are HTTP's own, and the connection is as good as before."""
    assert opened(fault, seed=1) == 1


def test_a_stale_connection_is_replaced_unseen() -> None:
    """The second request is sent once more, at once, and no attempt is counted: nothing was ever processed."""
    run = simulate(streamd_app, ONE_TOOL, "h1.keepalive_stale=race")
    assert [attempt.turn for attempt in run.trace.attempts] == [1, 2]
    assert run.observed.took < 0.01
    assert any("stale" in event.what for event in run.trace.events)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("h1.no_last_chunk@event:50%", ConnectionLost),
        ("h1.bad_chunk_size=none@event:2", ProtocolViolation),
        ("h1.two_content_lengths x*", ProtocolViolation),
    ],
)
def test_the_error_says_what_was_wrong(fault: str, error: type[Exception]) -> None:
    """It is typed, and has its phase and its attempt."""
    run = simulate(streamd_app, ONE_TOOL, fault)
    assert type(run.observed.error) is error
    assert run.observed.error.phase in ("headers", "stream")  # type: ignore[attr-defined]  # its class is asserted above


@pytest.mark.parametrize("late", ["h1.bad_chunk_size", "h1.trailers"])
@pytest.mark.parametrize(
    "other",
    ["sse.comment", "sse.crlf", "h1.close_delimited_cut", "http.html_200", "prov.error_mid", "net.fin"],
)
def test_bytes_between_events_are_where_they_belong_whatever_else_strikes(late: str, other: str) -> None:
    """Faults that move the events compose with those that change what is between them, in both orders."""
    for plan, seed in itertools.product([(late, other), (other, late)], range(4)):
        run = simulate(streamd_app, ONE_TOOL, *plan, seed=seed)
        assert run.verdict.findings == (), plan


def test_what_is_repeated_fills_a_body_that_is_too_short() -> None:
    """A length that is too long comes to its end where the server goes on sending: HTTP has lost nothing then."""
    run = simulate(streamd_app, ONE_TOOL, "h1.content_length_long", "time.keepalive_forever@kind:finish")
    assert run.verdict.findings == ()
    assert type(run.observed.error).__name__ == "Truncated"
