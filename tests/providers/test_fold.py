"""Chunks folded to a message."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import (
    Chunk,
    Citation,
    Folding,
    Media,
    Message,
    Metadata,
    RedactedThinking,
    Refusal,
    Reset,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
    fold,
)


def test_nothing_folds_to_an_empty_message():
    """No chunks are an assistant's message without content."""
    assert fold([]) == Message("assistant", ())


def test_neighbouring_texts_become_one():
    """Text is joined, across chunks that are no part of the message too, and empty text is no part."""
    chunks = [
        Metadata("r", "m"),
        Text("a"),
        Text("b"),
        Usage(1, 2),
        Text("c"),
        Citation("u"),
        Text(""),
        Text("d"),
    ]
    assert fold(chunks).content == (Text("abc"), Citation("u"), Text("d"))


def test_thinking_is_kept_in_its_blocks():
    """A signature closes a block; blocks keep their order and place, signed ones also where they are empty."""
    chunks = [
        Thinking("a"),
        Thinking("b"),
        Thinking("", "s1"),
        Thinking("c", "s2"),
        Thinking("", "s3"),
        RedactedThinking("x"),
        Thinking("d"),
        Text("t"),
        Thinking(""),
        Media("image/png", b"i"),
    ]
    assert fold(chunks).content == (
        Thinking("ab", "s1"),
        Thinking("c", "s2"),
        Thinking("", "s3"),
        RedactedThinking("x"),
        Thinking("d"),
        Text("t"),
        Media("image/png", b"i"),
    )


def test_a_tool_call_stands_where_its_first_fragment_stood():
    """Calls close at the end of the turn, but keep their place in it; one that never closed leaves nothing."""
    chunks: list[Chunk] = [
        Text("a"),
        ToolCallDelta(0, "x", "f", ""),
        ToolCallDelta(1, "y", "g", "{"),
        Text("b"),
        ToolCallDelta(0, None, None, "{}"),
        ToolCall(0, "x", "f", {}),
        Stop("tool_calls"),
        ToolResult("x", "f", "ok"),
        ToolCallDelta(0, "z", "h", ""),
        ToolCall(0, "z", "h", {"n": 1}),
        ToolCall(5, "w", "i", {}),
    ]
    message = fold(chunks)
    assert message.content == (
        Text("a"),
        ToolCall(0, "x", "f", {}),
        Text("b"),
        ToolResult("x", "f", "ok"),
        ToolCall(0, "z", "h", {"n": 1}),
        ToolCall(5, "w", "i", {}),
    )
    assert message.stop_reason == "tool_calls"


@pytest.mark.parametrize(
    ("stop", "usage"), [(Stop("stop"), Usage(3, 4)), (Stop("length", Usage(5, 6)), Usage(5, 6))]
)
def test_the_last_usage_is_the_messages(stop: Stop, usage: Usage):
    """Usage is the last that was reported, be it on its own or with the end."""
    message = fold([Usage(1, 2), Usage(3, 4), Text("a"), stop])
    assert (message.usage, message.stop_reason) == (usage, stop.reason)


def test_a_reset_voids_what_came_before():
    """After a restart nothing of the first attempt is left."""
    assert fold([Text("a"), Usage(1, 2), Stop("stop"), Reset(2), Text("b")]) == Message(
        "assistant", (Text("b"),)
    )


_CHUNKS: st.SearchStrategy[Chunk] = st.one_of(
    st.builds(Text, st.text(max_size=3)),
    st.builds(Thinking, st.text(max_size=3), st.none() | st.just("s")),
    st.builds(ToolCallDelta, st.integers(0, 2), st.none(), st.none(), st.just("{")),
    st.builds(ToolCall, st.integers(0, 2), st.just("i"), st.just("f"), st.just({})),
    st.builds(Usage, st.integers(0, 9)),
    st.just(Stop("stop")),
    st.just(Reset(1)),
)


@given(st.lists(_CHUNKS, max_size=12), st.integers(0, 12))
@settings(deadline=None, max_examples=100)
def test_folding_bit_by_bit_is_folding_at_once(chunks: list[Chunk], cut: int):
    """However the chunks are handed over, and whenever the message is looked at, it is the same."""
    folding = Folding()
    folding.add(chunks[:cut])
    assert folding.message() == fold(chunks[:cut])
    folding.add(chunks[cut:])
    assert folding.message() == fold(chunks)


def test_a_refusal_is_a_part_of_its_own():
    """Its pieces are joined, and it is no part of the text."""
    message = fold([Refusal("I "), Refusal("won't."), Stop("refusal")])
    assert message.content == (Refusal("I won't."),)
    assert (message.text, message.refusal, message.stop_reason) == ("", "I won't.", "refusal")


def test_a_text_of_many_pieces_is_whole():
    """However many there are, and whatever follows them, each is in its place."""
    pieces = [f"{place} " for place in range(1000)]
    folding = Folding()
    for piece in pieces:
        folding.add([Text(piece)])
    assert folding.message().text == "".join(pieces)
    folding.add([Thinking("hm"), Text("end")])
    texts = [part.text for part in folding.message().content if isinstance(part, Text)]
    assert texts == ["".join(pieces), "end"]
