"""Replies: laid out, played as steps, and what reaches a client."""

import itertools
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamd.providers import Stop
from streamd.testing import (
    HELLO,
    ONE_TOOL,
    WIRES,
    Cut,
    Edit,
    Repeat,
    Reply,
    Wait,
    WireEvent,
    delivery_of,
    render,
    script,
)
from streamd.testing._reply import layout
from streamd.testing._steps import CLOSE, FIN, HEAD_ONLY, KEEP_OPEN, RST, UNREAD, Delay, Flood

REPLY = render(HELLO.turns[0], WIRES["openai-chat"])
FRAMINGS: Any = st.sampled_from(["chunked", "length", "close"])


def raw(reply: Reply) -> bytes:
    """The bytes that a reply's steps send."""
    return b"".join(step for step in script(reply) if isinstance(step, bytes))


class Reader:
    """A response read by a parser that is not ours."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.complete = False
        httptools.HttpResponseParser(self).feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Keep it."""
        self.body += data

    def on_message_complete(self) -> None:
        """Note it."""
        self.complete = True


@given(FRAMINGS)
def test_a_reply_is_http(framing: Any) -> None:
    """In every framing a parser reads the body; the end of the connection ends what has no other end."""
    reply = replace(REPLY, framing=framing)
    read = Reader(raw(reply))
    assert read.body == reply.body
    assert read.complete == (framing != "close")
    assert (script(reply)[-1] is FIN) == (framing == "close")
    assert delivery_of(replace(reply, after="fin")).end == "clean"


@given(FRAMINGS, st.integers(0, len(REPLY.body)))
def test_a_place_in_the_body_is_found_in_the_raw_stream(framing: Any, at: int) -> None:
    """Before that place so many bytes of the body have gone, and a parser has them all."""
    reply = replace(REPLY, framing=framing)
    laid = layout(reply)
    place = laid.raw_of(at)
    assert laid.body_of(place) == at
    assert Reader(laid.raw[:place]).body == reply.body[:at]


@given(FRAMINGS, st.integers(0, 3000))
def test_a_place_in_the_raw_stream_is_found_in_the_body(framing: Any, at: int) -> None:
    """Of the first bytes of the raw stream so many are the body's."""
    reply = replace(REPLY, framing=framing)
    laid = layout(reply)
    at = min(at, len(laid.raw))
    assert laid.body_of(at) == len(Reader(laid.raw[:at]).body)


@given(st.integers(0, len(REPLY.body)), st.sampled_from(["fin", "rst", "stall", "close"]))
def test_a_cut_stops_there_and_ends_so(at: int, how: Any) -> None:
    """What is sent is the raw stream to the cut; what reaches a client are the events that are whole."""
    reply = replace(REPLY, cut=Cut(at, how))
    steps = script(reply)
    assert steps[-1] is {"fin": FIN, "rst": RST, "stall": KEEP_OPEN, "close": CLOSE}[how]
    assert Reader(raw(reply)).body == REPLY.body[:at]
    delivery = delivery_of(reply)
    ends = list(itertools.accumulate(len(event.data) for event in REPLY.events))
    whole = sum(end <= at for end in ends)
    assert (delivery.events, delivery.body) == (whole, at)
    assert delivery.gives == tuple(chunk for event in REPLY.events[:whole] for chunk in event.gives)
    assert delivery.terminal == any(event.terminal for event in REPLY.events[:whole])
    # In chunks even the whole body is not the whole response.
    assert delivery.end == ("open" if how == "stall" else "lost")


@given(st.integers(0, 2500))
def test_a_cut_of_the_raw_stream_may_be_in_its_head(at: int) -> None:
    """Then nothing came; and after its last byte all has."""
    laid = layout(REPLY)
    delivery = delivery_of(replace(REPLY, cut=Cut(at, "fin", raw=True)))
    assert delivery.head == (at >= laid.head)
    assert delivery.body == laid.body_of(min(at, len(laid.raw)))
    assert delivery.end == ("clean" if at >= len(laid.raw) else "lost")


def test_a_cut_of_a_body_without_length_is_a_clean_end() -> None:
    """Only the content can tell: the delivery ends well without terminal evidence."""
    reply = replace(REPLY, framing="close", cut=Cut(REPLY.offset(2), "fin"))
    delivery = delivery_of(reply)
    assert (delivery.end, delivery.terminal, delivery.events) == ("clean", False, 2)
    assert delivery_of(replace(reply, cut=Cut(9, "rst"))).end == "lost"


def test_a_length_that_is_not_the_truth() -> None:
    """Too short it hides the rest, too long it is waited for in vain."""
    short = replace(REPLY, framing="length", length=REPLY.offset(2))
    assert (delivery_of(short).end, delivery_of(short).events) == ("clean", 2)
    long = replace(REPLY, framing="length", length=len(REPLY.body) + 5)
    assert delivery_of(long).end == "open"
    assert delivery_of(replace(long, after="fin")).end == "lost"


def test_splits_waits_and_repeats_come_between_the_bytes() -> None:
    """Each at its place; coalesced, all else is one read."""
    wait = Wait(REPLY.offset(1), 3.0)
    reply = replace(REPLY, coalesced=True, splits=(1,), waits=(wait, Wait(-1, 2.0)))
    steps = script(reply)
    laid = layout(REPLY)
    assert steps == (
        Delay(2.0),
        laid.raw[: laid.raw_of(1)],
        laid.raw[laid.raw_of(1) : laid.raw_of(REPLY.offset(1))],
        Delay(3.0),
        laid.raw[laid.raw_of(REPLY.offset(1)) :],
    )
    ping = WireEvent(b": ping\n\n", "keepalive")
    steps = script(replace(REPLY, repeat=Repeat(REPLY.offset(1), ping, 5.0)))
    assert steps[-1] == Flood(b"8\r\n: ping\n\n\r\n", every=5.0)
    steps = script(replace(REPLY, repeat=Repeat(0, ping, 5.0, times=2)))
    assert Flood(b"8\r\n: ping\n\n\r\n", 2, 5.0) in steps
    assert Reader(raw(REPLY)).complete


def test_a_repeat_without_end_delivers_nothing_beyond() -> None:
    """The events before it came, and nothing ends."""
    ping = WireEvent(b": ping\n\n", "keepalive")
    delivery = delivery_of(replace(REPLY, repeat=Repeat(REPLY.offset(2), ping, 5.0)))
    assert (delivery.events, delivery.end, delivery.terminal) == (2, "open", False)


def test_each_event_is_a_step() -> None:
    """The head and every event are network reads of their own, and so is the last chunk."""
    assert len(script(REPLY)) == 1 + len(REPLY.events) + 1


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), st.binary(max_size=5)), max_size=3))
def test_edits_replace_bytes_of_the_raw_stream(edits: list[tuple[int, int, bytes]]) -> None:
    """However the stream is cut into steps, what is sent is the stream with the edits made, one after the other."""
    apart: list[tuple[int, int, bytes]] = []
    for edit in sorted(edits):
        if not apart or apart[-1][0] + max(1, apart[-1][1]) <= edit[0]:
            apart.append(edit)
    expected = layout(REPLY).raw
    for at, remove, insert in sorted(apart, reverse=True):
        expected = expected[:at] + insert + expected[at + remove :]
    reply = replace(REPLY, edits=tuple(Edit(*edit) for edit in apart), splits=(3, 50, 51))
    assert raw(reply) == expected


def test_a_fatal_edit_hides_what_follows() -> None:
    """The events before it came; it is fatal before any evidence, or after it."""
    laid = layout(REPLY)
    delivery = delivery_of(replace(REPLY, edits=(Edit(laid.raw_of(REPLY.offset(3)), 1, b"zz"),)))
    assert (delivery.events, delivery.fatal, delivery.fatal_first) == (3, True, True)
    delivery = delivery_of(replace(REPLY, edits=(Edit(laid.end, 1, b"zz"),)))
    assert (delivery.terminal, delivery.fatal, delivery.fatal_first) == (True, True, False)
    assert delivery_of(replace(REPLY, edits=(Edit(9, 0, b"x", fatal=False),))).fatal is False


def test_a_fatal_event_ends_the_delivery() -> None:
    """What stands before it is given, it and what follows is not."""
    poison = WireEvent(b"data: {\n\n", "noise", fatal=True)
    reply = replace(REPLY, events=(*REPLY.events[:3], poison, *REPLY.events[3:]))
    delivery = delivery_of(reply)
    assert (delivery.events, delivery.fatal_first, delivery.terminal) == (3, True, False)
    assert delivery.text == "Hello, wörld"


def test_what_a_delivery_holds() -> None:
    """Its text, its confirmed calls, its end, its last count; and whether a consumer may have seen any of it."""
    delivery = delivery_of(render(ONE_TOOL.turns[0], WIRES["anthropic-messages"]))
    assert delivery.text == "Let me look."
    assert [call.name for call in delivery.calls] == ["weather"]
    assert isinstance(delivery.stop, Stop)
    assert delivery.usage is not None
    assert (delivery.usage.input_tokens, delivery.usage.output_tokens) == (20, 12)
    assert delivery.produced
    nothing = delivery_of(replace(REPLY, cut=Cut(REPLY.offset(1), "fin")))
    assert (nothing.produced, nothing.stop, nothing.usage) == (False, None, None)


@pytest.mark.parametrize("how", ["refuse", "dns", "blackhole"])
def test_without_a_connection_there_is_nothing(how: Any) -> None:
    """Nothing is delivered, and it is refused."""
    delivery = delivery_of(Reply(connect=how))
    assert (delivery.end, delivery.head, delivery.gives) == ("refused", False, ())


def test_a_status_is_a_refusal() -> None:
    """Whatever its body says."""
    assert delivery_of(replace(REPLY, status=500)).end == "refused"
    assert delivery_of(replace(REPLY, status=500)).gives == ()


def test_how_the_request_is_read_is_the_first_step() -> None:
    """All of it without a step, its head, or nothing."""
    assert script(replace(REPLY, reading="head"))[0] is HEAD_ONLY
    assert script(replace(REPLY, reading="none"))[0] is UNREAD


def test_what_follows_the_response() -> None:
    """Surplus bytes, and then the connection's end."""
    steps = script(replace(REPLY, surplus=b"HTTP/1.1 200 OK\r\n\r\n", after="rst"))
    assert steps[-2:] == (b"HTTP/1.1 200 OK\r\n\r\n", RST)
    assert replace(REPLY, headers=(("X-A", "1"),)).header("x-a") == "1"
    assert REPLY.header("x-a") is None
