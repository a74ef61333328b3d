"""What the judge finds of the keys by which a gateway knows a request again."""

from typing import Any

import pytest

from streamd import Retry
from streamd.testing import HELLO, ONE_TOOL, World, simulate, streamd_app, streamd_app_with

BACKGROUND: Any = {"background": True}


def test_a_turn_has_a_key_and_keeps_it() -> None:
    """Each attempt at it carries the same, and the next turn another."""
    run = simulate(streamd_app, ONE_TOOL, "http.answer_lost if turn:1", "http.503 if request:4")
    assert run.verdict.findings == ()
    first, again, second = (attempt.request_key for attempt in run.trace.attempts)
    assert first == again
    assert first != second
    assert first


def test_a_turn_that_starts_again_has_its_key() -> None:
    """What was delivered does not change which request it is."""
    app = streamd_app_with(retry=Retry(restart=True))
    run = simulate(app, HELLO, "http.answer_lost if request:9", "net.fin@event:4")
    assert run.verdict.findings == ()
    assert len({attempt.request_key for attempt in run.trace.attempts}) == 1
    assert len(run.trace.attempts) == 2


def test_a_response_that_cannot_be_read_on_is_asked_for_with_its_key() -> None:
    """What reads it on carries none; what asks for it anew does."""
    app = streamd_app_with(extra_body=BACKGROUND)
    plan = ("http.answer_lost if request:9", "prov.resume_404@event:2")
    run = simulate(app, HELLO, *plan, wire="openai-responses")
    assert run.verdict.findings == ()
    first, read_on, anew = (attempt.request_key for attempt in run.trace.attempts)
    assert (first, read_on) == (anew, "")
    assert anew


def test_without_the_stage_no_key_is_asked_for() -> None:
    """A session that was not told to send one sends none, and that is right."""
    run = simulate(streamd_app, HELLO, "http.503")
    assert run.verdict.findings == ()
    assert [attempt.request_key for attempt in run.trace.attempts] == ["", ""]


@pytest.mark.parametrize(
    ("keys", "details"),
    [
        (("a", "a", "b"), []),
        (("a", "b", "c"), ["attempt 2 carries 'b', not 'a' as those before it at its turn"]),
        (("a", "a", "a"), ["attempt 3 carries 'a', as another turn's"]),
        (("a", None, "b"), ["attempt 2 carries none"]),
        ((None, None, None), [f"attempt {number} carries none" for number in (1, 2, 3)]),
    ],
)
def test_a_wrong_key_is_found(keys: tuple[str | None, ...], details: list[str]) -> None:
    """Another one in a second attempt, that of another turn, and none."""

    async def app(world: World) -> None:
        world.identifies_requests()
        for number, key in enumerate(keys):
            called: dict[str, Any] = {"role": "assistant", "tool_calls": [{"id": "call_1_1"}]}
            body = {"messages": [called] if number == 2 else [], "stream": True}
            headers = {} if key is None else {"Idempotency-Key": key}
            await world.client.post(f"{world.url}/v1/chat/completions", json=body, headers=headers)
        world.said("Let me look.It rains in Oslo.")
        world.finished("stop")

    run = simulate(app, ONE_TOOL)
    found = [each.detail for each in run.verdict.findings if each.name == "wrong_idempotency_key"]
    assert found == details
