"""Gemini's answers, from bytes to chunks."""

import base64
import json
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    APIError,
    AuthenticationError,
    Chunk,
    Citation,
    EventTooLarge,
    LogProbs,
    MalformedEvent,
    Media,
    Metadata,
    NotAStream,
    OverloadedError,
    RateLimitError,
    ScoredToken,
    ServerError,
    ServerToolCall,
    ServerToolResult,
    Stop,
    StreamdError,
    Text,
    Thinking,
    TokenLogProb,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
    fold,
)
from streamd.providers._response_error import response_error
from tests.support.decoding import decode, single_bytes, sse
from tests.support.gemini import array, candidate, one_part

END = candidate(finish="STOP")
STOP = Stop("stop", None, "STOP")


def chunks_of(*events: Any) -> list[Chunk]:
    """The chunks of a whole turn, which are the same in both framings."""
    chunks, error = decode("gemini", sse(*events))
    assert error is None
    assert decode("gemini", array(*events)) == (chunks, None)
    return chunks


def failure_of(*events: Any) -> tuple[list[Chunk], StreamdError]:
    """What came before the error, and the error."""
    chunks, error = decode("gemini", sse(*events))
    assert error is not None
    again, other = decode("gemini", array(*events))
    assert again == chunks
    assert type(other) is type(error)
    return chunks, error


def test_a_turn() -> None:
    """Metadata once, text as it comes, usage as it grows, and the end with the last usage."""
    known = {"modelVersion": "g-1", "responseId": "r"}
    first = {"promptTokenCount": 3, "totalTokenCount": 3}
    last = {
        "promptTokenCount": 3,
        "toolUsePromptTokenCount": 4,
        "cachedContentTokenCount": 2,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "totalTokenCount": 19,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
    }
    usage = Usage(7, 12, 2, 0, 7, last)
    events = [
        {**one_part(text="Hel"), **known, "usageMetadata": {"trafficType": "ON_DEMAND"}},
        {**one_part(text="lo"), **known, "usageMetadata": first},
        {**candidate({"text": ""}, finish="STOP"), **known, "usageMetadata": last},
    ]
    raw = {"trafficType": "ON_DEMAND", **first}
    assert chunks_of(*events) == [
        Metadata("r", "g-1"),
        Text("Hel"),
        Text("lo"),
        Usage(3, raw=raw),
        Usage(7, 12, 2, 0, 7, raw | last),
        Stop("stop", Usage(7, 12, 2, 0, 7, raw | last), "STOP"),
    ]
    assert usage.total_tokens == 19


def test_usage_and_text_after_the_finish_reason() -> None:
    """They count: the turn ends with the body."""
    counts = {"candidatesTokenCount": 1}
    usage = Usage(0, 1, raw=counts)
    assert chunks_of(
        candidate({"text": "a"}, finish="STOP"), one_part(text="b"), {"usageMetadata": counts}
    ) == [
        Text("a"),
        Text("b"),
        usage,
        Stop("stop", usage, "STOP"),
    ]


def test_when_a_decoder_is_terminal_and_done() -> None:
    """A finish reason is the evidence; an array's end, `[DONE]` or the body's end ends the turn."""
    decoder = WIRES["gemini"]()
    decoder.feed(array(END)[:-1])
    assert (decoder.terminal, decoder.done) == (True, False)
    assert decoder.feed(b"]") == [STOP]
    assert decoder.done
    decoder = WIRES["gemini"]()
    assert decoder.feed(sse(END)) == []
    assert (decoder.terminal, decoder.done) == (True, False)
    assert decoder.feed(sse("[DONE]")) == [STOP]
    decoder = WIRES["gemini"]()
    decoder.feed(array(END)[:-1])
    assert decoder.close() == [STOP]


@pytest.mark.parametrize(
    "events", [[], [{}], [one_part(text="a")], [candidate(finish="FINISH_REASON_UNSPECIFIED")]]
)
def test_without_a_finish_reason_the_answer_is_not_whole(events: list[Any]) -> None:
    """Whether the array was closed or not, and with `[DONE]` too."""
    for body in (sse(*events), sse(*events, "[DONE]"), array(*events), array(*events)[:-1]):
        error = decode("gemini", body)[1]
        assert type(error) is (NotAStream if body == array() else Truncated)


def test_a_cut_array_is_truncated() -> None:
    """The elements that came whole are delivered."""
    body = array(one_part(text="a"), one_part(text="b"), END)
    chunks, error = decode("gemini", body[: body.index(b'"b"')])
    assert chunks == [Text("a")]
    assert type(error) is Truncated
    assert type(decode("gemini", b"[")[1]) is Truncated


def test_thoughts_and_their_signatures() -> None:
    """A signature closes its thought; one on a text follows the text; all keep every character."""
    sign = "Ab+/cd=="
    chunks = chunks_of(
        one_part(text="Hm", thought=True),
        one_part(text="m.", thought=True, thoughtSignature=sign),
        one_part(text="Yes", thoughtSignature="dGV4dA=="),
        candidate({"text": "", "thoughtSignature": "ZW5k"}, {"thoughtSignature": "bW9yZQ=="}, finish="STOP"),
    )
    assert chunks == [
        Thinking("Hm"),
        Thinking("m.", sign),
        Text("Yes"),
        Thinking("", "dGV4dA=="),
        Thinking("", "ZW5k"),
        Thinking("", "bW9yZQ=="),
        STOP,
    ]
    assert fold(chunks).content[:3] == (Thinking("Hmm.", sign), Text("Yes"), Thinking("", "dGV4dA=="))


def test_calls_with_and_without_ids() -> None:
    """Each part is a call of its own; who comes without an id is given one by its place."""
    call = {"name": "f", "args": {"x": 1}}
    chunks = chunks_of(
        candidate({"functionCall": call, "thoughtSignature": "cw=="}, {"functionCall": {**call, "id": "c9"}}),
        one_part(functionCall=call),
        candidate({"functionCall": {"name": "g"}}, finish="STOP"),
    )
    assert chunks == [
        ToolCallDelta(0, "gemini_call_0", "f", '{"x":1}'),
        ToolCallDelta(1, "c9", "f", '{"x":1}'),
        ToolCallDelta(2, "gemini_call_2", "f", '{"x":1}'),
        ToolCallDelta(3, "gemini_call_3", "g", "{}"),
        ToolCall(0, "gemini_call_0", "f", {"x": 1}, "cw=="),
        ToolCall(1, "c9", "f", {"x": 1}),
        ToolCall(2, "gemini_call_2", "f", {"x": 1}),
        ToolCall(3, "gemini_call_3", "g", {}),
        Stop("tool_calls", None, "STOP"),
    ]


@pytest.mark.parametrize(
    "call",
    [{"args": {"x": 1}}, {"name": "f", "args": '{"x":'}, {"name": "f", "args": {"x": [1, float("nan")]}}],
)
def test_a_call_that_cannot_be_run(call: dict[str, Any]) -> None:
    """Without a name, or with arguments that are no JSON, it never closes."""
    chunks = chunks_of(one_part(functionCall=call), END)
    assert chunks[-1] == Stop("incomplete", None, "STOP")
    assert fold(chunks).tool_calls == ()


def test_code_that_the_provider_ran() -> None:
    """It is shown with its result, of the same id, and what goes back is kept as it came."""
    code = {"language": "PYTHON", "code": "1+1"}
    result = {"outcome": "OUTCOME_OK", "output": "2\n"}
    chunks = chunks_of(
        one_part(executableCode=code, thoughtSignature="cw=="),
        one_part(codeExecutionResult=result),
        candidate(
            {"executableCode": {"id": "e7", **code}},
            {"codeExecutionResult": {"id": "e7", "outcome": 2}},
            finish="STOP",
        ),
    )
    name, wire = "code_execution", "gemini"
    assert chunks == [
        ServerToolCall(
            "gemini_run_1", name, code, wire, {"executableCode": code, "thoughtSignature": "cw=="}
        ),
        ServerToolResult("gemini_run_1", name, result, wire, {"codeExecutionResult": result}),
        ServerToolCall("e7", name, code, wire, {"executableCode": {"id": "e7", **code}}),
        ServerToolResult(
            "e7", name, {"outcome": 2}, wire, {"codeExecutionResult": {"id": "e7", "outcome": 2}}, True
        ),
        STOP,
    ]


def test_other_tools_that_the_provider_ran() -> None:
    """A search, say, where the answer tells of it."""
    call = {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["ulm"]}, "id": "t1"}
    answer = {"toolType": "GOOGLE_SEARCH_WEB", "response": {"found": 1}, "id": "t1"}
    assert chunks_of(one_part(toolCall=call), one_part(toolResponse=answer), END) == [
        ServerToolCall("t1", "GOOGLE_SEARCH_WEB", {"queries": ["ulm"]}, "gemini", {"toolCall": call}),
        ServerToolResult("t1", "GOOGLE_SEARCH_WEB", {"found": 1}, "gemini", {"toolResponse": answer}),
        STOP,
    ]


def test_media() -> None:
    """Bytes are decoded, in either alphabet of base64; a file stays an address; drafts in thoughts are left out."""
    data = b"\xff\xef\xbe\x00"
    safe = base64.urlsafe_b64encode(data).decode().rstrip("=")
    chunks = chunks_of(
        one_part(inlineData={"mimeType": "image/png", "data": "AAAA"}, thought=True),
        one_part(
            inlineData={"mimeType": "image/png", "data": base64.b64encode(data).decode()},
            thoughtSignature="cw==",
        ),
        one_part(inlineData={"mimeType": "audio/L16;rate=24000", "data": safe}),
        one_part(fileData={"mimeType": "video/mp4", "fileUri": "gs://x/y.mp4"}),
        END,
    )
    assert chunks == [
        Media("image/png", data),
        Thinking("", "cw=="),
        Media("audio/L16;rate=24000", data),
        Media("video/mp4", url="gs://x/y.mp4"),
        STOP,
    ]
    _, error = failure_of(one_part(inlineData={"mimeType": "image/png", "data": "%%%"}))
    assert type(error) is MalformedEvent


def test_an_image_larger_than_an_event_of_text() -> None:
    """An image comes in one event: 12 MiB of it pass, and 40 do not."""
    data = "A" * (12 * 1024 * 1024)
    chunks = chunks_of(one_part(inlineData={"mimeType": "image/png", "data": data}), END)
    assert isinstance(chunks[0], Media)
    assert len(chunks[0].data or b"") == 9 * 1024 * 1024
    _, error = failure_of(one_part(text="A" * (40 * 1024 * 1024)))
    assert type(error) is EventTooLarge


def test_sources() -> None:
    """Pages, documents and places of the grounding, recited works and pages read: each is told once."""
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a.test", "title": "a"}},
            {"retrievedContext": {"uri": "gs://b", "title": "b", "text": "words"}},
            {"maps": {"uri": "https://c.test", "title": "c", "placeId": "p"}},
            {"image": {"sourceUri": "https://d.test", "title": "d"}},
            {"web": {}},
            None,
        ],
        "searchEntryPoint": {"renderedContent": "<div>"},
    }
    recited = {"citations": [{"startIndex": 1, "license": "mit"}, {"uri": "https://e.test", "title": "e"}]}
    older = {"citationSources": [{"uri": "https://f.test", "license": ""}]}
    pages = [
        ("https://a.test", 1),
        ("https://g.test", None),
        ("https://h.test", "URL_RETRIEVAL_STATUS_ERROR"),
    ]
    read = {"urlMetadata": [{"retrievedUrl": url, "urlRetrievalStatus": status} for url, status in pages]}
    more = {"groundingMetadata": grounding, "citationMetadata": recited, "urlContextMetadata": read}
    chunks = chunks_of(
        candidate({"text": "x"}, **more),
        candidate(finish="STOP", citationMetadata=older, groundingMetadata=grounding),
    )
    assert chunks == [
        Text("x"),
        Citation("https://a.test", "a"),
        Citation("gs://b", "b", "words"),
        Citation("https://c.test", "c"),
        Citation("https://d.test", "d"),
        Citation("https://e.test", "e"),
        Citation("https://g.test"),
        Citation("https://f.test"),
        STOP,
    ]


def test_log_probabilities() -> None:
    """The chosen tokens, each with those in its place."""
    result = {
        "chosenCandidates": [
            {"token": "a", "logProbability": -0.5},
            {"token": "b", "logProbability": 0},
            {"token": "c"},
        ],
        "topCandidates": [
            {"candidates": [{"token": "a", "logProbability": -0.5}, {"token": "z", "logProbability": -2}]}
        ],
    }
    top = (TokenLogProb("a", -0.5), TokenLogProb("z", -2.0))
    assert chunks_of(
        candidate({"text": "ab"}, logprobsResult=result), candidate(finish="STOP", logprobsResult={})
    ) == [
        Text("ab"),
        LogProbs((ScoredToken("a", -0.5, top), ScoredToken("b", 0.0))),
        STOP,
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        (1, "stop"),
        ("stop", "stop"),
        ("MAX_TOKENS", "length"),
        (2, "length"),
        ("SAFETY", "content_filter"),
        (3, "content_filter"),
        ("RECITATION", "content_filter"),
        ("LANGUAGE", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "incomplete"),
        (9, "incomplete"),
        ("UNEXPECTED_TOOL_CALL", "incomplete"),
        ("OTHER", "unknown"),
        (5, "unknown"),
        ("SOMETHING_NEW", "unknown"),
    ],
)
def test_finish_reasons(raw: str | int, reason: str) -> None:
    """Each has its word in the common vocabulary, and its own is kept."""
    (stop,) = chunks_of(candidate(finish=raw))
    assert isinstance(stop, Stop)
    assert (stop.reason, stop.raw_reason) == (reason, str(raw))


def test_the_last_finish_reason_stands() -> None:
    """Older models send one with every event."""
    events = [candidate({"text": "a"}, finish="STOP"), candidate(finish="RECITATION"), candidate(finish=0)]
    assert chunks_of(*events)[-1] == Stop("content_filter", None, "RECITATION")


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "OTHER", 4])
def test_a_blocked_prompt_is_a_result(reason: str | int) -> None:
    """It is no error: there is an end with its reason."""
    counts = {"promptTokenCount": 4}
    event = {"promptFeedback": {"blockReason": reason}, "usageMetadata": counts}
    usage = Usage(4, raw=counts)
    assert chunks_of(event) == [usage, Stop("content_filter", usage, str(reason))]
    assert decode("gemini", json.dumps(event).encode()) == (
        [usage, Stop("content_filter", usage, str(reason))],
        None,
    )


def test_only_the_first_candidate_counts() -> None:
    """Whether the candidates are numbered or not."""
    one, other = {"content": {"parts": [{"text": "a"}]}}, {"content": {"parts": [{"text": "b"}]}}
    assert chunks_of({"candidates": [one, other]}, END)[:-1] == [Text("a")]
    assert chunks_of({"candidates": [{**other, "index": 1}, {**one, "index": 0}]}, END)[:-1] == [Text("a")]
    assert type(failure_of({"candidates": [{"index": 1, "finishReason": "STOP"}]})[1]) is Truncated


def test_names_in_snake_case() -> None:
    """Some proxies write fields as Python does; what the model wrote into a call keeps its names."""
    parts = [
        {"text": "a", "thought_signature": "cw=="},
        {"function_call": {"name": "f", "args": {"mime_type": 1, "finish_reason": {"file_uri": 2}}}},
        {"inline_data": {"mime_type": "image/png", "data": "AAEC"}},
    ]
    counts = {"prompt_token_count": 3, "candidates_token_count": 2, "thoughts_token_count": 1}
    event = {
        "candidates": [{"content": {"parts": parts}, "finish_reason": 1}],
        "usage_metadata": counts,
        "model_version": "g",
        "response_id": "r",
    }
    chunks = chunks_of(event)
    assert chunks[:3] == [Metadata("r", "g"), Text("a"), Thinking("", "cw==")]
    assert Media("image/png", b"\0\1\2") in chunks
    assert fold(chunks).tool_calls[0].arguments == {"mime_type": 1, "finish_reason": {"file_uri": 2}}
    usage = fold(chunks).usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (3, 3, 1)


def test_what_is_unknown_or_odd_does_no_harm() -> None:
    """New parts and fields, nulls and wrong types cost nothing but themselves."""
    odd: list[Any] = [
        {"candidates": None, "usageMetadata": None, "promptFeedback": None, "error": None},
        {"candidates": [{"content": None}, None]},
        {"candidates": [{"content": {"parts": None}}]},
        candidate({"newPart": {"x": 1}}, {"text": None}, {"text": 5}, {}),
        candidate({"text": "a", "thought": None, "videoMetadata": {}}, safetyRatings=[{"category": 7}]),
        candidate({"inlineData": {}}, {"fileData": {}}, avgLogprobs=float("nan"), groundingMetadata=[]),
        {"promptFeedback": {"safetyRatings": []}, "createTime": "x"},
        {"promptFeedback": {"blockReason": 0}},
    ]
    assert chunks_of(*odd, END) == [Text("a"), STOP]
    body = sse("", *odd, " ", END) + b": keep-alive\n\ndata: \n\n"
    assert decode("gemini", body) == ([Text("a"), STOP], None)
    assert decode("gemini", sse("[" + json.dumps(one_part(text="a")) + "]", END)) == ([Text("a"), STOP], None)


def test_lone_surrogates_are_repaired() -> None:
    """Half a pair becomes U+FFFD."""
    assert chunks_of('{"candidates": [{"content": {"parts": [{"text": "a\\ud83d"}]}}]}', END)[0] == Text(
        "a\ufffd"
    )


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32.5s"}


def _error(code: int, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {
        "error": {"code": code, "status": status, "message": "boo", "details": [{"@type": "x"}, *details]}
    }


@pytest.mark.parametrize(
    ("event", "kind", "wait"),
    [
        (_error(503, "UNAVAILABLE"), OverloadedError, None),
        (_error(429, "RESOURCE_EXHAUSTED", RETRY), RateLimitError, 32.5),
        (_error(429, "RESOURCE_EXHAUSTED", {"retryDelay": "soon"}), RateLimitError, None),
        (_error(499, "CANCELLED"), ServerError, None),
        (_error(500, "INTERNAL"), ServerError, None),
        (_error(400, "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}), AuthenticationError, None),
    ],
)
def test_errors_in_the_stream(event: dict[str, Any], kind: type[APIError], wait: float | None) -> None:
    """As an event, an element, a document, named, or bare between the events: the same typed error."""
    text = json.dumps(event, indent=2)
    first = one_part(text="a")
    bodies = [
        (sse(first, event), [Text("a")]),
        (sse(candidate({"text": "a"}, finish="STOP"), event), [Text("a")]),
        (sse(first) + f"{text}\n".encode(), [Text("a")]),
        (sse(first) + f"[{text}]\n\n".encode(), [Text("a")]),
        (sse(first) + f"event: error\ndata: {json.dumps(event)}\n\n".encode(), [Text("a")]),
        (sse(first, json.dumps([event])), [Text("a")]),
        (array(first, event), [Text("a")]),
        (array(event), []),
        (text.encode(), []),
    ]
    for body, before in bodies:
        for parts in ([body], single_bytes(body)):
            chunks, error = decode("gemini", parts)
            assert chunks == before
            assert isinstance(error, APIError)
            assert (type(error), error.message, error.in_stream) == (kind, "boo", True)
            assert (error.status_code, error.retry_after) == (event["error"]["code"], wait)


def test_a_refusal_names_the_time_to_wait() -> None:
    """A status 429 without a header has the time in its body; a header comes first."""
    body = json.dumps([_error(429, "RESOURCE_EXHAUSTED", RETRY)]).encode()
    assert response_error(429, {}, body, ()).retry_after == 32.5
    assert response_error(429, {"retry-after": "7"}, body, ()).retry_after == 7
    assert response_error(429, {}, b"{", ()).retry_after is None


def test_a_whole_answer_is_an_answer() -> None:
    """One that was not streamed gives the chunks of its turn."""
    event = {**candidate({"text": "a"}, finish="STOP"), "responseId": "r"}
    assert decode("gemini", json.dumps(event).encode()) == ([Metadata("r"), Text("a"), STOP], None)
    chunks, error = decode("gemini", json.dumps(one_part(text="a")).encode())
    assert chunks == [Text("a")]
    assert type(error) is Truncated


@pytest.mark.parametrize("bad", ["{", '{"candidates": [}', '{"a": ' * 3000, "null", "5", "[1]"])
def test_an_event_that_cannot_be_read(bad: str) -> None:
    """What came before is delivered, and the error tells where it was."""
    chunks, error = decode("gemini", sse(one_part(text="a"), bad, END))
    assert chunks == [Text("a")]
    assert isinstance(error, MalformedEvent)
    assert error.offset is not None
