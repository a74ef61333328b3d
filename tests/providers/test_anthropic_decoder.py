"""Anthropic's messages: what each event becomes, when a turn is complete, and what fails it."""

import json
from typing import Any

import pytest

from streamd.providers import (
    APIError,
    BadRequestError,
    Chunk,
    Citation,
    EventTooLarge,
    MalformedEvent,
    Metadata,
    OverloadedError,
    RateLimitError,
    RedactedThinking,
    ServerError,
    ServerToolCall,
    ServerToolResult,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
    fold,
)
from tests.support.decoding import decode, named, sse

_WIRE = "anthropic-messages"
_COUNTS = {"input_tokens": 3, "output_tokens": 1}
_START = {"type": "message_start", "message": {"type": "message", "id": "m1", "model": "c", "usage": _COUNTS}}
_STOP = {"type": "message_stop"}
_HEAD: list[Chunk] = [Metadata("m1", "c"), Usage(3, 1, raw=_COUNTS)]


def _block(index: int, *deltas: dict[str, Any], stop: bool = True, **block: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [{"type": "content_block_start", "index": index, "content_block": block}]
    events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return events + ([{"type": "content_block_stop", "index": index}] if stop else [])


def _text(index: int, *texts: str) -> list[dict[str, Any]]:
    return _block(index, *({"type": "text_delta", "text": text} for text in texts), type="text", text="")


def _tool(index: int, *pieces: str, stop: bool = True, id_: str = "t1", **block: Any) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return _block(
        index, *deltas, stop=stop, **{"type": "tool_use", "id": id_, "name": "f", "input": {}} | block
    )


def _end(reason: Any, **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def _turn(*events: dict[str, Any], reason: str = "end_turn") -> list[Chunk]:
    chunks, error = decode(_WIRE, named(_START, *events, _end(reason), _STOP))
    assert error is None
    assert chunks[:2] == _HEAD
    return chunks[2:]


def test_a_turn_from_its_first_event_to_its_last():
    """Metadata and the input's usage first, text as it comes, `Stop` last with the whole usage."""
    ping = {"type": "ping"}
    usage = Usage(3, 7, raw=_COUNTS | {"output_tokens": 7})
    body = named(_START, ping, *_text(0, "Hel", "lo"), ping, _end("end_turn", output_tokens=7), _STOP)
    assert decode(_WIRE, body) == (
        [*_HEAD, Text("Hel"), Text("lo"), usage, Stop("stop", usage, "end_turn")],
        None,
    )


def test_events_need_no_name_and_names_need_no_type():
    """The type in the data decides; the event's name does where the data has none."""
    events = [_START, *_text(0, "a"), _end("end_turn"), _STOP]
    whole = decode(_WIRE, named(*events))
    assert decode(_WIRE, sse(*events)) == whole
    bare = [(event["type"], {k: v for k, v in event.items() if k != "type"}) for event in events]
    body = b"".join(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in bare)
    assert decode(_WIRE, body) == whole


def test_nothing_after_message_stop_is_read():
    """The turn is over with `message_stop`."""
    body = named(
        _START, *_text(0, "a"), _end("end_turn"), _STOP, {"type": "error", "error": {"message": "late"}}
    )
    assert decode(_WIRE, body + b"data: {\n\n")[1] is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "incomplete"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("never heard of", "unknown"),
    ],
)
def test_stop_reasons_are_translated(raw: str, reason: str):
    """The provider's word becomes one of ours, and is kept beside it."""
    assert _turn(reason=raw) == [Stop(reason, Usage(3, 1, raw=_COUNTS), raw)]


def test_thinking_keeps_its_signature_and_place():
    """The signature comes with the block's end, and folding gives the blocks as they can be sent back."""
    chunks = _turn(
        *_block(
            0,
            {"type": "thinking_delta", "thinking": "a"},
            {"type": "thinking_delta", "thinking": "b"},
            {"type": "signature_delta", "signature": "s1"},
            type="thinking",
            thinking="",
            signature="",
        ),
        *_block(1, type="thinking", thinking="", signature="s2"),
        *_block(2, type="redacted_thinking", data="x"),
        *_text(3, "t"),
        *_block(4, {"type": "thinking_delta", "thinking": "c"}, type="thinking", thinking=""),
    )
    assert chunks[:-1] == [
        Thinking("a"),
        Thinking("b"),
        Thinking("", "s1"),
        Thinking("", "s2"),
        RedactedThinking("x"),
        Text("t"),
        Thinking("c"),
    ]
    assert fold(chunks).content == (
        Thinking("ab", "s1"),
        Thinking("", "s2"),
        RedactedThinking("x"),
        Text("t"),
        Thinking("c"),
    )


def test_a_signature_is_not_lost_with_the_blocks_end():
    """Where a server leaves out the end of the block, the signature comes at the end of the turn."""
    signed = {"type": "signature_delta", "signature": "s"}
    chunks = _turn(
        *_block(0, {"type": "thinking_delta", "thinking": "a"}, signed, stop=False, type="thinking")
    )
    assert chunks[:-1] == [Thinking("a"), Thinking("", "s")]


def test_tool_calls_close_with_the_turn():
    """Fragments are shown as they come; the calls come at the end, whole and in order, before `Stop`."""
    chunks = _turn(*_tool(1, "", '{"x"', ":1}"), *_text(2, "t"), *_tool(5, id_="t2"), reason="tool_use")
    assert chunks == [
        ToolCallDelta(0, "t1", "f", ""),
        ToolCallDelta(0, None, None, '{"x"'),
        ToolCallDelta(0, None, None, ":1}"),
        Text("t"),
        ToolCallDelta(1, "t2", "f", ""),
        ToolCall(0, "t1", "f", {"x": 1}),
        ToolCall(1, "t2", "f", {}),
        Stop("tool_calls", Usage(3, 1, raw=_COUNTS), "tool_use"),
    ]


def test_input_may_come_whole_with_the_block():
    """Some servers give the whole input where the block begins, and some give it again in pieces."""
    whole = _tool(0, input={"x": 1}) + _tool(1, '{"y":', "2}", id_="t2", input={"y": 2})
    calls = [chunk for chunk in _turn(*whole) if isinstance(chunk, ToolCall | Stop)]
    assert calls[:2] == [ToolCall(0, "t1", "f", {"x": 1}), ToolCall(1, "t2", "f", {"y": 2})]
    assert calls[2] == Stop("tool_calls", Usage(3, 1, raw=_COUNTS), "end_turn")


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (_tool(0, '{"x": "rm -rf /tm'), "tool_use"),
        (_tool(0, '{"x": "rm -rf /tm'), "max_tokens"),
        (_tool(0), "max_tokens"),
        (_tool(0, "{}", stop=False), "tool_use"),
        (_tool(0, stop=False), "tool_use"),
        (_tool(0, "{}{}"), "tool_use"),
        (_tool(0, "{}", name=None), "tool_use"),
    ],
)
def test_a_call_that_is_cut_or_not_closed_never_becomes_one(events: list[dict[str, Any]], reason: str):
    """Only a closed block with one whole object is a call."""
    assert [type(chunk) for chunk in _turn(*events, reason=reason)][-1] is Stop
    assert fold(_turn(*events, reason=reason)).tool_calls == ()


def test_what_is_unknown_is_passed_over():
    """Events and deltas of new types and of no block, and blocks of no type, are passed over."""
    fragment = {"type": "input_json_delta", "partial_json": "{}"}
    assert _turn(
        *_block(3, {"type": "text_delta", "text": "x"}, {"type": "new_delta", "text": "x"}, type="text"),
        {"type": "content_block_start", "index": 4},
        {"type": "content_block_delta", "index": 4},
        {"type": "content_block_delta", "index": 9, "delta": fragment},
        {"type": "content_block_stop", "index": 9},
        {"type": "never heard of", "index": {}},
        _START,
        *_text(4, "a", ""),
    ) == [Text("x"), Text("a"), Stop("stop", Usage(3, 1, raw=_COUNTS), "end_turn")]


_FRAGMENTS = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"query":', '"ulm"}')]
_FOUND = [{"type": "web_search_result", "url": "https://a.test", "encrypted_content": "x", "page_age": None}]


def test_a_tool_of_the_provider_is_told_and_never_called():
    """Its call is put together from fragments, its result names it, and both keep the block whole."""
    call = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}, "caller": {"type": "x"}}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": _FOUND}
    chunks = _turn(*_block(0, *_FRAGMENTS, **call), *_block(1, **result), *_text(2, "a"))
    raw = call | {"input": {"query": "ulm"}}
    assert chunks[:-1] == [
        ServerToolCall("s1", "web_search", {"query": "ulm"}, _WIRE, raw),
        ServerToolResult("s1", "web_search", _FOUND, _WIRE, result),
        Text("a"),
    ]
    assert fold(chunks).tool_calls == ()
    assert chunks[-1] == Stop("stop", Usage(3, 1, raw=_COUNTS), "end_turn")


@pytest.mark.parametrize(
    ("block", "chunk"),
    [
        (
            {"type": "mcp_tool_use", "id": "m1", "name": "add", "server_name": "sums", "input": {"a": 1}},
            ("m1", "add", {"a": 1}),
        ),
        (
            {"type": "mcp_tool_result", "tool_use_id": "m0", "is_error": True, "content": []},
            ("m0", "mcp", [], True),
        ),
        (
            {
                "type": "web_fetch_tool_result",
                "tool_use_id": "s",
                "content": {"type": "web_fetch_tool_result_error"},
            },
            ("s", "web_fetch", {"type": "web_fetch_tool_result_error"}, True),
        ),
        (
            {"type": "bash_code_execution_tool_result", "tool_use_id": "b", "content": {"return_code": 0}},
            ("b", "bash_code_execution", {"return_code": 0}, False),
        ),
        ({"type": "container_upload", "file_id": "f"}, ("", "container_upload", {"file_id": "f"}, False)),
        ({"type": "never heard of", "id": "n"}, ("n", "never heard of", {"id": "n"}, False)),
    ],
)
def test_every_block_of_the_provider_is_kept(block: dict[str, Any], chunk: tuple[Any, ...]):
    """Tools of each kind, and blocks of new types, streamed or not; none of them is a call to run."""
    id_, name, content, *failed = chunk
    expected = (
        ServerToolResult(id_, name, content, _WIRE, block, *failed)
        if failed
        else ServerToolCall(id_, name, content, _WIRE, block)
    )
    assert _turn(*_block(0, **block))[0] == expected
    whole = {"type": "message", "content": [None, block], "stop_reason": "end_turn"}
    chunks, error = decode(_WIRE, json.dumps(whole).encode())
    assert (chunks[0], error) == (expected, None)


def test_a_summary_in_the_place_of_earlier_turns_is_kept():
    """A compaction comes in pieces, and goes back whole."""
    pieces = [{"type": "compaction_delta", "content": text, "n": 1, "x": None} for text in ("so ", "far")]
    raw = {"type": "compaction", "content": "so far", "n": 1}
    content = {"content": "so far", "n": 1}
    assert _turn(*_block(0, *pieces, type="compaction", content=None, n=0), reason="compaction") == [
        ServerToolResult("", "compaction", content, _WIRE, raw),
        Stop("pause", Usage(3, 1, raw=_COUNTS), "compaction"),
    ]


def test_a_block_of_the_provider_that_is_cut_is_none():
    """A call whose block does not end is not told; one whose input is no JSON has none."""
    call = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    assert _turn(*_block(0, *_FRAGMENTS, stop=False, **call))[:-1] == []
    assert _turn(*_block(0, _FRAGMENTS[0], **call))[0] == ServerToolCall("s1", "web_search", {}, _WIRE, call)


def test_a_block_of_the_provider_has_a_bound():
    """What would be kept without end is refused."""
    many = ({"type": "input_json_delta", "partial_json": "x" * 400_000} for _ in range(3))
    call = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    chunks, error = decode(_WIRE, named(_START, *_block(0, *many, **call)))
    assert chunks == _HEAD
    assert isinstance(error, EventTooLarge)
    assert str(error).startswith("a block of the provider is larger than 1048576 characters")


def test_names_of_the_providers_tools_are_not_gathered_without_end():
    """A result names its tool by its call, if that was one of the last."""
    blocks = [
        event
        for n in range(200)
        for event in _block(n, type="server_tool_use", id=f"s{n}", name="web_search", input={})
    ]
    late = [
        _block(200 + n, type="x_tool_result", tool_use_id=id_, content=n)
        for n, id_ in enumerate(("s0", "s199"))
    ]
    chunks = _turn(*blocks, *late[0], *late[1])
    assert [chunk.name for chunk in chunks if isinstance(chunk, ServerToolResult)] == ["x", "web_search"]


def test_text_and_thinking_may_come_with_the_block():
    """What a block holds where it begins is delivered."""
    assert _turn(*_block(0, type="text", text="a"), *_block(1, type="thinking", thinking="b"))[:-1] == [
        Text("a"),
        Thinking("b"),
    ]


def test_citations_are_delivered():
    """Sources of searches and documents come after the text they stand for, and keep what has to go back."""
    web = {"type": "web_search_result_location", "url": "https://a.test", "title": "A", "cited_text": "a"}
    page = {"type": "char_location", "document_title": "D", "cited_text": "d", "document_index": 0}
    search = {"type": "search_result_location", "source": "shelf 3", "title": None, "cited_text": "s"}
    deltas = [{"type": "citations_delta", "citation": given} for given in (web, page, search, None, {})]
    text = {"type": "text_delta", "text": "b"}
    block = _block(0, *deltas, text, type="text", text="", citations=[web, None])
    expected = [
        Text("b"),
        Citation("https://a.test", "A", "a", _WIRE, web),
        Citation("https://a.test", "A", "a", _WIRE, web),
        Citation(None, "D", "d", _WIRE, page),
        Citation("shelf 3", None, "s", _WIRE, search),
    ]
    assert _turn(*block)[:-1] == expected
    assert _turn(*block[:-1])[:-1] == expected


def test_very_many_citations_do_not_wait():
    """Of more than a hundred the first come before their text."""
    web = {"type": "citations_delta", "citation": {"url": "https://a.test"}}
    chunks = _turn(*_block(0, *[web] * 130, {"type": "text_delta", "text": "b"}, type="text"))
    assert [type(chunk) for chunk in chunks[127:131]] == [Citation, Text, Citation, Citation]


def test_usage_is_merged_field_by_field():
    """The last event that counts a field decides it; input counts the cache, read and written."""
    first = {
        "input_tokens": 3,
        "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 100,
        "output_tokens": 1,
    }
    start = {"type": "message_start", "message": {"usage": first}}
    last = {"output_tokens": 8, "input_tokens": None, "output_tokens_details": {"thinking_tokens": 5}}
    raw = first | {"output_tokens": 8, "output_tokens_details": {"thinking_tokens": 5}}
    body = named(start, _end(None, **last), _end("end_turn", **last), {"type": "message_delta"}, _STOP)
    usage = Usage(113, 8, 10, 100, 5, raw)
    assert decode(_WIRE, body) == (
        [Usage(113, 1, 10, 100, raw=first), usage, Stop("stop", usage, "end_turn")],
        None,
    )


def test_counts_that_make_no_sense_are_no_usage():
    """Without input and output there is no usage."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": -1, "service_tier": "x"}}}
    assert decode(_WIRE, named(start, _end("end_turn"), _STOP)) == ([Stop("stop", None, "end_turn")], None)


@pytest.mark.parametrize(
    "tail", [b"", b"event: message_stop\n", b'data: {"type":"message_stop"}', sse("[DONE]"), b"data: {"]
)
def test_an_end_after_the_stop_reason_ends_the_turn(tail: bytes):
    """Without `message_stop`, or with one that lacks its blank line, the turn is complete."""
    body = (
        named(_START, *_text(0, "a"), *_tool(1, "{}"), *_tool(2, "{}", stop=False), _end("tool_use")) + tail
    )
    chunks, error = decode(_WIRE, body)
    assert error is None
    assert chunks[-2:] == [
        ToolCall(0, "t1", "f", {}),
        Stop("tool_calls", Usage(3, 1, raw=_COUNTS), "tool_use"),
    ]


def test_message_stop_without_a_reason_ends_the_turn():
    """It is the provider's evidence, whatever the reason was."""
    assert decode(_WIRE, named(_START, *_text(0, "a"), _STOP))[0][-1] == Stop(
        "unknown", Usage(3, 1, raw=_COUNTS)
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        named(_STOP),
        named(_START),
        named(_START, *_text(0, "a")),
        named(_START, *_tool(0, "{}")),
        named(_START, *_tool(0, "{}")) + sse("[DONE]"),
        named(_START, *_tool(0, "{}"), _end(None)),
        named(_START, *_tool(0, "{}")) + b'data: {"type":"message_delta","delta":{"stop_reason":"tool_u',
    ],
)
def test_an_end_without_evidence_is_a_truncation(body: bytes):
    """No stop reason, no `message_stop`: the answer is not whole, and no tool call closes."""
    chunks, error = decode(_WIRE, body)
    assert type(error) is Truncated
    assert not [chunk for chunk in chunks if isinstance(chunk, ToolCall | Stop)]


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "boo"}}, OverloadedError),
        ({"type": "error", "error": {"type": "rate_limit_error", "message": "boo"}}, RateLimitError),
        ({"type": "error", "error": {"type": "api_error", "message": "boo"}}, ServerError),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "boo"}}, BadRequestError),
        ({"type": "error", "error": {"type": "new_error", "message": "boo"}}, ServerError),
        ({"type": "error", "error": None, "message": "boo"}, ServerError),
        ({"error": {"message": "boo"}}, ServerError),
    ],
)
@pytest.mark.parametrize("write", [sse, lambda event: named({"type": "error"} | event)])
def test_an_error_in_the_stream_has_the_class_of_its_status(
    payload: dict[str, Any], kind: type[APIError], write: Any
):
    """Named or not, what came before it is delivered, and no tool call closes."""
    body = (
        named(_START, *_tool(0, "{}"), _end("tool_use"))
        + write(payload | {"request_id": "r1"})
        + named(_STOP)
    )
    chunks, error = decode(_WIRE, body)
    assert chunks == [*_HEAD, ToolCallDelta(0, "t1", "f", ""), ToolCallDelta(0, None, None, "{}")]
    assert type(error) is kind
    assert (error.in_stream, error.message, error.request_id) == (True, "boo", "r1")


@pytest.mark.parametrize("data", ["{", "null", "x", '{"type":'])
def test_an_event_that_cannot_be_read_is_malformed(data: str):
    """What came before it is delivered."""
    chunks, error = decode(_WIRE, named(_START) + sse(data))
    assert chunks == _HEAD
    assert type(error) is MalformedEvent


def test_wrong_types_are_as_if_absent():
    """A field of a wrong type costs that field, not the answer."""
    odd = {"type": "message_start", "message": {"id": 7, "model": "c", "usage": [], "content": {}}}
    events = [
        {"type": "content_block_delta", "index": "0", "delta": {"type": "text_delta", "text": t}}
        for t in ("a", 5)
    ]
    body = named(odd, *events, _end("end_turn") | {"usage": 3}, _STOP)
    assert decode(_WIRE, body) == ([Metadata(None, "c"), Text("a"), Stop("stop", None, "end_turn")], None)
