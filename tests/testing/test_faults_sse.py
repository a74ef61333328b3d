"""What the faults of the framing come to, one by one; `test_faults_of_bodies` has them all."""

import pytest

from streamd.errors import SequenceGap
from streamd.testing import HELLO, decode


@pytest.mark.parametrize("name", ["sse.crlf", "sse.cr", "sse.mixed", "sse.no_space", "sse.multi_data_line"])
@pytest.mark.parametrize("wire", ["openai-chat", "anthropic-messages"])
def test_a_read_may_end_at_every_byte(wire: str, name: str) -> None:
    """However lines end and wherever a network read does, the events are the same."""
    size = len(decode(HELLO, name, wire=wire).trace.attempts[0].reply.body)
    for place in range(size):
        assert decode(HELLO, f"{name}@byte:{place}", wire=wire).verdict.findings == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sse.duplicate_event", "HelHello, wörld \U0001f44b!"),
        ("sse.reordered_event", "lo, wörldHel \U0001f44b!"),
        ("sse.dropped_event", "lo, wörld \U0001f44b!"),
    ],
)
def test_what_nobody_can_see_is_passed_on(name: str, text: str) -> None:
    """Where events have no numbers, one that came twice, elsewhere or never is told as it came."""
    assert decode(HELLO, f"{name}@event:0").observed.text == text


@pytest.mark.parametrize("name", ["sse.reordered_event", "sse.dropped_event"])
def test_numbers_tell_what_is_missing(name: str) -> None:
    """Where they have numbers, it is an error; one that came twice is told once."""
    run = decode(HELLO, f"{name}@event:0", wire="openai-responses")
    assert type(run.observed.error) is SequenceGap
    assert decode(HELLO, "sse.duplicate_event", wire="openai-responses").observed.text == HELLO.turns[0].text
