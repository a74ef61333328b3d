"""How chunks, errors, statistics and providers read, and where they are printed."""

import io
import sys

import msgspec
import pytest

from streamd._cli_progress import shown_progress
from streamd._cli_providers import COLUMNS, print_providers, provider_rows
from streamd._cli_render import (
    Piece,
    early_end,
    error_text,
    json_line,
    one_line,
    render,
    safe,
    statistics_line,
)
from streamd._cli_screen import Screen
from streamd._response import SessionStatistics
from streamd.errors import AuthenticationError, ConfigError, ConnectFailed, NotFoundError, ServerError
from streamd.providers import (
    Chunk,
    Citation,
    Media,
    Metadata,
    ProviderInfo,
    RedactedThinking,
    Reset,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    known_providers,
)


class TerminalStream(io.StringIO):
    def isatty(self):
        return True


CHUNKS = [
    (Metadata("r1", "tiny-1"), None),
    (Thinking("hm"), Piece("thinking", "hm")),
    (RedactedThinking("x"), None),
    (Text("Hello"), Piece("text", "Hello")),
    (ToolCallDelta(0, "c1", "roll", "{"), None),
    (ToolCall(0, "c1", "roll", {"sides": 6}), Piece("note", '→ roll {"sides":6}')),
    (ToolResult("c1", "roll", "four\nor five"), Piece("note", "← roll: four or five")),
    (ToolResult("c1", "roll", "no dice", is_error=True), Piece("note", "✗ roll: no dice")),
    (Citation("https://example.org", "A page"), Piece("note", "source: A page https://example.org")),
    (Media("image/png", b"\x89PNG"), Piece("note", "a file came: image/png")),
    (Usage(1, 2), None),
    (Stop("stop"), None),
    (Reset(2), Piece("note", "the answer starts again")),
]


@pytest.mark.parametrize(("chunk", "piece"), CHUNKS, ids=lambda value: type(value).__name__)
def test_every_chunk_has_its_look(chunk, piece):
    """Each kind of chunk becomes a piece, or nothing."""
    assert render(chunk) == piece


@pytest.mark.parametrize("chunk", [chunk for chunk, _ in CHUNKS], ids=lambda value: type(value).__name__)
def test_a_json_line_is_the_chunk(chunk):
    """A line of JSON is one line, has the chunk's `type`, and reads back as the chunk."""
    line = json_line(chunk)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert line.startswith('{"type":"')
    assert msgspec.json.decode(line, type=Chunk) == chunk


def test_control_characters_do_not_reach_a_terminal():
    """Escape sequences lose what makes them act; tabs, line ends and all other text stay."""
    assert safe("\x1b]0;title\x07a\tb\r\n\x9b2J\x7fé→") == "]0;titlea\tb\n2Jé→"


def test_a_long_note_is_cut():
    """A note stays on one line of bounded length."""
    assert one_line("a\n\n b") == "a b"
    assert one_line("x" * 500) == "x" * 99 + "…"


def test_an_early_end_is_told():
    """An answer that ended before its own end is said to have; a complete one is not."""
    assert early_end("length") == "the answer ended early: it reached the limit of tokens"
    assert early_end("stop") is None
    assert early_end("cancelled") is None
    assert early_end(None) is None


def statistics(**fields):
    """Some session's counters."""
    values = {
        "status": "done",
        "rounds": 1,
        "attempts": 1,
        "bytes_received": 100,
        "chunks_decoded": 20,
        "chunks_queued": 0,
        "high_watermark": 500,
        "tasks_waiting_receive": 0,
        "usage": Usage(7, 11),
        "time_to_first_chunk": 0.5,
        "duration": 2.5,
    }
    return SessionStatistics(**{**values, **fields})


def test_statistics_are_one_line():
    """The line names the time to the first chunk, the rate, tokens both ways, rounds and the whole time."""
    expected = "first chunk after 0.50 s, 10.0 chunks/s, 7 tokens in, 11 tokens out, 1 round, 2.50 s in all"
    assert statistics_line(statistics()) == expected


def test_statistics_of_nothing_say_so():
    """A session without a chunk has no rate."""
    line = statistics_line(statistics(time_to_first_chunk=None, rounds=2))
    assert line.startswith("no chunk came, 7 tokens in")
    assert "2 rounds" in line


@pytest.mark.parametrize(
    ("error", "model", "hint"),
    [
        (AuthenticationError("no"), "openai:gpt", "the key is read from OPENAI_API_KEY"),
        (
            ConnectFailed("no"),
            "ollama/llama",
            "ollama is asked at http://127.0.0.1:11434; OLLAMA_HOST gives another address",
        ),
        (NotFoundError("no"), "vllm:x", "vllm is asked at http://127.0.0.1:8000/v1"),
        (AuthenticationError("no"), "nobody:gpt", None),
        (ServerError("no"), "openai:gpt", None),
        (ConfigError("no"), "", None),
    ],
)
def test_an_error_is_a_line_and_perhaps_a_hint(error, model, hint):
    """A refused key has its variables named, a wrong address the address; other errors speak for themselves."""
    expected = [f"streamd: error: {error}"] + ([f"streamd: hint: {hint}"] if hint else [])
    assert error_text(error, model, known_providers({})).split("\n") == expected


def test_an_error_cannot_drive_the_terminal():
    """Control characters of an error's text are gone, and an error without a text has its class's name."""
    assert error_text(ConfigError("bad \x1b[2Jkey")) == "streamd: error: bad [2Jkey"
    assert error_text(OSError()) == "streamd: error: OSError"


def show(chunks, out, err, **options):
    """What a screen prints of these chunks to its two streams."""
    screen = Screen(out, err, **options)
    for chunk in chunks:
        screen.show(chunk)
    screen.end_line()
    return out.getvalue(), err.getvalue()


def test_a_pipe_gets_the_text_alone():
    """Without a terminal only the text is printed, as it came, and the last line is ended."""
    chunks = [Thinking("hm"), Text("a\x1b[1m"), ToolCall(0, "c", "roll", {}), Text("b"), Stop("stop")]
    assert show(chunks, io.StringIO(), TerminalStream()) == ("a\x1b[1mb\n", "")


def test_a_terminal_gets_thinking_and_tools_dimmed():
    """On a terminal thinking is dim on lines of its own, each tool call a dim line of standard error."""
    chunks = [
        Thinking("h"),
        Thinking("m"),
        Text("Hello\x1b"),
        ToolCall(0, "c", "roll", {}),
        Text("\x07"),
        Text("ok\n"),
    ]
    assert show(chunks, TerminalStream(), TerminalStream()) == (
        "\x1b[2mh\x1b[0m\x1b[2mm\x1b[0m\nHello\nok\n",
        "\x1b[2m→ roll {}\x1b[0m\n",
    )


def test_a_dumb_terminal_gets_no_escapes():
    """Where escape sequences are not known none is printed."""
    out, err = show(
        [Thinking("h"), Text("a"), ToolCall(0, "c", "f", {})],
        TerminalStream(),
        TerminalStream(),
        styled=False,
    )
    assert (out, err) == ("h\na\n", "→ f {}\n")


def test_json_is_the_same_everywhere():
    """With `--json` each chunk is a line, on a terminal too, and nothing else is shown."""
    chunks = [chunk for chunk, _ in CHUNKS]
    out, err = show(chunks, TerminalStream(), TerminalStream(), as_json=True)
    assert [msgspec.json.decode(line, type=Chunk) for line in out.splitlines()] == chunks
    assert err == ""


def test_what_is_said_begins_a_line():
    """A message to standard error comes after the end of the text's line."""
    out, err = TerminalStream(), TerminalStream()
    screen = Screen(out, err)
    screen.show(Text("half"))
    screen.say("streamd: error: no")
    screen.say("again")
    assert (out.getvalue(), err.getvalue()) == ("half\n", "streamd: error: no\nagain\n")


def test_progress_is_a_bar_on_a_terminal(monkeypatch):
    """While the model is fetched a bar is drawn on standard error, and nothing before the first call."""
    monkeypatch.setenv("TERM", "xterm")
    out, err = TerminalStream(), TerminalStream()
    with shown_progress(Screen(out, err)) as progress:
        assert err.getvalue() == ""
        progress(1_000_000, 4_000_000)
        progress(4_000_000, 4_000_000)
    assert "fetching the model" in err.getvalue()
    assert "4.0" in err.getvalue()
    assert out.getvalue() == ""


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_line_elsewhere(terminal, monkeypatch):
    """In a pipe, and where rich is not installed, one line says what is being waited for."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    out, err = (TerminalStream(), TerminalStream()) if terminal else (io.StringIO(), io.StringIO())
    with shown_progress(Screen(out, err)) as progress:
        progress(1, 93_000_000)
        progress(2, 93_000_000)
    assert err.getvalue() == "streamd: fetching the local model, once (93 MB)\n"


CANARY = "sk-canary-never-shown"


def test_the_table_tells_whether_a_key_is_set_and_never_which():
    """Every provider has a row, the local model first; a key's value is in none."""
    rows = provider_rows(known_providers({"OPENAI_API_KEY": CANARY}))
    by_name = {row[0]: row for row in rows}
    assert rows[0][0] == "local"
    assert by_name["openai"][1:3] == ("openai-chat", "yes")
    assert by_name["anthropic"][1:3] == ("anthropic-messages", "no")
    assert by_name["ollama"][2] == "optional"
    assert "ANTHROPIC_API_KEY" in by_name["anthropic"][3]
    assert CANARY not in str(rows)
    assert provider_rows([ProviderInfo("x", "openai-chat", None, (), (), False, False)])[1][4] == "(none set)"


def test_the_table_can_be_of_those_wanted():
    """A text of any case in a name, a wire, a variable, an address or a title finds a provider; another finds none."""
    known = known_providers({})
    for text, found in (
        ("AZURE_OPENAI", "azure"),
        ("claude", ""),
        ("Kimi", "moonshot"),
        ("anthropic-vertex", "vertex-anthropic"),
        ("generativelanguage", "gemini"),
        ("loc", "local"),
    ):
        assert (found in [row[0] for row in provider_rows(known, text)]) == bool(found)
    assert provider_rows(known, "no such text") == []


def test_a_plugins_provider_shows_what_makes_it():
    """Of a plugin's provider its name is known, and where it comes from."""
    plugin = ProviderInfo("x", "plugin", None, (), (), False, False, title="package:make")
    assert provider_rows([plugin])[1] == ("x", "plugin", "-", "", "package:make")


def test_the_table_says_whether_there_was_any():
    """The caller learns whether a wanted provider was there."""
    out = io.StringIO()
    assert print_providers(known_providers({}), out, "azure")
    assert not print_providers(known_providers({}), out, "no such text")


def test_the_table_in_a_pipe_is_tab_separated():
    """In a pipe each provider is a line of tab-separated columns under the columns' names."""
    out = io.StringIO()
    print_providers(known_providers({}), out)
    lines = [line.split("\t") for line in out.getvalue().splitlines()]
    assert tuple(lines[0]) == COLUMNS
    assert {len(line) for line in lines} == {len(COLUMNS)}
    assert len(lines) == 1 + len(known_providers({}))


def test_the_table_on_a_terminal_is_drawn(monkeypatch):
    """On a terminal the table is drawn by rich, and printed plainly where that is not installed."""
    monkeypatch.setenv("COLUMNS", "200")
    drawn, plain = TerminalStream(), TerminalStream()
    print_providers(known_providers({}), drawn)
    assert "anthropic" in drawn.getvalue()
    assert "\t" not in drawn.getvalue()
    monkeypatch.setitem(sys.modules, "rich.console", None)
    print_providers(known_providers({}), plain)
    assert "anthropic\tanthropic-messages\tno" in plain.getvalue()
