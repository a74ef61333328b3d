"""Files, the provider's own tools, sources and cache points, written down for messages."""

import json
from typing import Any

import msgspec
import pytest

from streamd.providers import (
    CachePoint,
    CacheTime,
    Citation,
    ConfigError,
    Context,
    File,
    Message,
    Metadata,
    Options,
    Part,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    fold,
)
from tests.support.conversations import REPORT, TOOLS, richest
from tests.support.decoding import decode, named
from tests.support.services import anthropic

WIRE = "anthropic-messages"
SERVER = anthropic("there", "https://x.test")
CALL = {"type": "server_tool_use", "id": "s_1", "name": "web_search", "input": {"query": "towns"}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "s_1", "content": [{"encrypted_content": "x"}]}
SOURCE = {"type": "web_search_result_location", "url": "https://y.test", "encrypted_index": "i"}
SHORT = {"type": "ephemeral"}
LONG = {"type": "ephemeral", "ttl": "1h"}


def body(context: Context, **options: Any) -> dict[str, Any]:
    """The body of a request, decoded."""
    return msgspec.json.decode(SERVER.request(context, Options("m", **options)).body)


def blocks(*parts: Part, role: Any = "user") -> list[dict[str, Any]]:
    """The blocks of a message as they are sent."""
    first = [Message.user("hi")] if role == "assistant" else []
    return body(Context((*first, Message(role, parts))))["messages"][-1]["content"]


def test_the_richest_conversation() -> None:
    """Every kind of part in the wire's own words: what the provider's tools did goes back unchanged, in its place."""
    sent = body(richest(WIRE, CALL, RESULT, SOURCE), output=REPORT, cache="1h", tool_choice="auto")
    assert sent == {
        "model": "m",
        "max_tokens": 8192,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": LONG}],
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
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
                        "title": "towns.pdf",
                        "cache_control": LONG,
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    CALL,
                    RESULT,
                    {"type": "text", "text": "Found them.", "citations": [SOURCE]},
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
                    {"type": "text", "text": "Thank you. And tomorrow?", "cache_control": LONG},
                ],
            },
        ],
        "stream": True,
        "tools": [
            {
                "name": "weather",
                "description": "The weather of a town.",
                "input_schema": TOOLS[0].input_schema,
            },
            {"name": "now", "input_schema": TOOLS[1].input_schema},
            {"type": "web_search", "name": "web_search", "cache_control": LONG},
        ],
        "tool_choice": {"type": "auto"},
        "output_config": {"format": {"type": "json_schema", "schema": REPORT.schema}},
    }


def test_what_was_decoded_goes_back() -> None:
    """A turn with thinking, a search, a text with sources and a call is sent back as it came."""
    came = [
        {"type": "thinking", "thinking": "Look.", "signature": "s"},
        {"type": "redacted_thinking", "data": "e"},
        CALL,
        RESULT,
        {"type": "text", "text": "Found.", "citations": [SOURCE]},
        {"type": "mcp_tool_use", "id": "m", "name": "add", "server_name": "sums", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "m", "is_error": False, "content": []},
        {"type": "new in the world", "content": "x"},
        {"type": "tool_use", "id": "c", "name": "now", "input": {"a": [1]}},
    ]
    whole = {"type": "message", "content": came, "stop_reason": "tool_use"}
    events = [{"type": "message_start", "message": {"type": "message"}}]
    for index, block in enumerate(came):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_stop", "index": index})
    events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"}]
    for stream in (json.dumps(whole).encode(), named(*events)):
        chunks, error = decode(WIRE, stream)
        assert error is None
        sent = body(Context((Message.user("hi"), fold(chunks), Message.user("go on"))))
        assert sent["messages"][1] == {"role": "assistant", "content": came}


def test_a_paused_turn_and_the_next_are_one() -> None:
    """A turn that was paused goes back as the last, and what came after it joins it."""
    paused = Message("assistant", (Text("Wait."), ServerToolCall("s_1", "web_search", {}, WIRE, CALL)))
    after = Message("assistant", (ServerToolResult("s_1", "web_search", [], WIRE, RESULT), Text("Done.")))
    first = body(Context((Message.user("hi"), paused)))["messages"]
    assert first[-1] == {"role": "assistant", "content": [{"type": "text", "text": "Wait."}, CALL]}
    second = body(Context((Message.user("hi"), paused, after, Message.user("so?"))))["messages"]
    assert [len(turn["content"]) for turn in second] == [1, 4, 1]


@pytest.mark.parametrize(
    ("file", "block"),
    [
        (
            File("application/pdf", url="https://x.test/a.pdf"),
            {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
        ),
        (
            File("text/csv; charset=utf-8", "ä;1".encode(), name="t.csv"),
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "ä;1"},
                "title": "t.csv",
            },
        ),
        (File(file_id="f_1"), {"type": "document", "source": {"type": "file", "file_id": "f_1"}}),
        (
            File("image/png", file_id="f_2", name="x"),
            {"type": "image", "source": {"type": "file", "file_id": "f_2"}},
        ),
        (
            File("IMAGE/PNG", b"\xff"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "/w=="}},
        ),
        (
            File("image/png", url="https://x.test/a.png"),
            {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        ),
        (
            File("application/vnd.ms-excel", file_id="f_3"),
            {"type": "container_upload", "file_id": "f_3"},
        ),
    ],
)
def test_files(file: File, block: dict[str, Any]) -> None:
    """Documents, texts and images, by their bytes, a URL or an id."""
    assert blocks(file) == [block]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            File("audio/wav", b"RIFF"),
            "there takes no audio/wav file by `data`: only images, PDF, and texts as `data`",
        ),
        (
            File("text/plain", url="https://x.test/a.txt"),
            "there takes no text/plain file by its URL: only images, PDF, and texts as `data`",
        ),
        (
            File(url="data:application/pdf;base64,AA"),
            "there: a file's URL is fetched by the provider, so it is an http one; give `data`",
        ),
        (File("text/plain", b"a\xff"), "there: a text file is UTF-8; this one is not, at byte 1"),
    ],
)
def test_files_that_cannot_be_sent(file: File, message: str) -> None:
    """The provider and the kind are named."""
    with pytest.raises(ConfigError) as caught:
        blocks(file)
    assert str(caught.value) == message


def test_log_probabilities_are_refused() -> None:
    """The wire has none."""
    with pytest.raises(ConfigError, match=r"^there: this API has no log probabilities$"):
        body(Context((Message.user("hi"),)), logprobs=0)


def test_a_cache_point_is_on_the_block_before_it() -> None:
    """Texts, images and calls can be cached; thinking cannot, and a point in front of all has nothing to stand on."""
    assert blocks(CachePoint(), Text("a"), CachePoint(), CachePoint("1h"), Text("b")) == [
        {"type": "text", "text": "a", "cache_control": SHORT},
        {"type": "text", "text": "b"},
    ]
    parts = (ToolCall(0, "c", "now", {}), Thinking("a", "s"), CachePoint("1h"))
    assert blocks(*parts, role="assistant") == [
        {"type": "tool_use", "id": "c", "name": "now", "input": {}, "cache_control": LONG}
    ]


def test_a_cache_point_at_the_beginning_is_for_what_is_before_the_messages() -> None:
    """It stands behind the instruction or, where there is none, behind the tools."""
    messages = (Message("user", (CachePoint(), Text("a"))),)
    assert body(Context(messages, system="S"))["system"] == [
        {"type": "text", "text": "S", "cache_control": SHORT}
    ]
    tools = body(Context(messages, tools=TOOLS))["tools"]
    assert [tool.get("cache_control") for tool in tools] == [None, SHORT]


def test_cache_points_in_the_instruction() -> None:
    """The parts of the instruction are then blocks of their own."""
    system = Message("system", (Text("a"), Text("b"), CachePoint(), Text("c")))
    assert body(Context((system, Message.user("hi")), system="S"))["system"] == [
        {"type": "text", "text": "S"},
        {"type": "text", "text": "ab", "cache_control": SHORT},
        {"type": "text", "text": "c"},
    ]


@pytest.mark.parametrize(("time", "control"), [("5m", SHORT), ("1h", LONG)])
def test_the_prompt_is_cached_whole(time: CacheTime, control: dict[str, str]) -> None:
    """Behind the tools, the instruction and the last message; neither a tool's own fields nor a raw block change."""
    declared = {"type": "web_search", "name": "web_search"}
    answer = Message("assistant", (ServerToolCall("s_1", "web_search", {}, WIRE, CALL),))
    context = Context((Message.user("hi"), answer), system="S", tools=TOOLS, server_tools=(declared,))
    sent = body(context, cache=time)
    marked = [sent["tools"][-1], sent["system"][-1], sent["messages"][-1]["content"][-1]]
    assert [block["cache_control"] for block in marked] == [control] * 3
    assert "cache_control" not in declared | CALL


def test_there_are_at_most_four_points() -> None:
    """Of more points the first are left out, and those of the option come first of all."""
    said = [part for letter in "abcdef" for part in (Text(letter), CachePoint())]
    context = Context((Message("user", tuple(said)),), system="S", tools=TOOLS)

    def marked(**options: Any) -> tuple[int, ...]:
        sent = body(context, **options)
        system = sent["system"] if isinstance(sent["system"], list) else []
        groups = (sent["tools"], system, sent["messages"][0]["content"])
        return tuple(sum("cache_control" in block for block in group) for group in groups)

    assert marked() == (0, 0, 4)
    assert marked(cache="5m") == (1, 1, 2)


def test_sources_stand_on_their_text() -> None:
    """Those of this wire go back on the text before them; others, and those without one, are left out."""
    own = Citation("https://y.test", wire=WIRE, raw=SOURCE)
    parts = (own, Text("a"), own, own, Citation("https://z.test"), Text("b"))
    assert blocks(*parts, role="assistant") == [
        {"type": "text", "text": "a", "citations": [SOURCE, SOURCE]},
        {"type": "text", "text": "b"},
    ]


CODE = {"type": "code_execution_20250825", "tool_id": "s_1"}


def test_the_providers_code_may_call_the_callers_tools() -> None:
    """Such a call is one to run, and goes back with the name of its caller; another wire's signature does not."""
    call = {"type": "tool_use", "id": "c", "name": "now", "input": {}, "caller": CODE}
    direct = call | {"id": "d", "caller": {"type": "direct"}}
    whole = {"type": "message", "content": [call, direct], "stop_reason": "tool_use"}
    chunks, error = decode(WIRE, json.dumps(whole).encode())
    assert error is None
    message = fold(chunks)
    assert [made.id for made in message.tool_calls] == ["c", "d"]
    sent = blocks(*message.content, role="assistant")
    assert sent == [call, {"type": "tool_use", "id": "d", "name": "now", "input": {}}]
    odd = [ToolCall(0, "c", "now", {}, signature) for signature in ("c2ln", '{"caller"', '{"google":{}}')]
    assert not any("caller" in block for block in blocks(*odd, role="assistant"))


def test_the_container_is_gone_on_in() -> None:
    """What is said of it last goes back with the next request, beside what the caller asks of it."""
    start = {"type": "message_start", "message": {"type": "message", "id": "m", "container": None}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": {"id": "cont_1"}}}
    chunks, error = decode(WIRE, named(start, end, end, {"type": "message_stop"}))
    assert error is None
    told = [chunk for chunk in chunks if isinstance(chunk, Metadata)]
    assert told == [Metadata("m"), Metadata("m", None, "cont_1")]
    state = SERVER.state(told[-1])
    assert state == {"container": "cont_1"}
    assert SERVER.state(told[0]) == {}
    context = Context((Message.user("hi"),), provider_state=state)
    skills = [{"type": "anthropic", "skill_id": "pptx"}]
    asked = (None, {"skills": skills}, {"id": "cont_2"}, "cont_3")
    sent = [body(context, extra_body={"container": given} if given else {}) for given in asked]
    assert [each["container"] for each in sent] == [
        "cont_1",
        {"id": "cont_1", "skills": skills},
        {"id": "cont_2"},
        "cont_3",
    ]
    assert "container" not in body(Context((Message.user("hi"),)))
