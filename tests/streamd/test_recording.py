"""Recording a session: what is in the file, what is never in it, and that the session does not suffer."""

import base64
import json
import logging
import os
import re
import stat
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import trio
from trio.testing import MockClock

from streamd import ConfigError, Message, RecordingFailed, Retry, Text, ToolResult, open_session, stream
from streamd._recorder import Recorder
from streamd._recording import Binary, Complete, Plain, load_recording, recording_schema
from streamd._recording_scrub import Scrubber
from streamd.providers import HTTPRequest, Secret, resolve
from tests.support.chat import DONE, answer, call, event, finish, text, usage
from tests.support.recordings import play, record
from tests.support.server import Delay, Script, chunk, chunked, response
from tests.support.sessions import KEY, chat_model, read, scripted_network, scripted_session

SCHEMA = Path(__file__).parents[2] / "docs" / "recording.schema.json"
GOOD: Script = [chunked(answer("Hel", "lo"))]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


def contents(file: Path) -> str:
    """Everything the file holds: as it is, and with every base64 text in it decoded."""
    written = file.read_text("utf-8")
    decoded = [
        base64.b64decode(found).decode("latin-1")
        for found in re.findall(r'"([A-Za-z0-9+/]{8,}={0,2})"', written)
        if len(found) % 4 == 0
    ]
    joined = "".join(
        piece.raw.decode("latin-1")
        for exchange in load_recording(file).exchanges
        if exchange.response is not None
        for piece in exchange.response.body
    )
    return "\n".join((written, *decoded, joined))


def permissions(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


async def test_the_file_says_what_went_over_the_wire(file: Path, autojump_clock: MockClock) -> None:
    """The document has the request, the head, every read with its time, and the outcome."""
    script: Script = [
        Delay(1),
        chunked(text("Hel"), last=False),
        Delay(2),
        chunk(text("lo") + finish() + usage(3, 2) + DONE) + chunk(b""),
    ]
    _, recording = await record(file, script, temperature=0.5)
    [exchange] = recording.exchanges
    assert (recording.version, recording.provider, recording.wire, recording.model) == (
        1,
        "openai-compatible",
        "openai-chat",
        "tiny-1",
    )
    assert recording.origin == exchange.request.url.removesuffix("/v1/chat/completions")
    assert (exchange.request.method, exchange.request.body["temperature"]) == ("POST", 0.5)
    assert exchange.request.headers["content-type"] == "application/json"
    assert exchange.response is not None
    assert exchange.response.status == 200
    assert [(round(each.at, 3), each.raw) for each in exchange.response.body] == [
        (1.0, text("Hel")),
        (3.0, text("lo") + finish() + usage(3, 2) + DONE),
    ]
    assert exchange.end == Complete(exchange.end.at)
    assert (recording.outcome.status, recording.outcome.stop_reason, recording.outcome.error) == (
        "done",
        "stop",
        None,
    )
    assert (recording.outcome.usage.input_tokens, round(recording.outcome.duration, 3)) == (3, 3.0)


async def test_bytes_that_are_no_text_are_kept(file: Path, autojump_clock: MockClock) -> None:
    """A read that ends within a character is base64; put together the body is as it came."""
    body = text("grün ☃") + finish() + DONE
    cut = body.index("☃".encode()) + 1
    first, recording = await record(
        file, [chunked(body[:cut], last=False), Delay(1), chunk(body[cut:]) + chunk(b"")]
    )
    [exchange] = recording.exchanges
    assert exchange.response is not None
    assert [type(each) for each in exchange.response.body] == [Binary, Binary]
    assert b"".join(each.raw for each in exchange.response.body) == body
    assert Text("grün ☃") in first.chunks
    assert await play(file) == first


CANARY = "zq-Canary/5ecre7+9Q"
"""It looks like no provider's key: only who knows it can find it."""


async def test_a_planted_key_is_never_in_the_file(
    file: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A key in a header, the URL, the body, the answer, across two reads of it and in an error is masked everywhere."""
    caplog.set_level(logging.DEBUG)
    body = text(f"you said {CANARY}") + event(note=CANARY, split="")
    cut = body.index(CANARY.encode()) + 7
    refused = msgspec.json.encode({"error": {"message": f"the key {CANARY} is wrong", "code": CANARY}})
    scripts: list[Script] = [
        [
            response(
                503,
                {"X-Request-Id": CANARY, "Set-Cookie": f"key={CANARY}", "X-Ratelimit-Key": CANARY},
                refused,
            )
        ],
        [
            chunked(body[:cut], last=False),
            Delay(1),
            chunk(body[cut:]) + chunk(b"\xff" + CANARY.encode() + b"\n\n") + chunk(b""),
        ],
    ]
    async with scripted_network(*scripts) as (network, client):
        model = (
            (
                "openai-compatible",
                {"base_url": f"{network.url}/v1", "api_key": CANARY, "headers": {"x-other": f"a {CANARY}"}},
            ),
            "tiny-1",
        )
        async with open_session(
            model,
            [Message.user(f"my key is {CANARY}")],
            system=f"hide {CANARY}",
            client=client,
            record=file,
            retry=Retry(initial=0, maximum=0),
            extra_headers={"x-extra": CANARY, "user-agent": f"app {CANARY}"},
            extra_body={"api_key": "another-one", "nested": [{"token": CANARY, CANARY: 1}]},
        ) as session:
            _, error = await read(session)
    assert error is not None
    written = contents(file)
    assert len(load_recording(file).exchanges) == 2
    for hidden in (CANARY, CANARY[:8], CANARY.replace("/", "\\/"), "another-one"):
        assert hidden.lower() not in written.lower()
        assert hidden not in caplog.text


@pytest.mark.parametrize("where", [{"api_key": CANARY}, {"nested": [{"auth": {"gateway_token": CANARY}}]}])
async def test_a_key_in_the_body_that_the_server_repeats_is_shown_nowhere(
    where: dict[str, Any], file: Path, autojump_clock: MockClock
) -> None:
    """Some gateways want their key in the body, and repeat it in their errors as others do."""
    refused = msgspec.json.encode({"error": {"message": f"the key {CANARY} is wrong", "code": CANARY}})
    async with scripted_session(
        [response(401, {"X-Request-Id": CANARY}, refused)], record=file, extra_body=where
    ) as session:
        _, error = await read(session)
    assert error is not None
    assert CANARY not in f"{error} {error!r} {vars(error)}"
    assert CANARY not in contents(file)


async def test_a_key_for_a_name_is_never_in_the_file(file: Path, autojump_clock: MockClock) -> None:
    """A server may give it as a call's id, as a tool's name, as a header's name: the results still find their calls."""
    turn = chunked(
        call("nobody", "{}", id=KEY),
        call(KEY, "{}", "call_2", 1),
        finish("tool_calls"),
        DONE,
        headers={f"X-Ratelimit-{KEY}": "1"},
    )
    first, recording = await record(file, [turn], GOOD)
    assert KEY not in contents(file)
    assert len(recording.tool_results) == 1
    played = await play(file)
    assert [type(each) for each in played.chunks] == [type(each) for each in first.chunks]
    assert [each.id for each in played.chunks if isinstance(each, ToolResult)] == ["*" * len(KEY), "call_2"]
    assert all("there is no tool" in each.content for each in played.chunks if isinstance(each, ToolResult))


async def test_a_key_in_the_url_is_never_in_the_file(file: Path) -> None:
    """Of a URL the origin and the path are kept: no user, no query, and no key in the path."""
    scrub = Scrubber([Secret(CANARY)])
    url = f"https://user:{KEY}@example.test:8443/v1/{CANARY}/chat?key={CANARY}&x=1#{CANARY}"
    sent = scrub.request(
        HTTPRequest(
            "POST", url, (("authorization", Secret(f"Bearer {CANARY}")),), b"no JSON " + CANARY.encode()
        )
    )
    assert sent.url == "https://example.test:8443/v1/***/chat"
    assert (sent.headers, sent.body) == ({}, "no JSON ***")


class Odd:
    """A provider of one's own that puts its key where it should not be."""

    name = "odd"

    def __init__(self, url: str) -> None:
        self.hidden = Secret(CANARY)
        self.url = url
        self.reader = resolve(("openai-compatible", {"base_url": url}))

    def request(self, context: Any, options: Any) -> HTTPRequest:
        return HTTPRequest("POST", f"{self.url}/v1?api_key={KEY}", (), b'{"model":"tiny-1"}')

    def decoder(self) -> Any:
        return self.reader.decoder()

    def error(self, status: int, headers: Any, body: bytes) -> Any:
        return self.reader.error(status, headers, body)


async def test_a_provider_of_ones_own_is_recorded_and_replayed(file: Path, autojump_clock: MockClock) -> None:
    """Its secrets are found among its fields and in its URL; a replay needs to be told who reads the body."""
    async with scripted_network([chunked(answer(f"{CANARY} and {KEY}"))]) as (network, client):
        odd = Odd(network.url)
        await stream((odd, "tiny-1"), "Hi", client=client, record=file)
    assert CANARY not in contents(file)
    assert KEY not in contents(file)
    with pytest.raises(ConfigError, match="give provider="):
        await play(file)
    played = await play(file, provider=odd)
    assert played.chunks[1] == Text(f"{'*' * len(CANARY)} and {'*' * len(KEY)}")


async def test_words_of_a_header_do_not_garble_the_answer(file: Path, autojump_clock: MockClock) -> None:
    """A header that holds words or a number, or one that is known to be harmless, hides nothing of the body."""
    plain = {
        "x-format": "data",
        "x-title": "choices 2 and content",
        "x-stage": "Production",
        "x-user": "1234",
        "x-app": "the Hello app",
    }
    said = [chunked(answer("In Production: Hello, the Hello app ", "12345"))]
    first, _ = await record(file, said, extra_headers=plain)
    assert await play(file) == first
    await record(file, said, extra_headers={"x-app-key": "Production"})
    assert "Production" not in contents(file)


def test_masking_keeps_a_body_readable() -> None:
    """What looks like a key is overwritten, as long as it was, and the JSON around it stays."""
    body = b'data: {"a":"Bearer abc123","b":"api_key=\\"zz9\\"","c":"sk-0123456789"}\n\n' * 9000
    masked = Scrubber(()).body(body)
    assert len(masked) == len(body)
    assert json.loads(masked.split(b"\n")[0][6:]) == {
        "a": "Bearer ******",
        "b": 'api_key="***"',
        "c": "*************",
    }
    assert b"abc123" not in masked
    assert b"sk-0" not in masked


async def test_the_file_is_its_owners_alone_and_replaced_whole(file: Path, autojump_clock: MockClock) -> None:
    """It has mode 0600, no other file is left, and one that was there is gone."""
    Path.write_text(file, "old")
    await record(file, GOOD)
    assert permissions(file) == 0o600
    assert os.listdir(file.parent) == [file.name]


async def test_what_cannot_be_written_fails_the_recording_alone(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The session ends well; why there is no file is told once, as a value and as a line of the log."""
    async with scripted_network(GOOD) as (network, client):
        async with open_session(
            chat_model(network.url), "Hi", client=client, record=tmp_path / "none" / "session.json"
        ) as session:
            answered = await session.response()
            assert session.recording_error is None
    assert answered.text == "Hello"
    assert isinstance(session.recording_error, RecordingFailed)
    assert "cannot be written: No such file" in str(session.recording_error)
    assert [each.getMessage() for each in caplog.records if each.name == "streamd"] == [
        str(session.recording_error)
    ]
    assert os.listdir(tmp_path) == []


async def test_a_folder_is_not_overwritten(tmp_path: Path, autojump_clock: MockClock) -> None:
    """A path that is a folder fails the recording, and leaves nothing behind."""
    folder = tmp_path / "folder"
    os.mkdir(folder)
    async with scripted_network(GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client, record=folder) as session:
            await session.response()
    assert session.recording_error is not None
    assert (os.listdir(tmp_path), os.listdir(folder)) == (["folder"], [])


async def test_a_session_that_is_too_long_is_not_recorded(
    file: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit all that was kept is let go, and the session goes on."""
    monkeypatch.setattr(Recorder.__init__, "__kwdefaults__", {"limit": 400})
    async with scripted_network(GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client, record=file) as session:
            assert (await session.response()).text == "Hello"
    assert "larger than 400 bytes" in str(session.recording_error)
    assert os.listdir(file.parent) == []


async def test_a_session_without_a_recording_has_no_error_of_one(autojump_clock: MockClock) -> None:
    """Where nothing is recorded, nothing can fail."""
    async with scripted_network(GOOD) as (network, client):
        async with open_session(chat_model(network.url), "Hi", client=client) as session:
            await session.response()
    assert session.recording_error is None


async def test_a_wrong_path_is_told_before_anything_is_sent() -> None:
    """What is no path at all is a ConfigError."""
    with pytest.raises(ConfigError, match="record must be the path"):
        async with open_session("openai-compatible:x", "Hi", record=7):  # type: ignore[arg-type]  # the mistake is the case
            pytest.fail("it was opened")


async def test_a_block_that_raises_is_recorded(file: Path, autojump_clock: MockClock) -> None:
    """The file is written however the block is left; the exception stays as it is."""
    async with scripted_network(GOOD) as (network, client):
        with pytest.raises(ZeroDivisionError):
            async with open_session(chat_model(network.url), "Hi", client=client, record=file) as session:
                await session.receive()
                raise ZeroDivisionError
    assert load_recording(file).outcome.status in ("done", "cancelled")


async def test_a_cancelled_block_is_recorded(file: Path) -> None:
    """Cancelling from outside ends the session at once, and the recording is complete."""
    async with scripted_network([chunked(text("Hel"), last=False), Delay(1000)]) as (network, client):
        with trio.CancelScope() as scope:
            async with open_session(chat_model(network.url), "Hi", client=client, record=file) as session:
                async for each in session:
                    if isinstance(each, Text):
                        scope.cancel()
    recording = load_recording(file)
    assert recording.outcome.status == "cancelled"
    [exchange] = recording.exchanges
    assert exchange.response is not None
    assert b"".join(each.raw for each in exchange.response.body) == text("Hel")


async def test_a_recording_fits_the_published_schema(file: Path, autojump_clock: MockClock) -> None:
    """The file is valid by the schema in the documentation, whatever happened in the session."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    scripts: list[list[Script]] = [
        [GOOD],
        [[response(500, {}, b"\xff\xfe")]],
        [[chunked(text("Hel"), last=False), Delay(500)]],
    ]
    for each in scripts:
        await record(file, *each, retry=None)
        jsonschema.validate(
            json.loads(await trio.Path(file).read_text("utf-8")), schema, cls=jsonschema.Draft202012Validator
        )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": 2}, schema, cls=jsonschema.Draft202012Validator)


def test_the_published_schema_is_the_formats() -> None:
    """docs/recording.schema.json is `streamd._recording.recording_schema()`, indented by 2."""
    assert json.loads(SCHEMA.read_text("utf-8")) == recording_schema()
    assert isinstance(Plain(0.0, "a").raw, bytes)
