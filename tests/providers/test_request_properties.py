"""What holds of every conversation that can be sent, on every wire."""

from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import (
    Citation,
    Context,
    Image,
    Message,
    Options,
    RedactedThinking,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tests.support.services import anthropic, openai_chat

WORDS = st.sampled_from(["", " ", "a", "b\n", "ü", "\U0001f642", "\u2028", "\0"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
ASSISTANT = (
    st.builds(Text, WORDS)
    | st.builds(Thinking, WORDS, st.none() | st.sampled_from(["", "s1", "s2"]))
    | st.builds(RedactedThinking, st.just("r"))
    | st.builds(ToolCall, st.just(0), st.just("c"), st.just("t"), st.dictionaries(WORDS, JSON, max_size=2))
    | st.builds(Citation, st.just("https://x.test"))
)
USER = st.builds(Text, WORDS) | st.just(Image(data=b"a")) | st.just(Image(url="https://x.test"))
RESULT = st.builds(ToolResult, st.just("c"), st.just("t"), WORDS | st.just("\udc80"), st.booleans())
MESSAGES = (
    st.lists(USER, max_size=3).map(lambda parts: Message("user", (*parts, Text("go"))))
    | st.lists(ASSISTANT, max_size=4).map(lambda parts: Message("assistant", tuple(parts)))
    | st.lists(RESULT, min_size=1, max_size=3).map(lambda parts: Message("tool", tuple(parts)))
    | WORDS.map(Message.system)
)
CONTEXTS = st.builds(
    Context, st.lists(MESSAGES, max_size=6).map(lambda said: (*said, Message.user("go"))), st.none() | WORDS
)


@settings(deadline=None, max_examples=200)
@given(context=CONTEXTS)
def test_messages_have_the_shape_the_wire_takes(context: Context) -> None:
    """Roles alternate, nothing is empty, thinking is signed and followed by something, and all calls are kept."""
    body = msgspec.json.decode(anthropic().request(context, Options("m")).body)
    turns = body["messages"]
    assert turns
    assert all(before["role"] != after["role"] for before, after in pairwise(turns))
    blocks = [block for turn in turns for block in turn["content"]]
    assert all(turn["content"] for turn in turns)
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    assert all(block["signature"] for block in blocks if block["type"] == "thinking")
    ends = [turn["content"][-1]["type"] for turn in turns if turn["role"] == "assistant"]
    assert not {"thinking", "redacted_thinking"} & set(ends)
    calls = [call for message in context.messages for call in message.tool_calls]
    assert [block["input"] for block in blocks if block["type"] == "tool_use"] == [
        call.arguments for call in calls
    ]
    results = [result for message in context.messages for result in message.tool_results]
    assert len([block for block in blocks if block["type"] == "tool_result"]) == len(results)


@settings(deadline=None, max_examples=200)
@given(context=CONTEXTS)
def test_chat_completions_keep_every_message_that_says_something(context: Context) -> None:
    """Roles keep their order, arguments decode to what they were, and no text is lost."""
    body = msgspec.json.decode(openai_chat("here", "http://127.0.0.1").request(context, Options("m")).body)
    turns = body["messages"][1 if context.system else 0 :]
    expected = [
        message.role
        for message in context.messages
        for _ in (message.content if message.role == "tool" else [0])
        if message.role != "assistant" or message.text or message.tool_calls
    ]
    assert [turn["role"] for turn in turns] == expected
    calls = [call for turn in turns for call in turn.get("tool_calls", [])]
    sent = [msgspec.json.decode(call["function"]["arguments"]) for call in calls]
    assert sent == [call.arguments for message in context.messages for call in message.tool_calls]
    said = [turn["content"] for turn in turns if turn["role"] == "assistant" and turn["content"]]
    assert said == [
        message.text for message in context.messages if message.role == "assistant" and message.text
    ]
