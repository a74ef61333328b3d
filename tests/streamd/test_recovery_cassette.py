"""Sessions that recover, recorded in a test's cassette and played from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from streamd import Retry, open_session
from streamd._cassette import Cassette
from tests.streamd.test_resume import BACKGROUND, begun, model, rest
from tests.support.chat import answer, text
from tests.support.server import FIN, Network, Script, chunked, response
from tests.support.sessions import KEY, chat_model, messages_model, read, scripted_network

GOOD: Script = [chunked(answer("Hel", "lo"))]
HALF: Script = [chunked(text("Hel"))]
BUSY: Script = [response(503, body=b"{}")]
GONE: Script = [response(404, body=b"{}")]
AGAIN = Retry(restart=True)


def chat(network: Network) -> Any:
    """A model of one wire."""
    return chat_model(network.url)


def messages(network: Network) -> Any:
    """A model of another."""
    return messages_model(network.url)


def many(network: Network) -> list[Any]:
    """Two fallbacks, of which the second answers."""
    return [messages_model(network.url), chat_model(network.url)]


SCENARIOS: dict[str, tuple[list[Script], Callable[[Network], Any], dict[str, Any], bool]] = {
    "retry": ([BUSY, GOOD], chat, {}, False),
    "restart": ([HALF, BUSY, GOOD], chat, {"retry": AGAIN}, False),
    "restart_in_vain": ([HALF], chat, {"retry": AGAIN}, False),
    "resume": ([begun(FIN), rest()], model, BACKGROUND, False),
    "resume_busy": ([begun(FIN), BUSY, rest()], model, BACKGROUND, False),
    "resume_gone": ([begun(FIN), GONE], model, BACKGROUND, False),
    "resume_restart": ([begun(FIN, upto=5), GONE, rest(0)], model, {"retry": AGAIN, **BACKGROUND}, False),
    "fallback": ([BUSY, GONE, GOOD], messages, {"retry": None}, True),
    "fallback_retried": ([BUSY, BUSY, BUSY, GONE, GOOD], messages, {}, True),
    "fallback_in_vain": ([GONE], messages, {}, True),
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_what_was_recorded_is_played(name: str, tmp_path: Path, autojump_clock: MockClock) -> None:
    """The same chunks and the same end, with nothing sent, and no key in the file."""
    scripts, model_of, options, falls_back = SCENARIOS[name]
    file = tmp_path / "cassette.json"

    async def run(network: Network, client: Any) -> tuple[Any, ...]:
        given: dict[str, Any] = {**options, "fallback": many(network)} if falls_back else options
        async with open_session(model_of(network), "Hi", client=client, **given) as session:
            chunks, error = await read(session)
            known = await session.metadata()
        said = None if error is None else (type(error), str(error), error.attempt)
        return chunks, said, known.provider, known.model, known.usage, known.voided_usage

    async with scripted_network(*scripts) as (network, client):
        recording = Cassette(file, "once")
        with recording.inserted():
            live = await run(network, client)
        recording.keep()
        asked = len(network.requests)
        playing = Cassette(file, "once")
        assert not playing.recording
        with playing.inserted():
            assert await run(network, client) == live
        assert (len(network.requests), playing.failures) == (asked, [])
    assert KEY not in file.read_text()
