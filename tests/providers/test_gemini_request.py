"""A conversation written down for Gemini."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from streamd.providers import (
    CachePoint,
    ConfigError,
    Context,
    File,
    GeminiQuirks,
    Image,
    Media,
    Message,
    Options,
    OutputSpec,
    Part,
    RedactedThinking,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    fold,
)
from streamd.providers._gemini_request import gemini_body
from tests.providers.test_request_properties import CONTEXTS
from tests.support.conversations import EVERYTHING, RICH, TOOLS
from tests.support.decoding import decode, sse
from tests.support.gemini import candidate, one_part

ASK = Context((Message.user("hi"),))
PLAIN = Options("m")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OUTPUT = OutputSpec("answer", SCHEMA)


def body(context: Context, options: Options = PLAIN, quirks: GeminiQuirks | None = None) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(gemini_body("here", context, options, quirks or GeminiQuirks()))


def parts_of(*parts: Any, role: Any = "assistant") -> list[dict[str, Any]]:
    """The parts of a message, as they are sent."""
    contents = body(Context((Message.user("hi"), Message(role, parts), Message.user("go"))))["contents"]
    return contents[1]["parts"] if len(contents) == 3 else contents[0]["parts"][1:-1]


def test_a_whole_conversation() -> None:
    """Every kind of part and every option is written in the wire's own words, in order."""
    options = msgspec.structs.replace(
        EVERYTHING,
        logprobs=3,
        cache="1h",
        extra_body={"safetySettings": [], "generationConfig": {"seed": 7, "temperature": 0.25}},
    )
    context = msgspec.structs.replace(RICH, server_tools=({"google_search": {}},))
    assert body(context, options) == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Which towns are these?"},
                    {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/"}},
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://x.test/a.png"}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "Two towns. ", "thought": True, "thoughtSignature": "c2lnbmVk"},
                    {"text": "I will "},
                    {"text": "look."},
                    {"text": "Both at once.", "thought": True, "thoughtSignature": "YWdhaW4="},
                    {"functionCall": {"name": "weather", "args": {"town": "Ulm", "days": 2}, "id": "call_1"}},
                    {"functionCall": {"name": "now", "args": {}, "id": "call_2"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "name": "weather",
                            "response": {"output": "rain, 8 °C"},
                            "id": "call_1",
                        }
                    },
                    {
                        "functionResponse": {
                            "name": "now",
                            "response": {"error": "the clock is broken"},
                            "id": "call_2",
                        }
                    },
                ],
            },
            {"role": "user", "parts": [{"text": "Thank you. And tomorrow?"}]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "The weather of a town.",
                        "parametersJsonSchema": TOOLS[0].input_schema,
                    },
                    {"name": "now"},
                ]
            },
            {"google_search": {}},
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 100,
            "temperature": 0.25,
            "topP": 0.9,
            "stopSequences": ["END", "STOP"],
            "responseLogprobs": True,
            "logprobs": 3,
            "seed": 7,
        },
        "safetySettings": [],
    }


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    """Without options the body is the conversation."""
    assert body(ASK) == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_what_was_decoded_can_be_sent_back() -> None:
    """Signatures go back on what they came on, ids where Gemini gave them, its own tools as they came."""
    call = {"name": "f", "args": {"x": 1}}
    parts: list[dict[str, Any]] = [
        {"text": "Hm.", "thought": True, "thoughtSignature": "dGg="},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "Y29kZQ=="},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"text": "Look: "},
        {"inlineData": {"mimeType": "image/png", "data": "AAEC"}, "thoughtSignature": "aW1n"},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://x/y"}},
        {"functionCall": call, "thoughtSignature": "Y2E+bGw/"},
        {"functionCall": {**call, "id": "c1"}},
    ]
    chunks, error = decode("gemini", sse(*(one_part(**part) for part in parts), candidate(finish="STOP")))
    assert error is None
    turn = fold(chunks)
    results = Message.tool(*(ToolResult(made.id, made.name, "ok") for made in turn.tool_calls))
    contents = body(Context((Message.user("hi"), turn, results)))["contents"]
    assert contents[1] == {"role": "model", "parts": parts}
    assert contents[2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"output": "ok"}}},
        {"functionResponse": {"name": "f", "response": {"output": "ok"}, "id": "c1"}},
    ]


def test_a_signature_on_a_text() -> None:
    """It goes back in a part with an empty text behind it, as Gemini itself sends them at the end of a turn."""
    chunks, _ = decode(
        "gemini",
        sse(one_part(text="a", thoughtSignature="cw=="), one_part(text="b"), candidate(finish="STOP")),
    )
    turn = fold(chunks)
    sent = body(Context((Message.user("hi"), turn, Message.user("go"))))["contents"][1]["parts"]
    assert sent == [{"text": "a"}, {"text": "", "thoughtSignature": "cw=="}, {"text": "b"}]


def test_what_is_left_out() -> None:
    """Thoughts without a signature, what other providers keep to themselves, and what says nothing."""
    other = ServerToolCall("s", "web_search", {}, "anthropic-messages", {"type": "server_tool_use"})
    answer = ServerToolResult("s", "web_search", None, "openai-responses", {})
    silent = (
        Thinking("Hm."),
        RedactedThinking("r"),
        Text(""),
        CachePoint(),
        other,
        answer,
        Media("image/png"),
    )
    assert parts_of(*silent, Refusal("No.")) == [{"text": "No."}]
    assert body(Context((Message.user("hi"), Message("assistant", silent), Message.user("go")))) == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}, {"text": "go"}]}]
    }


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (
            Image(url="https://x.test/a.webp?b=c"),
            {"fileData": {"mimeType": "image/webp", "fileUri": "https://x.test/a.webp?b=c"}},
        ),
        (Image(url="data:image/gif;base64,AAEC"), {"inlineData": {"mimeType": "image/gif", "data": "AAEC"}}),
        (File(data=b"\0\1\2"), {"inlineData": {"mimeType": "application/pdf", "data": "AAEC"}}),
        (
            File("audio/mp3", data=b"\0\1\2", name="a"),
            {"inlineData": {"mimeType": "audio/mp3", "data": "AAEC"}},
        ),
        (File("video/mp4", url="gs://x/y"), {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://x/y"}}),
        (
            File(file_id="files/abc"),
            {
                "fileData": {
                    "mimeType": "application/pdf",
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
                }
            },
        ),
    ],
)
def test_images_and_files(part: Image | File, sent: dict[str, Any]) -> None:
    """As bytes, or as an address with the type that its name says."""
    assert parts_of(part, role="user") == [sent]


def test_system_messages_are_moved_to_the_top() -> None:
    """Behind the context's own instruction."""
    context = Context((Message.system("B."), Message.user("hi"), Message.system(" ")), system="A.")
    assert body(context) == {
        "systemInstruction": {"parts": [{"text": "A.\n\nB."}]},
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
    }


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("now", {"mode": "ANY", "allowedFunctionNames": ["now"]}),
    ],
)
def test_tool_choices(choice: str, config: dict[str, Any]) -> None:
    """Each in the wire's own words; what else is said of tools stands beside it."""
    extra = {"toolConfig": {"retrievalConfig": {}}}
    sent = body(msgspec.structs.replace(ASK, tools=TOOLS), Options("m", tool_choice=choice, extra_body=extra))
    assert sent["toolConfig"] == {"functionCallingConfig": config, "retrievalConfig": {}}
    assert "toolConfig" not in body(ASK, Options("m", tool_choice="auto"))


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        ({}, False),
        (
            {"type": "object", "title": "t", "properties": {}, "required": [], "additionalProperties": False},
            False,
        ),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}, True),
        (SCHEMA, True),
    ],
)
def test_a_tools_parameters(schema: dict[str, Any], given: bool) -> None:
    """They are given as JSON schema; of a tool that takes nothing there are none."""
    sent = body(msgspec.structs.replace(ASK, tools=(ToolSpec("f", "", schema),)))
    expected = {"name": "f", "parametersJsonSchema": schema} if given else {"name": "f"}
    assert sent["tools"] == [{"functionDeclarations": [expected]}]


def test_an_output() -> None:
    """By its schema alone or beside tools, where the server takes that; else as the call of a tool."""
    asked = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    options = Options("m", output=OUTPUT)
    tools = msgspec.structs.replace(ASK, tools=TOOLS[1:])
    assert body(ASK, options)["generationConfig"] == asked
    assert body(tools, options, GeminiQuirks(output_beside_tools=True))["generationConfig"] == asked
    sent = body(tools, options)
    assert "generationConfig" not in sent
    names = [declared["name"] for declared in sent["tools"][0]["functionDeclarations"]]
    assert names == ["now", "answer"]
    assert sent["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}


def test_log_probabilities() -> None:
    """None of the others in a token's place need be asked for; no more than 20 can be."""
    assert body(ASK, Options("m", logprobs=0))["generationConfig"] == {"responseLogprobs": True}
    for many in (-1, 21):
        with pytest.raises(ConfigError, match=f"here: logprobs must be 0 to 20, not {many}"):
            gemini_body("here", ASK, Options("m", logprobs=many))


def test_extra_fields_lie_over_the_rest() -> None:
    """Whole, but for those within which they are laid field by field."""
    extra: dict[str, Any] = {
        "contents": [],
        "generationConfig": {"thinkingConfig": {"includeThoughts": True}},
    }
    assert body(ASK, Options("m", extra_body=extra)) == extra
    sent = body(ASK, Options("m", temperature=0.5, extra_body=extra))
    assert sent["generationConfig"] == {"temperature": 0.5, "thinkingConfig": {"includeThoughts": True}}
    assert (
        body(ASK, Options("m", temperature=0.5, extra_body={"generationConfig": None}))["generationConfig"]
        is None
    )


@pytest.mark.parametrize("part", [Thinking("a"), ToolCall(0, "c", "f", {}), RedactedThinking("r")])
def test_a_part_that_cannot_be_sent(part: Part) -> None:
    """It is refused by name."""
    context = Context((Message("user", (Text("hi"), part)),))
    with pytest.raises(ConfigError, match=r"here: message 0 \(user\) cannot hold a part of kind"):
        gemini_body("here", context, PLAIN)


@settings(deadline=None, max_examples=150)
@given(context=CONTEXTS)
def test_contents_have_the_shape_the_wire_takes(context: Context) -> None:
    """None is empty, a turn of the model is never followed by another, and all calls and results are kept."""
    contents = body(context)["contents"]
    assert contents
    assert all(content["parts"] for content in contents)
    roles = [content["role"] for content in contents]
    assert ("model", "model") not in pairwise(roles)
    parts = [part for content in contents for part in content["parts"]]
    calls = [call.arguments for message in context.messages for call in message.tool_calls]
    assert [part["functionCall"]["args"] for part in parts if "functionCall" in part] == calls
    results = [result for message in context.messages for result in message.tool_results]
    assert len([part for part in parts if "functionResponse" in part]) == len(results)
    for content in contents:
        kinds = {"functionResponse" in part for part in content["parts"]}
        assert len(kinds) == 1
