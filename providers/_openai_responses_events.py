"""What is read of an event of OpenAI's Responses API, and of the servers that speak as it does.

https://platform.openai.com/docs/api-reference/responses-streaming. Fields that are not named here are not read: the
request, which every response object repeats, is the largest of them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = ["EVENTS", "RESPONSES", "ResponseObject", "ResponsesEvent"]


class IncompleteDetails(Struct, gc=False):
    """Why a response is not complete."""

    reason: str | None = None


class DeclaredTool(Struct, gc=False):
    """A tool of the request, as the response repeats it."""

    type: str | None = None
    name: str | None = None


class ResponseObject(Struct, gc=False):
    """The response as it stands, or whole where the answer is not streamed."""

    object: str | None = None
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Any] | None = None
    usage: dict[str, Any] | None = None
    incomplete_details: IncompleteDetails | None = None
    error: Any = None
    background: bool | None = None
    tools: list[DeclaredTool] | None = None


class ResponsesEvent(Struct, gc=False):
    """One event of any type; what each piece of text has stands first, where it is found the quickest."""

    type: str = ""
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: str | None = None
    logprobs: list[Any] | None = None
    sequence_number: int | None = None
    text: str | None = None
    refusal: str | None = None
    transcript: str | None = None
    arguments: Any = None
    input: str | None = None
    annotation: dict[str, Any] | None = None
    item: dict[str, Any] | None = None
    response: ResponseObject | None = None
    error: Any = None


EVENTS = msgspec.json.Decoder(ResponsesEvent)
RESPONSES = msgspec.json.Decoder(ResponseObject)
