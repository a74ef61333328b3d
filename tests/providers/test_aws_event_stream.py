"""AWS's binary event stream: whole messages come out, and damaged ones end it."""

import struct
import tracemalloc
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import EventTooLarge, MalformedEvent
from streamd.providers._aws_event_stream import AWSEventStream, EventMessage
from tests.support.bedrock import framed, header

_UUID = UUID("00112233-4455-6677-8899-aabbccddeeff")
_TEN_TYPES = b"".join(
    bytes([1]) + name + value
    for name, value in (
        (b"a", b"\0"),
        (b"b", b"\1"),
        (b"c", b"\2\xff"),
        (b"d", b"\3" + struct.pack(">h", -2)),
        (b"e", b"\4" + struct.pack(">i", -3)),
        (b"f", b"\5" + struct.pack(">q", -4)),
        (b"g", b"\6\0\3\0\1\2"),
        (b"h", b"\7\0\2\xc3\xa9"),
        (b"i", b"\x08" + struct.pack(">q", 1000)),
        (b"j", b"\x09" + _UUID.bytes),
    )
)
_GOOD = framed(header(":event-type", "e"), b"payload")


def read(*parts: bytes) -> tuple[list[EventMessage], Exception | None]:
    """All messages of these parts, and the error that ended them."""
    stream = AWSEventStream()
    messages: list[EventMessage] = []
    for part in parts:
        try:
            messages += stream.feed(part)
        except (MalformedEvent, EventTooLarge):
            break
    return messages, stream.failure


def test_a_message_has_headers_a_payload_and_an_end() -> None:
    """The end is the place in the body, so that an error can say where it was."""
    messages, _ = read(_GOOD + _GOOD)
    assert [(message.text(":event-type"), message.payload) for message in messages] == [("e", b"payload")] * 2
    assert [message.end for message in messages] == [len(_GOOD), 2 * len(_GOOD)]


def test_headers_of_all_ten_types() -> None:
    """Each is read as what it is; only a text is given as one."""
    ((message,), _) = read(framed(_TEN_TYPES, b""))
    assert message.headers == {
        "a": True,
        "b": False,
        "c": -1,
        "d": -2,
        "e": -3,
        "f": -4,
        "g": b"\0\1\2",
        "h": "é",
        "i": datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        "j": _UUID,
    }
    assert (message.text("h"), message.text("g"), message.text("z")) == ("é", "", "")


@given(payloads=st.lists(st.binary(max_size=40), max_size=5), cuts=st.lists(st.integers(0, 400), max_size=6))
@settings(deadline=None, max_examples=100)
def test_any_cut_gives_the_same_messages(payloads: list[bytes], cuts: list[int]) -> None:
    """Wherever the bytes are cut, and byte by byte, the messages and their places are those of the whole."""
    body = b"".join(framed(header("n", "v"), payload) for payload in payloads)
    whole, _ = read(body)
    assert [message.payload for message in whole] == payloads
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    assert read(*(body[a:b] for a, b in pairwise(places)))[0] == whole
    assert read(*(body[at : at + 1] for at in range(len(body))))[0] == whole


def _damaged(at: int) -> bytes:
    return _GOOD[:at] + bytes([_GOOD[at] ^ 1]) + _GOOD[at + 1 :]


@pytest.mark.parametrize("at", range(len(_GOOD)))
def test_a_damaged_byte_ends_the_stream(at: int) -> None:
    """Wherever the damage is: what was whole before comes first, and nothing after it is guessed."""
    messages, failure = read(_GOOD + _damaged(at) + _GOOD)
    assert [message.payload for message in messages] == [b"payload"]
    assert type(failure) is MalformedEvent
    read_on = 12 if at < 12 else len(_GOOD)
    assert failure.offset == len(_GOOD) + read_on


def test_a_stream_that_failed_stays_failed() -> None:
    """The error is raised where no message came with it, and by every call after."""
    stream = AWSEventStream()
    with pytest.raises(MalformedEvent, match="checksum of a message's head"):
        stream.feed(_damaged(0))
    with pytest.raises(MalformedEvent):
        stream.feed(_GOOD)


def _lengths(total: int, headers: int) -> bytes:
    prelude = struct.pack(">II", total, headers)
    return prelude + struct.pack(">I", crc32(prelude))


@pytest.mark.parametrize("lengths", [(15, 0), (20, 5), (16, 1), (0, 0), (300_000, 131_073)])
def test_lengths_that_make_no_sense(lengths: tuple[int, int]) -> None:
    """A head may be whole and still no head."""
    failure = read(_lengths(*lengths))[1]
    assert type(failure) is MalformedEvent
    assert "make no sense" in str(failure)


def test_a_message_has_a_limit() -> None:
    """It is refused by its head, before its bytes are gathered."""
    assert type(read(_lengths(24 * 1024 * 1024 + 1, 0))[1]) is EventTooLarge
    assert read(_lengths(24 * 1024 * 1024, 0))[1] is None


@pytest.mark.parametrize(
    "headers",
    [
        b"\0",  # no name
        b"\5ab",  # a name that is cut
        b"\1a",  # no type
        b"\1a\x0a",  # a type that is none
        b"\1a\2",  # values that are cut
        b"\1a\5\0",
        b"\1a\6\0",
        b"\1a\7\0\5ab",
        b"\1a\x09\0",
        b"\1\xff\0",  # no UTF-8
        b"\1a\7\0\1\xff",
        b"\1a\x08\x7f" + b"\xff" * 7,  # a time that is none
        header("a", "1") + header("a", "2"),
    ],
)
def test_headers_that_cannot_be_read(headers: bytes) -> None:
    """They are as damaged as a wrong checksum is."""
    messages, failure = read(_GOOD + framed(headers, b"x"))
    assert len(messages) == 1
    assert type(failure) is MalformedEvent
    assert "headers" in str(failure)


@pytest.mark.parametrize("tail", range(12))
def test_a_short_tail_takes_nothing_with_it(tail: int) -> None:
    """A message that came whole is given, however few bytes of the next came with it."""
    stream = AWSEventStream()
    assert len(stream.feed(_GOOD + _GOOD[:tail])) == 1
    assert stream.pending == tail
    assert len(stream.feed(_GOOD[tail:])) == 1


def test_a_large_message_in_small_pieces_takes_no_more_than_it_is() -> None:
    """A message is gathered once."""
    body = framed(b"", b"x" * 2_000_000)
    stream = AWSEventStream()
    tracemalloc.start()
    try:
        messages = [
            message for at in range(0, len(body), 500) for message in stream.feed(body[at : at + 500])
        ]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(messages) == 1
    assert peak < 10_000_000


def test_headers_that_never_repeat_are_not_gathered() -> None:
    """What is remembered of headers has a bound."""
    stream = AWSEventStream()
    tracemalloc.start()
    try:
        for number in range(5000):
            stream.feed(framed(header("n", f"{number:400}"), b""))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000
