"""Replaying a recording: the same session again, from its file alone."""

import math
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from trio.testing import MockClock

from streamd import (
    ConfigError,
    LocalServer,
    Message,
    Retry,
    Session,
    Text,
    Timeouts,
    open_session,
    replay,
    stream,
)
from streamd._recording import Broken, Recording, load_recording
from streamd.providers import HTTPRequest, resolve
from tests.streamd.test_session_failures import FAULTS
from tests.support.chat import DONE, answer, call, finish, text, usage
from tests.support.decoding import named
from tests.support.leaks import no_leaks
from tests.support.recordings import play, record, seen
from tests.support.server import FIN, KEEP_OPEN, RST, Delay, Script, chunk, chunked, response
from tests.support.sessions import chat_model, messages_model, scripted_network

GOOD: Script = [chunked(answer("Hel", "lo"))]
CALLS: Script = [
    chunked(
        call("weather", '{"city":"Oslo"}'),
        call("weather", '{"city":"Bergen"}', "call_2", 1),
        finish("tool_calls"),
        usage(10, 5),
        DONE,
    )
]
FINAL: Script = [chunked(answer("Take ", "one.", prompt=20, completion=3))]
MESSAGES = named(
    {"type": "message_start", "message": {"id": "msg_1", "model": "tiny-1", "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
ran: list[str] = []


async def weather(city: str) -> str:
    """The weather of a city."""
    ran.append(city)
    return f"{city}: rain"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    ran.clear()
    return tmp_path / "session.json"


@pytest.mark.parametrize("script", [row[1] for row in FAULTS], ids=[row[0] for row in FAULTS])
async def test_a_failed_session_fails_again_in_the_same_way(
    script: Script, file: Path, autojump_clock: MockClock
) -> None:
    """Whatever a server did, the replay has the same chunks, the same typed error, words, phase, status and usage."""
    first, _ = await record(file, script, retry=None)
    assert first.error is not None
    async with no_leaks():
        assert await play(file) == first


async def test_a_good_session_is_played_whole(file: Path, autojump_clock: MockClock) -> None:
    """A complete answer has the same chunks, messages, usage and stop reason again."""
    first, recording = await record(file, GOOD)
    assert await play(file) == first
    assert (first.status, recording.outcome.status) == ("done", "done")
    async with replay(file, speed=math.inf) as session:
        answered = await session.response()
    assert (answered.text, answered.usage.output_tokens) == ("Hello", 2)


async def test_a_replay_keeps_the_recorded_pace(file: Path, autojump_clock: MockClock) -> None:
    """Each read comes when it came, at half the time with twice the speed, and at once with an infinite one."""
    script: Script = [
        Delay(2),
        chunked(text("Hel"), last=False),
        Delay(3),
        chunk(text("lo") + finish() + DONE) + chunk(b""),
    ]
    await record(file, script)
    for speed, expected in ((1.0, [2.0, 5.0]), (2.0, [1.0, 2.5]), (math.inf, [0.0, 0.0])):
        began = trio.current_time()
        async with replay(file, speed=speed) as session:
            times = [trio.current_time() - began async for each in session if isinstance(each, Text)]
        assert times == pytest.approx(expected)


async def test_recorded_results_stand_in_for_the_tools(file: Path, autojump_clock: MockClock) -> None:
    """Without tools of its own a replay gives each call the result it had, and runs nothing."""
    first, recording = await record(file, CALLS, FINAL, tools=[weather])
    assert sorted(ran) == ["Bergen", "Oslo"]
    assert [[each.content for each in results] for results in recording.tool_results] == [
        ["Oslo: rain", "Bergen: rain"]
    ]
    ran.clear()
    assert await play(file) == first
    assert ran == []


async def test_given_tools_are_run(file: Path, autojump_clock: MockClock) -> None:
    """With tools a replay calls them as the model called the recorded ones."""
    first, _ = await record(file, CALLS, FINAL, tools=[weather])
    ran.clear()
    assert await play(file, tools=[weather]) == first
    assert sorted(ran) == ["Bergen", "Oslo"]


async def test_the_limit_of_rounds_is_met_again(file: Path, autojump_clock: MockClock) -> None:
    """A session that stopped at its limit of rounds stops there again."""
    first, _ = await record(file, CALLS, tools=[weather], max_rounds=2)
    assert first.stop_reason == "max_rounds"
    assert await play(file) == first


async def test_calls_left_to_the_caller_are_left_again(file: Path, autojump_clock: MockClock) -> None:
    """A session that ran no tools by itself runs none when it is played."""
    first, _ = await record(file, CALLS, tools=[weather], auto_tools=False)
    assert await play(file) == first
    assert ran == []


RETRIED: dict[str, Script] = {
    "refused": [response(503, {"Retry-After": "30"}, b'{"error":{"message":"busy"}}')],
    "lost": [chunked(answer("no")[:3], last=False), RST],
    "no_head": [FIN],
    "stalled": [KEEP_OPEN],
}


@pytest.mark.parametrize("failing", RETRIED.values(), ids=RETRIED)
async def test_retries_are_played_without_their_own_waits(
    failing: Script, file: Path, autojump_clock: MockClock
) -> None:
    """Attempts that failed fail again, the next follows at the recorded time, and at once where that is asked for."""
    first, recording = await record(file, failing, GOOD, retry=Retry(initial=4, maximum=4))
    assert (first.status, len(recording.exchanges)) == ("done", 2)
    assert [each.round for each in recording.exchanges] == [1, 1]
    for speed, seconds in ((math.inf, 0.0), (1.0, recording.outcome.duration)):
        began = trio.current_time()
        assert await play(file, speed=speed) == first
        assert trio.current_time() - began == pytest.approx(seconds, abs=0.06)


async def test_a_connection_that_is_not_made_fails_again(file: Path) -> None:
    """A failure to connect has no response; the replay raises it as it was, as often as it was tried."""
    unreachable = ("openai-compatible", {"base_url": "http://127.0.0.1:9"}), "tiny-1"
    async with open_session(unreachable, "Hi", record=file, retry=Retry(initial=0, maximum=0)) as session:
        first = await seen(session)
    recording = load_recording(file)
    assert [each.response for each in recording.exchanges] == [None] * 3
    assert first.error is not None
    assert first.error[0] == "ConnectFailed"
    assert await play(file) == first


async def cancel_at_once(session: Session) -> None:
    session.cancel()


async def cancel_after_text(session: Session) -> None:
    while not isinstance(await session.receive(), Text):
        pass
    session.cancel()


async def cancel_later(session: Session) -> None:
    await trio.sleep(1)
    session.cancel()


CANCELLED: dict[str, tuple[list[Script], Any, dict[str, Any]]] = {
    "before_the_request": ([GOOD], cancel_at_once, {}),
    "before_the_head": ([[KEEP_OPEN]], cancel_later, {}),
    "in_the_body": ([[chunked(text("Hel"), text("lo"), last=False), KEEP_OPEN]], cancel_later, {}),
    "in_an_error_body": ([[response(500, {"Content-Length": "9"}, None), KEEP_OPEN]], cancel_later, {}),
    "while_it_waits_to_retry": ([[response(503, {"Retry-After": "9"}, b"{}")]], cancel_later, {}),
    "in_a_later_round": (
        [CALLS, [chunked(text("Ta"), last=False), KEEP_OPEN]],
        cancel_later,
        {"tools": [weather]},
    ),
}


@pytest.mark.parametrize(("scripts", "leave", "options"), CANCELLED.values(), ids=CANCELLED)
async def test_a_cancelled_session_is_cancelled_again(
    scripts: list[Script], leave: Any, options: dict[str, Any], file: Path, autojump_clock: MockClock
) -> None:
    """A replay ends where the session was cancelled, after every chunk before that, and not with an error."""
    first, recording = await record(file, *scripts, leave=leave, **options)
    assert (first.status, recording.outcome.status) == ("cancelled", "cancelled")
    async with no_leaks():
        with trio.fail_after(60):
            assert await play(file) == first


async def test_a_session_cancelled_in_its_tools_is_cancelled_there_again(
    file: Path, autojump_clock: MockClock
) -> None:
    """Where a round has no results, the session ended in it."""

    async def hang(city: str) -> str:
        await trio.sleep_forever()
        return city

    hang.__name__ = "weather"
    first, recording = await record(file, CALLS, leave=cancel_later, tools=[hang])
    assert recording.tool_results == ()
    assert await play(file) == first


async def test_the_limit_of_the_whole_session_is_met_again(file: Path, autojump_clock: MockClock) -> None:
    """A session that ran out of time in its tools fails there again, with the same error."""

    async def hang(city: str) -> str:
        await trio.sleep_forever()
        return city

    hang.__name__ = "weather"
    first, _ = await record(file, CALLS, tools=[hang], timeouts=Timeouts(total=5))
    assert first.error is not None
    assert first.error[1] == "the total timer fired after 5 s"
    assert await play(file) == first


async def test_the_limit_of_the_whole_session_is_met_again_in_the_body(
    file: Path, autojump_clock: MockClock
) -> None:
    """The limit of the session ends a body that was on its way as it did."""
    script: Script = [chunked(text("Hel"), last=False), KEEP_OPEN]
    first, recording = await record(file, script, timeouts=Timeouts(total=5))
    assert isinstance(recording.exchanges[0].end, Broken)
    began = trio.current_time()
    assert await play(file, speed=1.0) == first
    assert trio.current_time() - began == pytest.approx(5)


class Crashing(Struct, frozen=True):
    """A provider with a bug: its decoder reads one piece, and then fails as it never should."""

    reader: Any
    name: str = "crashing"

    def request(self, context: Any, options: Any) -> HTTPRequest:
        return self.reader.request(context, options)

    def error(self, status: int, headers: Any, body: bytes) -> Any:
        return self.reader.error(status, headers, body)

    def decoder(self) -> Any:
        decoder, fed = self.reader.decoder(), []

        class Once:
            done = terminal = False

            def feed(self, data: bytes) -> Any:
                fed.append(data)
                if len(fed) > 1:
                    raise ZeroDivisionError("a bug")
                return decoder.feed(data)

        return Once()


async def test_a_crash_is_played_as_the_crash_it_was(file: Path, autojump_clock: MockClock) -> None:
    """A bug of a provider is in the recording, and told by a replay that reads the body without the bug."""
    good = resolve(("openai-compatible", {"base_url": "http://memory.test"}))
    script: Script = [chunked(text("Hel"), last=False), Delay(1), chunk(text("lo"))]
    first, _ = await record(file, script, model=lambda url: (Crashing(good), "tiny-1"), retry=None)
    assert first.error is not None
    assert first.error[0] == "ActorCrashed"
    played = await play(file, provider=good)
    assert played.error is not None
    assert played.error[:2] == first.error[:2]


async def test_another_wire_is_played_too(file: Path, autojump_clock: MockClock) -> None:
    """The wire is in the file, and the bodies are read by its decoder."""
    first, recording = await record(file, [chunked(MESSAGES)], model=messages_model)
    assert (recording.provider, recording.wire) == ("anthropic", "anthropic-messages")
    assert (await play(file)) == first


ENDINGS = [finish() + usage(3, 2) + DONE, b"", b'data: {"id":"\xff"}\n\n', b"data: {oops}\n\n"]
CUTS = st.one_of(st.none(), st.just("whole"), st.integers(1, 40), st.integers(0, 9).map(random.Random))
CHAT = st.builds(
    lambda words, ending: b"".join(map(text, words)) + ending,
    st.lists(st.text(min_size=1, max_size=12), max_size=6),
    st.sampled_from(ENDINGS),
)
BODIES = st.one_of(CHAT, st.binary(max_size=200), st.sampled_from([MESSAGES, MESSAGES[:-40]]))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES, size=CUTS, model=st.sampled_from([chat_model, messages_model]), randomness=st.random_module()
)
def test_any_cut_gives_the_same_chunks(
    tmp_path: Path, body: bytes, size: Any, model: Any, randomness: object
) -> None:
    """Whatever bytes were recorded, good or broken, on whatever wire, however cut: the replay yields the same."""
    file = tmp_path / "session.json"

    async def main() -> None:
        first, _ = await record(file, [chunked(body)], model=model, retry=None)
        assert await play(file, recut=size) == first

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_an_answer_of_a_real_model_is_replayed(file: Path, local_server: LocalServer) -> None:
    """What a real server sent is played to the same chunks, at its pace's thousandfold and byte by byte."""
    model = local_server.provider, local_server.model
    prompt = "Name three colours."
    async with open_session(model, prompt, temperature=0, max_tokens=24, record=file) as session:
        first = await seen(session)
    assert session.recording_error is None
    assert first.status == "done"
    assert await play(file, speed=1000.0) == first
    assert await play(file, recut=1) == first


async def test_a_recut_says_how_many_bytes_each_read_has(file: Path, autojump_clock: MockClock) -> None:
    """The reads of a replay are as long as was asked, and the last one is the rest."""
    body = answer("Hel", "lo")
    await record(file, [chunked(body)])
    async with replay(file, speed=math.inf, recut=7) as session:
        await session.response()
        assert session.statistics().bytes_received == len(body)
        chunks = session.statistics().chunks_decoded
    async with replay(file, speed=math.inf, recut="whole", high_watermark=1) as session:
        await session.response()
        assert session.statistics().chunks_decoded == chunks


def put(file: Path, content: bytes) -> None:
    """Replace what the file holds."""
    file.write_bytes(content)


def damaged(document: dict[str, Any], *path: str | int, to: Any) -> bytes:
    """The document with another value in one place."""
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return msgspec.json.encode(document)


async def test_a_damaged_file_is_told_with_its_place(file: Path, autojump_clock: MockClock) -> None:
    """A file that is cut, is something else or has a wrong value is a ConfigError that names the place."""
    await record(file, GOOD)
    whole = await trio.Path(file).read_bytes()
    document = msgspec.json.decode(whole)
    status = damaged(document, "exchanges", 0, "response", "status", to="ok")
    wrongs = {
        whole[:-20]: "is damaged",
        b"\xff\xfe": "is damaged",
        b"[]": "is damaged",
        b"{" * 100_000: "is damaged",
        status: r"\$.exchanges\[0\].response.status",
        damaged(
            msgspec.json.decode(whole), "exchanges", 0, "response", "body", 0, "data", to=1
        ): r"body\[0\].data",
        damaged(msgspec.json.decode(whole), "version", to=2): "has version 2",
        damaged(msgspec.json.decode(whole), "wire", to="smoke-signals"): "smoke-signals",
        damaged(msgspec.json.decode(whole), "wire", to=None): "not named",
    }
    for content, words in wrongs.items():
        put(file, content)
        with pytest.raises(ConfigError, match=words):
            async with replay(file):
                pytest.fail("it was opened")


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0},
        {"speed": "fast"},
        {"recut": 0},
        {"recut": "half"},
        {"recut": True},
        {"high_watermark": 0},
        {"tool_timeout": "long"},
        {"approve": True},
        {"provider": "openai"},
    ],
)
async def test_wrong_arguments_are_told(wrong: dict[str, Any], file: Path) -> None:
    """What cannot be is a ConfigError that names the argument."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        async with replay(file, **wrong):
            pytest.fail("it was opened")


async def test_a_missing_file_is_told(file: Path) -> None:
    """A recording that is not there is a ConfigError, and so is what is no path."""
    with pytest.raises(ConfigError, match="cannot be read"):
        async with replay(file):
            pytest.fail("it was opened")
    nothing: Any = None
    with pytest.raises(ConfigError, match="not NoneType"):
        async with replay(nothing):
            pytest.fail("it was opened")


async def test_more_rounds_than_were_recorded_are_told(file: Path, autojump_clock: MockClock) -> None:
    """A session that asks for more than the recording holds fails clearly, and sends nothing."""
    _, recording = await record(file, CALLS, FINAL, tools=[weather])
    shorter = msgspec.structs.replace(recording, exchanges=recording.exchanges[:1])
    put(file, msgspec.json.encode(shorter))
    shown = await play(file)
    assert shown.error is not None
    assert shown.error[1].startswith("the recorded session ended here, and this one asks for more")


async def test_the_prompt_of_the_messages_can_be_given(file: Path, autojump_clock: MockClock) -> None:
    """`response.messages` begins with the prompt, so that a conversation can go on from a replay."""
    await record(file, GOOD)
    async with replay(file, speed=math.inf, prompt="Hi") as session:
        answered = await session.response()
    assert [message.text for message in answered.messages] == ["Hi", "Hello"]
    async with scripted_network(FINAL) as (network, client):
        model = ("openai-compatible", {"base_url": network.url}), "tiny-1"
        await stream(model, [*answered.messages, Message.user("And?")], client=client)
        assert len(network.requests) == 1
    assert isinstance(load_recording(file), Recording)


class Town(msgspec.Struct):
    name: str


async def test_a_typed_output_is_read_again(file: Path, autojump_clock: MockClock) -> None:
    """With the output type it was recorded with a replay gives the same value, asked for as often."""
    scripts = [[chunked(answer('{"name": 7}'))], [chunked(answer('{"name": ', '"Oslo"}'))]]
    first, recording = await record(file, *scripts, output_type=Town, retries=1)
    assert [each.round for each in recording.exchanges] == [1, 2]
    assert await play(file, output_type=Town, retries=1) == first
    async with replay(file, speed=math.inf, output_type=Town, retries=1) as session:
        assert (await session.response()).output == Town("Oslo")
    failed, _ = await record(file, scripts[0], output_type=Town)
    assert failed.error is not None
    assert failed.error[0] == "OutputError"
    assert await play(file, output_type=Town) == failed
