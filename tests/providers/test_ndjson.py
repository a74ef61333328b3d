"""Lines of JSON, as they come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import EventTooLarge
from streamd.providers._ndjson import NDJSONDecoder
from tests.support.decoding import random_pieces, single_bytes

_LINES = st.text(st.sampled_from('{}"\\[]: a1\té\u2028\u0085\x0b\x0c'), min_size=1, max_size=8).filter(
    lambda line: not line.encode().isspace()
)


def _read(parts: list[bytes], limit: int = 1 << 20) -> tuple[list[bytes], EventTooLarge | None]:
    decoder = NDJSONDecoder(max_event_bytes=limit)
    lines: list[bytes] = []
    try:
        for part in parts:
            lines += [event.data for event in decoder.feed(part)]
    except EventTooLarge as error:
        return lines, error
    return lines, decoder.failure


@given(
    st.lists(_LINES, max_size=5),
    st.sampled_from(["\n", "\r\n", "\n\n", "\r\n \r\n"]),
    st.sampled_from([b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"\n\r\n"]),
)
@settings(deadline=None, max_examples=150)
def test_any_cut_gives_the_lines(texts: list[str], end: str, before: bytes):
    """Only a line feed ends a line, with or without a carriage return before it; blank lines are nothing."""
    body = before + "".join(text + end for text in texts).encode()
    expected = [text.encode() for text in texts]
    for parts in ([body], single_bytes(body), random_pieces(body, len(body))):
        assert _read(parts) == (expected, None)


def test_where_a_line_ended():
    """The place is that behind the line feed, with a byte order mark and carriage returns counted."""
    decoder = NDJSONDecoder()
    body = b'\xef\xbb\xbf{"a":1}\r\n\n{"b":2}\n{"c":'
    events = [event for part in single_bytes(body) for event in decoder.feed(part)]
    assert [(event.data, event.end) for event in events] == [(b'{"a":1}', 12), (b'{"b":2}', 21)]
    assert [body[event.end - 1 : event.end] for event in events] == [b"\n", b"\n"]


@pytest.mark.parametrize("tail", [b'{"b":2}', b'{"b":2}\r', b'\xef\xbb\xbf{"b":2}'])
def test_a_line_without_an_end_is_pending(tail: bytes):
    """It is given to who asks for it, and never before."""
    decoder = NDJSONDecoder()
    assert decoder.feed(tail) == []
    pending = decoder.pending()
    assert pending is not None
    assert (pending.data, pending.end) == (b'{"b":2}', len(tail))


@pytest.mark.parametrize("tail", [b"", b" ", b"\r", b"\xef\xbb\xbf"])
def test_nothing_is_pending(tail: bytes):
    """A blank end of the body is no line."""
    decoder = NDJSONDecoder()
    decoder.feed(b'{"a":1}\n' if tail != b"\xef\xbb\xbf" else b"")
    decoder.feed(tail)
    assert decoder.pending() is None


@pytest.mark.parametrize(
    "body", [b"x" * 11 + b"\n", b"x" * 12, b" " * 11 + b"\n", b"x" * 100, b"\n" + b"x" * 20]
)
def test_a_line_has_a_limit(body: bytes):
    """A line that is too long is an error as soon as that is known, ended or not, however it is cut."""
    for parts in ([body], single_bytes(body)):
        lines, error = _read(parts, limit=10)
        assert (lines, type(error)) == ([], EventTooLarge)


def test_a_line_of_the_limit_passes():
    """A carriage return is not counted, and a line without an end has the same limit."""
    for end in (b"\n", b"\r\n"):
        assert _read(single_bytes(b"x" * 10 + end), limit=10) == ([b"x" * 10], None)
    decoder = NDJSONDecoder(max_event_bytes=10)
    decoder.feed(b"x" * 11)
    assert decoder.pending() is None


def test_lines_before_one_that_is_too_long():
    """They are given first; the error is raised by the next call."""
    decoder = NDJSONDecoder(max_event_bytes=10)
    assert [event.data for event in decoder.feed(b"{}\n" + b"x" * 20 + b"\n{}\n")] == [b"{}"]
    assert decoder.failure is not None
    assert decoder.pending() is None
    with pytest.raises(EventTooLarge, match="larger than 10 bytes"):
        decoder.feed(b"{}\n")
