"""`streamd chat --record` and `streamd replay`, in this process."""

import io
import os
import sys
from pathlib import Path

import pytest
import trio
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from streamd.__main__ import main
from streamd._cli_args import ChatCommand, ReplayCommand, parse
from streamd._recording import load_recording
from streamd.providers import Text
from tests.support import chat
from tests.support.cli import scripted_server
from tests.support.recordings import record
from tests.support.server import KEEP_OPEN, chunked, response

MODEL = ["-m", "openai-compatible:tiny-1"]
CANARY = "sk-canary-never-shown"


class TerminalStream(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def recorded(monkeypatch, tmp_path, capsys):
    """Records an answer of this server with `streamd chat --record`: the file, what was printed, and the exit code."""
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", CANARY)
    file = tmp_path / "session.json"

    def record(*scripts, options=()):
        with scripted_server(*scripts) as server:
            monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", f"{server.url}/v1")
            code = main(["chat", "hi", "--record", str(file), *MODEL, *options])
        return str(file), (code, *capsys.readouterr())

    return record


def test_an_answer_is_recorded_and_replayed(recorded, capsys, monkeypatch):
    """The replay prints what was printed, with the same exit code, and needs neither server nor key."""
    file, (code, out, err) = recorded([chunked(chat.answer("Hello", " world"))])
    assert (code, out, err) == (0, "Hello world\n", "")
    monkeypatch.delenv("OPENAI_COMPATIBLE_API_KEY")
    for options in ([], ["--speed", "inf"], ["--recut", "3", "--speed", "1e9"], ["--recut", "whole"]):
        assert main(["replay", file, *options]) == 0
        assert capsys.readouterr() == ("Hello world\n", "")
    assert CANARY not in Path(file).read_text("utf-8")


def test_a_failed_answer_fails_again(recorded, capsys):
    """The error is printed as it was, but for the hint, after what came before it."""
    file, (code, out, err) = recorded([chunked(chat.text("Hel"))])
    assert (code, out) == (1, "Hel\n")
    assert main(["replay", file, "--speed", "inf"]) == 1
    assert capsys.readouterr() == ("Hel\n", err)


def test_a_refusal_and_its_retries_are_replayed(recorded, capsys):
    """A typed error is the same error in a replay."""
    file, (code, _, err) = recorded([response(400, {}, b'{"error":{"message":"no such thing"}}')])
    assert (code, "no such thing" in err) == (1, True)
    assert main(["replay", file, "--speed", "inf"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == err.splitlines()[0]


def test_an_early_end_is_told_again(recorded, capsys):
    """What is said of an answer that reached its limit is said of its replay."""
    file, (_, _, err) = recorded([chunked(chat.text("Hel"), chat.finish("length"), chat.DONE)])
    assert main(["replay", file]) == 0
    assert capsys.readouterr() == ("Hel\n", err)


def test_a_cancelled_answer_ends_as_an_interrupted_one(tmp_path, capsys):
    """What was recorded of an answer that was cancelled is printed, and the exit code is Ctrl-C's."""
    file = tmp_path / "session.json"

    async def leave(session):
        while not isinstance(await session.receive(), Text):
            pass
        session.cancel()

    script = [chunked(chat.text("Hel"), last=False), KEEP_OPEN]
    trio.run(lambda: record(file, script, leave=leave))
    assert main(["replay", str(file), "--speed", "inf"]) == 130
    assert capsys.readouterr() == ("Hel\n", "")


def test_chunks_and_counters_of_a_replay(recorded, capsys):
    """`--json` and `--stats` are as they are for `streamd chat`."""
    file, (_, out, _) = recorded([chunked(chat.answer("Hello"))], options=["--json"])
    assert main(["replay", file, "--json", "--stats", "--speed", "inf"]) == 0
    shown = capsys.readouterr()
    assert shown.out == out
    assert "3 tokens in, 2 tokens out, 1 round" in shown.err


def test_a_file_that_is_no_recording_is_told(tmp_path, capsys):
    """The exit code is 2 for a file that is missing or damaged."""
    missing = str(tmp_path / "missing.json")
    assert main(["replay", missing]) == 2
    assert f"streamd: error: the recording {missing} cannot be read" in capsys.readouterr().err


def test_a_recording_that_cannot_be_written_is_told(monkeypatch, capsys, tmp_path, recorded):
    """The answer is printed all the same, and the exit code is 0."""
    _, (code, out, _) = recorded(
        [chunked(chat.answer("Hello"))], options=["--record", str(tmp_path / "none" / "x.json")]
    )
    assert (code, out) == (0, "Hello\n")
    assert os.listdir(tmp_path) == []


def test_the_options_of_replay_are_read():
    """Each option ends in its own field, with its type."""
    assert parse(["replay", "a.json"]) == ReplayCommand(file="a.json")
    given = "replay a.json --speed 2.5 --recut 7 --json --stats"
    expected = ReplayCommand(file="a.json", speed=2.5, recut=7, as_json=True, statistics=True)
    assert parse(given.split()) == expected
    assert parse(["replay", "a.json", "--recut", "whole"]) == ReplayCommand(file="a.json", recut="whole")
    assert parse(["chat", "--record", "a.json"]) == ChatCommand(record="a.json")


@pytest.mark.parametrize(
    "wrong", [["--speed", "0"], ["--speed", "fast"], ["--recut", "0"], ["--recut", "half"]]
)
def test_wrong_options_of_replay_are_named(wrong, capsys):
    """A speed or a cut that cannot be ends the process with 2."""
    with pytest.raises(SystemExit) as caught:
        parse(["replay", "a.json", *wrong])
    assert caught.value.code == 2
    assert repr(wrong[1]) in capsys.readouterr().err


def test_each_answer_of_a_conversation_has_a_file(monkeypatch, tmp_path):
    """The second answer goes to `NAME.2.json`, with all that was said before it in its request."""
    monkeypatch.setenv("STREAMD_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "talk.json"
    scripts = [[chunked(chat.answer("Hello"))], [chunked(chat.answer("Again"))]]
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, TerminalStream())
    with (
        scripted_server(*scripts) as server,
        create_pipe_input() as keyboard,
        create_app_session(input=keyboard, output=DummyOutput()),
    ):
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", f"{server.url}/v1")
        keyboard.send_text("hi\rand?\r/quit\r")
        assert main(["chat", "--record", str(file), *MODEL]) == 0
    recordings = [load_recording(each) for each in (file, tmp_path / "talk.2.json")]
    sent = [each.exchanges[0].request.body["messages"] for each in recordings]
    assert [[message["content"] for message in messages] for messages in sent] == [
        ["hi"],
        ["hi", "Hello", "and?"],
    ]
