"""Another reason for the end of a turn, in each wire's own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from msgspec.structs import replace

from streamd.providers import Stop, StopReason, ToolCall

from ._kind import Strike
from ._payload import changed
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["RAW_REASONS", "always", "settled", "told", "with_reason"]

_CLAUDE: dict[StopReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "refusal": "refusal",
    "pause": "pause_turn",
}
RAW_REASONS: dict[str, dict[StopReason, str]] = {
    "openai-chat": {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    },
    "openai-responses": {
        "stop": "completed",
        "length": "max_output_tokens",
        "content_filter": "content_filter",
    },
    "anthropic-messages": _CLAUDE,
    "bedrock-invoke": _CLAUDE,
    "bedrock-converse": {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "content_filter": "content_filtered",
    },
    "cohere-v2": {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"},
    "gemini": {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"},
    "gemini-array": {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"},
    "ollama-chat": {"stop": "stop", "length": "length"},
}
"""What each wire calls the reasons that it has."""

_KEYS = frozenset(("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason"))


def told(event: WireEvent, strike: Strike, key: str, change: Callable[[Any], Any]) -> WireEvent:
    """The event with the values under a key changed, wherever in its JSON they stand."""

    def walked(value: object) -> object:
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
            return {name: change(each) if name == key else walked(each) for name, each in fields.items()}
        return [*map(walked, cast("list[object]", value))] if isinstance(value, list) else value

    return changed(event, strike.wire, walked)


def always(value: Any) -> Callable[[Any], Any]:
    """What makes this of anything."""
    return lambda _before: value


def with_reason(reply: Reply, strike: Strike, reason: StopReason, raw: str | None = None) -> Reply:
    """The reply with another reason for its end; as it is where the wire has no word for it.

    Args:
        reply: The reply.
        strike: The fault.
        reason: The reason.
        raw: The wire's word, if it is not in the table.
    """
    word = raw or RAW_REASONS[strike.wire.name].get(reason)
    if word is None:
        return reply
    events: list[WireEvent] = []
    for event in reply.events:
        if event.kind in ("finish", "end"):
            if strike.wire.name == "openai-responses":
                event = _response(event, strike, reason, word)
            for key in _KEYS:
                event = told(event, strike, key, lambda value: value and word)
        gives = tuple(
            Stop(reason, each.usage, word) if isinstance(each, Stop) else each for each in event.gives
        )
        events.append(replace(event, gives=gives))
    return strike.with_events(reply, *events)


def _response(event: WireEvent, strike: Strike, reason: StopReason, word: str) -> WireEvent:
    status = "completed" if reason == "stop" else "incomplete"

    def change(payload: Any) -> Any:
        payload["type"] = f"response.{status}"
        payload["response"]["status"] = status
        payload["response"]["incomplete_details"] = None if reason == "stop" else {"reason": word}
        return payload

    event = changed(event, strike.wire, change)
    data = event.data.partition(b"\n")[2]
    return replace(event, data=f"event: response.{status}\n".encode() + data)


def settled(reply: Reply, verdicts: dict[int, ToolCall | None]) -> Reply:
    """The reply with other calls confirmed at its end.

    Args:
        reply: The reply.
        verdicts: By the call's place in the turn, what it is now; None where it must not be run.
    """
    left = [each for event in reply.events for each in event.gives if isinstance(each, ToolCall)]
    none_left = all(verdicts.get(call.index, call) is None for call in left)

    def now(event: WireEvent) -> WireEvent:
        gives = [
            verdicts.get(each.index, each) if isinstance(each, ToolCall) else each for each in event.gives
        ]
        if none_left:
            gives = [
                Stop("incomplete", each.usage, each.raw_reason)
                if isinstance(each, Stop) and each.reason == "tool_calls"
                else each
                for each in gives
            ]
        return replace(event, gives=tuple(each for each in gives if each is not None))

    return replace(reply, events=tuple(map(now, reply.events)))
