"""The producer: the actor that speaks HTTP and feeds the parser the body's bytes."""

from __future__ import annotations

from contextlib import suppress

import httpx
import trio

from streamd.providers import HTTPRequest, Provider

from ._http import HTTPClient, Response, open_response
from ._state import SessionState
from ._timers import Clock
from ._version import USER_AGENT
from .errors import EncodingRefused, RedirectRefused, StreamdError, TransportError

__all__ = ["HTTPEvent", "produce"]

HTTPEvent = bytes | StreamdError
"""What the producer sends: the bytes of one network read, then what ended the body.

`b""` is its clean end, as it is a socket's. The channel's own end says nothing of the body: it is also closed when the
producer is cancelled, and a body that was let go must not be taken for one that ended.
"""

ERROR_BODY_LIMIT = 64 * 1024
ERROR_BODY_SECONDS = 5.0
REDIRECTS = (300, 301, 302, 303, 307, 308)


async def produce(
    events: trio.MemorySendChannel[HTTPEvent],
    client: HTTPClient,
    provider: Provider,
    request: HTTPRequest,
    connect: float | None,
    state: SessionState,
    clock: Clock,
) -> None:
    """Make one request, and send its body read by read.

    A failure is sent as the last event rather than raised, so that the parser sees it after every byte before it.
    Cancelling closes the connection.
    """
    # The parser closes its end when it has the provider's terminal evidence: nothing more is wanted.
    with events, suppress(trio.BrokenResourceError):
        try:
            async with open_response(client, request, user_agent=USER_AGENT, connect=connect) as response:
                state.begin_stream(response.status, response.headers)
                await _refuse(provider, response)
                async for data in response.body:
                    clock.note_bytes()
                    state.bytes_received += len(data)
                    try:
                        events.send_nowait(data)
                    except trio.WouldBlock:
                        with clock.paused():
                            await events.send(data)
            last: HTTPEvent = b""
        except StreamdError as error:
            last = error
        with clock.paused():
            await events.send(last)


async def _refuse(provider: Provider, response: Response) -> None:
    """Raise for a response that is not a body to decode."""
    status = response.status
    if status in REDIRECTS:
        raise RedirectRefused(
            f"the server redirects (status {status}) to {_target(response)}", phase="headers"
        )
    if _encoding(response) not in ("", "identity"):
        raise EncodingRefused(f"the response is encoded with {_encoding(response)!r}", phase="headers")
    if not 200 <= status < 300:
        raise provider.error(status, response.headers, await _error_body(response))


def _target(response: Response) -> str:
    """The host a redirect leads to: the rest of the address may be anything."""
    try:
        return httpx.URL(response.headers.get("location", "")).host or "a place it does not name"
    except (httpx.InvalidURL, ValueError):
        return "an address that cannot be read"


def _encoding(response: Response) -> str:
    return response.headers.get("content-encoding", "").strip().lower()[:40]


async def _error_body(response: Response) -> bytes:
    """As much of an error's body as came in time; that it was cut does not hide the status."""
    body = bytearray()
    with trio.move_on_after(ERROR_BODY_SECONDS), suppress(TransportError):
        async for data in response.body:
            body += data
            if len(body) >= ERROR_BODY_LIMIT:
                break
    return bytes(body[:ERROR_BODY_LIMIT])
