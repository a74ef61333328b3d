"""The retry budget in a runtime: an outage is not amplified, and retries come back with the provider."""

from typing import Any

import pytest
import trio

from streamd import OverloadedError, Retry, RetryBudget, Runtime, StreamdError
from tests.support.chat import answer
from tests.support.server import Script, chunked, response
from tests.support.sessions import messages_model, scripted_runtime

GOOD: Script = [chunked(answer("Hel", "lo"))]
BUSY: Script = [response(503, body=b"{}")]
EAGER = Retry(max_retries=5)


async def crowd(runtime: Runtime, model: Any, number: int, **options: Any) -> int:
    """How many of so many sessions at once were answered."""
    answered = 0

    async def ask() -> None:
        nonlocal answered
        try:
            await runtime.stream(model, "Hi", **options)
            answered += 1
        except OverloadedError:
            pass

    async with trio.open_nursery() as nursery:
        for _ in range(number):
            nursery.start_soon(ask)
    return answered


async def test_an_outage_is_not_amplified(autojump_clock: Any) -> None:
    """Two hundred sessions that would each retry five times make 200 requests and the budget's ten, no more."""
    async with scripted_runtime(BUSY) as (runtime, network, model):
        assert await crowd(runtime, model, 200, retry=EAGER) == 0
        assert len(network.requests) == 210
        assert runtime.statistics().retries_left == {"openai-compatible": 0}
        # Nor is it while it lasts.
        assert await crowd(runtime, model, 200, retry=EAGER) == 0
        assert len(network.requests) == 410


async def test_without_a_budget_every_session_retries(autojump_clock: Any) -> None:
    """What the budget is for: the same outage, met by each session's own `retry` alone."""
    async with scripted_runtime(BUSY, retry_budget=None) as (runtime, network, model):
        assert await crowd(runtime, model, 200, retry=EAGER) == 0
        assert len(network.requests) == 1200
        assert runtime.statistics().retries_left == {}


async def test_retries_work_again_after_the_outage(autojump_clock: Any) -> None:
    """Ten good answers earn a retry, which the next session uses."""
    outage = [BUSY] * 30
    async with scripted_runtime(*outage, *[GOOD] * 10, BUSY, BUSY, GOOD) as (runtime, network, model):
        await crowd(runtime, model, 20)
        assert len(network.requests) == 30
        assert await crowd(runtime, model, 10) == 10
        assert runtime.statistics().retries_left == {"openai-compatible": 1}
        with pytest.raises(OverloadedError) as caught:
            await runtime.stream(model, "Hi")
        assert caught.value.attempt == 2
        assert (await runtime.stream(model, "Hi")).text == "Hello"


async def test_a_failure_now_and_then_is_retried_for_ever(autojump_clock: Any) -> None:
    """A provider that fails one request in eleven never spends the budget."""
    scripts = [*[GOOD] * 10, BUSY] * 60
    async with scripted_runtime(*scripts, GOOD) as (runtime, network, model):
        for _ in range(600):
            assert (await runtime.stream(model, "Hi")).text == "Hello"
        assert len(network.requests) == 659
        assert runtime.statistics().retries_left["openai-compatible"] >= 9


async def test_each_provider_has_a_budget_of_its_own(autojump_clock: Any) -> None:
    """The outage of one does not take the retries of another, which may be the one to turn to."""
    async with scripted_runtime(*[BUSY] * 14, GOOD, retry_budget=RetryBudget(capacity=4)) as (
        runtime,
        network,
        model,
    ):
        await crowd(runtime, model, 8)
        assert len(network.requests) == 12
        with pytest.raises(StreamdError) as caught:
            await runtime.stream(messages_model(network.url), "Hi", retry=Retry(max_retries=1))
        assert caught.value.attempt == 2
        assert runtime.statistics().retries_left == {"openai-compatible": 0, "anthropic": 3}


async def test_a_session_may_have_no_retries(autojump_clock: Any) -> None:
    """`retry=None` is obeyed whatever the budget holds, and takes nothing from it."""
    async with scripted_runtime(BUSY) as (runtime, network, model):
        assert await crowd(runtime, model, 5, retry=None) == 0
        assert len(network.requests) == 5
        assert runtime.statistics().retries_left == {"openai-compatible": 10}


async def test_a_failure_that_is_not_retried_takes_no_token(autojump_clock: Any) -> None:
    """A request that can never succeed is not repeated, and so costs nobody a retry."""
    async with scripted_runtime([response(400, body=b"{}")]) as (runtime, _, model):
        with pytest.raises(StreamdError):
            await runtime.stream(model, "Hi")
        assert runtime.statistics().retries_left == {"openai-compatible": 10}
