"""Faults: written, read back, and placed."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamd import ConfigError
from streamd.testing import (
    HELLO,
    WIRES,
    At,
    Fault,
    Strike,
    parse_plan,
    plan_of,
    render,
    simulate,
    streamd_app,
)

WIRE = WIRES["openai-chat"]
REPLY = render(HELLO.turns[0], WIRE)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("net.refuse", Fault("net.refuse")),
        ("net.reset@byte:120", Fault("net.reset", At("byte", 120))),
        ("net.reset@byte:-1", Fault("net.reset", At("byte", -1))),
        ("net.reset@byte:50%", Fault("net.reset", At("byte", 0.5))),
        ("net.fin x2", Fault("net.fin", times=2)),
        ("net.fin x*", Fault("net.fin", times=math.inf)),
        ("http.status=429", Fault("http.status", value="429")),
        (
            "prov.error_mid=rate_limit@kind:finish",
            Fault("prov.error_mid", At("kind", "finish"), value="rate_limit"),
        ),
        (
            "time.stall=90@event:3 x2 if turn:2",
            Fault("time.stall", At("event", 3), 2, ("turn", 2), "90"),
        ),
    ],
)
def test_a_fault_is_written_as_it_is_read(text: str, fault: Fault) -> None:
    """The line that reproduces a run has the faults as a user writes them."""
    assert Fault.parse(text) == fault
    assert str(fault) == text


PLACES = st.one_of(
    st.builds(At, st.sampled_from(["byte", "raw", "event"]), st.integers(-5, 9999)),
    st.builds(At, st.just("byte"), st.integers(0, 100).map(lambda share: share / 100)),
    st.builds(At, st.just("kind"), st.sampled_from(["text", "finish"])),
)
FAULTS = st.builds(
    Fault,
    st.sampled_from(["net.fin", "sse.comment", "http.status"]),
    st.none() | PLACES,
    st.sampled_from([1, 2, 7, math.inf]),
    st.none() | st.tuples(st.sampled_from(["turn", "request"]), st.integers(1, 9)),
    st.none() | st.sampled_from(["429", "0.5", "auth"]),
)


@given(st.lists(FAULTS, max_size=3))
def test_every_plan_is_read_back(faults: list[Fault]) -> None:
    """Any plan, joined by plus signs, is read as the same plan."""
    assert parse_plan(" + ".join(map(str, faults))) == tuple(faults)
    assert plan_of([str(fault) for fault in faults]) == plan_of(faults)


@pytest.mark.parametrize(
    "text", ["", "net", "net.fin@", "net.fin@byte", "net.fin@nowhere:1", "net.fin x", "a b"]
)
def test_what_is_no_fault_is_refused(text: str) -> None:
    """The message shows how one is written."""
    with pytest.raises(ConfigError):
        Fault.parse(text)


def strike(text: str, seed: int = 0) -> Strike:
    """A fault that strikes the first request."""
    return Strike(Fault.parse(text), WIRE, random.Random(seed), 1, 1)


def test_a_place_is_counted_in_bytes_and_events() -> None:
    """Negative numbers count from the end, shares are of the whole, a kind is its first event."""
    size, count = len(REPLY.body), len(REPLY.events)
    assert strike("net.fin@byte:7").byte(REPLY) == 7
    assert strike("net.fin@byte:-1").byte(REPLY) == size - 1
    assert strike("net.fin@byte:99999").byte(REPLY) == size
    assert strike("net.fin@byte:50%").byte(REPLY) == size // 2
    assert strike("net.fin@event:2").byte(REPLY) == REPLY.offset(2)
    assert strike("net.fin@event:2").event(REPLY) == 2
    assert strike("net.fin@event:-1").event(REPLY) == count - 1
    assert REPLY.events[strike("net.fin@kind:finish").event(REPLY)].kind == "finish"
    assert strike("net.fin@kind:call").event(REPLY) == count


def test_a_fault_without_a_place_is_placed_by_the_seed() -> None:
    """The same seed gives the same place, and over many seeds every place is met."""
    assert strike("net.fin", 3).byte(REPLY) == strike("net.fin", 3).byte(REPLY)
    places = {strike("net.fin", seed).event(REPLY) for seed in range(300)}
    assert places == set(range(len(REPLY.events) + 1))


def test_a_place_or_value_that_makes_no_sense_is_refused() -> None:
    """By the fault that was to strike there."""
    with pytest.raises(ConfigError, match="cannot strike at tool:1"):
        strike("net.fin@tool:1").byte(REPLY)
    with pytest.raises(ConfigError, match="no number"):
        strike("http.status=many").number(503)
    assert strike("http.status").number(503) == 503


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("net.slice=nan", "no finite number from 0 on"),
        ("net.slice=inf", "no finite number from 0 on"),
        ("net.latency=-1", "no finite number from 0 on"),
        ("net.jitter=-1", "no finite number from 0 on"),
        ("time.clock_jump=-5", "no finite number from 0 on"),
        ("use.slow=nan", "no finite number from 0 on"),
        ("net.fin@kind:nope", "no event is of the kind 'nope'; they are start, text,"),
        ("net.fin if turn:0", "can never strike"),
        ("net.fin if request:0", "can never strike"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fault: str, why: str) -> None:
    """Before anything is judged by it: a mistyped fault that never strikes looks as one that was survived."""
    with pytest.raises(ConfigError, match=why):
        simulate(streamd_app, HELLO, fault)


def test_what_is_no_fault_is_told_so() -> None:
    """A scenario in its place, for one."""
    given: Any = HELLO
    with pytest.raises(ConfigError, match="is no fault, nor one as it is written"):
        plan_of([given])
