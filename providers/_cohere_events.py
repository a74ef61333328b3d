"""What is read of an event of Cohere's chat: https://docs.cohere.com/v2/docs/streaming.

Fields that are not named here are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

__all__ = [
    "ANSWERS",
    "EVENTS",
    "CohereAnswer",
    "CohereCall",
    "CohereContent",
    "CohereDelta",
    "CohereEvent",
    "CohereFunction",
    "CohereMessage",
    "CohereScores",
]


class CohereFunction(Struct, gc=False):
    """A piece of a call."""

    name: str | None = None
    arguments: Any = None


class CohereCall(Struct, gc=False):
    """A call as it begins, the next piece of one, or a whole one."""

    id: str | None = None
    function: CohereFunction | None = None


class CohereContent(Struct, gc=False):
    """A block as it begins, the next piece of one, or a whole one: of text or of thinking."""

    text: str | None = None
    thinking: str | None = None


class CohereMessage(Struct, gc=False):
    """What an event adds: one of each. The first event, and an answer that is not streamed, have lists."""

    content: CohereContent | list[CohereContent] | None = None
    tool_calls: CohereCall | list[CohereCall] | None = None
    tool_plan: str | None = None
    citations: dict[str, Any] | list[Any] | None = None


class CohereDelta(Struct, gc=False):
    """What an event adds, and how the turn ended."""

    message: CohereMessage | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class CohereScores(Struct, gc=False):
    """A piece of text, and the log probability of each of its tokens."""

    text: str | None = None
    logprobs: list[float] | None = None


class CohereEvent(Struct, gc=False):
    """One event of any type; `message` is the text of an error."""

    type: str = ""
    index: int | None = None
    delta: CohereDelta | None = None
    logprobs: CohereScores | None = None
    id: str | None = None
    message: Any = None
    error: Any = None


class CohereAnswer(Struct, gc=False):
    """An answer that is not streamed."""

    id: str | None = None
    message: CohereMessage | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    logprobs: list[CohereScores] | None = None


EVENTS = msgspec.json.Decoder(CohereEvent)
ANSWERS = msgspec.json.Decoder(CohereAnswer)
