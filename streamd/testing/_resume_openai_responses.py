"""OpenAI's responses in the background: they go on without a connection, and are read on by the number of an event.

https://platform.openai.com/docs/guides/background#streaming-a-background-response
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ._resuming import ReadOn, Resuming
from ._wire_event import WireEvent

__all__ = ["RESPONSES_IN_THE_BACKGROUND"]

_TARGET = re.compile(r"/responses/(?P<id>[^/?]+)\?(?P<query>.*)")
_NUMBER = re.compile(rb'"sequence_number":(\d+)')
_GONE = {
    404: ("not_found_error", "There is no such response."),
    400: ("invalid_request_error", "The response is too old to be streamed."),
}
"""What is said of a response that cannot be read on, by the status."""


class _Body(Struct):
    background: bool | None = None


def _keeps(body: bytes) -> bool:
    return bool(msgspec.json.decode(body, type=_Body).background)


def _asked(target: str) -> ReadOn | None:
    found = _TARGET.search(target)
    query = {} if found is None else parse_qs(found["query"])
    after = query.get("starting_after", ["-1"])[-1]
    if found is None or query.get("stream") != ["true"] or not re.fullmatch(r"-1|\d+", after):
        return None
    number = re.fullmatch(r"resp_(\d+)", found["id"])
    return ReadOn(int(number[1]) if number else 0, int(after))


def _kept(events: tuple[WireEvent, ...]) -> tuple[WireEvent, ...]:
    """Each telling of the response says that it is in the background, and the second event that it waits its turn."""
    created, *others = events
    queued = replace(created, data=created.data.replace(b"response.created", b"response.queued"), gives=())
    return tuple(
        replace(event, data=_in_the_background(event.data, place))
        for place, event in enumerate((created, queued, *others))
    )


def _in_the_background(data: bytes, place: int) -> bytes:
    head, mark, text = data.partition(b"data: ")
    payload: dict[str, Any] = msgspec.json.decode(text)
    payload["sequence_number"] = place
    if "response" in payload:
        payload["response"]["background"] = True
        if place < 2:
            payload["response"]["status"] = "queued"
    return head + mark + msgspec.json.encode(payload) + b"\n\n"


def _number(event: WireEvent) -> int | None:
    # Without the empty line after it an event has not come, however much of it has.
    if len(event.data) - len(event.data.rstrip(b"\r\n")) < 2:
        return None
    found = _NUMBER.search(event.data)
    return None if found is None else int(found[1])


def _gone(status: int) -> bytes:
    kind, message = _GONE[status]
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": None}})


RESPONSES_IN_THE_BACKGROUND = Resuming(keeps=_keeps, asked=_asked, kept=_kept, number=_number, gone=_gone)
"""How the wire `openai-responses` does it."""
