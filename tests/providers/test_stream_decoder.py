"""What a body is, before it is any wire's: streams, documents, pages, plain text, and the limits."""

import json
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    BadRequestError,
    Chunk,
    EventTooLarge,
    MalformedEvent,
    Metadata,
    NotAStream,
    OverloadedError,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    Truncated,
    Usage,
)
from streamd.providers._openai_chat_decoder import OpenAIChatMachine
from streamd.providers._sse_chunk_decoder import SSEChunkDecoder
from tests.support.decoding import decode, single_bytes, sse

_GOOD = {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}
_EVERY_WIRE = pytest.mark.parametrize("wire", sorted(WIRES))


def _document(value: Any, before: bytes = b"") -> bytes:
    return before + json.dumps(value).encode()


@_EVERY_WIRE
@pytest.mark.parametrize("before", [b"", b"\r\n  ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("length", [5, 2000])
def test_a_web_page_is_not_a_stream(wire: str, before: bytes, length: int):
    """The first byte tells; the error quotes the beginning, without what a terminal could act on."""
    page = before + b"<html>\x1b[31m Sign in" + b"." * length
    for parts in ([page], single_bytes(page)):
        chunks, error = decode(wire, parts)
        assert chunks == []
        assert type(error) is NotAStream
        assert "<html> [31m Sign in" in str(error)
        assert "\x1b" not in str(error)
        assert len(str(error)) < 300


def test_a_long_web_page_is_not_waited_for():
    """The error comes as soon as there is enough of the page to quote."""
    decoder = WIRES["openai-chat"]()
    assert decoder.feed(b"<html>") == []
    with pytest.raises(NotAStream):
        decoder.feed(b" " * 400)


@_EVERY_WIRE
@pytest.mark.parametrize(
    "text", [b"upstream connect error or disconnect/reset before headers", b"Bad Gateway\n\n\n"]
)
def test_plain_text_is_not_a_stream(wire: str, text: bytes):
    """A body without one field of an event stream is quoted."""
    for parts in ([text], single_bytes(text)):
        error = decode(wire, parts)[1]
        assert type(error) is NotAStream
        assert text[:11].decode() in str(error)


def test_only_the_beginning_tells_plain_text():
    """What looks like a field far behind does not count, however the body is cut."""
    text = b"." * 450 + b"\n: late\n"
    for parts in ([text], [text[:399], text[399:]], single_bytes(text)):
        assert type(decode("openai-chat", parts)[1]) is NotAStream


@_EVERY_WIRE
def test_an_error_document_is_the_error_it_is(wire: str):
    """JSON errors with the status 200 have their class, in each of their shapes."""
    for value, kind in (
        ({"error": {"type": "invalid_request_error", "message": "boo"}}, BadRequestError),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "boo"}}, OverloadedError),
        ({"object": "error", "code": 400, "message": "boo"}, BadRequestError),
        ([{"error": {"code": 503, "status": "UNAVAILABLE", "message": "boo"}}], OverloadedError),
    ):
        for parts in ([_document(value)], single_bytes(_document(value, b"\n"))):
            chunks, error = decode(wire, parts)
            assert chunks == []
            assert type(error) is kind
            assert (error.message, error.in_stream) == ("boo", True)


@_EVERY_WIRE
@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"[1", b'{"a":', b'{"detail":"x"}', b'{"a":"\xff"}', b"[" * 200_000]
)
def test_other_documents_are_not_a_stream(wire: str, body: bytes):
    """JSON that is no answer of the API, or no JSON, is quoted; where it may be a line, one that is cut is cut."""
    chunks, error = decode(wire, body)
    assert chunks == []
    assert type(error) is (Truncated if (wire, body) == ("ollama-chat", b'{"a":') else NotAStream)


def test_a_whole_completion_is_an_answer():
    """A chat completion that was not streamed gives the chunks of its turn: it was paid for."""
    calls = [
        {"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "function": {"name": "g"}},
    ]
    message = {"role": "assistant", "content": "hi", "reasoning_content": "hm", "tool_calls": calls}
    counts = {"prompt_tokens": 2, "completion_tokens": 1}
    value = {
        "id": "r",
        "model": "m",
        "choices": [{"message": message, "finish_reason": "tool_calls"}],
        "usage": counts,
    }
    usage = Usage(2, 1, raw=counts)
    assert decode("openai-chat", single_bytes(_document(value))) == (
        [
            Metadata("r", "m"),
            Thinking("hm"),
            Text("hi"),
            ToolCallDelta(0, "a", "f", '{"x":1}'),
            ToolCallDelta(1, "b", "g", ""),
            usage,
            ToolCall(0, "a", "f", {"x": 1}),
            ToolCall(1, "b", "g", {}),
            Stop("tool_calls", usage, "tool_calls"),
        ],
        None,
    )


def test_a_whole_message_in_an_event_is_an_answer():
    """So is one that stands in an event where deltas should; after deltas it is a repetition."""
    whole = {"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}
    delta = {"choices": [{"delta": {"content": "a"}}]}
    assert decode("openai-chat", sse(whole, "[DONE]"))[0] == [Text("a"), Stop("stop", None, "stop")]
    assert decode("openai-chat", sse(delta, whole, "[DONE]"))[0] == [Text("a"), Stop("stop", None, "stop")]


def test_a_whole_message_of_anthropic_is_an_answer():
    """Thinking, text and tool use of a message that was not streamed give the chunks of its turn."""
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "hi", "citations": None},
        {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "g", "input": {}},
    ]
    counts = {"input_tokens": 2, "output_tokens": 1}
    value = {
        "type": "message",
        "id": "r",
        "model": "m",
        "content": content,
        "stop_reason": "tool_use",
        "usage": counts,
    }
    usage = Usage(2, 1, raw=counts)
    assert decode("anthropic-messages", _document(value)) == (
        [
            Metadata("r", "m"),
            usage,
            Thinking("hm"),
            Thinking("", "s"),
            Text("hi"),
            ToolCallDelta(0, "a", "f", '{"x":1}'),
            ToolCallDelta(1, "b", "g", ""),
            ToolCall(0, "a", "f", {"x": 1}),
            ToolCall(1, "b", "g", {}),
            Stop("tool_calls", usage, "tool_use"),
        ],
        None,
    )


def test_blank_lines_before_the_stream_do_no_harm():
    """However many there are, in one piece or in many."""
    body = b"\xef\xbb\xbf" + b"\n" * 1000 + sse(_GOOD, "[DONE]")
    for parts in ([body], single_bytes(body)):
        assert decode("openai-chat", parts) == ([Text("a"), Stop("stop", None, "stop")], None)


@pytest.mark.parametrize("size", [1024 * 1024, 9 * 1024 * 1024])
def test_an_endless_event_is_refused(size: int):
    """Past 8 MiB without an event's end the stream is given up; what came before is delivered."""
    body = sse({"choices": [{"delta": {"content": "a"}}]}) + b"data: " + b"x" * (9 * 1024 * 1024)
    chunks, error = decode("openai-chat", (body[at : at + size] for at in range(0, len(body), size)))
    assert chunks == [Text("a")]
    assert type(error) is EventTooLarge


def test_an_endless_document_is_refused():
    """A JSON document past 8 MiB is given up."""
    chunks, error = decode("openai-chat", [b'{"a":"', *[b"x" * 1024 * 1024] * 9])
    assert chunks == []
    assert type(error) is EventTooLarge


def test_a_decoder_is_done_once():
    """After the end, and after an error, nothing more comes out of it."""
    decoder = WIRES["openai-chat"]()
    assert not decoder.done
    assert decoder.feed(sse(_GOOD)) == [Text("a")]
    assert not decoder.done
    assert decoder.close() == [Stop("stop", None, "stop")]
    assert decoder.done
    assert decoder.feed(sse(_GOOD)) == []
    assert decoder.close() == []

    spent = WIRES["openai-chat"]()
    with pytest.raises(Truncated) as caught:
        spent.close()
    assert caught.value.chunks == []
    assert spent.feed(sse(_GOOD)) == []
    assert spent.close() == []


def test_an_error_carries_only_the_chunks_of_its_own_call():
    """What an earlier call returned is not given again."""
    decoder = WIRES["openai-chat"]()
    assert decoder.feed(sse(_GOOD)) == [Text("a")]
    with pytest.raises(OverloadedError) as caught:
        decoder.feed(sse(_GOOD, {"error": {"type": "overloaded_error"}}))
    expected: list[Chunk] = [Text("a")]
    assert caught.value.chunks == expected


def test_chunks_before_an_error_without_its_blank_line_are_kept():
    """An error event may be the unterminated one."""
    last = _GOOD | {"error": {"message": "boo", "code": 503}}
    chunks, error = decode("openai-chat", sse(last).rstrip(b"\n"))
    assert chunks == [Text("a")]
    assert type(error) is OverloadedError


_FINISHED = sse({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]})


@pytest.mark.parametrize("after", [b"data: {\xff}\n\n", b"data: oops\n\n", b"data: " + b"a" * 500 + b"\n\n"])
def test_what_cannot_be_read_after_the_evidence_fails_no_finished_turn(after: bytes):
    """The model has said why it stopped: what is damaged after that ends the stream, and the turn is complete."""
    decoder = SSEChunkDecoder(OpenAIChatMachine(), max_event_bytes=400)
    chunks = decoder.feed(_FINISHED)
    assert decoder.terminal
    chunks += decoder.feed(after)
    assert chunks == [Text("a"), Stop("stop", None, "stop")]
    assert decoder.done
    assert decoder.close() == []


@pytest.mark.parametrize("place", range(2, 40))
def test_text_that_is_no_utf_8_is_malformed_wherever_it_stands(place: int):
    """Also in a name, or in a value that is passed over: a byte that is another may have been any name."""
    event = bytearray(b'{"id":"1","x":"abc","choices":[{"delta":{"content":"a"}}]}')
    event[place] |= 0x80
    chunks, error = decode("openai-chat", b"data: " + event + b"\n\n")
    assert chunks == []
    assert type(error) is MalformedEvent
