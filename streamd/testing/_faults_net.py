"""Faults of the network: connecting, sending, and connections that end."""

from __future__ import annotations

import math
from collections.abc import Callable

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._fault import At
from ._faults_net_pace import PACE
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, after_cut, fails_with
from ._reply import Connecting, Cut, Ending, Reply, layout

__all__ = ["NET"]

Apply = Callable[[Reply, Strike], Reply]


def _connecting(how: Connecting) -> Apply:
    return lambda reply, _strike: replace(reply, connect=how)


def _slow_name(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, connect_delay=strike.number(2.0))


def _slow_close(reply: Reply, strike: Strike) -> Reply:
    return replace(reply, close_delay=strike.number(math.inf))


def _before_head(how: Ending) -> Apply:
    return lambda reply, _strike: replace(reply, cut=Cut(0, how, raw=True))


def _in_head(reply: Reply, strike: Strike) -> Reply:
    head = layout(reply).head
    match strike.fault.at:
        case At("raw", int() as place):
            at = place if place >= 0 else head + place
        case At("raw", float() as share):
            at = int(head * share)
        case _:
            at = strike.rng.randrange(1, head)
    return replace(reply, cut=Cut(max(1, min(at, head - 1)), "fin", raw=True))


def _cut(how: Ending) -> Apply:
    def apply(reply: Reply, strike: Strike) -> Reply:
        at = strike.fault.at
        if at is not None and at.unit == "raw" and isinstance(at.place, int):
            return replace(reply, cut=Cut(at.place, how, raw=True))
        return replace(reply, cut=Cut(strike.byte(reply), how))

    return apply


def _upload(how: Ending, *, head: bool = False) -> Apply:
    return lambda reply, _strike: replace(
        reply, reading="head" if head else "none", cut=Cut(0, how, raw=True)
    )


def _unsent(_delivery: Delivery, _strike: Strike) -> Expect:
    # A small request is in the buffers before anything is wrong with the connection.
    return Expect(("ConnectionLost/send", "ConnectionLost/headers"))


_HEADLESS = fails_with("ConnectionLost/headers")
_UNCONNECTED = fails_with("ConnectFailed/connect")
_PLACES = ("byte:0", "byte:1", "byte:25%", "byte:50%", "byte:75%", "byte:-1", "byte:100%")

NET: tuple[FaultKind, ...] = (
    FaultKind(
        name="net.dns_fail",
        summary="The server's name is not known.",
        phase="connect",
        retry="R0",
        expect=_UNCONNECTED,
        apply=_connecting("dns"),
    ),
    FaultKind(
        name="net.dns_slow",
        summary="Looking the name up takes so many seconds; 2 if no value is given.",
        phase="connect",
        retry="R0",
        expect=_UNCONNECTED,
        apply=_slow_name,
        values=("2", "30"),
    ),
    FaultKind(
        name="net.refuse",
        summary="The server refuses the connection.",
        phase="connect",
        retry="R0",
        expect=_UNCONNECTED,
        apply=_connecting("refuse"),
    ),
    FaultKind(
        name="net.blackhole_connect",
        summary="Nobody answers the attempt to connect.",
        phase="connect",
        retry="R0",
        expect=_UNCONNECTED,
        apply=_connecting("blackhole"),
    ),
    FaultKind(
        name="net.tls_bad_cert",
        summary="The server's certificate does not verify.",
        phase="connect",
        retry="NO",
        expect=fails_with("ConnectFailed/connect", final=True),
        apply=_connecting("tls_certificate"),
    ),
    FaultKind(
        name="net.tls_cut",
        summary="The connection ends in the midst of TLS's handshake.",
        phase="connect",
        retry="R0",
        expect=_UNCONNECTED,
        apply=_connecting("tls_cut"),
    ),
    FaultKind(
        name="net.tls_alert",
        summary="The server ends TLS's handshake with an alert.",
        phase="connect",
        retry="R0",
        expect=_UNCONNECTED,
        apply=_connecting("tls_alert"),
    ),
    FaultKind(
        name="net.slow_close",
        summary="Closing the connection takes the client so long, as TLS's goodbye does where the peer reads nothing; "
        "for ever if no number of seconds is given.",
        phase="connect",
        retry="-",
        expect=NOTHING,
        apply=_slow_close,
    ),
    FaultKind(
        name="net.write_stall",
        summary="The server reads nothing of the request, and says nothing.",
        phase="request",
        retry="R1",
        expect=fails_with("Stalled(first_chunk)"),
        apply=_upload("stall"),
    ),
    FaultKind(
        name="net.write_reset",
        summary="The connection is reset while the request is sent.",
        phase="request",
        retry="R1",
        expect=_unsent,
        apply=_upload("rst"),
    ),
    FaultKind(
        name="net.half_close",
        summary="The server ends its side while the request is sent, and goes on reading.",
        phase="request",
        retry="R1",
        expect=_unsent,
        apply=_upload("fin", head=True),
    ),
    FaultKind(
        name="net.reset_before_headers",
        summary="The connection is reset after the request, before any byte of the answer.",
        phase="head",
        retry="R1",
        expect=_HEADLESS,
        apply=_before_head("rst"),
    ),
    FaultKind(
        name="net.fin_before_headers",
        summary="The server ends the connection after the request, before any byte of the answer.",
        phase="head",
        retry="R1",
        expect=_HEADLESS,
        apply=_before_head("fin"),
    ),
    FaultKind(
        name="net.fin_mid_headers",
        summary="The server ends the connection in the middle of the answer's head.",
        phase="head",
        retry="R1",
        expect=_HEADLESS,
        apply=_in_head,
        late=True,
        sweep=("raw:1", "raw:50%", "raw:-1"),
    ),
    FaultKind(
        name="net.fin",
        summary="The server ends the connection in the middle of the body, politely.",
        phase="body",
        retry="R4",
        expect=after_cut,
        apply=_cut("fin"),
        sweep=_PLACES,
    ),
    FaultKind(
        name="net.reset",
        summary="The connection is reset in the middle of the body.",
        phase="body",
        retry="R4",
        expect=after_cut,
        apply=_cut("rst"),
        sweep=_PLACES,
    ),
    *PACE,
)
"""The kinds of the layer `net`."""
