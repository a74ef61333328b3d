"""`python -m streamd` as a process: on a terminal, and in a pipe."""

import signal
import subprocess
import sys

import msgspec
import pytest

from streamd.__main__ import main
from tests.support import chat
from tests.support.cli import CTRL_C, CTRL_D, Terminal, scripted_server
from tests.support.server import KEEP_OPEN, Flood, chunk, chunked

CANARY = "sk-canary-never-shown"
PROMPT = "\x1b[?2004h"  # sent when a prompt begins to wait for keys: have pasted text marked
CHAT = ["chat", "-m", "openai-compatible:tiny-1"]


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """A terminal of a known kind, a cache of its own, a key, and a folder without anything."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", CANARY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def served(monkeypatch):
    """A server whose every answer is thinking and the beginning of a text, and then nothing more."""
    beginning = chunked(chat.delta(reasoning_content="hm"), chat.text("Hel"), last=False)
    with scripted_server([beginning, KEEP_OPEN]) as server:
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", f"{server.url}/v1")
        yield server


def test_control_c_on_a_terminal_ends_a_single_answer(served):
    """A typed Ctrl-C ends with 130; thinking was dim, what came stays, and there is no traceback."""
    with Terminal([*CHAT, "hi"]) as terminal:
        assert "\x1b[2mhm\x1b[0m\r\nHel" in terminal.read_until("Hel")
        terminal.type(CTRL_C)
        assert terminal.read_to_end() == ("^C\r\n", 130)


def test_control_c_in_a_conversation_cancels_and_then_leaves(served):
    """The first Ctrl-C stops the answer, which stays in the conversation; one at the prompt leaves with 130."""
    with Terminal(CHAT) as terminal:
        terminal.read_until(PROMPT)
        terminal.type("hi\r")
        terminal.read_until("Hel")
        terminal.type(CTRL_C)
        terminal.read_until(PROMPT)
        terminal.type("go on\r")
        terminal.read_until("Hel")
        terminal.type(CTRL_C)
        terminal.read_until(PROMPT)
        terminal.type(CTRL_C)
        shown, code = terminal.read_to_end()
    assert code == 130
    assert "Traceback" not in shown
    said = [
        [each["content"] for each in msgspec.json.decode(each.body)["messages"]] for each in served.requests
    ]
    assert said == [["hi"], ["hi", "Hel", "go on"]]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_at_the_prompt_gives_the_terminal_back(served, number, code):
    """A process that is told to end at its prompt leaves the terminal as it found it."""
    with Terminal(CHAT) as terminal:
        before = terminal.modes()
        terminal.read_until(PROMPT)
        assert terminal.modes() != before
        terminal.process.send_signal(number)
        shown, ended_with = terminal.read_to_end()
        assert terminal.modes() == before
    assert ended_with == code
    assert "Traceback" not in shown


def test_the_history_lasts_from_one_run_to_the_next(served):
    """The key for the line before brings back what was typed in an earlier conversation."""
    with Terminal(CHAT) as terminal:
        terminal.read_until(PROMPT)
        terminal.type("a question to keep\r")
        terminal.read_until("Hel")
        terminal.type(CTRL_C)
        terminal.read_until(PROMPT)
        terminal.type(CTRL_D)
        assert terminal.read_to_end()[1] == 0
    with Terminal(CHAT) as terminal:
        terminal.read_until(PROMPT)
        terminal.type("\x1b[A")
        terminal.read_until("a question to keep")


def test_a_closed_pipe_ends_quietly(monkeypatch):
    """When nobody reads its output any more the process ends without a word, as after SIGPIPE."""
    with scripted_server([chunked(last=False), Flood(chunk(chat.text("line\n")))]) as server:
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", f"{server.url}/v1")
        process = subprocess.Popen(
            [sys.executable, "-m", "streamd", *CHAT, "hi"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with process:
            assert process.stdout.readline() == b"line\n"
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 141


def test_the_extra_is_imported_only_where_it_is_needed():
    """Help, the version and a plain answer do without rich and prompt_toolkit."""
    code = "import sys, streamd.__main__; print(sys.modules.keys() & {'rich', 'prompt_toolkit'})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


def test_the_local_model_answers_by_default(local_server, monkeypatch, capsys):
    """`streamd chat` without a model asks the one of this machine."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert main(["chat", "Say hello.", "--max-tokens", "8", "--stats"]) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert "1 round" in err
