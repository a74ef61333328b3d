"""What an untyped caller may put into a conversation: refused by name, before anything is sent."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd.providers import (
    ConfigError,
    Context,
    HTTPRequest,
    Image,
    Message,
    Options,
    Provider,
    RedactedThinking,
    Refusal,
    Secret,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from tests.support.services import anthropic, openai_chat

PROVIDERS: list[Provider] = [openai_chat("here", "http://x.test/v1"), anthropic("here", "http://x.test")]
IN_PATHS: list[Provider] = [
    openai_chat("here", "http://x.test/v1", path="/{model}/go"),
    anthropic("here", "http://x.test", path="/{model}/go"),
]
each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=["openai-chat", "anthropic"])
ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
any_: Any = Message


def turn(role: Any, content: Any) -> Context:
    """A question, and one more message made of anything."""
    return Context((Message.user("hi"), any_(role, content)))


def loose(kind: Any, *fields: Any, **named: Any) -> Any:
    """A struct with fields of any type."""
    return kind(*fields, **named)


@each_provider
@pytest.mark.parametrize(
    ("context", "message"),
    [
        (None, "here: the context is a Context, not a NoneType"),
        (loose(Context, None), "here: the context: `messages` is a tuple or a list, not a NoneType"),
        (loose(Context, "hi"), "here: the context: `messages` is a tuple or a list, not a str"),
        (loose(Context, ASK.messages, 5), "here: the context: `system` is text or None, not a int"),
        (loose(Context, ASK.messages, None, 5), "here: the context: `tools` is a tuple or a list, not a int"),
        (loose(Context, ASK.messages, None, ("f",)), "here: tool 0 is a ToolSpec, not a str"),
        (
            Context(ASK.messages, None, (loose(ToolSpec, "f", "", None),)),
            "here: tool 0: `input_schema` is a mapping, not a NoneType",
        ),
        (loose(Context, ("hi",)), "here: message 0 is a Message, not a str"),
        (turn("user", None), "here: message 1 (user): `content` is a tuple or a list, not a NoneType"),
        (turn("user", "hi"), "here: message 1 (user): `content` is a tuple or a list, not a str"),
        (turn(["user"], ()), "here: message 1: `role` is text, not a list"),
        (turn("user", (loose(Text, 5),)), "here: message 1 (user), part 0 (text): `text` is text, not a int"),
        (
            turn("user", (Text("a"), loose(Image, data="abc"))),
            "here: message 1 (user), part 1 (image): `data` is bytes or None, not a str",
        ),
        (
            turn("user", (loose(Image, url=b"abc"),)),
            "here: message 1 (user), part 0 (image): `url` is text or None, not a bytes",
        ),
        (
            turn("user", (loose(Image, 5, b"abc"),)),
            "here: message 1 (user), part 0 (image): `media_type` is text, not a int",
        ),
        (
            turn("assistant", (loose(Thinking, "a", 5),)),
            "here: message 1 (assistant), part 0 (thinking): `signature` is text or None, not a int",
        ),
        (
            turn("assistant", (loose(RedactedThinking, None),)),
            "here: message 1 (assistant), part 0 (redacted_thinking): `data` is text, not a NoneType",
        ),
        (
            turn("assistant", (loose(Refusal, []),)),
            "here: message 1 (assistant), part 0 (refusal): `text` is text, not a list",
        ),
        (
            turn("assistant", (loose(ToolCall, 0, "a", "f", "{}"),)),
            "here: message 1 (assistant), part 0 (tool_call): `arguments` is a mapping, not a str",
        ),
        (
            turn("tool", (loose(ToolResult, "a", "f", 5),)),
            "here: message 1 (tool), part 0 (tool_result): `content` is text, not a int",
        ),
        (turn("user", (5,)), "here: message 1 (user) cannot hold a part of kind 'int'"),
    ],
)
def test_a_conversation_of_wrong_types_is_named(provider: Provider, context: Any, message: str) -> None:
    """The message says the provider, the place, what belongs there and what was there."""
    with pytest.raises(ConfigError) as caught:
        provider.request(context, PLAIN)
    assert str(caught.value) == message


@pytest.mark.parametrize("provider", [*PROVIDERS, *IN_PATHS])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (None, "here: the options are an Options, not a NoneType"),
        (loose(Options, 5), "here: the options: `model` is text, not a int"),
        (Options("m\ud800"), "here: the model's name has a lone surrogate"),
        (
            loose(Options, "m", max_tokens="5"),
            "here: the options: `max_tokens` is a whole number or None, not a str",
        ),
        (
            loose(Options, "m", temperature="hot"),
            "here: the options: `temperature` is a number or None, not a str",
        ),
        (loose(Options, "m", stop="END"), "here: the options: `stop` is a tuple or a list, not a str"),
        (Options("m", max_tokens=0), "here: max_tokens must be at least 1, not 0"),
        (Options("m", top_p=float("nan")), "here: top_p must be a finite number, not nan"),
        (Options("m", stop=("END", "")), "here: stop 1 is not a text that could come"),
        (loose(Options, "m", stop=(5,)), "here: stop 0 is not a text that could come"),
        (
            loose(Options, "m", tool_choice=["f"]),
            "here: the options: `tool_choice` is text or None, not a list",
        ),
        (
            loose(Options, "m", extra_headers=["f"]),
            "here: the options: `extra_headers` is a mapping, not a list",
        ),
        (
            loose(Options, "m", extra_body=None),
            "here: the options: `extra_body` is a mapping, not a NoneType",
        ),
        (
            loose(Options, "m", extra_body={"a": 1, 1: 2}),
            "here: extra_body: the name of field 1 is a int, not text",
        ),
    ],
)
def test_options_of_wrong_types_are_named(provider: Provider, options: Any, message: str) -> None:
    """So are options, whether or not the model's name stands in the path."""
    with pytest.raises(ConfigError) as caught:
        provider.request(ASK, options)
    assert str(caught.value) == message


@each_provider
def test_lists_and_secrets_do(provider: Provider) -> None:
    """What holds the right things in order is taken as it is, and a header's value may be wrapped."""
    context = loose(Context, [Message.user("hi"), loose(Message, "assistant", [Text("a")])])
    options = loose(Options, "m", stop=["END"], extra_headers={"x-a": Secret("b")})
    assert isinstance(provider.request(context, options), HTTPRequest)


_JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3) | st.floats()
_JUNK |= st.lists(_JUNK, max_size=2) | st.dictionaries(st.integers() | st.text(max_size=2), _JUNK, max_size=2)
_PARTS = st.one_of(
    *(
        st.builds(
            lambda kind, fields: loose(kind, *fields), st.just(kind), st.lists(_JUNK, min_size=n, max_size=n)
        )
        for kind, n in ((Text, 1), (Refusal, 1), (Thinking, 2), (RedactedThinking, 1), (ToolCall, 4))
    ),
    st.builds(lambda fields: loose(ToolResult, *fields), st.lists(_JUNK, min_size=4, max_size=4)),
    st.builds(lambda fields: loose(Image, *fields), st.lists(_JUNK, max_size=3)),
    _JUNK,
)
_ROLES = st.sampled_from(["system", "user", "assistant", "tool"]) | _JUNK


@each_provider
@given(
    role=_ROLES, content=st.lists(_PARTS, max_size=3).map(tuple) | _JUNK, options=st.lists(_JUNK, max_size=8)
)
def test_nothing_but_a_config_error(provider: Provider, role: Any, content: Any, options: list[Any]) -> None:
    """Whatever is put where, a request is made or a `ConfigError` raised."""
    for chosen in (PLAIN, loose(Options, *options) if options else PLAIN):
        try:
            request = provider.request(turn(role, content), chosen)
        except ConfigError:
            continue
        assert isinstance(request, HTTPRequest)
