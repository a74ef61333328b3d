"""`streamd chat` against a scripted server, in this process."""

import io
import os
import signal
import sys

import msgspec
import pytest
import trio
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from streamd.__main__ import main
from streamd._cli_chat import Interrupts, continued
from streamd._cli_prompt import LineReader, history_file
from streamd._response import Response
from streamd.errors import ConfigError
from streamd.providers import Chunk, Message, Stop, Text, Thinking, ToolCall, ToolResult, Usage
from tests.support import chat
from tests.support.cli import scripted_server
from tests.support.server import KEEP_OPEN, chunked, response

CANARY = "sk-canary-never-shown"
MODEL = ["-m", "openai-compatible:tiny-1"]


class TerminalStream(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def server_of(monkeypatch, tmp_path):
    """Opens a scripted server which the command line finds in its environment, with a key to send there."""
    monkeypatch.setenv("STREAMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", CANARY)
    opened = []

    def open_server(*scripts):
        opened.append(scripted_server(*scripts))
        server = opened[-1].__enter__()
        monkeypatch.setenv("OPENAI_COMPATIBLE_BASE_URL", f"{server.url}/v1")
        return server

    yield open_server
    for each in opened:
        each.__exit__(None, None, None)


def bodies(server):
    """The bodies of the requests that came, as JSON values."""
    return [msgspec.json.decode(request.body) for request in server.requests]


def test_an_answer_is_printed_plainly(server_of, capsys):
    """The answer's text goes to standard output with a line end, and the request says what the options say."""
    server = server_of([chunked(chat.answer("Hello", " world"))])
    options = ["-s", "be brief", "--max-tokens", "9", "--temperature", "0.5"]
    assert main(["chat", "hi", *MODEL, *options]) == 0
    assert capsys.readouterr() == ("Hello world\n", "")
    [body] = bodies(server)
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("tiny-1", 9, 0.5)
    assert [(each["role"], each["content"]) for each in body["messages"]] == [
        ("system", "be brief"),
        ("user", "hi"),
    ]
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"


def test_the_prompt_is_standard_input(server_of, capsys, monkeypatch):
    """Without a prompt, and without a terminal, standard input is the prompt."""
    server = server_of([chunked(chat.answer("ok"))])
    monkeypatch.setattr(sys, "stdin", io.StringIO("what is\nthis?\n"))
    assert main(["chat", *MODEL]) == 0
    assert capsys.readouterr().out == "ok\n"
    assert bodies(server)[0]["messages"][0]["content"] == "what is\nthis?\n"


def test_json_lines_are_the_chunks(server_of, capsys):
    """With `--json` each line is one chunk, from the first to the `Stop`."""
    server_of([chunked(chat.answer("Hel", "lo", prompt=3, completion=2))])
    assert main(["chat", "hi", "--json", *MODEL]) == 0
    chunks = [msgspec.json.decode(line, type=Chunk) for line in capsys.readouterr().out.splitlines()]
    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, Text)) == "Hello"
    assert isinstance(chunks[-1], Stop)
    assert chunks[-1].reason == "stop"


def test_statistics_follow_on_standard_error(server_of, capsys):
    """With `--stats` the counters of the answer are printed after it, to standard error."""
    server_of([chunked(chat.answer("Hello", prompt=3, completion=2))])
    assert main(["chat", "hi", "--stats", *MODEL]) == 0
    out, err = capsys.readouterr()
    assert out == "Hello\n"
    assert err.startswith("first chunk after ")
    assert "3 tokens in, 2 tokens out, 1 round, " in err


def test_an_answer_that_was_cut_by_its_limit_is_told(server_of, capsys):
    """An answer that reached its limit is printed, and said to have."""
    server_of([chunked(chat.text("Hel"), chat.finish("length"), chat.DONE)])
    assert main(["chat", "hi", *MODEL]) == 0
    assert capsys.readouterr() == (
        "Hel\n",
        "streamd: the answer ended early: it reached the limit of tokens\n",
    )


def test_tools_are_run(server_of, capsys, monkeypatch, tmp_path):
    """A tool from the current folder is offered, run, and its result sent back; in a pipe it shows nowhere."""
    (tmp_path / "cli_dice.py").write_text(
        'def roll(sides: int) -> int:\n    """Roll a die."""\n    return sides\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    server = server_of(
        [chunked(chat.call("roll", '{"sides": 6}'), chat.finish("tool_calls"), chat.DONE)],
        [chunked(chat.answer("A six."))],
    )
    assert main(["chat", "roll", "--tool", "cli_dice:roll", *MODEL]) == 0
    assert capsys.readouterr() == ("A six.\n", "")
    first, second = bodies(server)
    assert first["tools"][0]["function"]["name"] == "roll"
    assert second["messages"][-1]["content"] == "6"


def test_a_refused_key_is_one_line_and_a_hint(server_of, capsys):
    """A 401 ends with 1 and names the variable the key came from, not the key."""
    body = msgspec.json.encode(
        {"error": {"message": f"Incorrect API key provided: {CANARY}", "code": "invalid_api_key"}}
    )
    server_of([response(401, {"Content-Type": "application/json"}, body)])
    assert main(["chat", "hi", *MODEL]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("streamd: error: ")
    assert "hint: the key is read from OPENAI_COMPATIBLE_API_KEY" in err
    assert CANARY not in err


def test_a_cut_answer_keeps_what_came(server_of, capsys):
    """An answer that breaks off is printed as far as it came, then the error; the exit code is 1."""
    server_of([chunked(chat.text("Hel"), last=True)])
    assert main(["chat", "hi", *MODEL]) == 1
    out, err = capsys.readouterr()
    assert out == "Hel\n"
    assert err.startswith("streamd: error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat", "hi", "-m", "opnai:gpt"], "opnai"),
        (["chat", "hi", "-m", "gpt"], "gpt"),
        (["chat", "", *MODEL], "the prompt is empty"),
        (["chat", "hi", *MODEL, "--tool", "dice"], "--tool dice"),
        (["chat", "hi", *MODEL, "--tool", "os:getcwdb", "--tool", "os:getcwdb"], "two tools are named"),
        (["chat", "hi", "-m", "local:/no/such.gguf"], "/no/such.gguf"),
    ],
)
def test_what_cannot_be_asked_ends_with_two(arguments, said, server_of, capsys):
    """A request that cannot be made is one line on standard error and exit code 2; nothing is sent."""
    server = server_of([chunked(chat.answer("no"))])
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("streamd: error: ")
    assert said in err
    assert server.requests == []


def test_an_argument_that_is_no_text_is_sent_as_one(server_of):
    """Bytes of an argument that are no UTF-8 become replacement characters."""
    server = server_of([chunked(chat.answer("ok"))])
    assert main(["chat", os.fsdecode(b"caf\xe9"), *MODEL]) == 0
    assert bodies(server)[0]["messages"][0]["content"] == "caf\ufffd"


def test_output_that_cannot_be_written_is_an_error(server_of, capsys, monkeypatch):
    """A full disk under standard output ends with 1 and one line."""

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    server_of([chunked(chat.answer("Hello"))])
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["chat", "hi", *MODEL]) == 1
    assert capsys.readouterr().err == "streamd: error: [Errno 28] No space left on device\n"


def interrupting(monkeypatch, words, *numbers):
    """Have this process signalled when its standard output has received these words."""

    class Signalling(io.StringIO):
        def write(self, text):
            written = super().write(text)
            if words in text:
                for number in numbers:
                    os.kill(os.getpid(), number)
            return written

    stream = Signalling()
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def test_control_c_ends_a_single_answer(server_of, monkeypatch):
    """SIGINT cancels the answer: what came is printed, and the exit code is 130."""
    server_of([chunked(chat.text("Hel"), last=False), KEEP_OPEN])
    out = interrupting(monkeypatch, "Hel", signal.SIGINT)
    assert main(["chat", "hi", *MODEL]) == 130
    assert out.getvalue() == "Hel\n"


def test_sigterm_ends_at_once(server_of, monkeypatch):
    """SIGTERM leaves with 143."""
    server_of([chunked(chat.text("Hel"), last=False), KEEP_OPEN])
    out = interrupting(monkeypatch, "Hel", signal.SIGTERM)
    assert main(["chat", "hi", *MODEL]) == 143
    assert out.getvalue() == "Hel\n"


def test_control_c_before_anything_runs(monkeypatch):
    """Ctrl-C while standard input is read leaves with 130."""

    class Interrupted(io.StringIO):
        def read(self, size=-1):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted())
    assert main(["chat", *MODEL]) == 130


async def test_a_second_control_c_leaves():
    """While an answer that was cancelled is still ending, another Ctrl-C leaves."""

    class Answering:
        status = "streaming"

        def cancel(self):
            self.status = "cancelled"

    with trio.CancelScope() as scope:
        interrupts = Interrupts(scope)
        interrupts.session = Answering()
        interrupts.obey(signal.SIGINT)
        assert (interrupts.session.status, interrupts.exit_code) == ("cancelled", None)
        assert not scope.cancel_called
        interrupts.obey(signal.SIGINT)
        assert interrupts.exit_code == 130
        await trio.sleep_forever()
    assert scope.cancelled_caught


def test_providers_are_listed(capsys, monkeypatch):
    """`streamd providers` says of each provider whether a key is set, and shows no key."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    assert main(["providers"]) == 0
    out, err = capsys.readouterr()
    assert "openai\topenai-chat\tyes\tOPENAI_API_KEY" in out
    assert CANARY not in out + err


def test_a_provider_that_is_not_there_is_an_error(capsys):
    """`streamd providers TEXT` says so where none has the text, and ends with 1."""
    assert main(["providers", "no such text"]) == 1
    assert capsys.readouterr().err == "streamd: error: no provider has 'no such text' in its row\n"


def converse(monkeypatch, keys):
    """`streamd chat` on a terminal on which these keys are typed: its exit code, and what its two streams showed."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, TerminalStream())
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        keyboard.send_text(keys)
        return main(["chat", *MODEL]), sys.stdout.getvalue(), sys.stderr.getvalue()


def test_a_conversation_sends_what_was_said(server_of, monkeypatch, tmp_path):
    """Each question is sent with the questions and answers before it; `/reset` forgets them; `/quit` leaves."""
    server = server_of(
        [chunked(chat.answer("Hello"))], [chunked(chat.answer("Again"))], [chunked(chat.answer("New"))]
    )
    code, out, err = converse(monkeypatch, "hi\r\r and?\r/reset\rwho?\r/quit\r")
    assert code == 0
    said = [[each["content"] for each in body["messages"]] for body in bodies(server)]
    assert said == [["hi"], ["hi", "Hello", " and?"], ["who?"]]
    assert out == "Hello\nAgain\nNew\n"
    assert "openai-compatible:tiny-1: /reset forgets" in err
    history = tmp_path / "cache" / "history"
    assert "+who?\n" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_a_failed_answer_is_no_part_of_the_conversation(server_of, monkeypatch):
    """After an error the conversation goes on as if the question had not been asked; Ctrl-D leaves."""
    server = server_of([response(400, body=b"no")], [chunked(chat.answer("Hello"))])
    code, _, err = converse(monkeypatch, "bad\rhi\r\x04")
    assert code == 0
    assert [each["content"] for each in bodies(server)[1]["messages"]] == ["hi"]
    assert "streamd: error: " in err


def test_control_c_at_the_prompt_leaves(server_of, monkeypatch):
    """Ctrl-C typed at the prompt leaves with 130."""
    server = server_of([chunked(chat.answer("no"))])
    assert converse(monkeypatch, "half a question\x03")[0] == 130
    assert server.requests == []


@pytest.mark.parametrize("before", [True, False])
async def test_a_cancelled_prompt_gives_the_terminal_back(before, autojump_clock):
    """Cancelled before or after its thread began to wait for keys, reading ends, and its thread with it."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        reader = LineReader(None)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(reader.read)
                await trio.testing.wait_all_tasks_blocked()
                while not before and not reader._session.app.is_running:
                    await trio.to_thread.run_sync(lambda: None)
                scope.cancel()
        assert scope.cancelled_caught
        assert not reader._session.app.is_running


def test_a_conversation_needs_prompt_toolkit(monkeypatch):
    """Without the extra the error names what to install."""
    monkeypatch.setitem(sys.modules, "prompt_toolkit", None)
    with pytest.raises(ConfigError, match=r"streamd-llm\[cli\]"):
        LineReader(None)


def test_a_history_that_cannot_be_kept_is_none(tmp_path):
    """Where the folder cannot be made, the history is not kept."""
    (tmp_path / "file").touch()
    assert history_file(tmp_path / "file" / "below") is None


def cancelled(*messages):
    """The response of a cancelled session."""
    return Response(
        message=messages[-1], messages=(Message.user("q"), *messages), usage=Usage(), stop_reason="cancelled"
    )


CALL = ToolCall(0, "c", "roll", {})


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        (
            [Message("assistant", (Thinking("hm"), Text("Hel")))],
            [Message.user("q"), Message.assistant("Hel")],
        ),
        ([Message("assistant", (CALL,))], []),
        ([Message("assistant", (Thinking("hm"),))], []),
        (
            [Message("assistant", (CALL,)), Message("tool", (ToolResult("c", "roll", "4"),))],
            [
                Message.user("q"),
                Message("assistant", (CALL,)),
                Message("tool", (ToolResult("c", "roll", "4"),)),
            ],
        ),
    ],
)
def test_of_a_cancelled_answer_what_can_be_sent_is_kept(turns, kept):
    """The conversation goes on with the text of the cut turn, and never with a tool call that has no result."""
    before = (Message.user("p"), Message.assistant("a"))
    assert continued(before, cancelled(*turns)) == (*before, *kept)


def test_nothing_of_an_answer_keeps_nothing():
    """Where nothing was answered, the question is no part of the conversation."""
    nothing = Response(
        message=Message("assistant", ()),
        messages=(Message.user("q"),),
        usage=Usage(),
        stop_reason="cancelled",
    )
    assert continued((), nothing) == ()
