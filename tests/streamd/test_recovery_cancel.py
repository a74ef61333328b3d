"""Sessions that recover, cancelled wherever they can be: nothing is left, and nothing is said twice."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from streamd import Reset, Retry, Text, open_session
from tests.streamd.test_resume import BACKGROUND, begun, model, rest
from tests.support.chat import answer, text
from tests.support.leaks import no_leaks
from tests.support.server import FIN, Script, chunked, response
from tests.support.sessions import chat_model, messages_model, scripted_network

GOOD: Script = [chunked(answer("Hel", "lo"))]
HALF: Script = [chunked(text("Hel"))]
BUSY: Script = [response(503, body=b"{}")]
QUICK = Retry(restart=True, initial=0.0, maximum=0.0)
ONE_MORE = Retry(max_retries=1, initial=0.0, maximum=0.0)

Scenario = tuple[list[Script], Callable[[Any], Any], dict[str, Any]]

SCENARIOS: dict[str, Scenario] = {
    "restart": ([HALF, GOOD], lambda network: chat_model(network.url), {"retry": QUICK}),
    "resume": ([begun(FIN), rest()], model, {"retry": QUICK, **BACKGROUND}),
    "gone": ([begun(FIN, upto=5), [response(404)], rest(0)], model, {"retry": QUICK, **BACKGROUND}),
    "fallback": (
        [BUSY, BUSY, GOOD],
        lambda network: messages_model(network.url),
        {"retry": ONE_MORE},
    ),
}


class Steps(trio.abc.Instrument):
    """Counts scheduler steps while it is armed, and acts before a certain one."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        self.armed = False
        self.count = 0
        self._at = at
        self._act = act

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count; act when it is time."""
        if self.armed:
            if self.count == self._at:
                self._act()
            self.count += 1


def cancelled_at(name: str, step: int, *, inside: bool) -> tuple[int, list[str]]:
    """Run a scenario, cancelled before a scheduler step, by its scope or from inside; its steps, and what was read."""
    scripts, model_of, options = SCENARIOS[name]
    got: list[str] = []
    cancels: list[Callable[[], object]] = []
    steps = Steps(step, lambda: [cancel() for cancel in cancels])

    async def main() -> None:
        trio.lowlevel.add_instrument(steps)
        async with scripted_network(*scripts) as (network, client):
            if name == "fallback":
                options["fallback"] = [chat_model(network.url)]
            async with no_leaks():
                with trio.CancelScope() as scope:
                    steps.armed = True
                    if not inside:
                        cancels.append(scope.cancel)
                    async with open_session(model_of(network), "Hi", client=client, **options) as session:
                        if inside:
                            cancels.append(session.cancel)
                        async for each in session:
                            got.append(
                                each.text
                                if isinstance(each, Text)
                                else f"reset {each.attempt}"
                                if isinstance(each, Reset)
                                else type(each).__name__
                            )
                        cancels.clear()
                steps.armed = False
            await client.aclose()
            await network.wait_connections_closed()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return steps.count, got


@pytest.mark.parametrize("inside", [False, True], ids=["scope", "cancel"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_cancelling_at_every_scheduler_step(name: str, inside: bool) -> None:
    """What was read is a beginning of the whole, and no task and no connection stays."""
    steps, whole = cancelled_at(name, -1, inside=inside)
    assert whole[-1] == "Stop"
    assert ("reset 2" in whole) == (name == "restart")
    assert ("reset 3" in whole) == (name == "gone")
    for step in range(steps + 1):
        _, got = cancelled_at(name, step, inside=inside)
        assert got == whole[: len(got)], step
