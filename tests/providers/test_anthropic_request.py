"""A conversation written down for messages."""

from typing import Any

import msgspec
import pytest

from streamd.providers import (
    FORMATS,
    Bearer,
    ConfigError,
    Context,
    Decoder,
    HTTPRequest,
    Image,
    Media,
    Message,
    Options,
    Provider,
    RedactedThinking,
    Secret,
    Service,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.services import anthropic

SERVER = anthropic("there", "https://x.test", Secret("zz-key"))
ASK = Context((Message.user("hi"),))
PLAIN = Options("m")


def body(context: Context, options: Options = PLAIN) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(SERVER.request(context, options).body)


def turns(*messages: Message) -> list[dict[str, Any]]:
    """The messages as they are sent."""
    return body(Context(messages))["messages"]


def sent(request: HTTPRequest) -> dict[str, str]:
    """The headers as they are sent."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers}


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, thinking unchanged and in its place."""
    assert msgspec.json.decode(SERVER.request(RICH, EVERYTHING).body) == {
        "model": "m-1",
        "max_tokens": 100,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which towns are these?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"},
                    },
                    {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Two towns. ", "signature": "c2lnbmVk"},
                    {"type": "redacted_thinking", "data": "b3BhcXVl"},
                    {"type": "text", "text": "I will "},
                    {"type": "text", "text": "look."},
                    {"type": "thinking", "thinking": "Both at once.", "signature": "YWdhaW4="},
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "weather",
                        "input": {"town": "Ulm", "days": 2},
                    },
                    {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "rain, 8 °C"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_2",
                        "content": "the clock is broken",
                        "is_error": True,
                    },
                    {"type": "text", "text": "Thank you. And tomorrow?"},
                ],
            },
        ],
        "stream": True,
        "system": "Be brief.",
        "tools": [
            {
                "name": "weather",
                "description": "The weather of a town.",
                "input_schema": TOOLS[0].input_schema,
            },
            {"name": "now", "input_schema": TOOLS[1].input_schema},
        ],
        "tool_choice": {"type": "any"},
        "temperature": 0.25,
        "top_p": 0.9,
        "stop_sequences": ["END", "STOP"],
        "seed": 7,
    }


def test_the_request_around_it() -> None:
    """The method, the URL and the headers; the key is sent, and not shown."""
    request = SERVER.request(RICH, EVERYTHING)
    assert (request.method, request.url) == ("POST", "https://x.test/v1/messages")
    assert sent(request) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "anthropic-version": "2023-06-01",
        "x-api-key": "zz-key",
        "x-extra": "1",
    }
    assert "zz-key" not in repr(request) + str(request) + repr(SERVER)


def test_a_token_is_a_bearers() -> None:
    """A token of a gateway or a login goes into another header; without a key neither is there."""
    request = Service(
        "here", FORMATS["anthropic-messages"], "https://x.test", Bearer(Secret("zz-key"))
    ).request(ASK, Options("m"))
    assert sent(request)["authorization"] == "Bearer zz-key"
    assert "x-api-key" not in sent(request)
    assert "zz-key" not in repr(request)
    assert not {"authorization", "x-api-key"} & sent(anthropic().request(ASK, Options("m"))).keys()


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    """Without options there is the bound on the output that the wire requires, and nothing more."""
    assert body(ASK) == {
        "model": "m",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
    }


def test_the_callers_headers_win() -> None:
    """A version or a beta is the caller's to choose."""
    options = Options("m", extra_headers={"Anthropic-Version": "2099-01-01", "anthropic-beta": "b"})
    headers = sent(SERVER.request(ASK, options))
    assert headers["anthropic-version"] == "2099-01-01"
    assert headers["anthropic-beta"] == "b"


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("now", {"type": "tool", "name": "now"}),
    ],
)
def test_tool_choice(choice: str, word: object) -> None:
    """The choice is one of three kinds, or a tool."""
    assert body(RICH, Options("m", tool_choice=choice))["tool_choice"] == word
    assert "tool_choice" not in body(RICH)


def test_system_messages_move_to_the_top() -> None:
    """This wire has one place for them; blank ones are left out."""
    context = Context(
        (Message.system("b"), Message.user("a"), Message.system(" "), Message.system("c")), system="d"
    )
    assert body(context)["system"] == "d\n\nb\n\nc"
    assert [turn["role"] for turn in body(context)["messages"]] == ["user"]
    assert "system" not in body(Context((Message.user("a"),), system=""))


def test_neighbours_of_one_role_become_one_message() -> None:
    """Roles alternate, whatever was between two messages of one."""
    written = turns(
        Message.user("a"),
        Message("assistant", (Text(" \n"),)),
        Message.system("s"),
        Message.user("b"),
        Message.assistant("c"),
        Message.assistant("d"),
        Message("tool", (ToolResult("1", "now", ""), ToolResult("2", "now", "x\ud800"))),
        Message.user("e"),
    )
    assert [turn["role"] for turn in written] == ["user", "assistant", "user"]
    assert [block["text"] for block in written[0]["content"]] == ["a", "b"]
    assert [block["text"] for block in written[1]["content"]] == ["c", "d"]
    assert written[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "1"},
        {"type": "tool_result", "tool_use_id": "2", "content": "x?"},
        {"type": "text", "text": "e"},
    ]


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        ((Thinking("a"), Text("b")), ["text"]),
        ((Thinking("a", ""), Text("b")), ["text"]),
        ((Thinking("", "s"), Text("b")), ["thinking", "text"]),
        ((Text("b"), Thinking("a", "s")), ["text"]),
        ((Text("b"), RedactedThinking("a"), Thinking("a", "s"), Text(" ")), ["text"]),
        ((Thinking("a", "s"), Text("\n"), ToolCall(0, "c", "now", {})), ["thinking", "tool_use"]),
    ],
)
def test_thinking_goes_back_where_it_is_taken(parts: tuple[Any, ...], kinds: list[str]) -> None:
    """Unsigned thinking is left out, as is thinking that nothing follows; both would be refused."""
    written = turns(Message.user("a"), Message("assistant", parts))
    assert [block["type"] for block in written[1]["content"]] == kinds


def test_a_turn_with_nothing_left_is_left_out() -> None:
    """A turn that was cut off in its thinking is not sent."""
    assert len(turns(Message.user("a"), Message("assistant", (Thinking("a", "s"),)))) == 1


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (Context(()), "there: the prompt is empty: there is no message to answer"),
        (Context((Message.user(""),)), "there: message 0 (user) is empty"),
        (
            Context((Message.user("a"), Message("assistant", (Media("image/png", b"a"),)))),
            "there: message 1 (assistant) cannot hold a part of kind 'media'",
        ),
        (
            Context((Message.user(Image(url="data:image/png;base64,AAAA")),)),
            "there: an image's URL is fetched by the provider, so it is an http one; give `data`",
        ),
        (
            Context(
                (Message("assistant", (ToolCall(0, "c", "now", {"a": {1, object()}}),)), Message.user("a"))
            ),
            "there: the request cannot be written as JSON: Encoding objects of type object is unsupported",
        ),
    ],
)
def test_what_cannot_be_sent_is_named(context: Context, message: str) -> None:
    """Before anything is sent the provider and the reason are named."""
    with pytest.raises(ConfigError) as caught:
        body(context)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        ("https://x.test/v1", None, "https://x.test/v1/messages"),
        ("https://x.test/anthropic", None, "https://x.test/anthropic/v1/messages"),
        ("https://x.test", "/m/{model}", "https://x.test/m/a%40b"),
    ],
)
def test_where_it_goes(base_url: str, path: str | None, url: str) -> None:
    """The base URL has `/v1` or not, as the provider's own library takes both."""
    assert anthropic(base_url=base_url, path=path).request(ASK, Options("a@b")).url == url


def test_it_is_a_provider_with_a_decoder() -> None:
    """It fills the interface, and each response gets a decoder of its own."""
    server: Provider = SERVER
    assert isinstance(server, Provider)
    decoders: list[Decoder] = [server.decoder(), server.decoder()]
    assert decoders[0] is not decoders[1]
    assert not decoders[0].done
