"""Event streams: framing, fields, limits, and that no cut changes anything."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import EventTooLarge, ServerSentEvent, SSEDecoder
from tests.support.decoding import single_bytes


def _events(*parts: bytes, **options: bool) -> list[tuple[bytes, bytes, bytes]]:
    decoder = SSEDecoder(**options)
    return [(e.event, e.data, e.id) for part in parts for e in decoder.feed(part)]


def test_one_line_of_data_is_one_event():
    """The common event is dispatched at its blank line, with the place where it ended."""
    assert SSEDecoder().feed(b"data: a\n\n") == [ServerSentEvent(b"a", b"", b"", 9)]


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"data:a\n\n", b"a"),
        (b"data:  a\n\n", b" a"),
        (b"data\n\n", b""),
        (b"data: a\ndata\ndata: b\n\n", b"a\n\nb"),
        (b"\n\n\ndata: a\n\n", b"a"),
        (b"data: a\xe2\x80\xa8b\x85c\x0bd\x0c\n\n", b"a\xe2\x80\xa8b\x85c\x0bd\x0c"),
        (b"data: a:b: c\n\n", b"a:b: c"),
        (b"nothing: x\n: comment\n:\nDATA: x\n data: x\ndata: a\n\n", b"a"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\ndata: a\n\n", b"a"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_data_is_read_as_the_specification_says(body: bytes, data: bytes, line_end: bytes):
    """Spaces, several lines, other fields, comments and byte order marks, under each line end and byte by byte."""
    body = body.replace(b"\n", line_end)
    assert _events(body) == [(b"", data, b"")]
    assert _events(*single_bytes(body)) == [(b"", data, b"")]


def test_an_event_without_data_is_not_dispatched():
    """A name, an id or a comment alone make no event, and the name does not stay."""
    assert _events(b"event: x\n\nid: 1\n\n: c\n\ndata: a\n\n") == [(b"", b"a", b"1")]


def test_the_id_persists_and_one_with_nul_is_ignored():
    """Each event carries the last id that was seen; an empty one resets it."""
    events = _events(b"id: 1\ndata: a\n\n", b"id: 2\0\ndata: b\n\n", b"id\ndata: c\n\n")
    assert events == [(b"", b"a", b"1"), (b"", b"b", b"1"), (b"", b"c", b"")]


def test_the_name_is_that_of_the_last_event_line():
    """An event may be named, and the name is for that event only."""
    assert _events(b"event: x\nevent: y\ndata: a\n\ndata: b\n\n") == [(b"y", b"a", b""), (b"", b"b", b"")]


@pytest.mark.parametrize(
    ("value", "retry"), [(b"15", 15), (b"", None), (b"1x", None), (b"-1", None), (b"9" * 5000, None)]
)
def test_the_reconnection_time_is_digits_only(value: bytes, retry: int | None):
    """Anything but a short run of digits is ignored."""
    decoder = SSEDecoder()
    decoder.feed(b"retry: " + value + b"\n\n")
    assert decoder.retry == retry


def test_a_carriage_return_ends_the_event_at_once():
    """A stream of lone CRs does not hold its last event back, and a late LF is swallowed."""
    decoder = SSEDecoder()
    assert [e.data for e in decoder.feed(b"data: a\r\r")] == [b"a"]
    assert decoder.feed(b"\n") == []
    assert [e.data for e in decoder.feed(b"data: b\r\n\r")] == [b"b"]
    assert [e.data for e in decoder.feed(b"\ndata: c\n\n")] == [b"c"]


def test_an_event_without_its_blank_line_is_pending():
    """It is not dispatched, but given to who asks."""
    decoder = SSEDecoder()
    assert decoder.pending() is None
    assert decoder.feed(b"data: a\n\ndata: b") == [ServerSentEvent(b"a", b"", b"", 9)]
    assert decoder.pending() == ServerSentEvent(b"b", b"", b"", 16)


def test_the_place_of_an_event_is_the_same_at_every_cut():
    """It is after the event's own blank line, however many follow, and whether or not other lines stand between."""
    body = b"data: a\n\n\nevent: x\ndata: b\n\n: c\n\n\n\ndata: d\ndata: e\n\n"
    expected = [(b"a", 9), (b"b", 28), (b"d\ne", 52)]
    for size in range(1, len(body) + 1):
        decoder = SSEDecoder()
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        assert [(event.data, event.end) for piece in pieces for event in decoder.feed(piece)] == expected


def test_a_web_page_between_events_is_given_only_where_asked_for():
    """A proxy's page in the middle of a stream is no event, but must not be taken for nothing."""
    page = b"<html>\n<body>502</body></html>"
    body = b"data: a\n\n" + page + b"\n\n"
    assert [event.data for event in SSEDecoder(error_field=True).feed(body)] == [b"a", page]
    assert [event.data for event in SSEDecoder().feed(body)] == [b"a"]


def test_an_error_field_is_read_only_where_asked_for():
    """The specification ignores it; llama.cpp reports failures with it."""
    assert _events(b"error: {}\n\n") == []
    assert _events(b"error: {}\n\n", error_field=True) == [(b"error", b"{}", b"")]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_over_the_limit_is_refused(size: int):
    """Events before it come first, the error then, at every cut, and again at every later call."""
    body = b"data: ok\n\ndata: " + b"x" * 100 + b"\n\ndata: after\n\n"
    decoder = SSEDecoder(max_event_bytes=100)
    events: list[ServerSentEvent] = []

    def feed_all() -> None:
        for at in range(0, len(body) + size, size):
            events.extend(decoder.feed(body[at : at + size]))

    with pytest.raises(EventTooLarge, match="100 bytes"):
        feed_all()
    assert [e.data for e in events] == [b"ok"]
    assert isinstance(decoder.failure, EventTooLarge)
    assert decoder.pending() is None
    with pytest.raises(EventTooLarge):
        decoder.feed(b"")


def test_an_endless_line_is_refused_before_it_ends():
    """Memory is bounded by the limit and one read, and an unfinished event over the limit is not pending."""
    decoder = SSEDecoder(max_event_bytes=10)
    assert decoder.feed(b"data: 12345\n") == []
    assert decoder.pending() is None
    with pytest.raises(EventTooLarge):
        decoder.feed(b"xx")


_LINES = st.sampled_from(
    [
        b"data: a",
        b"data:b",
        b"data",
        b"event: e",
        b"id: 1",
        b"id: \0",
        b": c",
        b":",
        b"retry: 3",
        b"x: y",
        b"",
        b"",
        b"data: \xc3\xa9",
    ]
)
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def _streams(draw: st.DrawFn) -> bytes:
    head = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return head + b"".join(draw(st.lists(st.builds(lambda a, b: a + b, _LINES, _ENDS), max_size=12)))


@given(_streams(), st.lists(st.integers(0, 120), max_size=8))
@settings(deadline=None, max_examples=150)
def test_any_cut_of_any_stream_gives_the_same_events(body: bytes, cuts: list[int]):
    """Whole, byte by byte and cut at random: the same events in the same order, and a last CR may not wait."""
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[a:b] for a, b in itertools.pairwise(places)]
    whole = _events(body)
    assert _events(*pieces) == whole
    assert _events(*single_bytes(body)) == whole


@given(_streams())
@settings(deadline=None, max_examples=150)
def test_a_stream_reads_as_its_lines_do(body: bytes):
    """The decoder agrees with the specification's own algorithm, written line by line."""
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    expected: list[tuple[bytes, bytes, bytes]] = []
    name, last_id, data = b"", b"", []
    for line in text.split(b"\n")[:-1]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"" if not line:
                if data:
                    expected.append((name, b"\n".join(data), last_id))
                name, data = b"", []
            case b"data":
                data.append(value)
            case b"event":
                name = value
            case b"id" if b"\0" not in value:
                last_id = value
    assert _events(body) == expected


@pytest.mark.parametrize(
    "block", [b'{"error": {}', b'{"error": null}', b'[]\n"error"', b'{"a": "error"}', b'x {"error": 1}']
)
def test_what_is_no_error_object_is_ignored(block: bytes):
    """Between events only a whole JSON object with an error in it is heard, and only where that is asked for."""
    body = b"data: a\n\n" + block + b"\n\ndata: b\n\n"
    assert [event.data for event in SSEDecoder(error_field=True).feed(body)] == [b"a", b"b"]
    bare = b'{\n "error": {"code": 1}\n}'
    decoder = SSEDecoder(error_field=True)
    assert [(e.event, e.data) for e in decoder.feed(bare + b"\n\n")] == [(b"error", bare)]
    assert SSEDecoder().feed(bare + b"\n\n") == []
