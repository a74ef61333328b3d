"""Faults of the network: connecting, and connections that end."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ._kind import FaultKind, Strike
from ._outcomes import NOTHING, after_cut, fails_with
from ._reply import Connecting, Cut, Ending, Reply

__all__ = ["NET"]


def _connecting(how: Connecting) -> Callable[[Reply, Strike], Reply]:
    def apply(reply: Reply, _strike: Strike) -> Reply:
        return replace(reply, connect=how)

    return apply


def _cut(how: Ending) -> Callable[[Reply, Strike], Reply]:
    def apply(reply: Reply, strike: Strike) -> Reply:
        at = strike.fault.at
        if at is not None and at.unit == "raw" and isinstance(at.place, int):
            return replace(reply, cut=Cut(at.place, how, raw=True))
        return replace(reply, cut=Cut(strike.byte(reply), how))

    return apply


def _slice(reply: Reply, strike: Strike) -> Reply:
    size = max(1, int(strike.number(1)))
    return replace(reply, splits=tuple(range(size, len(reply.body), size)))


_PLACES = ("byte:0", "byte:1", "byte:25%", "byte:50%", "byte:75%", "byte:-1", "byte:100%")

NET: tuple[FaultKind, ...] = (
    FaultKind(
        name="net.refuse",
        summary="The server refuses the connection.",
        phase="connect",
        retry="R0",
        expect=fails_with("ConnectFailed"),
        apply=_connecting("refuse"),
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
    FaultKind(
        name="net.slice",
        summary="The body comes in network reads of so many bytes; of one if no value is given.",
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=_slice,
        values=("1", "2", "7", "64"),
    ),
)
"""The kinds of the layer `net`."""
