"""Bedrock's ConverseStream, decoded."""

import json
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    APIError,
    AuthenticationError,
    BadRequestError,
    Chunk,
    Citation,
    EventTooLarge,
    MalformedEvent,
    Media,
    NotAStream,
    OverloadedError,
    QuotaError,
    RateLimitError,
    RedactedThinking,
    ServerError,
    ServerToolCall,
    ServerToolResult,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
    fold,
)
from tests.support.bedrock import event, exception, framed, header, message
from tests.support.decoding import decode

_WIRE = "bedrock-converse"
_START = event("messageStart", role="assistant")
_RAW = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
_USAGE = Usage(3, 2, raw=_RAW)
_META = event("metadata", usage=_RAW, metrics={"latencyMs": 1})


def delta(index: int = 0, **kinds: Any) -> bytes:
    """What a block gains."""
    return event("contentBlockDelta", contentBlockIndex=index, delta=kinds)


def begin(index: int = 0, **kinds: Any) -> bytes:
    """A block that begins."""
    return event("contentBlockStart", contentBlockIndex=index, start=kinds)


def end(index: int = 0) -> bytes:
    """A block that ends."""
    return event("contentBlockStop", contentBlockIndex=index)


def stop(reason: str = "end_turn") -> bytes:
    """The message's end."""
    return event("messageStop", stopReason=reason)


def decoded(*parts: bytes) -> list[Chunk]:
    """The chunks of a body without an error."""
    chunks, error = decode(_WIRE, b"".join(parts))
    assert error is None
    return chunks


def call(index: int, *pieces: str, name: str = "f", ended: bool = True) -> bytes:
    """A call of a tool."""
    start = begin(index, toolUse={"toolUseId": f"t{index}", "name": name})
    return b"".join([start, *(delta(index, toolUse={"input": each}) for each in pieces), end(index) * ended])


def test_text() -> None:
    """Pieces come as they are, empty ones do not; usage and `Stop` end the turn."""
    chunks = decoded(_START, delta(text="Hel"), delta(text=""), delta(text="lo"), end(), stop(), _META)
    assert chunks == [Text("Hel"), Text("lo"), _USAGE, Stop("stop", _USAGE, "end_turn")]


def test_reasoning_keeps_its_signature_and_its_place() -> None:
    """A signature closes its block, in one piece or more; encrypted blocks are kept byte for byte."""
    parts = [
        delta(0, reasoningContent={"text": "Hm."}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        delta(0, reasoningContent={"signature": "bmVk"}),
        end(0),
        delta(1, reasoningContent={"redactedContent": "b3BhcXVl"}),
        end(1),
        delta(2, reasoningContent={"redactedContent": "YQ=="}),
        delta(2, reasoningContent={"redactedContent": "Yg=="}),
        end(2),
        delta(3, reasoningContent={"redactedContent": "%"}),
        delta(3, reasoningContent={"redactedContent": "%"}),
        end(3),
        delta(4, text="So."),
        end(4),
    ]
    assert decoded(_START, *parts, stop(), _META)[:-2] == [
        Thinking("Hm."),
        Thinking("", "c2lnbmVk"),
        RedactedThinking("b3BhcXVl"),
        RedactedThinking("YWI="),
        RedactedThinking("%%"),
        Text("So."),
    ]


def test_reasoning_whose_end_is_not_told_is_signed_all_the_same() -> None:
    """It came before the message stopped; an image without its end did not."""
    parts = [delta(0, reasoningContent={"signature": "s"}), delta(1, image={"source": {"bytes": "%"}})]
    assert decoded(_START, *parts, stop())[:-1] == [Thinking("", "s")]


def test_calls() -> None:
    """Interleaved calls close with the turn; no arguments at all are an empty object."""
    body = [
        begin(0, toolUse={"toolUseId": "a", "name": "f"}),
        begin(1, toolUse={"toolUseId": "b", "name": "g"}),
        delta(0, toolUse={"input": '{"x"'}),
        delta(1, toolUse={"input": ""}),
        delta(0, toolUse={"input": ":1}"}),
        end(1),
        end(0),
    ]
    assert decoded(_START, *body, stop("tool_use"), _META) == [
        ToolCallDelta(0, "a", "f", ""),
        ToolCallDelta(1, "b", "g", ""),
        ToolCallDelta(0, None, None, '{"x"'),
        ToolCallDelta(0, None, None, ":1}"),
        _USAGE,
        ToolCall(0, "a", "f", {"x": 1}),
        ToolCall(1, "b", "g", {}),
        Stop("tool_calls", _USAGE, "tool_use"),
    ]


@pytest.mark.parametrize(
    ("body", "reason", "told"),
    [
        (call(0, '{"x":1', ended=True), "tool_use", "incomplete"),
        (call(0, '{"x":1}', ended=False), "tool_use", "incomplete"),
        (call(0, '{"x":1'), "max_tokens", "length"),
        (call(0), "max_tokens", "length"),
        (call(0, '{"x":1}'), "malformed_tool_use", "incomplete"),
        (call(0, '{"x":1}'), "guardrail_intervened", "content_filter"),
        (delta(0, toolUse={"input": '{"x":1}'}) + end(0), "tool_use", "incomplete"),
    ],
)
def test_a_call_that_is_not_closed_whole_or_wanted_never_closes(
    body: bytes, reason: str, told: StopReason
) -> None:
    """Cut arguments, a block without its end, one that never began, a malformed turn and a blocked one."""
    assert [c for c in decoded(_START, body, stop(reason)) if isinstance(c, ToolCall | Stop)] == [
        Stop(told, None, reason)
    ]


def test_calls_that_end_a_turn_by_themselves_are_its_reason() -> None:
    """Some models say that the turn ended where they have made calls."""
    assert decoded(_START, call(0, "{}"), stop())[-1] == Stop("tool_calls", None, "end_turn")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "incomplete"),
        ("a_new_one", "unknown"),
        (None, "unknown"),
    ],
)
def test_every_reason_has_its_word(raw: str | None, reason: StopReason) -> None:
    """The provider's own is kept."""
    chunks = decoded(_START, delta(text="a"), event("messageStop", stopReason=raw))
    assert chunks[-1] == Stop(reason, None, raw)


def test_usage_counts_what_the_cache_knew() -> None:
    """`inputTokens` is only what no cache knew; Nova's own names mean the same."""
    counts = {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 20}
    own = {
        "inputTokens": 3,
        "outputTokens": 2,
        "cacheReadInputTokenCount": 10,
        "cacheWriteInputTokenCount": 20,
    }
    for raw in (counts, own):
        usage = decoded(_START, stop(), event("metadata", usage=raw))[0]
        assert usage == Usage(33, 2, 10, 20, 0, raw)


def test_what_a_guardrail_found_is_kept() -> None:
    """It stands beside the counts of the same event."""
    trace: dict[str, Any] = {"guardrail": {"inputAssessment": {"g": {"topicPolicy": {}}}}}
    chunks = decoded(
        _START, delta(text="No."), stop("guardrail_intervened"), event("metadata", usage=_RAW, trace=trace)
    )
    usage = Usage(3, 2, raw={**_RAW, "trace": trace})
    assert chunks == [Text("No."), usage, Stop("content_filter", usage, "guardrail_intervened")]


def test_a_tool_that_the_provider_runs_is_told_and_not_run() -> None:
    """Its call and what it answered come whole, with what must go back."""
    use = {"toolUseId": "s1", "name": "nova_grounding", "type": "server_tool_use"}
    result = {"toolUseId": "s1", "type": "nova_grounding_result", "status": "success"}
    body = [
        begin(0, toolUse=use),
        delta(0, toolUse={"input": '{"query":'}),
        delta(0, toolUse={"input": '"x"}'}),
        end(0),
        begin(1, toolResult=result),
        delta(1, toolResult=[{"text": "a"}]),
        delta(1, toolResult=[{"json": {"b": 1}}]),
        end(1),
        begin(2, toolResult={"toolUseId": "s2", "type": "other_result", "status": "error"}),
        end(2),
        delta(3, text="Yes."),
        end(3),
    ]
    content = [{"text": "a"}, {"json": {"b": 1}}]
    assert decoded(_START, *body, stop()) == [
        ServerToolCall("s1", "nova_grounding", {"query": "x"}, _WIRE, {**use, "input": {"query": "x"}}),
        ServerToolResult("s1", "nova_grounding", content, _WIRE, {**result, "content": content}),
        ServerToolResult(
            "s2",
            "other_result",
            [],
            _WIRE,
            {"toolUseId": "s2", "type": "other_result", "status": "error", "content": []},
            is_error=True,
        ),
        Text("Yes."),
        Stop("stop", None, "end_turn"),
    ]


def test_sources() -> None:
    """A page by its address, a place in a document by its title and words; one that says nothing is none."""
    page = {"location": {"web": {"url": "https://x.test", "domain": "x.test"}}}
    place = {
        "title": "facts",
        "sourceContent": [{"text": "Ulm "}, {"text": "is old."}, 5],
        "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}},
    }
    found: dict[str, Any] = {"source": "https://y.test", "location": {"searchResultLocation": {}}}
    nothing: dict[str, Any] = {"location": {}}
    body = [delta(citation=each) for each in (page, place, found, nothing)]
    assert decoded(_START, *body, stop())[:-1] == [
        Citation("https://x.test"),
        Citation(None, "facts", "Ulm is old."),
        Citation("https://y.test"),
    ]


def test_an_image() -> None:
    """It comes in pieces, and is given with the end of its block."""
    body = [
        begin(0, image={"format": "webp"}),
        delta(0, image={"source": {"bytes": "AAE="}}),
        delta(0, image={"source": {"bytes": "Ag=="}}),
        end(0),
    ]
    assert decoded(_START, *body, stop())[0] == Media("image/webp", b"\0\1\2")


def test_an_image_that_is_no_base64_is_a_bad_event() -> None:
    """The error says where its block ended."""
    body = _START + delta(0, image={"source": {"bytes": "%"}}) + end(0)
    _, error = decode(_WIRE, body)
    assert isinstance(error, MalformedEvent)
    assert error.offset == len(body)


def test_what_is_unknown_is_ignored() -> None:
    """Events, blocks, deltas and kinds of message of new names, and the padding."""
    parts = [
        event("somethingNew", x=1),
        message(b"", event_type="initial-response", message_type="event"),
        message(b"\xff", event_type="somethingElse", message_type="event"),
        begin(0, hologram={}),
        event("contentBlockStart", contentBlockIndex=0),
        event("contentBlockDelta", contentBlockIndex=0),
        delta(0, smell="roses"),
        delta(0, text="a"),
        message(b"{}", message_type="notice"),
        event("metadata", metrics={}),
    ]
    assert decoded(_START, *parts, stop()) == [Text("a"), Stop("stop", None, "end_turn")]


def test_the_turn_is_complete_before_its_usage_and_done_with_it() -> None:
    """Whoever loses the connection between the two has the whole answer."""
    decoder = WIRES[_WIRE]()
    assert (decoder.terminal, decoder.done) == (False, False)
    decoder.feed(_START + delta(text="a") + stop())
    assert (decoder.terminal, decoder.done) == (True, False)
    assert decoder.feed(_META)[-1] == Stop("stop", _USAGE, "end_turn")
    assert (decoder.terminal, decoder.done) == (True, True)
    assert decoder.feed(_META) == decoder.close() == []


@pytest.mark.parametrize("tail", [b"", _META[:1], _META[:11], _META[:-1]])
def test_a_body_may_end_after_the_message_stopped(tail: bytes) -> None:
    """What is missing is the usage."""
    assert decoded(_START, delta(text="a"), stop(), tail) == [Text("a"), Stop("stop", None, "end_turn")]


@pytest.mark.parametrize("tail", [b"", _META[:1], _META[:11], stop()[:-1]])
def test_a_body_that_breaks_off_gives_what_came(tail: bytes) -> None:
    """Complete events are never lost to the bytes that follow them."""
    chunks, error = decode(_WIRE, _START + delta(text="a") + delta(text="b") + tail)
    assert chunks == [Text("a"), Text("b")]
    assert type(error) is Truncated


def test_a_body_without_one_whole_event() -> None:
    """Nothing is not an answer, and a message that stops before it began is none."""
    for body in (b"", _START[:20], stop()):
        assert type(decode(_WIRE, body)[1]) is Truncated


def test_a_damaged_message_comes_after_what_was_whole() -> None:
    """The stream is over: the event behind it is not looked for."""
    bad = delta(text="b")
    body = _START + delta(text="a") + bad[:-1] + bytes([bad[-1] ^ 1]) + delta(text="c") + stop()
    chunks, error = decode(_WIRE, body)
    assert chunks == [Text("a")]
    assert isinstance(error, MalformedEvent)
    assert error.offset == len(_START) + len(delta(text="a")) + len(bad)


def test_a_damaged_message_behind_the_end_fails_no_finished_turn() -> None:
    """The message had stopped: the turn is complete, with the usage that was not damaged."""
    bad = _META[:-1] + bytes([_META[-1] ^ 1])
    assert decoded(_START, delta(text="a"), stop(), bad) == [Text("a"), Stop("stop", None, "end_turn")]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"{", "cannot be read"),
        (b"[1]", "a JSON object was expected"),
        (b"[" * 5000, "cannot be read"),  # how deep is too deep depends on the Python
        (b"", "cannot"),
    ],
)
def test_an_event_that_cannot_be_read(payload: bytes, why: str) -> None:
    """The error says where, and quotes a little of it."""
    body = _START + delta(text="a")
    bad = message(payload, event_type="contentBlockDelta", message_type="event")
    chunks, error = decode(_WIRE, body + bad)
    assert chunks == [Text("a")]
    assert isinstance(error, MalformedEvent)
    assert why in str(error)
    assert error.offset == len(body + bad)


def test_odd_fields_cost_nothing_but_themselves() -> None:
    """Wrong types, NaN, lone surrogates and double keys."""
    odd = '{"contentBlockIndex":"0","delta":{"text":"\\ud800!","toolUse":5,"citation":[]},"delta2":NaN}'
    body = [
        message(odd.encode(), event_type="contentBlockDelta", message_type="event"),
        delta(0, text=None, reasoningContent=None),
        event("contentBlockDelta", contentBlockIndex=None, delta={"text": "b"}),
    ]
    assert decoded(_START, *body, stop())[:-1] == [Text("\ufffd!"), Text("b")]


@pytest.mark.parametrize(
    ("name", "status", "kind", "retryable"),
    [
        ("internalServerException", 500, ServerError, True),
        ("modelStreamErrorException", 424, ServerError, True),
        ("modelTimeoutException", 408, ServerError, True),
        ("serviceUnavailableException", 503, OverloadedError, True),
        ("throttlingException", 429, RateLimitError, True),
        ("validationException", 400, BadRequestError, False),
        ("ServiceQuotaExceededException", 400, QuotaError, False),
        ("accessDeniedException", 403, AuthenticationError, False),
        ("aNewException", 500, ServerError, True),
    ],
)
def test_a_failure_inside_the_stream_is_the_error_of_its_status(
    name: str, status: int, kind: type[APIError], retryable: bool
) -> None:
    """It comes after the chunks before it, and no usage makes it a success."""
    chunks, error = decode(_WIRE, _START + delta(text="a") + exception(name, "slow down") + stop() + _META)
    assert chunks == [Text("a")]
    assert isinstance(error, APIError)
    assert type(error) is kind
    facts = (error.status_code, error.code, error.message, error.in_stream, error.retryable)
    assert facts == (status, name, "slow down", True, retryable)


@pytest.mark.parametrize(
    ("frame", "code", "text"),
    [
        (
            message(b"", message_type="error", error_code="InternalError", error_message="boo"),
            "InternalError",
            "boo",
        ),
        (message(b"<no>", message_type="exception", exception_type="xException"), "xException", "<no>"),
        (message(b"", message_type="exception"), None, "the provider gave no message"),
        (
            message(
                b'{"originalMessage":"deep"}', event_type="modelStreamErrorException", message_type="event"
            ),
            "modelStreamErrorException",
            "deep",
        ),
    ],
)
def test_failures_of_other_shapes(frame: bytes, code: str | None, text: str) -> None:
    """Errors without a payload, payloads that are none, and exceptions that come as events."""
    _, error = decode(_WIRE, _START + frame)
    assert isinstance(error, APIError)
    assert (error.code, error.message) == (code, text)


def test_a_failure_after_the_turn_was_done_is_not_its_own() -> None:
    """With the usage nothing can change it."""
    assert (
        decode(_WIRE, _START + delta(text="a") + stop() + _META + exception("throttlingException"))[1] is None
    )


def test_a_failure_after_the_message_stopped_is_one() -> None:
    """The turn was not done."""
    assert type(decode(_WIRE, _START + stop() + exception("throttlingException"))[1]) is RateLimitError


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"<html><body>Bad gateway</body></html>", NotAStream, "is a web page"),
        (b"  <!doctype html>" + b" " * 500, NotAStream, "is a web page"),
        (b"no healthy upstream", NotAStream, "is not an event stream: no healthy upstream"),
        (b"event: a\ndata: {}\n\n" * 40, NotAStream, "is not an event stream"),
        (b"{", NotAStream, "is not an event stream"),
        (b"[1]", NotAStream, "is not an event stream: [1]"),
        (b'{"a": 1}', NotAStream, "no answer of Converse"),
        (b'{"message": "Too many requests", "__type": "ThrottlingException"}', RateLimitError, "Too many"),
        (b'{"__type": "com.amazon.coral#UnknownOperationException"}', ServerError, "UnknownOperation"),
        (
            b'{"Output": {"__type": "a#AccessDeniedException"}, "Version": "1.0"}',
            AuthenticationError,
            "Access",
        ),
        (b'{"Message": "no"}', ServerError, "no"),
        (b'{"error": {"type": "overloaded_error", "message": "busy"}}', OverloadedError, "busy"),
    ],
)
def test_a_body_that_is_no_stream(body: bytes, kind: type[Exception], text: str) -> None:
    """Pages, texts and documents are told from streams by their first byte, and errors from answers."""
    for parts in ([body], [body[:3], body[3:]]):
        chunks, error = decode(_WIRE, parts)
        assert chunks == []
        assert type(error) is kind
        assert text in str(error)


def _document(**more: Any) -> bytes:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "b3Bh"}},
        {"text": "Yes."},
        {
            "citationsContent": {
                "content": [{"text": "It is."}, {}],
                "citations": [{"title": "facts"}],
            }
        },
        {"image": {"format": "png", "source": {"bytes": "AAEC"}}},
        {"toolUse": {"toolUseId": "s", "name": "g", "input": {"q": 1}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "s", "content": [{"text": "r"}], "type": "x"}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"x": 1}}},
    ]
    message_ = {"role": "assistant", "content": content}
    return json.dumps({"output": {"message": message_}, "usage": _RAW, **more}).encode()


def test_an_answer_that_is_not_streamed() -> None:
    """Its blocks come as if each were one event."""
    chunks, error = decode(_WIRE, _document(stopReason="tool_use"))
    assert error is None
    assert [type(chunk).__name__ for chunk in chunks] == [
        *("Thinking", "Thinking", "RedactedThinking", "Text", "Text", "Citation", "Media"),
        *("ServerToolCall", "ServerToolResult", "ToolCallDelta", "Usage", "ToolCall", "Stop"),
    ]
    turn = fold(chunks)
    assert (turn.text, turn.thinking, turn.stop_reason) == ("Yes.It is.", "Hm.", "tool_calls")
    assert turn.tool_calls == (ToolCall(0, "t", "f", {"x": 1}),)
    assert turn.usage == _USAGE


def test_an_answer_that_is_not_streamed_and_not_whole() -> None:
    """Without a reason to stop it was cut."""
    chunks, error = decode(_WIRE, _document())
    assert type(error) is Truncated
    assert Text("Yes.") in chunks


@pytest.mark.parametrize(
    "body",
    [
        b"".join(delta(number, reasoningContent={"signature": "s"}) for number in range(200)),
        b"".join(begin(number, toolUse={"toolUseId": "t", "name": "f"}) for number in range(200)),
        delta(0, reasoningContent={"signature": "s" * 1_048_577}),
        delta(0, reasoningContent={"redactedContent": "s" * 20_000_000}) * 2,
        begin(0, toolUse={"toolUseId": "s", "name": "g", "type": "server_tool_use"})
        + delta(0, toolUse={"input": "x" * 1_048_577}),
        call(0, "x" * 1_048_577),
    ],
)
def test_what_is_remembered_has_bounds(body: bytes) -> None:
    """Blocks that never end, and texts that do not."""
    assert type(decode(_WIRE, _START + body)[1]) is EventTooLarge


def test_a_document_has_a_limit() -> None:
    """It is as large as an event may be."""
    decoder = WIRES[_WIRE]()
    with pytest.raises(EventTooLarge):
        for _ in range(30):
            decoder.feed(b"{" + b" " * 1_000_000)


def test_a_message_without_headers_is_an_event_of_no_name() -> None:
    """It says nothing."""
    chunks = decoded(_START, framed(b"", b"{}"), framed(header("x", "y"), b"{}"), stop())
    assert chunks == [Stop("stop", None, "end_turn")]
