"""Faults of reading on a response that its provider keeps: it is gone, or more of it comes than was asked for."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ._delivery import Delivery
from ._expect import Expect
from ._faults_http_status import refused
from ._kind import FaultKind, Strike
from ._outcomes import after_cut
from ._payload import first_terminal
from ._reply import Cut, Reply
from ._stage import Stage

__all__ = ["RESUME"]

_PLACES = ("event:0", "event:4", "kind:text", "event:50%", "kind:end")


def _broken(reply: Reply, strike: Strike) -> Reply:
    """The connection ends before the turn was complete."""
    at = min(strike.event(reply), first_terminal(reply))
    return replace(reply, cut=Cut(reply.offset(at), "fin"))


def _in_the_background(stage: Stage, _strike: Strike) -> Stage:
    return replace(stage, background=True)


def _gone(status: int) -> Callable[[Reply, Strike], Reply]:
    def apply(reply: Reply, strike: Strike) -> Reply:
        resuming = strike.wire.resuming
        return reply if resuming is None else refused(reply, resuming.gone(status), status)

    return apply


def _replayed(reply: Reply, strike: Strike) -> Reply:
    """Events that the client has come again, before those that it asked for."""
    every = len(strike.before)
    count = every if strike.fault.value in (None, "all") else min(every, int(strike.number(every)))
    return strike.with_events(reply, *strike.before[every - count :], *reply.events)


def _as_it_broke(delivery: Delivery, strike: Strike) -> Expect:
    """What broke the response is what is raised; asking once more for what is gone is no use."""
    return after_cut(delivery, strike) if strike.after is None else Expect(("ConnectionLost",), final=True)


def _kind(
    name: str,
    summary: str,
    resumed: Callable[[Reply, Strike], Reply],
    expect: Callable[[Delivery, Strike], Expect],
    values: tuple[str, ...] = (),
) -> FaultKind:
    return FaultKind(
        name=f"prov.{name}",
        summary=summary,
        phase="body",
        retry="R4",
        expect=expect,
        apply=_broken,
        stage=_in_the_background,
        resumed=resumed,
        sweep=_PLACES,
        values=values,
        wires=("openai-responses",),
    )


RESUME: tuple[FaultKind, ...] = (
    _kind(
        "resume_404",
        "A response in the background breaks off, and its provider has none of its id when it is to be read on.",
        _gone(404),
        _as_it_broke,
    ),
    _kind(
        "resume_expired",
        "A response in the background breaks off, and is too old to be streamed when it is to be read on.",
        _gone(400),
        _as_it_broke,
    ),
    _kind(
        "resume_replays_prefix",
        "A response in the background breaks off, and begins again when it is read on: events come that came before.",
        _replayed,
        after_cut,
        ("all", "1", "3"),
    ),
)
"""Those kinds of the layer `prov` that strike a response twice: where it breaks, and where it is read on."""
