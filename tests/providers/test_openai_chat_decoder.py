"""Chat completions: what each event becomes, when a turn is complete, and what fails it."""

from typing import Any

import pytest

from streamd.providers import (
    APIError,
    AuthenticationError,
    BadRequestError,
    Chunk,
    Citation,
    MalformedEvent,
    Media,
    Metadata,
    OverloadedError,
    QuotaError,
    RateLimitError,
    RedactedThinking,
    Refusal,
    ServerError,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
)
from tests.support.decoding import decode, sse

_WIRE = "openai-chat"


def _delta(finish: Any = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _tool(finish: Any = None, **call: Any) -> dict[str, Any]:
    return _delta(finish, tool_calls=[call])


def _whole(*payloads: Any) -> list[Chunk]:
    chunks, error = decode(_WIRE, sse(*payloads))
    assert error is None
    return chunks


def test_a_turn_from_its_first_event_to_its_last():
    """Metadata once, text as it comes, usage when it comes, and `Stop` last, with the usage."""
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    usage = Usage(3, 2, raw=counts)
    head = {"id": "r1", "model": "m1"}
    assert _whole(
        head | _delta(role="assistant", content=""),
        head | _delta(content="Hel"),
        head | _delta(content="lo"),
        head | _delta("stop"),
        head | {"choices": [], "usage": counts},
        "[DONE]",
    ) == [Metadata("r1", "m1"), Text("Hel"), Text("lo"), usage, Stop("stop", usage, "stop")]


@pytest.mark.parametrize("done", ["[DONE]", "[DONE] ", " [DONE]"])
def test_nothing_after_done_is_read(done: str):
    """The decoder says that it is done, and ignores what follows, garbage and errors too."""
    chunks, error = decode(
        _WIRE, sse(_delta("stop", content="a"), done, "garbage", {"error": "late"}) + b"<html>"
    )
    assert error is None
    assert chunks == [Text("a"), Stop("stop", None, "stop")]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos", "stop"),
        ("length", "length"),
        ("model_length", "length"),
        ("tool_calls", "incomplete"),
        ("function_call", "incomplete"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("never heard of", "unknown"),
    ],
)
def test_finish_reasons_are_translated(raw: str, reason: str):
    """The provider's word becomes one of ours, and is kept beside it."""
    assert _whole(_delta(raw, content="a"), "[DONE]")[-1] == Stop(reason, None, raw)


def test_the_first_finish_reason_wins_and_empty_ones_are_none():
    """An empty reason on each event is none; text after the reason is delivered."""
    assert _whole(_delta("", content="a"), _delta("length"), _delta("stop", content="b"), "[DONE]") == [
        Text("a"),
        Text("b"),
        Stop("length", None, "length"),
    ]


def test_done_without_a_finish_reason_ends_the_turn():
    """Some servers never give a reason: `[DONE]` is evidence enough."""
    chunks = _whole(
        _tool(index=0, id="a", function={"name": "f", "arguments": "{}"}),
        _tool(index=1, id="b", function={"name": "g"}),
        "[DONE]",
    )
    assert chunks[-2:] == [ToolCall(0, "a", "f", {}), Stop("unknown")]


def test_an_end_after_the_finish_reason_ends_the_turn():
    """Some servers never send `[DONE]`."""
    assert _whole(_delta("stop", content="a")) == [Text("a"), Stop("stop", None, "stop")]


@pytest.mark.parametrize(
    "tail", [b"data: [DONE]", b"data: [DONE]\n", b"data:[DONE]\r", b"data: [DO", b"data: {", b""]
)
def test_the_last_event_may_lack_its_blank_line(tail: bytes):
    """`[DONE]` without its blank line is taken, and half of it does no harm after a finish reason."""
    assert decode(_WIRE, sse(_delta("stop", content="a")) + tail) == (
        [Text("a"), Stop("stop", None, "stop")],
        None,
    )


def test_a_whole_last_event_completes_the_turn():
    """An unterminated event counts where the turn is complete with it."""
    last = sse(_delta("stop", content="b")).rstrip(b"\n")
    assert decode(_WIRE, sse(_delta(content="a")) + last) == (
        [Text("a"), Text("b"), Stop("stop", None, "stop")],
        None,
    )
    assert decode(_WIRE, sse(_delta(content="a")) + b"data: [DONE]") == ([Text("a"), Stop("unknown")], None)


@pytest.mark.parametrize(
    ("body", "chunks"),
    [
        (b"", []),
        (b"\n\n", []),
        (b": keep-alive\n\n", []),
        (b"\xef\xbb", []),
        (b"da", []),
        (sse("[DONE]"), []),
        (b"data: [DONE]", []),
        (sse(_delta(role="assistant"), _delta(content="a")), [Text("a")]),
        (sse(_delta(content="a")) + sse(_delta(content="b")).rstrip(b"\n"), [Text("a")]),
        (sse(_delta(content="a")) + b'data: {"choices":[{"finish_reason":"st', [Text("a")]),
        (sse(_delta(reasoning="a")), [Thinking("a")]),
        (
            sse(_tool(index=0, id="a", function={"name": "f", "arguments": "{}"})),
            [ToolCallDelta(0, "a", "f", "{}")],
        ),
    ],
)
def test_an_end_without_evidence_is_a_truncation(body: bytes, chunks: list[Chunk]):
    """What came is delivered, no tool call closes, and the error says that the answer is not whole."""
    got, error = decode(_WIRE, body)
    assert got == chunks
    assert type(error) is Truncated
    assert error.retryable


def test_reasoning_is_read_under_each_of_its_names_once():
    """`reasoning_content`, `reasoning` and `reasoning_details` tell the same: one of them is taken."""
    details = [
        {"type": "reasoning.text", "text": "c", "index": 0},
        {"type": "reasoning.summary", "summary": "d"},
    ]
    signed = [{"type": "reasoning.text", "signature": "s"}, {"type": "reasoning.encrypted", "data": "e"}]
    assert _whole(
        _delta(reasoning_content="a", reasoning="a", reasoning_details=[{"text": "a"}]),
        _delta(reasoning="b", reasoning_details=[{"text": "b", "signature": None}]),
        _delta(reasoning_details=details),
        _delta("stop", reasoning=None, reasoning_details=signed, content=""),
        "[DONE]",
    )[:-1] == [
        Thinking("a"),
        Thinking("b"),
        Thinking("c"),
        Thinking("", '{"type":"reasoning.text","index":0}'),
        Thinking("d"),
        Thinking("", '{"type":"reasoning.summary"}'),
        Thinking("", '{"type":"reasoning.text","signature":"s"}'),
        RedactedThinking('{"type":"reasoning.encrypted","data":"e"}'),
    ]


def test_content_may_be_a_list_of_parts():
    """Mistral's thinking and text parts are read; what is no known part is not."""
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "a"}, {"type": "text"}, 3]}
    parts = [
        thoughts,
        {"type": "thinking", "thinking": "b"},
        {"type": "text", "text": "c"},
        {"type": "x"},
        None,
    ]
    assert _whole(_delta("stop", content=parts), "[DONE]")[:-1] == [Thinking("a"), Thinking("b"), Text("c")]


def test_parts_of_reasoning_have_summaries_and_signatures():
    """Databricks gives the summaries of Claude's thinking as parts of the content."""
    summaries = [
        {"type": "summary_text", "text": "a", "signature": ""},
        {"type": "summary_text", "signature": "s"},
    ]
    parts = [{"type": "reasoning", "summary": summaries}, {"type": "text", "text": "b"}]
    assert _whole(_delta("stop", content=parts), "[DONE]")[:-1] == [
        Thinking("a"),
        Thinking("", "s"),
        Text("b"),
    ]


def test_copilots_reasoning_is_read():
    """`reasoning_text` is thinking, and `reasoning_opaque` its signature."""
    events = [_delta(reasoning_text="a"), _delta("stop", content="b", reasoning_opaque="s")]
    assert _whole(*events, "[DONE]")[:-1] == [Thinking("a"), Thinking("", "s"), Text("b")]


def test_a_refusal_is_no_text():
    """The model's own words of refusal come as such, and give the reason."""
    assert _whole(_delta(refusal="No."), _delta("stop"), "[DONE]") == [
        Refusal("No."),
        Stop("refusal", None, "stop"),
    ]


def test_only_the_first_choice_counts():
    """Of several answers the one with the index 0 is read."""
    other = {"index": 1, "delta": {"content": "x"}, "finish_reason": "length"}
    first = {"index": 0, "delta": {"content": "a"}, "finish_reason": None}
    assert _whole({"choices": [other, first]}, {"choices": [other]}, _delta("stop"), "[DONE]") == [
        Text("a"),
        Stop("stop", None, "stop"),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"choices": []},
        {},
        {"choices": "x"},
        {"choices": [None, 3]},
        {"choices": [{"delta": None}]},
        {"choices": [{}]},
        {"choices": [{"delta": {"content": 3, "tool_calls": None, "reasoning": {}}, "finish_reason": 7}]},
        {"choices": [{"delta": {"content": None, "tool_calls": [None]}, "index": "0"}], "usage": []},
        {"choices": [{"delta": {}, "logprobs": {"content": [{"logprob": float("nan")}]}}]},
        {"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": None}},
        {"choices": [], "usage": {"prompt_tokens": True, "completion_tokens": 1.5}},
        {"error": None, "choices": []},
        {"id": 5, "model": [], "choices": [], "x_groq": {"id": "q"}},
        "",
        "  ",
    ],
)
def test_odd_events_do_no_harm(odd: Any):
    """Nulls, missing fields and wrong types are passed over."""
    assert _whole(_delta(content="a"), odd, _delta("stop", content="b"), "[DONE]") == [
        Text("a"),
        Text("b"),
        Stop("stop", None, "stop"),
    ]


def test_an_index_may_be_text_or_a_float():
    """Numbers come as text and as floats from some servers; a choice that is not the first stays out."""
    choices = [{"index": "1", "delta": {"content": "x"}}, {"index": 0.0, "delta": {"content": "a"}}]
    call = {"index": "2", "id": "a", "function": {"name": "f", "arguments": {"n": 1}}}
    assert _whole({"choices": choices}, _tool("tool_calls", **call), "[DONE]") == [
        Text("a"),
        ToolCallDelta(0, "a", "f", '{"n":1}'),
        ToolCall(0, "a", "f", {"n": 1}),
        Stop("tool_calls", None, "tool_calls"),
    ]


def test_lone_surrogates_are_repaired():
    """Half a surrogate pair becomes U+FFFD, a whole one the character it is."""
    body = sse(_delta("stop", content="§"), "[DONE]").replace(
        b"\\u00a7", b"a\\ud83d\\u0020\\ud83d\\ude00\\ude00"
    )
    assert decode(_WIRE, body)[0][0] == Text("a\ufffd \U0001f600\ufffd")


def test_tool_calls_close_with_the_turn():
    """Fragments are shown as they come; the calls come at the end, whole, before `Stop`."""
    assert _whole(
        _tool(index=0, id="a", type="function", function={"name": "f", "arguments": ""}),
        _tool(index=0, function={"arguments": '{"x":'}),
        _tool(index=0, function={"arguments": "1}"}),
        _tool("tool_calls", index=1, id="b", function={"name": "g", "arguments": ""}),
        "[DONE]",
    ) == [
        ToolCallDelta(0, "a", "f", ""),
        ToolCallDelta(0, None, None, '{"x":'),
        ToolCallDelta(0, None, None, "1}"),
        ToolCallDelta(1, "b", "g", ""),
        ToolCall(0, "a", "f", {"x": 1}),
        ToolCall(1, "b", "g", {}),
        Stop("tool_calls", None, "tool_calls"),
    ]


def test_a_stop_with_calls_is_a_stop_for_tools():
    """Servers that say `stop` after tool calls mean that the tools should run."""
    chunks = _whole(_tool("stop", index=0, id="a", function={"name": "f", "arguments": "{}"}), "[DONE]")
    assert chunks[1:] == [ToolCall(0, "a", "f", {}), Stop("tool_calls", None, "stop")]


@pytest.mark.parametrize(
    ("arguments", "finish"),
    [
        ('{"q":"rm -rf /tm', "tool_calls"),
        ('{"q":', "length"),
        ("", "length"),
        ("{}{}", "stop"),
        ("", "content_filter"),
    ],
)
def test_a_call_with_cut_arguments_never_closes(arguments: str, finish: str):
    """The turn ends with the provider's reason; of the call only its fragments are left."""
    chunks = _whole(_tool(finish, index=0, id="a", function={"name": "f", "arguments": arguments}), "[DONE]")
    assert chunks[0] == ToolCallDelta(0, "a", "f", arguments)
    assert [type(chunk) for chunk in chunks[1:]] == [Stop]


def test_the_old_function_call_is_a_tool_call():
    """`function_call` is what `tool_calls` replaced, and some servers still send it."""
    chunks = _whole(
        _delta(function_call={"name": "f", "arguments": "{"}),
        _delta("function_call", function_call={"arguments": "}"}),
        "[DONE]",
    )
    assert chunks[-2:] == [ToolCall(0, "call_0", "f", {}), Stop("tool_calls", None, "function_call")]


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 5},
                "total_tokens": 17,
            },
            (9, 8, 4, 2, 5),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 5},
                "total_tokens": 17,
            },
            (9, 8, 0, 0, 5),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 8, "prompt_cache_hit_tokens": 7}, (9, 8, 7, 0, 0)),
        ({"input_tokens": 9.0, "output_tokens": 8}, (9, 8, 0, 0, 0)),
        ({"completion_tokens": 8}, (0, 8, 0, 0, 0)),
    ],
)
def test_usage_has_one_shape(counts: dict[str, Any], usage: tuple[int, ...]):
    """Input counts the cached tokens, output the reasoning, also where the provider counts it apart."""
    stop = _whole(_delta("stop"), {"choices": [], "usage": counts}, "[DONE]")[-1]
    assert stop == Stop("stop", Usage(*usage, raw=counts), "stop")


def test_the_last_sane_usage_stays():
    """Usage on every event is reported when it changes, and a later null or zero does not undo it."""
    counts = [{"prompt_tokens": 2, "completion_tokens": n} for n in (1, 1, 2)]
    zero = {"prompt_tokens": 0, "completion_tokens": 0}
    payloads = [_delta("stop", content="a") | {"usage": usage} for usage in (*counts, None, zero, {})]
    usages = [chunk for chunk in _whole(*payloads, "[DONE]") if isinstance(chunk, Usage)]
    assert usages == [Usage(2, 1, raw=counts[0]), Usage(2, 2, raw=counts[2])]


def test_usage_that_comes_in_parts_is_put_together():
    """Each count is the highest that was reported: a later event that leaves one out, or says 0, takes nothing back."""
    parts = [
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}},
        {"prompt_tokens": 0, "completion_tokens": 5},
        {"completion_tokens": 7},
    ]
    payloads = [_delta("stop", content="a"), *({"choices": [], "usage": part} for part in parts)]
    *_, stop = _whole(*payloads, "[DONE]")
    raw = {"prompt_tokens": 0, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}
    assert stop == Stop("stop", Usage(10, 7, 4, raw=raw), "stop")


def test_usage_in_groqs_own_field():
    """Where Groq puts the usage beside the OpenAI fields it is found."""
    counts = {"prompt_tokens": 2, "completion_tokens": 1}
    assert _whole(_delta("stop") | {"x_groq": {"usage": counts}})[0] == Usage(2, 1, raw=counts)


def test_citations_come_once():
    """URLs repeated on every event are cited once; annotations have title and text."""
    note = {"type": "url_citation", "url_citation": {"url": "https://b.test", "title": "B", "content": "b"}}
    found = {"citations": ["https://c.test"], "search_results": [{"url": "https://c.test", "title": "C"}]}
    assert _whole(
        _delta(content="a") | {"citations": ["https://a.test", 3, ""]},
        _delta(annotations=[note, note, {"type": "other"}]) | {"citations": ["https://a.test"]},
        _delta("stop") | found,
    )[:-1] == [
        Text("a"),
        Citation("https://a.test"),
        Citation("https://b.test", "B", "b"),
        Citation("https://c.test", "C"),
    ]


@pytest.mark.parametrize(
    ("url", "image"),
    [
        ("data:image/gif;base64,aGk=", Media("image/gif", b"hi")),
        ("data:image/gif;charset=x;base64,aGk=", Media("image/gif", b"hi")),
        ("data:;base64,aGk=", Media("image/png", b"hi")),
        ("data:image/gif;base64,?", Media("image/png", url="data:image/gif;base64,?")),
        ("https://a.test/i.png", Media("image/png", url="https://a.test/i.png")),
    ],
)
def test_images_are_media(url: str, image: Media):
    """An image comes as its bytes, or as the URL it was given by."""
    images = [{"type": "image_url", "image_url": {"url": url}}, {"type": "other"}, None]
    assert _whole(_delta("stop", images=images), "[DONE]")[:-1] == [image]


@pytest.mark.parametrize(
    ("payload", "kind", "code"),
    [
        ({"error": {"message": "boo", "type": "server_error"}}, ServerError, "server_error"),
        ({"error": {"message": "boo", "code": 429}}, RateLimitError, None),
        (
            {"error": {"message": "boo", "code": "insufficient_quota", "type": "requests"}},
            QuotaError,
            "insufficient_quota",
        ),
        (
            {
                "error": {"message": "boo", "code": 400},
                "choices": [{"delta": {"content": ""}, "finish_reason": "error"}],
            },
            BadRequestError,
            None,
        ),
        ({"error": "boo"}, ServerError, None),
        (
            {"object": "error", "message": "boo", "type": "BadRequestError", "code": 400},
            BadRequestError,
            "BadRequestError",
        ),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "boo"}},
            OverloadedError,
            "overloaded_error",
        ),
        (
            {"type": "error", "code": "invalid_api_key", "message": "boo"},
            AuthenticationError,
            "invalid_api_key",
        ),
        (
            {"choices": [{"error": {"code": 502, "message": "boo"}, "finish_reason": "error"}]},
            ServerError,
            None,
        ),
        (_delta("error"), ServerError, "error"),
        (_delta("insufficient_system_resource"), OverloadedError, "insufficient_system_resource"),
        (
            {"choices": [{"finish_reason": "stop", "native_finish_reason": "network_error"}]},
            ServerError,
            "network_error",
        ),
    ],
)
def test_an_error_in_the_stream_has_the_class_of_its_status(
    payload: dict[str, Any], kind: type[APIError], code: str | None
):
    """Whatever its shape, what came before it is delivered, and nothing after it."""
    call = _tool(index=0, id="a", function={"name": "f", "arguments": "{}"})
    chunks, error = decode(
        _WIRE, sse(_delta(content="a"), call, payload, _delta("stop", content="b"), "[DONE]")
    )
    assert chunks == [Text("a"), ToolCallDelta(0, "a", "f", "{}")]
    assert type(error) is kind
    assert error.in_stream
    assert error.code == code


def test_an_error_after_the_finish_reason_fails_the_turn():
    """Until `[DONE]` the provider can take its word back; no tool call was closed then."""
    call = _tool("tool_calls", index=0, id="a", function={"name": "f", "arguments": "{}"})
    chunks, error = decode(_WIRE, sse(call, {"error": {"message": "boo", "code": 503}}, "[DONE]"))
    assert chunks == [ToolCallDelta(0, "a", "f", "{}")]
    assert type(error) is OverloadedError


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        (b'event: error\ndata: {"message":"boo","code":"rate_limit_exceeded"}\n\n', RateLimitError, "boo"),
        (b'error: {"code":500,"message":"boo","type":"server_error"}\n\n', ServerError, "boo"),
        (b"error: out of memory\n\n", ServerError, "out of memory"),
        (b"event: error\ndata: boo", ServerError, "boo"),
    ],
)
def test_an_event_named_error_is_one(event: bytes, kind: type[APIError], message: str):
    """The event's name decides where the data has no shape of its own, and so does an `error` field."""
    chunks, error = decode(_WIRE, sse(_delta(content="a")) + event)
    assert chunks == [Text("a")]
    assert type(error) is kind
    assert error.message == message


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b'{"choices":[]} x',
        b'{"choices":[]}{"choices":[]}',
        b"null",
        b"[]",
        b"3",
        b"data: {}",
        b": KEEP-ALIVE",
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"choices":[{"delta":{"content":"\x01"}}]}',
        b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_an_event_that_cannot_be_read_is_malformed(data: bytes):
    """The error says where the event ended and quotes its beginning; what came before is delivered."""
    good = sse(_delta(content="a"))
    body = good + b"data: " + data + b"\n\n" + sse("[DONE]")
    chunks, error = decode(_WIRE, body)
    assert chunks == [Text("a")]
    assert type(error) is MalformedEvent
    assert error.offset == len(good) + len(data) + 8
    assert len(str(error)) < 400
    assert str(error).isprintable()
    assert error.__cause__ is not None


@pytest.mark.parametrize("finish", ["stop", "tool_calls"])
def test_a_turn_whose_calls_all_failed_to_close_says_so(finish):
    """The turn is over and none of its calls can be run: its reason is `incomplete`, and the raw one is kept."""
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"q":"rm -rf /tm'}}
    *_, stop = _whole(_delta(tool_calls=[call]), _delta(finish), "[DONE]")
    assert stop == Stop("incomplete", None, finish)
