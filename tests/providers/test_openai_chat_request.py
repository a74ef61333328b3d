"""A conversation written down for chat completions."""

from typing import Any

import msgspec
import pytest

from streamd.providers import (
    ChatQuirks,
    Citation,
    ConfigError,
    Context,
    Decoder,
    HTTPRequest,
    Image,
    Media,
    Message,
    Options,
    Provider,
    Refusal,
    Secret,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.services import openai_chat

SERVER = openai_chat("here", "https://x.test/v1", Secret("zz-key"))
ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
NO_QUIRKS = ChatQuirks()


def body(context: Context, options: Options = PLAIN, quirks: ChatQuirks = NO_QUIRKS) -> dict[str, Any]:
    """The body of a request, decoded."""
    provider = openai_chat("here", "https://x.test/v1", quirks=quirks)
    return msgspec.json.decode(provider.request(context, options).body)


def sent(request: HTTPRequest) -> dict[str, str]:
    """The headers as they are sent."""
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in request.headers}


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, in order."""
    request = SERVER.request(RICH, EVERYTHING)
    assert msgspec.json.decode(request.body) == {
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which towns are these?"},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I will look.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"town":"Ulm","days":2}'},
                    },
                    {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "rain, 8 °C"},
            {"role": "tool", "tool_call_id": "call_2", "content": "the clock is broken"},
            {"role": "user", "content": "Thank you. And tomorrow?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather of a town.",
                    "parameters": TOOLS[0].input_schema,
                },
            },
            {"type": "function", "function": {"name": "now", "parameters": TOOLS[1].input_schema}},
        ],
        "tool_choice": "required",
        "max_tokens": 100,
        "temperature": 0.25,
        "top_p": 0.9,
        "stop": ["END", "STOP"],
        "seed": 7,
    }


def test_the_request_around_it() -> None:
    """The method, the URL and the headers; the key is sent, and not shown."""
    request = SERVER.request(RICH, EVERYTHING)
    assert (request.method, request.url) == ("POST", "https://x.test/v1/chat/completions")
    assert sent(request) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "authorization": "Bearer zz-key",
        "x-extra": "1",
    }
    assert "zz-key" not in repr(request) + str(request) + repr(SERVER)


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    """Without options the body is the model, the messages and the wish to stream; without a key there is no header."""
    assert body(ASK) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "authorization" not in sent(openai_chat("here", "https://x.test").request(ASK, Options("m")))


def test_zero_is_a_value() -> None:
    """A temperature of 0 is sent."""
    assert body(ASK, Options("m", temperature=0.0, top_p=0.0))["temperature"] == 0.0


def test_a_servers_own_ways() -> None:
    """The table's quirks name the field of `max_tokens`, leave out `stream_options`, and send reasoning back."""
    quirks = ChatQuirks("max_completion_tokens", stream_options=False, thinking="reasoning_content")
    written = body(RICH, EVERYTHING, quirks)
    assert written["max_completion_tokens"] == 100
    assert not {"max_tokens", "stream_options"} & written.keys()
    assert written["messages"][2]["reasoning_content"] == "Two towns. Both at once."
    assert (
        "reasoning_content"
        not in body(Context((Message.user("a"), Message.assistant("b"))), quirks=quirks)["messages"][1]
    )


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("now", {"type": "function", "function": {"name": "now"}}),
    ],
)
def test_tool_choice(choice: str, word: object) -> None:
    """The choice is one of three words, or a tool."""
    assert body(RICH, Options("m", tool_choice=choice))["tool_choice"] == word


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_tool_choice_without_tools_is_left_out(choice: str) -> None:
    """Servers refuse a choice beside no tools, and these two ask for nothing."""
    assert "tool_choice" not in body(ASK, Options("m", tool_choice=choice))


def test_an_assistants_turn_without_text() -> None:
    """Beside tool calls the content is null; a turn of nothing but thinking is left out."""
    turns = (
        Message.user("a"),
        Message("assistant", (ToolCall(0, "c", "now", {}),)),
        Message("tool", (ToolResult("c", "now", ""),)),
        Message("assistant", (Thinking("…"),)),
        Message("assistant", ()),
    )
    written = body(Context(turns))["messages"]
    assert [turn["role"] for turn in written] == ["user", "assistant", "tool"]
    assert written[1]["content"] is None
    assert written[2]["content"] == ""


def test_system_messages_stay_in_their_place() -> None:
    """This wire takes a system message anywhere."""
    written = body(Context((Message.user("a"), Message.system("b"), Message.user("c")), system="d"))[
        "messages"
    ]
    assert [turn["content"] for turn in written] == ["d", "a", "b", "c"]


def test_blank_texts_beside_others_are_left_out() -> None:
    """A user's blank text says nothing, and some servers refuse it."""
    written = body(Context((Message.user(" ", Image(data=b"a"), "b"),)))["messages"][0]["content"]
    assert [block["type"] for block in written] == ["image_url", "text"]


def test_half_a_surrogate_pair_of_a_tool() -> None:
    """What a tool answered is sent as far as UTF-8 holds it."""
    turns = (Message.user("a"), Message("tool", (ToolResult("c", "now", "x\ud800y"),)))
    assert body(Context(turns))["messages"][1]["content"] == "x?y"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (Context(()), "here: the prompt is empty: there is no message to answer"),
        (Context((Message.system("a"),)), "here: the prompt is empty: there is no message to answer"),
        (Context((Message.assistant("a"),)), "here: the prompt is empty: there is no message to answer"),
        (Context((Message.user(),)), "here: message 0 (user) is empty"),
        (Context((Message.user("a"), Message.user("", " \n"))), "here: message 1 (user) is empty"),
        (Context((Message("tool", ()),)), "here: message 0 (tool) is empty"),
        (
            Context((Message("system", (Image(data=b"a"),)), Message.user("a"))),
            "here: message 0 (system) cannot hold a part of kind 'image'",
        ),
        (
            Context((Message("user", (Media("audio/wav", b"a"),)),)),
            "here: message 0 (user) cannot hold a part of kind 'media'",
        ),
        (
            Context((Message("user", (Citation(),)),)),
            "here: message 0 (user) cannot hold a part of kind 'citation'",
        ),
        (
            Context((Message.user("a"), Message("assistant", (Image(data=b"a"),)))),
            "here: message 1 (assistant) cannot hold a part of kind 'image'",
        ),
        (
            Context((Message("user", (ToolResult("c", "now", "x"),)),)),
            "here: message 0 (user) cannot hold a part of kind 'tool_result'",
        ),
        (
            Context((Message("tool", (Text("a"),)),)),
            "here: message 0 (tool) cannot hold a part of kind 'text'",
        ),
        (
            Context((Message("user", ("a",)),)),  # type: ignore[arg-type] # what an untyped caller may write
            "here: message 0 (user) cannot hold a part of kind 'str'",
        ),
        (
            Context((Message("robot", (Text("a"),)), Message.user("a"))),  # type: ignore[arg-type] # as above
            "here: message 0 (robot): no such role; the roles are system, user, assistant, tool",
        ),
        (
            Context((Message.user(Image()),)),
            "here: message 0 (user): an image is given as `data` or as a `url`, and one of the two",
        ),
        (
            Context((Message.user(Image(data=b"a", url="https://x.test")),)),
            "here: message 0 (user): an image is given as `data` or as a `url`, and one of the two",
        ),
        (
            Context((Message.user(Image("application/pdf", b"a")),)),
            "here: message 0 (user): 'application/pdf' is no media type of an image",
        ),
        (
            Context((Message.user("a\ud800"),)),
            "here: the request cannot be written as JSON: a text has a lone surrogate at position 1",
        ),
    ],
)
def test_what_cannot_be_sent_is_named(context: Context, message: str) -> None:
    """Before anything is sent the provider, the message and the kind of part are named."""
    with pytest.raises(ConfigError) as caught:
        body(context)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(""), "here: the model has no name"),
        (
            Options("m", tool_choice="whether"),
            "here: the tool choice 'whether' needs a tool (offered: weather, now); did you mean 'weather'?",
        ),
        (Options("m", tool_choice="zzz"), "here: the tool choice 'zzz' needs a tool (offered: weather, now)"),
        (
            Options("m", extra_body={"a": object()}),
            "here: the request cannot be written as JSON: Encoding objects of type object is unsupported",
        ),
        (
            Options("m", extra_headers={"a": "hush\n"}),
            "extra_headers: the header 'a' has an invalid character at position 4",
        ),
    ],
)
def test_options_that_cannot_be_sent_are_named(options: Options, message: str) -> None:
    """So are a tool that is not there, a value no JSON holds, and a header."""
    with pytest.raises(ConfigError) as caught:
        body(RICH, options)
    assert str(caught.value) == message


@pytest.mark.parametrize("choice", ["required", "now"])
def test_a_tool_that_must_be_called_is_offered(choice: str) -> None:
    """A call cannot be required of no tools."""
    with pytest.raises(ConfigError, match="offered: there are none"):
        body(ASK, Options("m", tool_choice=choice))


def test_arguments_too_deep_for_json() -> None:
    """Nesting that cannot be written is an error of this library's own."""
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(ConfigError, match="nested too deeply"):
        body(Context((Message.user("a"), Message("assistant", (ToolCall(0, "c", "now", deep),)))))


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        ("https://x.test", None, "https://x.test/v1/chat/completions"),
        ("https://x.test/", None, "https://x.test/v1/chat/completions"),
        ("https://x.test/v1", None, "https://x.test/v1/chat/completions"),
        ("https://x.test/api/paas/v4/", None, "https://x.test/api/paas/v4/chat/completions"),
        ("https://x.test/v1/chat/completions", None, "https://x.test/v1/chat/completions"),
        ("https://x.test", "/d/{model}/chat?v=1", "https://x.test/d/a%2Fb/chat?v=1"),
    ],
)
def test_where_it_goes(base_url: str, path: str | None, url: str) -> None:
    """A base URL with a path is complete; a bare host gets `/v1`; a path of the caller's own is taken as it is."""
    assert openai_chat("here", base_url, path=path).request(ASK, Options("a/b")).url == url


@pytest.mark.parametrize("base_url", ["x.test", "https://u:p@x.test"])
def test_a_bad_base_url_is_refused_at_once(base_url: str) -> None:
    """A provider that could send nothing is not made."""
    with pytest.raises(ConfigError, match="base URL"):
        openai_chat("here", base_url)


def test_it_is_a_provider_with_a_decoder() -> None:
    """It fills the interface, and each response gets a decoder of its own."""
    server: Provider = SERVER
    assert isinstance(server, Provider)
    decoders: list[Decoder] = [server.decoder(), server.decoder()]
    assert decoders[0] is not decoders[1]
    assert not decoders[0].done


def test_a_refusal_goes_back_as_one() -> None:
    """The model's words for not answering stand apart from its answer, as they came."""
    told = body(Context((Message.user("a"), Message("assistant", (Refusal("no"),)), Message.user("b"))))
    assert told["messages"][1] == {"role": "assistant", "content": None, "refusal": "no"}
