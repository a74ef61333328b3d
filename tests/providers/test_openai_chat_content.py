"""Files, sounds, images, reasoning, log probabilities and servers' own tools in chat completions, both ways."""

import base64
import json
from typing import Any

import msgspec
import pytest

from streamd.providers import PROVIDERS as ROWS
from streamd.providers import (
    CachePoint,
    ChatQuirks,
    Chunk,
    Citation,
    ConfigError,
    Context,
    EventTooLarge,
    File,
    LogProbs,
    Media,
    Message,
    Options,
    RedactedThinking,
    ScoredToken,
    ServerToolCall,
    ServerToolResult,
    Stop,
    Text,
    Thinking,
    TokenLogProb,
    ToolCall,
    ToolCallDelta,
    fold,
)
from tests.support.conversations import REPORT, richest
from tests.support.decoding import decode, sse
from tests.support.services import openai_chat

WIRE = "openai-chat"
OPENROUTER = ChatQuirks(dialect="openrouter")
MISTRAL = ChatQuirks(dialect="mistral")
PLAIN = ChatQuirks()


def body(context: Context, quirks: ChatQuirks = PLAIN, **options: Any) -> dict[str, Any]:
    """The body of a request, decoded."""
    provider = openai_chat("here", "https://x.test/v1", quirks=quirks)
    return msgspec.json.decode(provider.request(context, Options("m", **options)).body)


def part(given: Any, quirks: ChatQuirks = PLAIN) -> dict[str, Any]:
    """The only part of a user's message as it is sent."""
    (sent,) = body(Context((Message.user(given),)), quirks)["messages"][0]["content"]
    return sent


def turn(*parts: Any, quirks: ChatQuirks = PLAIN) -> list[dict[str, Any]]:
    """What is sent of an assistant's turn."""
    context = Context((Message.user("hi"), Message("assistant", parts), Message.user("so?")))
    return body(context, quirks)["messages"][1:-1]


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """An event with this delta."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def whole(*events: Any) -> list[Chunk]:
    """The chunks of a good stream, without its end."""
    chunks, error = decode(WIRE, sse(*events, delta("stop"), "[DONE]"))
    assert error is None
    assert isinstance(chunks[-1], Stop)
    return chunks[:-1]


def test_the_richest_conversation() -> None:
    """Every kind of part in the wire's own words; what another provider thought and ran itself stays out."""
    context = richest("another wire", {"type": "x"}, {"type": "y"}, {"type": "z"})
    sent = body(context, ChatQuirks(output="strict", output_beside_tools=True), output=REPORT, logprobs=3)
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Which towns are these?"},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {
                    "type": "file",
                    "file": {"filename": "towns.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
                },
            ],
        },
        {
            "role": "assistant",
            "content": "Found them.I will look.",
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
    ]
    assert [tool["type"] for tool in sent["tools"]] == ["function", "function", "web_search"]
    assert sent["tools"][-1] == {"type": "web_search", "name": "web_search"}
    assert sent["response_format"]["json_schema"] == {
        "name": "report",
        "schema": REPORT.schema,
        "strict": True,
    }
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 3)
    assert "tool_choice" not in sent


def test_the_servers_tools_may_be_alone() -> None:
    """They are declared without any of the caller's, and a choice is sent beside them."""
    context = Context((Message.user("hi"),), server_tools=({"type": "browser_search"},))
    sent = body(context, tool_choice="auto")
    assert (sent["tools"], sent["tool_choice"]) == ([{"type": "browser_search"}], "auto")


PDF = File(data=b"%PDF", name="a.pdf")
PDF_URL = "data:application/pdf;base64,JVBERg=="
WAV = File("audio/wav", b"RIFF")
LINK = File(url="https://x.test/a.pdf")


@pytest.mark.parametrize(
    ("file", "quirks", "sent"),
    [
        (PDF, PLAIN, {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF_URL}}),
        (
            File(data=b"%PDF"),
            OPENROUTER,
            {"type": "file", "file": {"filename": "file.pdf", "file_data": PDF_URL}},
        ),
        (File(file_id="f_1"), PLAIN, {"type": "file", "file": {"file_id": "f_1"}}),
        (File(file_id="f_1"), MISTRAL, {"type": "file", "file_id": "f_1"}),
        (WAV, PLAIN, {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        (WAV, MISTRAL, {"type": "input_audio", "input_audio": "UklGRg=="}),
        (
            File("Audio/MPEG; x=1", b"a"),
            PLAIN,
            {"type": "input_audio", "input_audio": {"data": "YQ==", "format": "mp3"}},
        ),
        (
            LINK,
            OPENROUTER,
            {"type": "file", "file": {"filename": "file.pdf", "file_data": "https://x.test/a.pdf"}},
        ),
        (LINK, MISTRAL, {"type": "document_url", "document_url": "https://x.test/a.pdf"}),
        (PDF, MISTRAL, {"type": "document_url", "document_url": PDF_URL, "document_name": "a.pdf"}),
        (
            File("text/csv", b"a", name="t.csv"),
            OPENROUTER,
            {"type": "file", "file": {"filename": "t.csv", "file_data": "data:text/csv;base64,YQ=="}},
        ),
        (
            File("image/png", b"a"),
            PLAIN,
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,YQ=="}},
        ),
        (
            File("image/png", url="https://x.test/a.png"),
            PLAIN,
            {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        ),
    ],
)
def test_files(file: File, quirks: ChatQuirks, sent: dict[str, Any]) -> None:
    """Documents, sounds and images, as each server takes them."""
    assert part(file, quirks) == sent


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (LINK, "here takes no file by a URL: give `data` or a `file_id`"),
        (File("text/csv", b"a"), "here takes no text/csv file, only PDF: give a text as a text"),
        (File("image/png", file_id="f"), "here takes no image by an id: give `data` or a `url`"),
        (
            File("audio/ogg", b"a"),
            "here takes a sound as `data` that is audio/mp3, audio/mpeg, audio/wav, audio/wave, audio/x-wav: "
            "this one is audio/ogg",
        ),
        (
            File("audio/wav", url="https://x.test/a.wav"),
            "here takes a sound as `data` that is audio/mp3, audio/mpeg, audio/wav, audio/wave, audio/x-wav: "
            "this one is audio/wav",
        ),
    ],
)
def test_files_that_cannot_be_sent(file: File, message: str) -> None:
    """The provider and the kind are named."""
    with pytest.raises(ConfigError) as caught:
        part(file)
    assert str(caught.value) == message


def test_cache_points_are_for_a_gateway_alone() -> None:
    """OpenRouter hands them on; others cache without being asked, and are told nothing."""
    context = Context((Message.user(CachePoint(), "a", CachePoint("1h"), "b", CachePoint()),))
    plain, gateway = body(context, cache="1h"), body(context, OPENROUTER, cache="5m")
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert plain["messages"][0]["content"] == texts
    assert "cache_control" not in plain
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    assert gateway["cache_control"] == short
    assert gateway["messages"][0]["content"] == [
        texts[0] | {"cache_control": long},
        texts[1] | {"cache_control": short},
    ]


SPOKEN = base64.b64encode(b"\x01\x02").decode()


def test_a_spoken_answer_is_text_and_sound() -> None:
    """Each piece of sound carries the id by which the turn goes back; sound that is none is passed over."""
    chunks = whole(
        delta(audio={"id": "audio_1", "transcript": "Hel"}),
        delta(audio={"data": SPOKEN, "transcript": "lo."}),
        delta(audio={"data": "no base64!"}),
        delta(audio={"data": SPOKEN, "id": "x" * 300}),
        delta(audio={"expires_at": 9}),
    )
    sound = Media("audio/pcm", b"\x01\x02", id="audio_1")
    assert chunks == [Text("Hel"), Text("lo."), sound, sound]
    assert turn(*fold(chunks).content) == [{"role": "assistant", "audio": {"id": "audio_1"}}]
    call = ToolCall(0, "c", "now", {})
    (sent,) = turn(sound, call)
    assert (sent["audio"], len(sent["tool_calls"]), "content" in sent) == ({"id": "audio_1"}, 1, False)


def test_drawn_images_go_back_where_they_are_taken() -> None:
    """OpenRouter takes the images of a turn back; elsewhere they are left out, and a turn of nothing else too."""
    url = "data:image/png;base64,YQ=="
    chunks = whole(delta(images=[{"type": "image_url", "image_url": {"url": url}}, {}]))
    assert chunks == [Media("image/png", b"a")]
    image = {"type": "image_url", "image_url": {"url": url}}
    assert turn(*chunks, quirks=OPENROUTER) == [{"role": "assistant", "content": None, "images": [image]}]
    assert turn(*chunks) == []


def test_log_probabilities_follow_their_text() -> None:
    """Each token and the most likely ones in its place, of the answer or of a refusal."""
    entry = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -1}]}
    event = delta(content="a")
    event["choices"][0]["logprobs"] = {"content": [entry, {"token": 3}], "refusal": None}
    refused = delta(refusal="c")
    refused["choices"][0]["logprobs"] = {"content": None, "refusal": [{"token": "c", "logprob": 0}]}
    scored = LogProbs((ScoredToken("a", -0.5, (TokenLogProb("b", -1.0),)),))
    chunks, error = decode(WIRE, sse(event, refused, delta("stop"), "[DONE]"))
    assert error is None
    assert chunks[1] == scored
    assert chunks[3] == LogProbs((ScoredToken("c", 0.0),))
    assert fold(chunks).text == "a"


CLAUDE = {"format": "anthropic-claude-v1", "index": 0}
DETAILS = [
    {"type": "reasoning.text", "text": "Two towns.", "signature": "s1", **CLAUDE},
    {"type": "reasoning.encrypted", "data": "e", "id": "r_1", **CLAUDE, "index": 1},
    {"type": "reasoning.summary", "summary": "Look.", "format": "openai-responses-v1", "index": 2},
]


def test_reasoning_goes_back_as_it_came() -> None:
    """Pieces are put together into the entries they are of, in order, with all that marks them."""
    chunks = whole(
        delta(
            reasoning="Two ",
            content="",
            reasoning_details=[{"type": "reasoning.text", "text": "Two ", **CLAUDE}],
        ),
        delta(reasoning="towns.", reasoning_details=[{"type": "reasoning.text", "text": "towns.", **CLAUDE}]),
        delta(reasoning_details=[{"type": "reasoning.text", "signature": "s1", **CLAUDE}]),
        delta(reasoning_details=[DETAILS[1]]),
        delta(reasoning="Look.", reasoning_details=[DETAILS[2]]),
        delta(content="Ulm."),
    )
    message = fold(chunks)
    assert (message.thinking, message.text) == ("Two towns.Look.", "Ulm.")
    (sent,) = turn(*message.content, quirks=OPENROUTER)
    assert sent == {"role": "assistant", "content": "Ulm.", "reasoning_details": DETAILS}
    assert turn(*message.content) == [{"role": "assistant", "content": "Ulm."}]


def test_a_signature_may_come_late_and_blocks_may_share_an_index() -> None:
    """A signature after the text belongs to the block before; text after a signature is of another block."""
    one = {"type": "reasoning.text", "text": "a", **CLAUDE}
    signed = {"type": "reasoning.text", "signature": "s1", **CLAUDE}
    two = {"type": "reasoning.text", "text": "b", "signature": "s2", **CLAUDE}
    late = fold(whole(delta(reasoning_details=[one]), delta(content="x"), delta(reasoning_details=[signed])))
    (sent,) = turn(*late.content, quirks=OPENROUTER)
    assert sent["reasoning_details"] == [one | signed]
    chunks = whole(delta(reasoning_details=[one, signed, two]), delta(content="x"))
    (sent,) = turn(*fold(chunks).content, quirks=OPENROUTER)
    assert sent["reasoning_details"] == [one | signed, two]


def test_reasoning_of_others_does_not_go_back() -> None:
    """What is no entry of the gateway's stays out: unsigned, another provider's, or damaged."""
    others = [Thinking("a"), Thinking("a", "s"), Thinking("a", "{"), Thinking("a", '{"type":3}')]
    assert turn(*others, RedactedThinking("e"), RedactedThinking("{}"), Text("b"), quirks=OPENROUTER) == [
        {"role": "assistant", "content": "b"}
    ]


def test_reasoning_told_twice_is_shown_once() -> None:
    """Entries without a text do not lose the text beside them, and those of no type are as they always were."""
    encrypted = {"type": "reasoning.encrypted", "data": "e"}
    assert whole(
        delta(reasoning="a", reasoning_details=[encrypted, 3]),
        delta(reasoning_details=[{"text": "b", "signature": "s"}, {"data": "d"}]),
    ) == [
        Thinking("a"),
        RedactedThinking('{"type":"reasoning.encrypted","data":"e"}'),
        Thinking("b", "s"),
        RedactedThinking("d"),
    ]


def test_a_proof_on_a_call_goes_back_with_it() -> None:
    """Gemini's models want it behind any server; another wire's signature is not sent, nor one that is damaged."""
    google = {"google": {"thought_signature": "c2ln"}}
    function = {"name": "now", "arguments": "{}"}
    calls = [
        {"index": 0, "id": "a", "function": function, "extra_content": google},
        {"index": 1, "id": "b", "function": function, "extra_content": {"google": {"x": 1}}},
    ]
    chunks, error = decode(WIRE, sse(delta(tool_calls=calls), delta("tool_calls"), "[DONE]"))
    assert error is None
    (sent,) = turn(*fold(chunks).content)
    assert [call.get("extra_content") for call in sent["tool_calls"]] == [google, None]
    others = [ToolCall(0, "c", "now", {}, signature) for signature in ("c2ln", "{", "[]", '{"type":"x"}')]
    (sent,) = turn(*others)
    assert not any("extra_content" in call for call in sent["tool_calls"])


SEARCH = {"index": 0, "type": "search", "arguments": '{"query":"ulm"}'}
FOUND = {"results": [{"title": "A", "url": "https://a.test"}]}


def test_tools_of_the_server_are_told_and_never_called() -> None:
    """A call comes first without its result, then with it; neither goes back."""
    answered = SEARCH | {"output": "x", "search_results": FOUND}
    python = {"type": "python", "name": "code", "arguments": {"a": 1}, "output": "2"}
    chunks = whole(
        delta(executed_tools=[SEARCH]),
        delta(executed_tools=[answered]),
        delta(content="a", executed_tools=[answered, python, {}, None]),
    )
    assert chunks == [
        ServerToolCall("executed_0", "search", {"query": "ulm"}, WIRE, SEARCH),
        ServerToolResult("executed_0", "search", FOUND, WIRE, answered),
        Text("a"),
        ServerToolCall("executed_1", "code", {"a": 1}, WIRE, python),
        ServerToolResult("executed_1", "code", "2", WIRE, python),
    ]
    assert turn(*fold(chunks).content) == [{"role": "assistant", "content": "a"}]
    assert fold(chunks).tool_calls == ()


def test_tools_of_the_server_have_a_bound() -> None:
    """What would be remembered without end is refused."""
    many = [SEARCH | {"index": index} for index in range(129)]
    _, error = decode(WIRE, sse(delta(executed_tools=many)))
    assert isinstance(error, EventTooLarge)


def test_sources_under_each_of_their_names() -> None:
    """Annotations, citations, search results, and Z.AI's web search, each address once."""
    note = {"type": "url_citation", "url_citation": {"url": "https://a.test", "title": "A", "content": "c"}}
    event = delta(content="x", annotations=[note]) | {
        "citations": ["https://a.test", "https://b.test"],
        "search_results": [{"url": "https://c.test", "title": "C"}],
        "web_search": [{"link": "https://d.test", "title": "D", "content": "d"}],
    }
    assert whole(event)[1:] == [
        Citation("https://a.test", "A", "c"),
        Citation("https://c.test", "C"),
        Citation("https://b.test"),
        Citation("https://d.test", "D", "d"),
    ]


def test_a_document_has_all_of_it_too() -> None:
    """An answer that was not streamed goes back just the same."""
    call = {"id": "c", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    message = {"role": "assistant", "content": "x", "reasoning_details": DETAILS, "tool_calls": [call]}
    document = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    chunks, error = decode(WIRE, json.dumps(document).encode())
    assert error is None
    assert any(isinstance(chunk, ToolCallDelta) for chunk in chunks)
    (sent,) = turn(*fold(chunks).content, quirks=OPENROUTER)
    assert sent == message


def test_openrouter_is_asked_in_its_dialect() -> None:
    """The row of the table says so."""
    quirks = ROWS["openrouter"].quirks
    assert isinstance(quirks, ChatQuirks)
    assert quirks.dialect == "openrouter"
