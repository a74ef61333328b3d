"""A response that goes on at the provider when the connection breaks, and is read on from where it broke.

https://platform.openai.com/docs/guides/background#streaming-a-background-response
"""

from __future__ import annotations

from urllib.parse import quote

from ._framing import ServerSentEvent
from ._json import UNREADABLE
from ._openai_responses_decoder import OpenAIResponsesMachine
from ._provider import Decoder, HTTPRequest
from ._sse_chunk_decoder import SSEChunkDecoder
from .chunks import Chunk

__all__ = ["ResponsesDecoder", "resume_response"]

_MAX_EVENT_BYTES = 32 * 1024 * 1024  # the last event holds every image of the response
_OF_A_BODY = frozenset(("content-type", "content-length"))
_QUERY = frozenset(("stream", "starting_after"))


class ResponsesDecoder(SSEChunkDecoder):
    """The decoder of `openai-responses`: a body's chunks, and where in the response it broke off.

    Args:
        continues: The machine of a body that broke off, where this one continues it.
    """

    def __init__(self, continues: OpenAIResponsesMachine | None = None) -> None:
        self._responses = continues or OpenAIResponsesMachine()
        super().__init__(self._responses, max_event_bytes=_MAX_EVENT_BYTES)

    @property
    def response_id(self) -> str | None:
        """The id of the response, once it was told."""
        return self._responses.response_id

    @property
    def sequence_number(self) -> int | None:
        """The number of the last event that was read whole; None where the server does not number them."""
        numbers = self._responses.numbers
        return numbers.last if numbers.known else None

    @property
    def in_background(self) -> bool:
        """Whether the response goes on without a connection, and has not ended."""
        return self._responses.in_background and not self._responses.done

    def continued(self) -> ResponsesDecoder:
        """The decoder for the body that continues this one, which is not to be used any more.

        Together they give what one whole body would have given: an event that was read is left out where it comes
        again, half an event at the break is forgotten.
        """
        self._responses.numbers.go_on()
        return ResponsesDecoder(self._responses)

    def _end_with(self, last: ServerSentEvent | None, out: list[Chunk]) -> None:
        """An event that the break cut off, and that does not end the response, stays unread: it will come again."""
        try:
            is_end = last is not None and self._responses.is_end(last.event, last.data)
        except UNREADABLE:
            return
        if is_end:
            super()._end_with(last, out)


def resume_response(request: HTTPRequest, decoder: Decoder) -> tuple[HTTPRequest, Decoder] | None:
    """How to read on: the request for the events that were not read, and the decoder that continues.

    The request has the headers of the one that asked for the response. None where there is nothing to read on: the
    response was not made with `background`, or it ended or failed, or the server does not number its events.

    Args:
        request: The request that asked for the response, or that resumed it last.
        decoder: The decoder of the body that broke off.
    """
    if not isinstance(decoder, ResponsesDecoder) or not decoder.in_background:
        return None
    id_, number = decoder.response_id, decoder.sequence_number
    if id_ is None or number is None:
        return None
    address, _, query = request.url.partition("?")
    if request.method == "POST":
        address = f"{address}/{quote(id_, safe='')}"
    kept = [field for field in query.split("&") if field and field.partition("=")[0] not in _QUERY]
    url = f"{address}?{'&'.join([*kept, 'stream=true', f'starting_after={number}'])}"
    headers = tuple((name, value) for name, value in request.headers if name.lower() not in _OF_A_BODY)
    return HTTPRequest("GET", url, headers, b""), decoder.continued()
