"""Every kind of content on every wire: sent, left out, or refused with the provider's name and the kind."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from streamd.providers import FORMATS, WIRES, ConfigError

DOCS = Path(__file__).parent.parent.parent / "docs"


def generator() -> ModuleType:
    """The script that writes the tables."""
    spec = importlib.util.spec_from_file_location("content_table", DOCS / "content_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLE = generator()

WORDS = {
    "image": ("image",),
    "PDF": ("pdf", "file"),
    "text": ("text", "file"),
    "sound": ("sound", "audio", "file"),
    "video": ("video", "file"),
    "`Media`": ("media",),
    "`logprobs": ("logprobs", "log probabilities"),
    "`server_tools`": ("tools",),
}
"""What a refusal calls each kind; kinds that no wire may refuse are not here."""

MESSAGES = {"sound, data", "video, data", "`Media`", "`logprobs=0`", "`logprobs=5`"}
REFUSED = {
    "openai-chat": {"PDF, URL", "text file, data", "video, data"},
    "openai-responses": set[str](),
    "anthropic-messages": MESSAGES,
    "anthropic-vertex": MESSAGES,
    "gemini": set[str](),
}
"""What these wires refuse."""


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("kind", TABLE.KINDS)
def test_a_kind_is_sent_left_out_or_refused_by_name(wire: str, kind: str) -> None:
    """A refusal is a `ConfigError` of the body's own writer, so before any byte is sent, and says whose it is."""
    place, parts, options = TABLE.KINDS[kind]
    words = next((words for start, words in WORDS.items() if kind.startswith(start)), ())
    if TABLE.takes(wire, kind) == "refused":
        with pytest.raises(ConfigError) as caught:
            TABLE.body(wire, place, parts, options)
        assert str(caught.value).startswith("the provider")
        assert any(word in str(caught.value).lower() for word in words), str(caught.value)
    else:
        assert TABLE.body(wire, place, parts, options).startswith(b"{")


@pytest.mark.parametrize("wire", REFUSED)
def test_what_a_wire_refuses(wire: str) -> None:
    """These kinds and no others."""
    assert {kind for kind in TABLE.KINDS if TABLE.takes(wire, kind) == "refused"} == REFUSED[wire]


@pytest.mark.parametrize(
    ("wire", "sent"),
    [
        ("openai-chat", set[str]()),
        ("openai-responses", {"signed `Thinking`", "own `ServerToolCall`"}),
        ("anthropic-messages", {"signed `Thinking`", "own `ServerToolCall`", "own `Citation`"}),
        ("gemini", {"signed `Thinking`", "own `ServerToolCall`", "`Media`"}),
    ],
)
def test_what_goes_back_to_its_own_wire(wire: str, sent: set[str]) -> None:
    """Of an assistant's turn, besides its texts and calls."""
    turns = {kind for kind, (place, *_) in TABLE.KINDS.items() if place == TABLE.TURN}
    assert {kind for kind in turns if TABLE.takes(wire, kind) == "sent"} == sent


def test_the_tables_are_those_of_the_code() -> None:
    """`python docs/content_table.py` would change nothing, and every wire has a column."""
    page = (DOCS / "content.md").read_text("utf-8")
    assert TABLE.renewed(page) == page, "stale: run `python docs/content_table.py`"
    for table, wires in ((TABLE.taken_table(), FORMATS), (TABLE.given_table(), WIRES)):
        head = table.splitlines()[0]
        assert [wire for wire in wires if f"`{wire}`" not in head] == []
