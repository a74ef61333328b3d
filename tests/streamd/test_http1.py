"""HTTP/1.1 without I/O: bytes in, values out."""

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd._http1 import HEAD_LIMIT, ResponseReader, refusal, request_bytes
from streamd.errors import ConnectionLost, ProtocolViolation
from tests.support.server import chunked, response


def read(*pieces: bytes, method: bytes = b"POST", end: bool = False) -> tuple[ResponseReader, bytes]:
    """Feed a reader with pieces, and perhaps the connection's end; the reader and the whole body."""
    reader = ResponseReader(method)
    body = b"".join(reader.feed(piece) for piece in pieces)
    if end:
        reader.end()
    return reader, body


def test_a_response_with_a_length_is_read() -> None:
    """Status, reason, headers and body come out, and the connection may be used again."""
    reader, body = read(b"HTTP/1.1 200 All right\r\nContent-Length: 5\r\nX-Odd: \xe9 \r\n\r\nhello")
    assert body == b"hello"
    assert reader.head is not None
    assert (reader.head.status, reader.head.reason, reader.head.version) == (200, b"All right", "1.1")
    assert reader.head.headers == ((b"Content-Length", b"5"), (b"X-Odd", b"\xe9"))
    assert (reader.complete, reader.over, reader.reusable, reader.fault) == (True, True, True, None)


def test_a_chunked_response_is_read_with_extensions_and_trailers() -> None:
    """Chunk extensions and trailers are dropped."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
    reader, body = read(head, b"5;name=value\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: yes\r\n\r\n")
    assert body == b"hello!"
    assert reader.reusable
    assert reader.head is not None
    assert reader.head.headers == ((b"Transfer-Encoding", b"Chunked"),)


def test_a_body_without_framing_ends_with_the_connection() -> None:
    """The end of the connection completes it, and the connection is not used again."""
    reader, body = read(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo", end=True)
    assert body == b"hello"
    assert (reader.complete, reader.reusable, reader.fault) == (True, False, None)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_is_complete_at_its_head(status: int) -> None:
    """Whatever its headers say; and bytes after it are surplus."""
    reader, body = read(b"HTTP/1.1 %d None\r\nContent-Length: 5\r\n\r\n" % status)
    assert (body, reader.complete, reader.reusable) == (b"", True, True)
    reader, body = read(b"HTTP/1.1 %d None\r\nContent-Length: 5\r\n\r\nhello" % status)
    assert (body, reader.complete, reader.reusable) == (b"", True, False)


def test_a_response_to_head_has_no_body() -> None:
    """Its length is that of another response; as surplus cannot be told from a body, the connection is not kept."""
    reader, body = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", method=b"HEAD")
    assert (body, reader.complete, reader.reusable, reader.fault) == (b"", True, False, None)


def test_informational_responses_are_dropped() -> None:
    """Their headers are not the final response's."""
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    reader, body = read(early + response(200, body=b"hi"))
    assert reader.head is not None
    assert (reader.head.status, reader.head.reason) == (200, b"OK")
    assert reader.head.headers == ((b"Content-Length", b"2"),)
    assert (body, reader.reusable) == (b"hi", True)


def test_endless_informational_responses_are_a_flood() -> None:
    """They share the limit of one head."""
    reader = ResponseReader(b"POST")
    for _ in range(HEAD_LIMIT):
        reader.feed(b"HTTP/1.1 102 Processing\r\n\r\n")
        if reader.over:
            break
    assert isinstance(reader.fault, ProtocolViolation)
    assert reader.phase == "headers"


@pytest.mark.parametrize(
    "surplus",
    [response(200, body=b"POISON"), b"H", b"garbage", b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\nPOISON", b"0\r\n\r\n"],
)
@pytest.mark.parametrize(
    "first",
    [response(200, body=b"good"), chunked(b"go", b"od"), response(200, {"Connection": "close"}, b"good")],
)
def test_surplus_bytes_are_never_body(first: bytes, surplus: bytes) -> None:
    """They spoil the connection, and not the response."""
    reader, body = read(first + surplus)
    assert (body, reader.complete, reader.reusable, reader.fault) == (b"good", True, False, None)
    assert reader.feed(b"more") == b""


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_server_that_will_close_is_not_asked_again(head: bytes) -> None:
    """Keep-alive is what the version and the Connection header say."""
    reader, _ = read(head)
    assert (reader.complete, reader.reusable) == (True, False)


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (b"<html>", "Expected HTTP/"),
        (b"HTTP/2 200\r\n\r\n", "not HTTP/1.1"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "HTTP/2.0"),
        (b"HTTP/1.1 2x0 OK\r\n\r\n", "status"),
        (b"HTTP/1.1 042 OK\r\n\r\n", "42"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxx",
            "switched protocols",
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "switched protocols"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", "Content-Length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "Transfer-Encoding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "transfer coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "transfer coding",
        ),
        (b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "header"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", "header"),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "header"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "CR"),
    ],
)
def test_what_is_not_http_is_a_violation(received: bytes, words: str) -> None:
    """In the head nothing is let pass, wherever the bytes are cut."""
    for pieces in ([received], [bytes([byte]) for byte in received]):
        reader, body = read(*pieces)
        assert isinstance(reader.fault, ProtocolViolation)
        assert words in str(reader.fault)
        assert reader.fault.phase == "headers"
        assert (reader.head, body, reader.complete) == (None, b"", False)


@pytest.mark.parametrize("bad", [b"zz\r\n", b"fffffffffffffffff\r\n", b"5\r\nhelloX", b"-1\r\n"])
def test_a_bad_chunk_comes_after_the_good_ones(bad: bytes) -> None:
    """What was decoded before it is body; the fault follows."""
    reader, body = read(chunked(b"good", last=False) + bad)
    assert body.startswith(b"good")
    assert isinstance(reader.fault, ProtocolViolation)
    assert (reader.fault.phase, reader.complete, reader.over) == ("stream", False, True)


def flood(line: bytes, before: bytes, size: int) -> ResponseReader:
    """A reader fed with the same line again and again, until it is over or `size` bytes have passed."""
    reader = ResponseReader(b"POST")
    reader.feed(before)
    for _ in range(size // len(line)):
        reader.feed(line)
        if reader.over:
            break
    return reader


@pytest.mark.parametrize(
    ("line", "before"),
    [
        (b"X: " + b"y" * 1000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"),
        (b"y" * 1000, b"HTTP/1.1 200 OK\r\nX: "),
        (b"y" * 1000, b"HTTP/1.1 200 "),
        (b"X: y\r\n", chunked(b"hi", last=False) + b"0\r\n"),
        (b"y" * 1000, chunked(b"hi", last=False) + b"0\r\nX: "),
        (b"y" * 1000, chunked(b"hi", last=False) + b"5;"),
        (b"\r\n" * 500, b""),
    ],
)
def test_a_flood_of_anything_but_body_is_a_violation(line: bytes, before: bytes) -> None:
    """Heads, trailers and chunk extensions share one limit."""
    reader = flood(line, before, 3 * HEAD_LIMIT)
    assert isinstance(reader.fault, ProtocolViolation)
    assert str(HEAD_LIMIT) in str(reader.fault)


def test_a_flood_of_headers_in_one_read_is_a_violation() -> None:
    """The limit does not depend on how the bytes are cut."""
    head = b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"y" * 1000) * 70 + b"Content-Length: 2\r\n\r\nhi"
    reader, body = read(head)
    assert isinstance(reader.fault, ProtocolViolation)
    assert (reader.head, body) == (None, b"")


def test_a_head_within_the_limit_passes() -> None:
    """60 KB of headers are fine, in one piece or byte by byte."""
    head = b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"y" * 1000) * 60 + b"Content-Length: 2\r\n\r\nhi"
    assert read(head)[1] == b"hi"
    assert read(*[head[start : start + 7] for start in range(0, len(head), 7)])[1] == b"hi"


def test_the_end_tells_where_it_came() -> None:
    """An end before, in and after the head, in each kind of body."""
    cases = [
        (b"", "without a response", "headers"),
        (b"HTTP/1.1 20", "inside the response's head", "headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "inside the response's head", "headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "inside the response's body", "stream"),
        (chunked(b"hi", last=False), "inside the response's body", "stream"),
        (chunked(b"hi", last=False) + b"0\r\n", "inside the response's body", "stream"),
    ]
    for received, words, phase in cases:
        reader = ResponseReader(b"POST")
        if received:
            reader.feed(received)
        reader.end()
        reader.end()
        assert isinstance(reader.fault, ConnectionLost)
        assert words in str(reader.fault)
        assert (reader.fault.phase, reader.complete, reader.over) == (phase, False, True)


def test_the_end_after_a_complete_response_changes_nothing() -> None:
    """The response stays complete; the connection is not kept."""
    reader, body = read(response(200, body=b"hi"), end=True)
    assert (body, reader.complete, reader.reusable, reader.fault) == (b"hi", True, False, None)


def test_a_lost_connection_keeps_its_cause() -> None:
    """The first fault stands."""
    reader = ResponseReader(b"POST")
    cause = OSError(104, "reset")
    reader.lose("broke", cause)
    reader.lose("again")
    assert isinstance(reader.fault, ConnectionLost)
    assert (str(reader.fault), reader.fault.__cause__, reader.fault.phase) == ("broke", cause, "headers")


@pytest.mark.parametrize("cut", [False, True])
def test_a_finished_reader_needs_no_cycle_collector(cut: bool) -> None:
    """It is freed with its last reference, so that a thousand sessions leave no heap of garbage."""
    reader, _ = read(response(200, body=b"hi")[: -1 if cut else None], end=cut)
    gone = weakref.ref(reader)
    gc.disable()
    try:
        del reader
        assert gone() is None
    finally:
        gc.enable()


WHOLE = {
    "length": response(200, {"X-A": "1"}, b"hello, world"),
    "chunked": chunked(b"hello", b", ", b"world"),
    "informational": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + response(200, body=b"hello, world"),
    "surplus": response(200, body=b"hello, world") + response(200, body=b"POISON"),
    "until the end": b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello, world",
    "bad chunk": chunked(b"hello, ", b"world", last=False) + b"zz\r\n",
}


@given(name=st.sampled_from(sorted(WHOLE)), data=st.data())
def test_cuts_do_not_matter(name: str, data: st.DataObject) -> None:
    """Any cut of the same bytes gives the same head, body and end."""
    whole = WHOLE[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=20)))
    pieces = [whole[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    reference, expected = read(whole, end=True)
    reader = ResponseReader(b"POST")
    body = b""
    for piece in pieces:
        body += reader.feed(piece)
    reader.end()
    assert (body, reader.head, reader.complete, str(reader.fault)) == (
        expected,
        reference.head,
        reference.complete,
        str(reference.fault),
    )


@given(st.binary(max_size=300), st.binary(max_size=60))
def test_no_bytes_make_it_raise(junk: bytes, more: bytes) -> None:
    """Whatever comes, the reader answers with bytes, and ends complete or at fault."""
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n", chunked(b"hi", last=False)):
        reader = ResponseReader(b"POST")
        for piece in (prefix, junk, more):
            if piece:
                reader.feed(piece)
        reader.end()
        assert reader.over
        assert reader.complete is (reader.fault is None)


def test_a_request_is_written() -> None:
    """The head in order, and the length of the body that is really sent."""
    headers = [
        (b"Host", b"a.test"),
        (b"X-Key", b"\xe9 1"),
        (b"content-length", b"99"),
        (b"Transfer-Encoding", b"chunked"),
    ]
    assert refusal(b"POST", b"/x?y=%20", headers) is None
    assert bytes(request_bytes(b"POST", b"/x?y=%20", headers, b"body")) == (
        b"POST /x?y=%20 HTTP/1.1\r\nHost: a.test\r\nX-Key: \xe9 1\r\nContent-Length: 4\r\n\r\nbody"
    )
    assert bytes(request_bytes(b"GET", b"/", headers[:1], b"")) == b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
    assert bytes(request_bytes(b"POST", b"/", [], b"")) == b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"


def test_a_written_request_does_not_show_itself() -> None:
    """Its repr holds no header: a traceback may print it."""
    assert "canary" not in repr(request_bytes(b"GET", b"/", [(b"x-api-key", b"canary")], b""))


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x7f", "\x1b"])
def test_a_control_character_in_a_value_is_refused(character: str) -> None:
    """The reason says which header and where, and nothing of the value."""
    reason = refusal(b"GET", b"/", [(b"x-api-key", f"canary{character}".encode())])
    assert reason is not None
    assert "x-api-key" in reason
    assert "position 6" in reason
    assert "canary" not in reason


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        (b"GE T", b"/", b"x"),
        (b"", b"/", b"x"),
        (b"GET", b"/canary\r\nX: y", b"x"),
        (b"GET", b"", b"x"),
        (b"GET", b"/", b"canary: "),
        (b"GET", b"/", b""),
        (b"GET", b"/", b"canary\r\n"),
        (b"GET", b"/", b"canary\xe9"),
    ],
)
def test_what_would_break_the_head_is_refused(method: bytes, target: bytes, name: bytes) -> None:
    """Methods, targets and names of other characters than the grammar's."""
    reason = refusal(method, target, [(name, b"canary")])
    assert reason is not None
    assert "canary" not in reason
