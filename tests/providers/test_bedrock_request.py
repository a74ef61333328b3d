"""A conversation written down for Amazon Bedrock: for Converse, and in the words of Anthropic's and Nova's models."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings

from streamd.providers import (
    FORMATS,
    CachePoint,
    ConfigError,
    Context,
    ConverseQuirks,
    File,
    Image,
    InvokeQuirks,
    Message,
    Options,
    OutputSpec,
    RedactedThinking,
    Refusal,
    Secret,
    ServerToolCall,
    ServerToolResult,
    Service,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    fold,
)
from streamd.providers._bedrock_converse_request import converse_body
from streamd.providers._bedrock_invoke_request import invoke_body
from tests.providers.test_request_properties import CONTEXTS
from tests.support.bedrock import event
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.decoding import decode

ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OUTPUT = OutputSpec("answer", SCHEMA)
S3_RICH = msgspec.structs.replace(
    RICH,
    messages=(
        Message.user(
            "Which towns are these?",
            Image("image/jpeg", b"\xff\xd8\xff"),
            Image(url="s3://b/a.png"),
            File(data=b"%PDF", name="towns.pdf"),
        ),
        *RICH.messages[1:],
    ),
)


def body(context: Context, options: Options = PLAIN, quirks: ConverseQuirks | None = None) -> dict[str, Any]:
    """The body for Converse, decoded."""
    return msgspec.json.decode(converse_body("here", context, options, quirks or ConverseQuirks()))


def invoked(context: Context, options: Options, quirks: InvokeQuirks | None = None) -> dict[str, Any]:
    """The body for InvokeModel, decoded."""
    return msgspec.json.decode(invoke_body("here", context, options, quirks or InvokeQuirks()))


def blocks_of(*parts: Any, role: Any = "assistant") -> list[dict[str, Any]]:
    """The blocks of a message, as they are sent."""
    messages = body(Context((Message.user("hi"), Message(role, parts), Message.user("go"))))["messages"]
    return messages[1]["content"] if len(messages) == 3 else messages[0]["content"][1:-1]


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, in order."""
    options = msgspec.structs.replace(
        EVERYTHING,
        cache="1h",
        extra_body={"additionalModelRequestFields": {"top_k": 5}, "inferenceConfig": {"temperature": 0.25}},
    )
    assert body(msgspec.structs.replace(S3_RICH, server_tools=({"systemTool": {"name": "g"}},)), options) == {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "Which towns are these?"},
                    {"image": {"format": "jpeg", "source": {"bytes": "/9j/"}}},
                    {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/a.png"}}}},
                    {"document": {"format": "pdf", "source": {"bytes": "JVBERg=="}, "name": "towns pdf"}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Two towns. ", "signature": "c2lnbmVk"}}},
                    {"reasoningContent": {"redactedContent": "b3BhcXVl"}},
                    {"text": "I will "},
                    {"text": "look."},
                    {
                        "reasoningContent": {
                            "reasoningText": {"text": "Both at once.", "signature": "YWdhaW4="}
                        }
                    },
                    {
                        "toolUse": {
                            "toolUseId": "call_1",
                            "name": "weather",
                            "input": {"town": "Ulm", "days": 2},
                        }
                    },
                    {"toolUse": {"toolUseId": "call_2", "name": "now", "input": {}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "rain, 8 °C"}]}},
                    {
                        "toolResult": {
                            "toolUseId": "call_2",
                            "content": [{"text": "the clock is broken"}],
                            "status": "error",
                        }
                    },
                    {"text": "Thank you. And tomorrow?"},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                ],
            },
        ],
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "inferenceConfig": {
            "maxTokens": 100,
            "temperature": 0.25,
            "topP": 0.9,
            "stopSequences": ["END", "STOP"],
        },
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "weather",
                        "description": "The weather of a town.",
                        "inputSchema": {"json": TOOLS[0].input_schema},
                    }
                },
                {"toolSpec": {"name": "now", "inputSchema": {"json": TOOLS[1].input_schema}}},
                {"systemTool": {"name": "g"}},
            ],
            "toolChoice": {"any": {}},
        },
        "additionalModelRequestFields": {"top_k": 5},
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    """Without options the body is the conversation."""
    assert body(ASK) == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def test_what_was_decoded_can_be_sent_back() -> None:
    """Reasoning with its signature, encrypted blocks, calls and the provider's own tools, in their places."""
    use = {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}
    result = {"toolUseId": "s", "type": "nova_grounding_result", "status": "success"}
    starts: list[dict[str, Any] | None] = [
        None,
        None,
        {"toolUse": use},
        {"toolResult": result},
        None,
        {"toolUse": {"toolUseId": "t", "name": "f"}},
    ]
    deltas: list[list[dict[str, Any]]] = [
        [{"reasoningContent": {"text": "Hm."}}, {"reasoningContent": {"signature": "c2ln+/="}}],
        [{"reasoningContent": {"redactedContent": "b3BhcXVl"}}],
        [{"toolUse": {"input": '{"query":"x"}'}}],
        [{"toolResult": [{"text": "found"}]}],
        [{"text": "Look"}, {"text": ": "}],
        [{"toolUse": {"input": '{"x":1}'}}],
    ]
    stream = event("messageStart", role="assistant")
    for index, (start, pieces) in enumerate(zip(starts, deltas, strict=True)):
        if start is not None:
            stream += event("contentBlockStart", contentBlockIndex=index, start=start)
        for piece in pieces:
            stream += event("contentBlockDelta", contentBlockIndex=index, delta=piece)
        stream += event("contentBlockStop", contentBlockIndex=index)
    chunks, error = decode("bedrock-converse", stream + event("messageStop", stopReason="tool_use"))
    assert error is None
    turn = fold(chunks)
    assert blocks_of(*turn.content) == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln+/="}}},
        {"reasoningContent": {"redactedContent": "b3BhcXVl"}},
        {"toolUse": {**use, "input": {"query": "x"}}},
        {"toolResult": {**result, "content": [{"text": "found"}]}},
        {"text": "Look: "},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"x": 1}}},
    ]


def test_what_would_be_refused_is_left_out() -> None:
    """Reasoning without proof or at a turn's end, blank texts, another provider's tools, a turn with nothing left."""
    kept = blocks_of(
        Thinking("cut"),
        Text(" "),
        ServerToolCall("s", "web", {}, "anthropic-messages", {"type": "x"}),
        ServerToolResult("s", "web", [], "anthropic-messages", {"type": "y"}),
        Refusal("No."),
        Thinking("end", "s"),
        RedactedThinking("e"),
    )
    assert kept == [{"text": "No."}]
    nothing = Context((Message.user("a"), Message("assistant", (Thinking("x", "s"),)), Message.user("b")))
    assert body(nothing)["messages"] == [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]


def test_results_and_ids_as_the_api_takes_them() -> None:
    """Half a surrogate pair becomes a question mark, no text is no block, an id has its own characters."""
    call = ToolCall(0, "functions.f:0/é" + "x" * 80, "f", {})
    results = ToolResult(call.id, "f", "\udc80"), ToolResult("", "f", " ")
    context = Context((Message.user("hi"), Message("assistant", (call,)), Message.tool(*results)))
    _, used, told = body(context)["messages"]
    (use,) = used["content"]
    first, second = told["content"]
    id_ = use["toolUse"]["toolUseId"]
    assert id_ == first["toolResult"]["toolUseId"]
    assert id_.startswith("functions.f:0__x")
    assert len(id_) == 64
    assert first["toolResult"]["content"] == [{"text": "?"}]
    assert second["toolResult"] == {"toolUseId": "call", "content": []}


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Image("image/webp", b"a"), {"image": {"format": "webp", "source": {"bytes": "YQ=="}}}),
        (Image(url="data:image/gif;base64,YQ=="), {"image": {"format": "gif", "source": {"bytes": "YQ=="}}}),
        (File("video/mp4", b"a"), {"video": {"format": "mp4", "source": {"bytes": "YQ=="}}}),
        (
            File("video/3gpp", url="s3://b/v"),
            {"video": {"format": "three_gp", "source": {"s3Location": {"uri": "s3://b/v"}}}},
        ),
        (File("audio/mpeg", b"a"), {"audio": {"format": "mp3", "source": {"bytes": "YQ=="}}}),
        (
            File("text/plain; charset=utf-8", b"a"),
            {"document": {"format": "txt", "source": {"bytes": "YQ=="}, "name": "document"}},
        ),
        (
            File("text/csv", b"a", name="  A_b.c  (1) é"),
            {"document": {"format": "csv", "source": {"bytes": "YQ=="}, "name": "A b c (1)"}},
        ),
    ],
)
def test_media(part: Image | File, block: dict[str, Any]) -> None:
    """Each kind has its block and its formats."""
    assert blocks_of(part, role="user") == [block]


def test_documents_of_one_name_are_told_apart() -> None:
    """The API takes no two of the same."""
    files = [File("text/csv", b"a", name="a"), File("text/csv", b"b", name="a"), File("text/csv", b"c")]
    names = [block["document"]["name"] for block in blocks_of(*files, role="user")]
    assert names == ["a", "a (2)", "document"]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Image(url="https://x.test/a.png"), "the URL of this image is not one of S3"),
        (Image("image/tiff", b"a"), "an image is one of image/png"),
        (File("application/zip", b"a"), "a file is one of application/pdf"),
        (File(url="https://x.test/a.pdf"), "the URL of this file is not one of S3"),
        (File(file_id="f-1"), "keeps no files"),
    ],
)
def test_media_that_the_api_cannot_take(part: Image | File, why: str) -> None:
    """They are refused before anything is sent, with the provider's name."""
    with pytest.raises(ConfigError, match=r"^here: ") as caught:
        blocks_of(part, role="user")
    assert why in str(caught.value)


def test_log_probabilities_are_refused() -> None:
    """The API has none."""
    with pytest.raises(ConfigError, match=r"^here: this API has no log probabilities$"):
        body(ASK, Options("m", logprobs=1))


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (None, None),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ("now", {"tool": {"name": "now"}}),
    ],
)
def test_tool_choices(choice: str | None, told: dict[str, Any] | None) -> None:
    """Each in the wire's own words, and only where one is made."""
    config = body(Context(ASK.messages, None, TOOLS), Options("m", tool_choice=choice))["toolConfig"]
    assert config.get("toolChoice") == told


def test_no_tool() -> None:
    """There are no words for it: none are offered, unless calls have been made, which need their tools."""
    options = Options("m", tool_choice="none")
    assert "toolConfig" not in body(Context(ASK.messages, None, TOOLS), options)
    config = body(RICH_WITHOUT_IMAGES, options)["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["weather", "now"]
    assert "toolChoice" not in config


RICH_WITHOUT_IMAGES = msgspec.structs.replace(RICH, messages=(Message.user("hi"), *RICH.messages[1:]))


def test_calls_without_their_tools() -> None:
    """Tools that were called are named where none are offered, as the API wants some."""
    tools = body(msgspec.structs.replace(RICH_WITHOUT_IMAGES, tools=()))["toolConfig"]["tools"]
    anything: dict[str, Any] = {"json": {"type": "object", "properties": {}}}
    assert tools == [{"toolSpec": {"name": name, "inputSchema": anything}} for name in ("weather", "now")]


@pytest.mark.parametrize(
    ("model", "quirks", "as_tool"),
    [
        (CLAUDE, None, False),
        ("openai.gpt-oss-120b-1:0", None, False),
        (NOVA, None, True),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", None, True),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", None, True),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", None, True),
        (CLAUDE, ConverseQuirks(output="tool"), True),
        (NOVA, ConverseQuirks(output="json_schema"), False),
    ],
)
def test_an_output(model: str, quirks: ConverseQuirks | None, as_tool: bool) -> None:
    """By a schema where the model is held to one, else as the call of a tool that is forced on it."""
    sent = body(ASK, Options(model, output=OUTPUT), quirks)
    if as_tool:
        (tool,) = sent["toolConfig"]["tools"]
        assert (tool["toolSpec"]["name"], tool["toolSpec"]["inputSchema"]) == ("answer", {"json": SCHEMA})
        assert sent["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}
        return
    told = sent["outputConfig"]["textFormat"]
    text = told["structure"]["jsonSchema"].pop("schema")
    assert told == {"type": "json_schema", "structure": {"jsonSchema": {"name": "answer"}}}
    assert msgspec.json.decode(text) == {**SCHEMA, "additionalProperties": False}


def test_an_output_of_a_model_that_thinks() -> None:
    """No tool may be forced on it; nor is a schema that cannot be expressed sent as one."""
    thinking = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}}
    free = OutputSpec("answer", {"type": "object"})
    sent = body(ASK, Options(CLAUDE, output=free, extra_body=thinking))
    assert sent["toolConfig"]["toolChoice"] == {"auto": {}}
    assert "outputConfig" not in sent


def test_cache_points() -> None:
    """They stand where they were put, none twice or before anything; of more than four the first are left out."""
    point = {"cachePoint": {"type": "default"}}
    context = Context(
        (
            Message("system", (CachePoint(), Text("Be kind."), CachePoint("1h"), CachePoint())),
            Message.user(CachePoint(), "a", CachePoint()),
            Message.assistant("b"),
            Message.user(CachePoint(), "c"),
        )
    )
    sent = body(context)
    assert sent["system"] == [{"text": "Be kind."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert [turn["content"] for turn in sent["messages"]] == [
        [{"text": "a"}, point],
        [{"text": "b"}, point],
        [{"text": "c"}],
    ]
    many = Context(
        (Message.system("s"), Message.user(*(part for n in range(6) for part in (str(n), CachePoint()))))
    )
    sent = body(many, Options("m", cache="5m"))
    assert sent["system"] == [{"text": "s"}]
    assert [point in (block,) for block in sent["messages"][0]["content"]].count(True) == 4
    assert sent["messages"][0]["content"][-2:] == [{"text": "5"}, point]


@settings(deadline=None, max_examples=200)
@given(context=CONTEXTS)
def test_messages_have_the_shape_the_wire_takes(context: Context) -> None:
    """Roles alternate, nothing is empty, reasoning is signed and followed by something, and all calls are kept."""
    assume(not any(isinstance(part, Image) and part.url for m in context.messages for part in m.content))
    turns = body(context)["messages"]
    assert all(before["role"] != after["role"] for before, after in pairwise(turns))
    blocks = [block for turn in turns for block in turn["content"]]
    assert all(turn["content"] for turn in turns)
    assert all(len(block) == 1 for block in blocks)
    assert all(block["text"].strip() for block in blocks if "text" in block)
    assert not any("reasoningContent" in turn["content"][-1] for turn in turns)
    calls = [call for message in context.messages for call in message.tool_calls]
    assert [block["toolUse"]["input"] for block in blocks if "toolUse" in block] == [
        call.arguments for call in calls
    ]


def test_where_converse_is_asked() -> None:
    """An ARN is one segment of the path."""
    arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude"
    service = Service(
        "bedrock", FORMATS["bedrock-converse"], "https://bedrock-runtime.eu-west-1.amazonaws.com"
    )
    request = service.request(ASK, Options(arn))
    assert request.url == (
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/"
        "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.anthropic.claude/converse-stream"
    )
    assert dict(request.headers)["accept"] == "application/vnd.amazon.eventstream"


def test_anthropics_models_in_their_own_words() -> None:
    """The version is in the body, the model and that the answer streams are in the path."""
    sent = invoked(ASK, Options(CLAUDE, max_tokens=5, output=OUTPUT))
    assert sent == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "output_config": {
            "format": {"type": "json_schema", "schema": {**SCHEMA, "additionalProperties": False}}
        },
    }
    service = Service("b", FORMATS["bedrock-invoke"], "https://x.test")
    path = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream"
    assert service.request(ASK, Options(CLAUDE)).url == f"https://x.test{path}"


def test_novas_models_in_their_own_words() -> None:
    """They are Converse's, with the name of their schema; an output is a tool's call, and there are no documents."""
    sent = invoked(ASK, Options(NOVA, max_tokens=5, output=OUTPUT))
    assert sent["schemaVersion"] == "messages-v1"
    assert sent["inferenceConfig"] == {"maxTokens": 5}
    assert sent["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}
    video = Context((Message.user("hi", File("video/mp4", b"a")),))
    assert "video" in invoked(video, Options(NOVA))["messages"][0]["content"][1]
    with pytest.raises(ConfigError, match="use the provider 'bedrock'"):
        invoked(Context((Message.user("hi", File(data=b"a")),)), Options(NOVA))


@pytest.mark.parametrize(
    "part", [Image(url="https://x.test/a.png"), File(url="https://x.test/a.pdf"), File(file_id="f-1")]
)
def test_anthropics_models_fetch_nothing_on_bedrock(part: Image | File) -> None:
    """An image or a file is given as its data; that is said before anything is sent."""
    with pytest.raises(
        ConfigError, match=r"^here: Anthropic's models take an image or a file as `data` only"
    ):
        invoked(Context((Message.user("hi", part),)), Options(CLAUDE))
    sent = invoked(Context((Message.user("hi", Image("image/png", b"a")),)), Options(CLAUDE))
    assert sent["messages"][0]["content"][1]["source"]["data"] == "YQ=="


@pytest.mark.parametrize("wire", ["bedrock-converse", "bedrock-invoke"])
@pytest.mark.parametrize(("context", "options"), [(None, PLAIN), (ASK, 5), (ASK, None)])
def test_what_is_no_conversation(wire: str, context: Any, options: Any) -> None:
    """It is refused by name, as on every wire."""
    with pytest.raises(ConfigError, match=r"^here: "):
        Service("here", FORMATS[wire], "https://x.test").request(context, options)


def test_whose_words_a_model_takes() -> None:
    """What its name does not tell may be said; what is not known is refused."""
    profile = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc123"
    assert "anthropic_version" in invoked(ASK, Options(profile))
    assert "schemaVersion" in invoked(ASK, Options(profile, tool_choice=None), InvokeQuirks(model="nova"))
    with pytest.raises(ConfigError, match=r"it is not known how the model 'meta\.llama3-8b' is asked"):
        invoked(ASK, Options("meta.llama3-8b"))


def test_a_tool_of_each_kind_of_description() -> None:
    """An empty one is not sent, as the API takes none."""
    tools = (ToolSpec("f", "does", {"type": "object"}), ToolSpec("g", "", {"type": "object"}))
    sent = body(Context(ASK.messages, None, tools))["toolConfig"]["tools"]
    assert ["description" in tool["toolSpec"] for tool in sent] == [True, False]


@pytest.mark.parametrize(
    ("status", "headers", "answer", "kind", "code", "text"),
    [
        (
            429,
            {"x-amzn-errortype": "ThrottlingException:http://internal.test/"},
            b'{"message":"Too many requests"}',
            "RateLimitError",
            "ThrottlingException",
            "Too many requests",
        ),
        (
            400,
            {},
            b'{"__type":"com.test#ValidationException","Message":"no such field"}',
            "BadRequestError",
            "ValidationException",
            "no such field",
        ),
        (424, {"x-amzn-errortype": "ModelErrorException"}, b"{}", "ServerError", "ModelErrorException", ""),
        (400, {"x-amzn-errortype": "ServiceQuotaExceededException"}, b"", "QuotaError", None, ""),
        (403, {}, b'{"message":"key zz-canary-0123 is bad"}', "AuthenticationError", None, "key *** is bad"),
        (500, {}, b"<html>oops</html>", "ServerError", None, "oops"),
    ],
)
def test_refusals(
    status: int, headers: dict[str, str], answer: bytes, kind: str, code: str | None, text: str
) -> None:
    """The kind stands in a field of the head or in the body, and no key is repeated."""
    error = FORMATS["bedrock-converse"].error(
        status, {**headers, "x-amzn-requestid": "r-1"}, answer, [Secret("zz-canary-0123")]
    )
    assert (type(error).__name__, error.request_id, error.status_code) == (kind, "r-1", status)
    assert code is None or error.code == code
    assert text in error.message
