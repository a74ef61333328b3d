"""One attempt at a turn: a producer and a parser joined by a channel, supervised as one."""

from __future__ import annotations

import trio

from streamd.providers import HTTPRequest, Provider
from streamd.supervisors import ChildSpec, RestartLimit, SupervisionError, Supervisor

from ._edge import ConsumerEdge
from ._http import HTTPClient
from ._parser import parse
from ._producer import HTTPEvent, produce
from ._state import SessionState
from ._timers import Clock, Timeouts

__all__ = ["attempt"]


async def attempt(
    request: HTTPRequest,
    *,
    provider: Provider,
    client: HTTPClient,
    timeouts: Timeouts,
    edge: ConsumerEdge,
    state: SessionState,
) -> None:
    """Make one request and hand its chunks to the consumer; return when the turn is complete.

    The pipeline stands and falls as one: the first actor to fail ends the others, and its error is raised. Every
    attempt has its own channel, decoder and clock. The channel holds nothing: the producer keeps at most one read in
    its hands, so that backpressure reaches the socket.

    Raises:
        StreamdError: The attempt failed; the consumer has every chunk decoded before that.
    """
    clock = Clock(timeouts)
    sender, receiver = trio.open_memory_channel[HTTPEvent](0)
    pipeline = Supervisor(
        ChildSpec(id="watchdog", run=clock.watch, restart="transient"),
        ChildSpec(
            id="parser",
            run=parse,
            args=(receiver, provider.decoder(), edge, state, clock),
            restart="transient",
            significant=True,
        ),
        ChildSpec(
            id="producer",
            run=produce,
            args=(sender, client, provider, request, timeouts.connect, state, clock),
            restart="transient",
        ),
        strategy="one_for_all",
        restarts=RestartLimit(0),
        auto_shutdown="any",
        name="attempt",
    )
    try:
        await pipeline.run()
    except SupervisionError as failed:
        if not state.turn_open:
            return  # the turn is complete, and what failed was its clearing away
        error = failed.failures[0].error
    else:
        return
    raise error
