"""Ollama's chat: what the lines mean."""

import base64
import json
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    APIError,
    AuthenticationError,
    EventTooLarge,
    LogProbs,
    MalformedEvent,
    Media,
    Metadata,
    NotAStream,
    NotFoundError,
    ScoredToken,
    ServerError,
    Stop,
    StopReason,
    Text,
    Thinking,
    TokenLogProb,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
    fold,
    resolve,
)
from tests.support.decoding import decode, single_bytes, sse
from tests.support.ollama import last, lines, said

WIRE = "ollama-chat"
COUNTED = Usage(5, 3, raw={"prompt_eval_count": 5, "eval_count": 3})


def test_a_turn() -> None:
    """The model's name, thinking, text, usage with the server's own counts and durations, the end."""
    durations: dict[str, Any] = {
        "total_duration": 90,
        "load_duration": 10,
        "prompt_eval_duration": 30,
        "eval_duration": 50,
    }
    body = lines(said(thinking="Hm. "), said(content="Hé"), said(content="llo"), last(**durations))
    usage = Usage(5, 3, raw={"prompt_eval_count": 5, "eval_count": 3, **durations})
    for parts in ([body], single_bytes(body), [body[:-1]], [body.replace(b"\n", b"\r\n")]):
        chunks, error = decode(WIRE, parts)
        assert error is None
        assert chunks == [
            Metadata(None, "m"),
            Thinking("Hm. "),
            Text("Hé"),
            Text("llo"),
            usage,
            Stop("stop", usage, "stop"),
        ]


def test_when_the_turn_is_done() -> None:
    """The last line ends the turn with its line feed: nothing is waited for, and nothing after it counts."""
    decoder = WIRES[WIRE]()
    body = lines(said(content="a"), last())
    decoder.feed(body[:-1])
    assert (decoder.terminal, decoder.done) == (False, False)
    assert decoder.feed(b"\n" + lines(said(content="b"), {"error": "late"})) == [
        COUNTED,
        Stop("stop", COUNTED, "stop"),
    ]
    assert (decoder.terminal, decoder.done) == (True, True)
    assert decoder.close() == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("load", "stop"),
        ("unload", "stop"),
        (None, "unknown"),
        ("", "unknown"),
        ("new_reason", "unknown"),
    ],
)
def test_reasons(reason: str | None, expected: StopReason) -> None:
    """Older servers give none; a word that is not known is kept as it came."""
    chunks, error = decode(WIRE, lines(said(content="a"), last(reason)))
    assert error is None
    assert chunks[-1] == Stop(expected, COUNTED, reason or None)


def _calls(*entries: Any) -> dict[str, Any]:
    return said(tool_calls=list(entries))


def _call(name: str | None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {**more, "function": {"index": 0, "name": name, "arguments": arguments}}


def test_calls_of_one_number() -> None:
    """All calls may be number 0, in one line or in several: each is its own, and the reason is theirs."""
    body = lines(
        _calls(_call("weather", {"town": "Ulm"}), _call("weather", {"town": "Ulm"})),
        _calls(_call("now", {})),
        last(),
    )
    chunks, error = decode(WIRE, body)
    assert error is None
    assert chunks[1:4] == [
        ToolCallDelta(0, "ollama_call_0", "weather", '{"town":"Ulm"}'),
        ToolCallDelta(1, "ollama_call_1", "weather", '{"town":"Ulm"}'),
        ToolCallDelta(2, "ollama_call_2", "now", "{}"),
    ]
    assert chunks[5:] == [
        ToolCall(0, "ollama_call_0", "weather", {"town": "Ulm"}),
        ToolCall(1, "ollama_call_1", "weather", {"town": "Ulm"}),
        ToolCall(2, "ollama_call_2", "now", {}),
        Stop("tool_calls", COUNTED, "stop"),
    ]


def test_ids_that_are_given_are_kept() -> None:
    """Newer servers name their calls."""
    body = lines(_calls(_call("f", {}, id="c1"), _call("f", {"x": 1}, id="c2")), last())
    assert [call.id for call in fold(decode(WIRE, body)[0]).tool_calls] == ["c1", "c2"]


@pytest.mark.parametrize("reason", [None, "stop"])
def test_calls_end_a_turn_that_ended_by_itself(reason: str | None) -> None:
    """Whether the server names a reason or not."""
    assert decode(WIRE, lines(_calls(_call("f")), last(reason)))[0][-1] == Stop("tool_calls", COUNTED, reason)


def test_calls_before_the_limit() -> None:
    """A call that came before the output was cut is whole; the reason stays."""
    chunks, _ = decode(WIRE, lines(_calls(_call("f", {"x": 1})), last("length")))
    assert chunks[-2:] == [ToolCall(0, "ollama_call_0", "f", {"x": 1}), Stop("length", COUNTED, "length")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [('{"x":1}', {"x": 1}), ("", {}), (None, {}), ({}, {}), ({"a": [None, 1.5]}, {"a": [None, 1.5]})],
)
def test_arguments(arguments: Any, expected: dict[str, Any]) -> None:
    """They are an object, with some servers its JSON text; none at all are an empty object."""
    (call,) = fold(decode(WIRE, lines(_calls(_call("f", arguments)), last()))[0]).tool_calls
    assert call.arguments == expected


@pytest.mark.parametrize(
    "entry",
    [
        '{"function":{"name":"f","arguments":{"x":NaN}}}',
        '{"function":{"name":"f","arguments":{"x":[1e999]}}}',
        '{"function":{"name":"f","arguments":"{\\"x\\":"}}',
        '{"function":{"name":"f","arguments":"[1]"}}',
        '{"function":{"arguments":{"x":1}}}',
        '{"function":null}',
        "{}",
    ],
)
def test_calls_that_cannot_be_run(entry: str) -> None:
    """Without a name, or with arguments that are no JSON object, they are shown, and the turn is incomplete."""
    chunks, error = decode(WIRE, lines(f'{{"message":{{"tool_calls":[{entry}]}},"done":false}}', last()))
    assert error is None
    assert fold(chunks).tool_calls == ()
    assert chunks[-1] == Stop("incomplete", COUNTED, "stop")


def test_calls_have_a_limit() -> None:
    """Calls without end are state."""
    body = lines(*[_calls(*[_call("f")] * 50)] * 3)
    assert type(decode(WIRE, body)[1]) is EventTooLarge


def test_images() -> None:
    """They are bytes in base64; what is none cannot be read."""
    data = base64.b64encode(b"\x89PNG").decode()
    chunks, _ = decode(WIRE, lines(said(images=[data, ""]), last()))
    assert chunks[1] == Media("image/png", data=b"\x89PNG")
    assert type(decode(WIRE, lines(said(images=["no base64"])))[1]) is MalformedEvent


def test_log_probabilities() -> None:
    """Those of the tokens of a line, and of others in their place; what is none is left out."""
    scores = [
        {"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -2}, {}]},
        {"token": "c"},
        {"token": "d", "logprob": True},
        7,
    ]
    chunks, _ = decode(WIRE, lines({**said(content="a"), "logprobs": scores}, last()))
    assert chunks[1:3] == [Text("a"), LogProbs((ScoredToken("a", -0.1, (TokenLogProb("b", -2.0),)),))]
    assert not any(
        isinstance(chunk, LogProbs) for chunk in decode(WIRE, lines({**said(), "logprobs": [{}]}))[0]
    )


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"error": "an error was encountered while running the model: unexpected EOF"}, ServerError),
        ({"error": {"message": "no", "code": 401}}, AuthenticationError),
        ({"error": "model 'x' not found", "status_code": 404}, NotFoundError),
        ({"object": "error", "code": 404, "message": "no"}, NotFoundError),
        ({"type": "error", "error": {"type": "not_found_error"}}, NotFoundError),
    ],
)
def test_errors_in_the_stream(line: dict[str, Any], kind: type[APIError]) -> None:
    """What came before is delivered, with or without a line's end."""
    for body in (lines(said(content="a"), line), lines(said(content="a"), line)[:-1]):
        chunks, error = decode(WIRE, body)
        assert chunks == [Metadata(None, "m"), Text("a")]
        assert isinstance(error, APIError)
        assert (type(error), error.in_stream) == (kind, True)


def test_what_a_line_says_beside_an_error() -> None:
    """It was said before the server failed."""
    chunks, error = decode(WIRE, lines({**said(content="b"), "error": "boo"}))
    assert chunks[1:] == [Text("b")]
    assert type(error) is ServerError


def test_an_error_of_an_event_stream() -> None:
    """Some gateways send the lines as events: they are read, and so is a field that is an error."""
    chunks, error = decode(WIRE, sse(said(content="a"), "[DONE]", last()))
    assert (error, fold(chunks).text, fold(chunks).stop_reason) == (None, "a", "stop")
    error = decode(WIRE, b'error: {"error": "boo"}\n\n')[1]
    assert type(error) is ServerError


def test_a_refusal() -> None:
    """The body of a status that is no 200."""
    ollama = resolve("ollama", environ={})
    error = ollama.error(404, {}, b'{"error":"model \'nope\' not found"}')
    assert type(error) is NotFoundError
    assert error.message == "model 'nope' not found"


@pytest.mark.parametrize(
    "body",
    [
        lines(said(content="a")),
        lines(said(content="a")) + lines(last())[:-2],
        lines(said(content="a"))[:-1],
        lines(said(content="a"))[:-2],
        lines({"status": "pulling"}),
        b"\n",
        b"{",
        b"",
    ],
)
def test_without_the_last_line_the_answer_is_not_whole(body: bytes) -> None:
    """An end of the body without the line that says so."""
    for parts in ([body], single_bytes(body)):
        assert type(decode(WIRE, parts)[1]) is Truncated


def test_an_answer_that_was_not_streamed() -> None:
    """One document gives the chunks of its turn, on one line or on many."""
    answer = last(message={"role": "assistant", "content": "hi", "thinking": "hm"})
    for body in (
        json.dumps(answer),
        json.dumps(answer, indent=2),
        json.dumps(answer, indent=2).replace("\n", "\r\n"),
    ):
        for parts in ([body.encode()], single_bytes(body.encode())):
            chunks, error = decode(WIRE, parts)
            assert error is None
            assert chunks[1:3] == [Thinking("hm"), Text("hi")]
            assert chunks[-1] == Stop("stop", COUNTED, "stop")


def test_documents_that_are_no_answer() -> None:
    """An error over several lines is the error it is; an answer that is not done is not whole."""
    for value, kind in (
        ({"error": "boo"}, ServerError),
        ({"detail": "Not Found"}, NotAStream),
        (said(content="a"), Truncated),
    ):
        for body in (json.dumps(value, indent=2), json.dumps(value)):
            assert type(decode(WIRE, body.encode())[1]) is kind
    assert type(decode(WIRE, b"{" + b" " * 500)[1]) is NotAStream


def test_what_is_unknown_or_odd_does_no_harm() -> None:
    """Fields of other types count as missing; numbers may be text; new fields and nulls are passed over."""
    chunks, error = decode(
        WIRE,
        lines(
            '{"model":5,"message":null,"done":null}',
            '{"model":"m","message":{"content":7,"thinking":["x"],"tool_calls":[3],"images":[1]},"logprobs":"x"}',
            '{"message":{"content":"a\\ud800","new":{}},"new":[1]}',
            "",
            last(eval_count="4", prompt_eval_count=None, load_duration=[]),
        ),
    )
    usage = Usage(0, 4, raw={"eval_count": 4})
    assert error is None
    assert chunks == [Metadata(None, "m"), Text("a\ufffd"), usage, Stop("stop", usage, "stop")]


def test_counts_that_grow() -> None:
    """A server that counts in each line tells each count once, and nothing is taken back."""
    body = lines(
        {**said(), "eval_count": 1}, {**said(), "eval_count": 2}, {**said(), "eval_count": 2}, last()
    )
    usages = [chunk for chunk in decode(WIRE, body)[0] if isinstance(chunk, Usage)]
    assert [(usage.input_tokens, usage.output_tokens) for usage in usages] == [(0, 1), (0, 2), (5, 3)]


@pytest.mark.parametrize("bad", ["{", "[]", "nonsense", '{"message":' + "[" * 2000, '{"a":1}}'])
def test_a_line_that_cannot_be_read(bad: str) -> None:
    """What came before is delivered; the error names the byte where the line ended, and quotes it."""
    first = lines(said(content="a"))
    chunks, error = decode(WIRE, first + lines(bad, last()))
    assert chunks == [Metadata(None, "m"), Text("a")]
    assert isinstance(error, MalformedEvent)
    assert error.offset == len(first) + len(bad) + 1
    assert len(str(error)) < 400


def test_a_line_has_a_limit() -> None:
    """A line without an end does not fill the memory."""
    decoder = WIRES[WIRE]()
    decoder.feed(lines(said(content="a")))
    with pytest.raises(EventTooLarge):
        for _ in range(20):
            decoder.feed(b"{" + b" " * 1_000_000)
