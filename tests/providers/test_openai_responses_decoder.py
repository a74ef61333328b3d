"""The Responses API, decoded: what a model says, how a response ends, and what is no response."""

import json
from typing import Any

import pytest

from streamd.providers import (
    APIError,
    BadRequestError,
    Chunk,
    Citation,
    EventTooLarge,
    LogProbs,
    MalformedEvent,
    Media,
    Metadata,
    NotAStream,
    OverloadedError,
    QuotaError,
    RateLimitError,
    Refusal,
    ScoredToken,
    SequenceGap,
    ServerError,
    ServerToolCall,
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
from tests.support.decoding import decode, named, single_bytes, sse
from tests.support.responses import ITEMS, body, ended, numbered, sent

WIRE = "openai-responses"
USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 64},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 130,
}
COUNTED = Usage(100, 30, 64, 0, 20, USAGE)
START = Metadata("resp_1", "m")


def chunks_of(*events: dict[str, Any]) -> list[Chunk]:
    """What a good stream gives after its metadata."""
    chunks, error = decode(WIRE, body(*events))
    assert error is None
    assert chunks[0] == START
    return chunks[1:]


def failure(*events: dict[str, Any]) -> StreamdError:
    """The error of a stream that fails."""
    error = decode(WIRE, body(*events))[1]
    assert error is not None
    return error


def text_delta(text: str, part: int = 0, **more: Any) -> dict[str, Any]:
    """A piece of the text of the item at the first place."""
    where = {"item_id": "msg_1", "output_index": 0, "content_index": part}
    return {"type": "response.output_text.delta", **where, "delta": text, **more}


def test_a_whole_response() -> None:
    """Reasoning, a search, a text and two calls come in order; the calls and the end come last."""
    events = [event for index, item in enumerate(ITEMS) for event in sent(item, index)]
    assert chunks_of(*events, ended(output=ITEMS, usage=USAGE)) == [
        Thinking("One."),
        Thinking("", None, "rs_1"),
        Thinking("Two."),
        Thinking("", "c2VhbA==", "rs_1"),
        ServerToolCall("ws_1", "web_search", {"type": "search", "query": "towns"}, WIRE, ITEMS[1]),
        Text("Ulm,"),
        Text(" Köl"),
        Text("n."),
        ToolCallDelta(0, "call_1", "weather", ""),
        *(ToolCallDelta(0, None, None, piece) for piece in ('{"to', 'wn":', '"Ulm', '"}')),
        ToolCallDelta(1, "call_2", "now", ""),
        ToolCallDelta(1, None, None, "{}"),
        COUNTED,
        ToolCall(0, "call_1", "weather", {"town": "Ulm"}),
        ToolCall(1, "call_2", "now", {}),
        Stop("tool_calls", COUNTED, "completed"),
    ]


def test_the_order_of_a_folded_response() -> None:
    """Every part stands where the provider put it, each block of the reasoning by itself."""
    events = [event for index, item in enumerate(ITEMS) for event in sent(item, index)]
    message = fold(chunks_of(*events, ended(output=ITEMS)))
    assert message.content[:2] == (Thinking("One.", None, "rs_1"), Thinking("Two.", "c2VhbA==", "rs_1"))
    kinds = [type(part) for part in message.content]
    assert kinds == [Thinking, Thinking, ServerToolCall, Text, ToolCall, ToolCall]


def test_items_may_be_told_in_turns() -> None:
    """Two texts and reasoning that comes between them: each piece is of its own item, and nothing comes twice."""
    thought = {"type": "response.reasoning_text.delta", "item_id": "rs", "output_index": 2, "delta": "Hm"}
    second = text_delta("x") | {"item_id": "msg_2", "output_index": 1}
    texts = [{"type": "output_text", "text": text} for text in ("ab", "xy")]
    output = [
        {"type": "message", "id": "msg_1", "content": [texts[0]]},
        {"type": "message", "id": "msg_2", "content": [texts[1]]},
        {"type": "reasoning", "id": "rs", "content": [{"type": "reasoning_text", "text": "Hmm"}]},
    ]
    chunks = chunks_of(text_delta("a"), second, thought, text_delta("b"), ended(output=output))
    assert chunks == [
        *(Text("a"), Text("x"), Thinking("Hm")),
        Thinking("", None, "rs"),
        *(Text("b"), Text("y"), Thinking("m"), Thinking("", None, "rs")),
        Stop("stop", None, "completed"),
    ]


@pytest.mark.parametrize(
    ("end", "reason", "raw"),
    [
        (ended(), "stop", "completed"),
        (ended("done", status="completed"), "stop", "completed"),
        ({"type": "response.completed"}, "stop", "completed"),
        (
            ended("incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "length",
            "max_output_tokens",
        ),
        (
            ended("incomplete", incomplete_details={"reason": "content_filter"}),
            "content_filter",
            "content_filter",
        ),
        (ended("incomplete", incomplete_details={"reason": "bored"}), "unknown", "bored"),
        (ended("incomplete", incomplete_details=None), "unknown", "incomplete"),
        (ended("cancelled"), "cancelled", "cancelled"),
        (
            ended("completed", status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "length",
            "max_output_tokens",
        ),
        (ended("completed", status="in_progress"), "stop", "completed"),
    ],
)
def test_how_a_response_ends(end: dict[str, Any], reason: str, raw: str) -> None:
    """Each terminal event ends the turn at once, with the provider's own word; what follows does not count."""
    stop = Stop(reason, None, raw)  # type: ignore[arg-type]  # the parameter is any text here
    chunks = chunks_of(text_delta("a"), end, text_delta("b"))
    assert chunks == [Text("a"), stop]


@pytest.mark.parametrize(
    ("end", "kind", "code"),
    [
        (ended("failed", error={"code": "server_error", "message": "no"}), ServerError, "server_error"),
        (
            ended("failed", error={"code": "rate_limit_exceeded", "message": "no"}),
            RateLimitError,
            "rate_limit_exceeded",
        ),
        (
            ended("failed", error={"code": "invalid_prompt", "message": "no"}),
            BadRequestError,
            "invalid_prompt",
        ),
        (
            ended("failed", error={"code": "image_too_large", "message": "no"}),
            BadRequestError,
            "image_too_large",
        ),
        (ended("failed", error=None), ServerError, None),
        (ended("completed", status="failed", error={"code": "slow_down"}), OverloadedError, "slow_down"),
        (
            {"type": "response.failed", "error": {"code": "insufficient_quota"}},
            QuotaError,
            "insufficient_quota",
        ),
        (
            {"type": "error", "code": "rate_limit_exceeded", "message": "no", "param": None},
            RateLimitError,
            "rate_limit_exceeded",
        ),
        (
            {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}},
            BadRequestError,
            "invalid_request_error",
        ),
        ({"type": "error", "error": {"status": 503, "message": "no"}}, OverloadedError, None),
        ({"type": "", "error": {"message": "no", "code": 429}}, RateLimitError, None),
        ({"type": "error"}, ServerError, None),
    ],
)
def test_a_response_that_fails(end: dict[str, Any], kind: type[APIError], code: str | None) -> None:
    """The class is that of the status it would have had; the text before it is delivered."""
    chunks, error = decode(WIRE, body(text_delta("a"), end))
    assert chunks == [START, Text("a")]
    assert type(error) is kind
    assert isinstance(error, APIError)
    assert error.in_stream
    assert error.code == code


def test_an_error_that_is_no_json() -> None:
    """An event named `error` is one, whatever it holds."""
    _, error = decode(WIRE, b"event: error\ndata: upstream is down\n\n")
    assert type(error) is ServerError
    assert "upstream is down" in str(error)


def test_a_failed_response_counts_its_tokens() -> None:
    """What it cost is told before the error."""
    chunks, error = decode(WIRE, body(ended("failed", usage=USAGE, error={"code": "server_error"})))
    assert chunks == [START, COUNTED]
    assert type(error) is ServerError


@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b'data: {"type":"response.comp'])
def test_without_a_terminal_event_a_response_is_cut(tail: bytes) -> None:
    """Neither the end of the body nor `[DONE]` is evidence, even where every item is whole."""
    events = [event for index, item in enumerate(ITEMS) for event in sent(item, index)]
    chunks, error = decode(WIRE, body(*events) + tail)
    assert type(error) is Truncated
    assert not any(isinstance(chunk, ToolCall | Stop) for chunk in chunks)


def test_a_terminal_event_needs_no_blank_line() -> None:
    """The last event counts without it, as an error does; another one does not."""
    whole = body(text_delta("a"), ended())
    assert decode(WIRE, whole[:-2]) == (decode(WIRE, whole)[0], None)
    assert type(decode(WIRE, body(ended("failed"))[:-2])[1]) is ServerError
    assert decode(WIRE, body(text_delta("a"))[:-2])[0] == [START]


def test_done_after_the_end_is_not_read() -> None:
    """Some gateways add `[DONE]`, as chat completions have it."""
    chunks, error = decode(WIRE, body(text_delta("a"), ended()) + b"data: [DONE]\n\n")
    assert error is None
    assert chunks[-1] == Stop("stop", None, "completed")


def test_a_refusal() -> None:
    """Its words come as such, once, and give the reason."""
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "refusal", "refusal": "I can't."}
    chunks = chunks_of(
        {"type": "response.refusal.delta", **where, "delta": "I ca"},
        {"type": "response.refusal.delta", **where, "delta": "n"},
        {"type": "response.refusal.done", **where, "refusal": "I can't."},
        ended(output=[{"type": "message", "id": "msg_1", "content": [part]}]),
    )
    assert chunks == [Refusal("I ca"), Refusal("n"), Refusal("'t."), Stop("refusal", None, "completed")]


def test_sources() -> None:
    """Pages and files are cited as they come, and those that only the whole message names too; none twice."""
    page = {"type": "url_citation", "url": "https://x.test/a", "title": "A", "start_index": 0, "end_index": 3}
    file = {"type": "file_citation", "file_id": "file-1", "filename": "b.pdf", "index": 3}
    path = {"type": "file_path", "file_id": "file-2", "index": 4}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    added = [
        {"type": "response.output_text.annotation.added", **where, "annotation_index": n, "annotation": each}
        for n, each in enumerate([page, file])
    ]
    content = [{"type": "output_text", "text": "abc", "annotations": [page, file, path, {"type": "odd"}]}]
    done = {"type": "response.output_item.done", "output_index": 0}
    message = {"type": "message", "id": "msg_1", "content": content}
    chunks = chunks_of(text_delta("abc"), *added, done | {"item": message}, ended(output=[message]))
    assert chunks[1:-1] == [
        Citation("https://x.test/a", "A"),
        Citation(None, "b.pdf"),
        Citation(None, "file-2"),
    ]


def test_log_probabilities() -> None:
    """Each token with those in its place; they come with their text, or with the part where they only come there."""
    top = [{"token": "a", "logprob": -0.1, "bytes": [97]}, {"token": "b", "logprob": -2}]
    scored = [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": top}, {"token": 5}, "odd"]
    told = LogProbs((ScoredToken("a", -0.1, (TokenLogProb("a", -0.1), TokenLogProb("b", -2.0))),))
    done = {"type": "response.output_text.done", "item_id": "msg_1", "content_index": 0, "text": "a"}
    content = [{"type": "output_text", "text": "a", "logprobs": scored}]
    end = ended(output=[{"type": "message", "id": "msg_1", "content": content}])
    for events in (
        [text_delta("a", logprobs=scored), done | {"logprobs": scored}],
        [text_delta("a", logprobs=[]), done | {"logprobs": scored}],
        [text_delta("a"), done],
        [],
    ):
        assert chunks_of(*events, end) == [Text("a"), told, Stop("stop", None, "completed")]


def test_sound() -> None:
    """Sound comes in pieces with its transcript, or whole with its message; what is no base64 is left out."""
    part = {"type": "output_audio", "data": "AAEC", "transcript": "Hello"}
    end = ended(output=[{"type": "message", "id": "msg_1", "content": [part]}])
    pieces: list[dict[str, Any]] = [
        {"type": "response.audio.delta", "delta": "AAE="},
        {"type": "response.audio.delta", "delta": "?"},
        {"type": "response.audio.transcript.delta", "delta": "Hel"},
    ]
    sound, rest = Media("audio/pcm", data=b"\0\1"), Media("audio/pcm", data=b"\0\1\2")
    stop = Stop("stop", None, "completed")
    assert chunks_of(*pieces, end) == [sound, Text("Hel"), Text("lo"), stop]
    assert chunks_of(end) == [Text("Hello"), rest, stop]


def test_usage_counts_everything() -> None:
    """All input, the cached part of it too, and all output, of which reasoning is a part; told once."""
    chunks = chunks_of({"type": "response.in_progress", "response": {"usage": USAGE}}, ended(usage=USAGE))
    assert chunks == [COUNTED, Stop("stop", COUNTED, "completed")]


def test_the_name_of_a_model_may_come_late() -> None:
    """What the provider says of the response is told again when it says more."""
    start = {"type": "response.created", "response": {"id": "r"}}
    chunks, _ = decode(WIRE, named(start, start, ended(model="m")))
    assert chunks[:2] == [Metadata("r", None), Metadata("r", "m")]


def test_a_document_is_a_response_too() -> None:
    """A server that does not stream answers with the response itself."""
    answer = {"object": "response", "id": "resp_1", "model": "m", "status": "completed", "output": ITEMS}
    chunks, error = decode(WIRE, json.dumps(answer | {"usage": USAGE, "error": None}).encode())
    assert error is None
    assert chunks[0] == START
    message = fold(chunks)
    assert message.text == "Ulm, Köln."
    assert message.thinking == "One.Two."
    assert [call.arguments for call in message.tool_calls] == [{"town": "Ulm"}, {}]
    assert message.usage == COUNTED
    assert message.stop_reason == "tool_calls"


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"object": "response", "status": "queued"}, Truncated),
        ({"object": "response", "status": "failed", "error": None}, ServerError),
        ({"object": "response", "status": "failed", "error": {"code": "invalid_prompt"}}, BadRequestError),
        ({"error": {"message": "no", "code": "rate_limit_exceeded"}}, RateLimitError),
        ({"object": "list"}, NotAStream),
        ([1], NotAStream),
    ],
)
def test_a_document_that_is_no_answer(document: Any, kind: type[StreamdError]) -> None:
    """A response that is not complete, one that failed, an error, and anything else."""
    assert type(decode(WIRE, json.dumps(document).encode())[1]) is kind


@pytest.mark.parametrize(
    "event",
    [
        '{"type": "response.output_text.delta", "delta": ',
        "nonsense",
        "[]",
        "{" * 2000,
        '{"a":' * 100_000,
    ],
)
def test_an_event_that_cannot_be_read(event: str) -> None:
    """Good chunks first, then one typed error that says where."""
    good = body(text_delta("a"))
    chunks, error = decode(WIRE, good + sse(event))
    assert chunks == [START, Text("a")]
    assert isinstance(error, MalformedEvent)
    assert error.offset == len(good + sse(event))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ('{"type":"response.output_text.delta","delta":"\\ud800"}', [Text("\ufffd")]),
        ('{"type":"response.output_text.delta","delta":{"text":"a"}}', []),
        ('{"type":"response.output_text.delta","delta":"a","output_index":"x","logprobs":5}', [Text("a")]),
        ('{"type":"response.output_text.delta","delta":"a","delta":"b"}', [Text("b")]),
        ('{"type":"response.output_text.delta","delta":null}', []),
        ('{"type":"response.output_text.delta","delta":"a","n":NaN}', [Text("a")]),
        ('{"type":"response.output_item.added","item":null}', []),
        ('{"type":"response.output_item.done"}', []),
        ('{"type":"response.output_item.done","item":{"type":"message","content":"a"}}', [Text("a")]),
        ('{"type":"response.output_item.done","item":{"type":"message","content":[5,null,{}]}}', []),
        ('{"type":"response.output_item.done","item":{"type":"reasoning","summary":5}}', []),
        ('{"type":"response.audio.done"}', []),
        ('{"type":"keepalive","sequence_number":1}', []),
        ('{"type":5}', []),
        ("{}", []),
    ],
)
def test_odd_fields_cost_nothing_else(event: str, expected: list[Chunk]) -> None:
    """Fields of wrong types are as if they were not there, and unknown events are ignored."""
    chunks, error = decode(WIRE, sse(event, {"type": "response.completed"}))
    assert error is None
    assert chunks == [*expected, Stop("stop", None, "completed")]


def test_the_name_of_an_event_may_stand_for_its_type() -> None:
    """Data without a type are of the type that the event is named by."""
    stream = (
        b'event: response.output_text.delta\ndata: {"delta":"a"}\n\nevent: response.completed\ndata: {}\n\n'
    )
    assert decode(WIRE, stream) == ([Text("a"), Stop("stop", None, "completed")], None)


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_a_hole_in_the_numbers(missing: int) -> None:
    """What came before it is delivered, nothing behind it, and the same request may succeed."""
    events = numbered(
        [{"type": "response.created", "response": {"id": "resp_1", "model": "m"}}, *[text_delta("a")] * 6]
    )
    chunks, error = decode(WIRE, named(*events[:missing], *events[missing + 1 :]))
    assert chunks == [START, *[Text("a")] * (missing - 1)]
    assert type(error) is SequenceGap
    assert error.retryable
    assert str(missing - 1) in str(error)
    assert str(missing + 1) in str(error)


@pytest.mark.parametrize(
    "numbers",
    [
        [7, 8, 9, 10],
        [0, 0, 0, 0],
        [-1, -1, -1, -1],
        [None, None, None, None],
        [1, 2, 0, 9],
        [1, 2, None, 9],
        [5, 6, 0, 1],
    ],
)
def test_servers_that_number_otherwise(numbers: list[int | None]) -> None:
    """Any start will do; a server that repeats, restarts or forgets its numbers does not number, and is not checked."""
    events = [text_delta(str(n)) | {"sequence_number": number} for n, number in enumerate(numbers)]
    chunks, error = decode(WIRE, named(*events, ended()))
    assert error is None
    assert fold(chunks).text == "0123"


def test_an_event_that_comes_twice_is_read_once() -> None:
    """The same event with the same number, after numbers that went up: a proxy sent it again."""
    one, two, three = (text_delta(str(n)) | {"sequence_number": n} for n in (1, 2, 3))
    chunks, error = decode(WIRE, named(one, two, two, three, ended()))
    assert error is None
    assert fold(chunks).text == "123"


def test_too_many_items_are_refused() -> None:
    """What is remembered of items has a bound."""
    events = (text_delta("a") | {"item_id": f"i{n}", "output_index": n} for n in range(5000))
    chunks, error = decode(WIRE, sse(*events))
    assert type(error) is EventTooLarge
    assert len(chunks) == 4096


def test_byte_by_byte_is_the_same() -> None:
    """A response with everything in it, cut at every byte."""
    events = [event for index, item in enumerate(ITEMS) for event in sent(item, index)]
    whole = body(*events, ended(output=ITEMS, usage=USAGE))
    assert decode(WIRE, single_bytes(whole)) == decode(WIRE, whole)
