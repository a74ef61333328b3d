"""The producer: the actor that speaks HTTP and feeds the parser the response's events."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress

import trio

from streamd.providers import HTTPRequest

from ._handoff import Handoff
from ._http import HTTPClient, open_response
from ._http_client import OwnClient
from ._http_events import HTTPData, HTTPDone, HTTPEvent, HTTPFailure, HTTPHeaders, HTTPStatus, ParserInput
from ._version import USER_AGENT
from .errors import StreamdError

__all__ = ["produce", "produce_alone"]

ERROR_BODY_SECONDS = 5.0


async def produce(
    events: Handoff[ParserInput],
    take: Callable[[HTTPEvent], bool],
    client: HTTPClient,
    request: HTTPRequest,
    connect: float | None,
) -> None:
    """Make one request, and send its response: status, headers, the body read by read, and its end.

    A failure is sent as the last event rather than raised, so that the parser sees it after every byte before it.
    Returns early when the parser closes its end: it has the provider's terminal evidence, or an error.
    Cancelling closes the connection.

    Args:
        events: Into the parser.
        take: The parser, told of the head at once: that holds no chunks, and so needs no room. False if there is
            nothing to read after it.
        client: Who sends the request; it is not closed.
        request: What is sent.
        connect: How long connecting may take, in seconds.
    """
    with suppress(trio.BrokenResourceError):
        try:
            async with await open_response(
                client, request, user_agent=USER_AGENT, connect=connect
            ) as response:
                if take(HTTPStatus(response.status)) and take(HTTPHeaders(response.headers)):
                    good = 200 <= response.status < 300
                    # The body of an error is worth a moment, and no more: the status is known.
                    with nullcontext() if good else trio.move_on_after(ERROR_BODY_SECONDS):
                        async for data in response.body:
                            try:
                                events.send_nowait(HTTPData(data))
                            except trio.WouldBlock:
                                await events.send(HTTPData(data))
            last: HTTPEvent = HTTPDone()
        except StreamdError as error:
            last = HTTPFailure(error)
        await events.send(last)


async def produce_alone(
    events: Handoff[ParserInput],
    take: Callable[[HTTPEvent], bool],
    request: HTTPRequest,
    connect: float | None,
) -> None:
    """Do as `produce` with a client of its own, and close that."""
    async with OwnClient() as client:
        await produce(events, take, client, request, connect)
