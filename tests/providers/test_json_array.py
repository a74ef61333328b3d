"""The elements of a JSON array, as they come."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import EventTooLarge, MalformedEvent, NotAStream, StreamError
from streamd.providers._json_array import JSONArrayDecoder
from tests.support.decoding import random_pieces, single_bytes

_TEXTS = st.sampled_from(["", "}", "{", '"', "\\", '\\"', "]", "[{", ",", "é\u2028", "\n"])
_VALUES = st.recursive(
    st.none() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(_TEXTS, _VALUES, max_size=4)


def _read(parts: list[bytes], limit: int = 1 << 20) -> tuple[list[Any], StreamError | None, bool]:
    decoder = JSONArrayDecoder(max_event_bytes=limit)
    events: list[Any] = []
    try:
        for part in parts:
            events += decoder.feed(part)
    except (EventTooLarge, MalformedEvent, NotAStream) as error:
        return events, error, decoder.ended
    return events, decoder.failure, decoder.ended


@given(
    st.lists(_OBJECTS, max_size=4), st.sampled_from([None, 2]), st.sampled_from([",", "\n,\r\n"]), st.data()
)
@settings(deadline=None, max_examples=150)
def test_any_cut_gives_the_elements(
    objects: list[Any], indent: int | None, between: str, data: st.DataObject
):
    """Whatever stands in strings, however it is written and cut, the elements are those of the array."""
    texts = [json.dumps(value, indent=indent, ensure_ascii=data.draw(st.booleans())) for value in objects]
    body = f" [{between.join(texts)}] tail".encode()
    whole, error, ended = _read([body])
    assert (error, ended) == (None, True)
    assert [event.data.decode() for event in whole] == texts
    assert [body[event.end - len(event.data) : event.end] for event in whole] == [
        event.data for event in whole
    ]
    for parts in (single_bytes(body), random_pieces(body, len(body))):
        assert _read(parts) == (whole, None, True)


def test_an_element_is_given_with_its_last_brace():
    """Nothing waits for the next element, and half a one is not given."""
    decoder = JSONArrayDecoder()
    assert [event.data for event in decoder.feed(b'\xef\xbb\xbf[{"a": {}}')] == [b'{"a": {}}']
    assert decoder.feed(b',{"b": "}') == []
    assert decoder.pending() is None
    assert not decoder.ended
    assert [event.data for event in decoder.feed(b'"}')] == [b'{"b": "}"}']
    assert decoder.feed(b"]") == []
    assert decoder.ended
    assert decoder.feed(b'{"c": 1}') == []


@pytest.mark.parametrize(
    ("body", "count", "kind"),
    [
        (b"[1]", 0, NotAStream),
        (b"[[{}]]", 0, NotAStream),
        (b'{"a": 1}', 0, NotAStream),
        (b"[" * 100_000, 0, NotAStream),
        (b"[{},x]", 1, MalformedEvent),
        (b"[{}}]", 1, MalformedEvent),
        (b'[{},{"a": "xxxxxxxxxxxxxxxxxxxxxxxx"}]', 1, EventTooLarge),
        (b'[{},{"a": "xxxxxxxxxxxxxxxxxxxxxxxx', 1, EventTooLarge),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, count: int, kind: type[StreamError]):
    """The elements before it are given first, and then the same error every time."""
    for parts in ([body], single_bytes(body), random_pieces(body, 3)):
        events, error, _ = _read(parts, limit=20)
        assert len(events) == count
        assert type(error) is kind
    decoder = JSONArrayDecoder(max_event_bytes=20)
    with pytest.raises(kind):
        for _ in range(3):
            decoder.feed(body)


def test_where_an_element_failed():
    """The error tells the place in the body."""
    _, error, _ = _read([b"[{},", b"x"])
    assert isinstance(error, MalformedEvent)
    assert error.offset == 5
