"""Bad input on every wire: the chunks that were good, then at most one typed error that says where and what."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from streamd.providers import (
    WIRES,
    APIError,
    BadRequestError,
    Chunk,
    EventTooLarge,
    MalformedEvent,
    NotAStream,
    OverloadedError,
    RateLimitError,
    Stop,
    StreamError,
    Text,
    Truncated,
)
from tests.fuzz.properties import check
from tests.support import bedrock
from tests.support.bad_streams import GOOD, garbage
from tests.support.decoding import decode

_MANY = 16 * 1024 * 1024
_EVERY_WIRE = pytest.mark.parametrize("wire", sorted(WIRES))


def _said(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Text))


def _payload(wire: str) -> dict[str, Any]:
    """The JSON of the event that adds the first text."""
    first = GOOD[wire].first
    return first["contentBlockDelta"] if wire == "bedrock-converse" else first


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object and array in a value, with each of its keys."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _holders(value[key])


def _spoilt(value: dict[str, Any], new: Any) -> Iterator[dict[str, Any]]:
    """The object with one of its values, anywhere in it, replaced; with all of them at last."""
    for place in range(len([*_holders(value)])):
        other = copy.deepcopy(value)
        holder, key = [*_holders(other)][place]
        holder[key] = new
        yield other
    yield dict.fromkeys(value, new)


def test_every_wire_is_here() -> None:
    """A new wire meets the same bad input."""
    assert set(GOOD) == set(WIRES)


@_EVERY_WIRE
def test_a_good_turn_is_good(wire: str) -> None:
    """What the tests spoil is whole before."""
    chunks, error = decode(wire, GOOD[wire].body())
    assert error is None
    assert _said(chunks) == "Hello there"
    assert isinstance(chunks[-1], Stop)
    assert chunks[-1].reason == "stop"


@_EVERY_WIRE
def test_unknown_events_are_passed_over(wire: str) -> None:
    """An event of a new type, an empty one, and one with a new field leave no trace."""
    turn = GOOD[wire]
    new_field = (
        turn.frame({**turn.unknown, "and_more": {"deep": [1, None, {}]}}) if len(turn.unknown) > 1 else b""
    )
    for between in (turn.frame(turn.unknown), new_field, garbage(wire, b"{}")):
        assert decode(wire, turn.body(between)) == decode(wire, turn.body())


@_EVERY_WIRE
def test_missing_fields_are_as_if_nothing_was_said(wire: str) -> None:
    """Whichever field an event lacks, the texts around it come."""
    turn = GOOD[wire]
    for place in range(len([*_holders(turn.first)])):
        other = copy.deepcopy(turn.first)
        holder, key = [*_holders(other)][place]
        del holder[key]
        if wire != "bedrock-converse" or other:
            chunks, error = decode(wire, turn.body(turn.frame(other)))
            assert error is None
            assert _said(chunks) in ("Hello there", "HelloHello there")


@_EVERY_WIRE
@pytest.mark.parametrize(
    "new", [None, 5, -1.5, 10**40, True, "x", "", [], {}, [[]], {"a": None}, ["x"]], ids=repr
)
def test_fields_of_wrong_types_cost_no_answer(wire: str, new: Any) -> None:
    """Any value anywhere, null too and everywhere, is ignored or is one typed error, after what was good."""
    turn = GOOD[wire]
    for other in _spoilt(turn.first, new):
        body = turn.body(turn.frame(other))
        chunks, error = decode(wire, body)
        assert _said(chunks).startswith("Hello")
        assert error is not None or isinstance(chunks[-1], Stop)
        check(wire, body, len(body))


@_EVERY_WIRE
def test_null_everywhere_is_nothing(wire: str) -> None:
    """An event whose every field is null says nothing, and fails nothing."""
    turn = GOOD[wire]
    for other in _spoilt(_payload(wire), None):
        chunks, error = decode(wire, turn.body(garbage(wire, json.dumps(other).encode())))
        assert error is None
        assert _said(chunks) in ("Hello there", "HelloHello there")


@_EVERY_WIRE
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-0", "1" * 300])
def test_numbers_that_json_has_not_stand_where_they_are_not_read(wire: str, number: str) -> None:
    """Servers write them beside the answer."""
    turn = GOOD[wire]
    text = json.dumps(_payload(wire))[:-1] + f', "odd": {number}}}'
    chunks, error = decode(wire, turn.body(garbage(wire, text.encode())))
    assert error is None
    assert _said(chunks) == "HelloHello there"


@_EVERY_WIRE
@pytest.mark.parametrize("written", ["\\ud83d", "\ud83d"])
def test_lone_surrogates_are_repaired(wire: str, written: str) -> None:
    """Half a pair becomes U+FFFD, which marks the place, whether it was escaped or encoded."""
    turn = GOOD[wire]
    text = json.dumps(_payload(wire)).replace("Hello", f"a{written}b")
    chunks, error = decode(wire, turn.body(garbage(wire, text.encode("utf-8", "surrogatepass"))))
    assert error is None
    assert _said(chunks).replace("\ufffd\ufffd\ufffd", "\ufffd") == "Helloa\ufffdb there"


@_EVERY_WIRE
def test_of_a_key_that_comes_twice_the_last_counts(wire: str) -> None:
    """As in most readers of JSON."""
    turn = GOOD[wire]
    doubled = json.dumps(_payload(wire)).replace('"Hello"', '"wrong", "KEY": "Hello"')
    key = next(str(key) for holder, key in _holders(_payload(wire)) if holder[key] == "Hello")
    chunks, error = decode(wire, turn.body(garbage(wire, doubled.replace("KEY", key).encode())))
    assert error is None
    assert _said(chunks) == "HelloHello there"


@_EVERY_WIRE
@pytest.mark.parametrize(
    "text",
    [
        b'{"a": \x1b[31m',
        b"[1]",
        b'"text"',
        b"null",
        b"NaN",
        b'{"a": "\xff\xfe"}',
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
        b"[" * 2000 + b"]" * 2000,
        b'{"a": 1' + b"1" * 5000 + b"}",
        b"<html>Bad gateway</html>",
    ],
    ids=[
        "cut",
        "list",
        "text",
        "null",
        "NaN",
        "no UTF-8",
        "deep objects",
        "deep lists",
        "long number",
        "page",
    ],
)
def test_an_event_that_cannot_be_read_is_malformed(wire: str, text: bytes) -> None:
    """The error tells the place after the event, and quotes its beginning in one short printable line."""
    turn = GOOD[wire]
    spoilt = garbage(wire, text)
    chunks, error = decode(wire, turn.body(spoilt))
    check(wire, turn.body(spoilt), 1)
    assert _said(chunks).startswith("Hello")
    if error is None:  # nothing of it was to be read
        assert _said(chunks) == "Hello there"
        return
    assert type(error) is MalformedEvent
    assert _said(chunks) == "Hello"
    assert error.offset == len(turn.head() + spoilt)
    assert str(error).isprintable()
    assert len(str(error)) < 400
    assert text[:3].decode("utf-8", "replace") in str(error)


@_EVERY_WIRE
def test_a_text_of_16_mib_is_given_or_is_too_large(wire: str) -> None:
    """Where an event may be that large it comes whole."""
    turn = GOOD[wire]
    large = json.dumps(_payload(wire)).replace("Hello", "x" * _MANY).encode()
    body = turn.body(garbage(wire, large))
    chunks, error = decode(wire, (body[at : at + 65_536] for at in range(0, len(body), 65_536)))
    if error is None:
        assert len(_said(chunks)) == len("Hello there") + _MANY
    else:
        assert type(error) is EventTooLarge
        assert chunks == decode(wire, turn.head())[0]


@_EVERY_WIRE
def test_a_turn_that_breaks_off_is_truncated(wire: str) -> None:
    """Wherever it does, before its terminal evidence; what was whole is delivered."""
    turn = GOOD[wire]
    head = turn.head()
    body = head + turn.frame(turn.second)
    for cut in range(len(head) + 1, len(body)):
        chunks, error = decode(wire, body[:cut])
        assert type(error) is Truncated
        assert _said(chunks) in ("Hello", "Hello there")


@_EVERY_WIRE
def test_a_page_in_the_place_of_the_rest_is_no_end(wire: str) -> None:
    """A proxy that fails in the middle leaves no turn that looks whole."""
    turn = GOOD[wire]
    chunks, error = decode(wire, turn.head() + b"<html><h1>502 Bad Gateway</h1></html>\n\n")
    assert isinstance(error, StreamError)
    assert not isinstance(error, NotAStream)
    assert _said(chunks) == "Hello"


@pytest.mark.parametrize("wire", ["bedrock-converse", "bedrock-invoke"])
def test_a_wrong_checksum_ends_the_stream(wire: str) -> None:
    """Any bit of a message that was flipped is found; nothing behind it is read."""
    turn = GOOD[wire]
    head, second = turn.head(), turn.frame(turn.second)
    for place in range(len(second)):
        spoilt = bytearray(second)
        spoilt[place] ^= 1 << place % 8
        chunks, error = decode(wire, head + bytes(spoilt) + turn.tail())
        assert type(error) is MalformedEvent
        assert error.offset in (len(head) + 12, len(head) + len(second))
        assert _said(chunks) == "Hello"


_SHAPES: list[tuple[dict[str, Any], type[APIError]]] = [
    ({"error": {"type": "overloaded_error", "message": "boo"}}, OverloadedError),
    ({"error": {"code": 429, "message": "boo"}}, RateLimitError),
    ({"error": {"code": "rate_limit_exceeded", "message": "boo"}}, RateLimitError),
    ({"error": {"code": 503, "status": "UNAVAILABLE", "message": "boo"}}, OverloadedError),
    ({"error": "boo"}, APIError),
    ({"type": "error", "error": {"type": "invalid_request_error", "message": "boo"}}, BadRequestError),
    ({"object": "error", "code": 400, "type": "BadRequestError", "message": "boo"}, BadRequestError),
]
_ERRORS: list[tuple[str, bytes, type[APIError]]] = [
    *(
        (wire, garbage(wire, json.dumps(shape).encode()), kind)
        for wire in sorted(WIRES)
        if wire != "bedrock-converse"
        for shape, kind in _SHAPES
    ),
    *(
        (wire, b'event: error\ndata: {"message": "boo", "type": "overloaded_error"}\n\n', OverloadedError)
        for wire in ("anthropic-messages", "cohere-v2", "gemini", "openai-chat", "openai-responses")
    ),
    *(
        (wire, b'error: {"code": 503, "message": "boo"}\n\n', OverloadedError)
        for wire in ("anthropic-messages", "cohere-v2", "gemini", "openai-chat", "openai-responses")
    ),
    *(
        (wire, bedrock.exception(name, "boo"), APIError)
        for wire in ("bedrock-converse", "bedrock-invoke")
        for name in (
            "internalServerException",
            "modelStreamErrorException",
            "modelTimeoutException",
            "serviceUnavailableException",
            "throttlingException",
            "validationException",
        )
    ),
    (
        "openai-chat",
        garbage("openai-chat", b'{"choices": [{"delta": {}, "finish_reason": "error"}]}'),
        APIError,
    ),
    (
        "openai-chat",
        garbage(
            "openai-chat",
            b'{"choices": [{"finish_reason": "stop", "native_finish_reason": "network_error"}]}',
        ),
        APIError,
    ),
    (
        "openai-chat",
        garbage(
            "openai-chat",
            b'{"error": {"code": 429, "message": "boo"}, "choices": [{"delta": {}, "finish_reason": "error"}]}',
        ),
        RateLimitError,
    ),
    (
        "openai-responses",
        garbage(
            "openai-responses",
            b'{"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "boo"}}}',
        ),
        RateLimitError,
    ),
    (
        "openai-responses",
        garbage("openai-responses", b'{"type": "response.failed", "response": {"error": null}}'),
        APIError,
    ),
    (
        "openai-responses",
        garbage("openai-responses", b'{"type": "error", "code": "server_error", "message": "boo"}'),
        APIError,
    ),
]


@pytest.mark.parametrize(("wire", "event", "kind"), _ERRORS)
def test_an_error_is_told_in_every_shape(wire: str, event: bytes, kind: type[APIError]) -> None:
    """After good chunks as before them, it has the class it would have had as a status, and nothing follows."""
    turn = GOOD[wire]
    for body, said in ((turn.body(event), "Hello"), (b"".join(map(turn.frame, turn.begin)) + event, "")):
        chunks, error = decode(wire, body)
        assert isinstance(error, kind)
        assert error.in_stream
        assert _said(chunks) == said
        assert not isinstance(error, APIError) or "boo" in str(error) or b"boo" not in event
