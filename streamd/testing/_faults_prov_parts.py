"""Faults of what a provider's events hold: nothing, too much, or counts that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from streamd.errors import ConfigError
from streamd.providers import Text, Usage

from ._in_text import in_text
from ._kind import FaultKind, Strike
from ._outcomes import NOTHING
from ._payload import changed, first_number, first_terminal, new_event, numbered
from ._reasons import told
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["PARTS"]

_Apply = Callable[[Reply, Strike], Reply]
_CHAT = ("openai-chat",)

_HOLLOW: dict[str, tuple[str, ...]] = {
    "openai-chat": (
        '{"id":"c","choices":[]}',
        '{"id":"c","choices":null}',
        '{"id":"c"}',
        '{"id":"c","choices":[{"index":0,"delta":null}]}',
        '{"id":"c","choices":[{"index":0}]}',
        '{"id":"c","choices":[{"index":0,"delta":{"role":"assistant"}}]}',
        '{"id":"c","choices":[{"index":0,"delta":{"content":null}}]}',
        '{"id":"c","choices":[{"index":0,"delta":{"content":[]}}]}',
        '{"id":"c","choices":[{"index":0,"delta":{"tool_calls":null}}]}',
        '{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[]}}]}',
        '{"id":"c","choices":[null]}',
    ),
    "openai-responses": (
        '{"type":"response.output_text.delta","item_id":"msg_0","output_index":0,"delta":""}',
        '{"type":"response.output_text.delta","item_id":"msg_0","output_index":0,"delta":null}',
        '{"type":"response.output_item.added","output_index":9,"item":null}',
        '{"type":"response.in_progress","response":null}',
    ),
    "anthropic-messages": (
        '{"type":"content_block_delta","index":0,"delta":null}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":null}}',
        '{"type":"content_block_start","index":99,"content_block":null}',
        '{"type":"message_delta","delta":null,"usage":null}',
        '{"type":"content_block_stop","index":99}',
    ),
    "gemini": (
        '{"candidates":[]}',
        '{"candidates":null}',
        "{}",
        '{"candidates":[{"index":0}]}',
        '{"candidates":[{"content":null,"index":0}]}',
        '{"candidates":[{"content":{"role":"model"},"index":0}]}',
        '{"candidates":[{"content":{"parts":null},"index":0}]}',
        '{"candidates":[{"content":{"parts":[]},"index":0}]}',
        '{"candidates":[{"content":{"parts":[{}]},"index":0}]}',
        '{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":null,"index":0}]}',
    ),
    "ollama-chat": (
        '{"message":null,"done":false}',
        '{"done":false}',
        '{"message":{"role":"assistant","content":null},"done":false}',
        '{"message":{"role":"assistant","content":"","tool_calls":null},"done":false}',
        '{"message":{"role":"assistant","content":"","tool_calls":[]},"done":false}',
    ),
    "cohere-v2": (
        '{"type":"content-delta","index":0,"delta":null}',
        '{"type":"content-delta","index":0,"delta":{"message":null}}',
        '{"type":"content-delta","index":0,"delta":{"message":{"content":null}}}',
        '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":null}}}}',
    ),
    "bedrock-converse": (
        '{"contentBlockIndex":0,"delta":null}',
        '{"contentBlockIndex":0,"delta":{}}',
        '{"contentBlockIndex":0,"delta":{"text":null}}',
        "{}",
    ),
}
_HOLLOW["gemini-array"] = _HOLLOW["gemini"]
_HOLLOW["bedrock-invoke"] = _HOLLOW["anthropic-messages"]


def _hollow(reply: Reply, strike: Strike) -> Reply:
    """Put all events that hold nothing before the place."""
    first = next((place for place, event in enumerate(reply.events) if event.kind != "noise"), 0)
    at = max(first + 1, min(strike.event(reply), first_terminal(reply)))
    name = "contentBlockDelta" if strike.wire.name == "bedrock-converse" else ""
    events = (new_event(strike.wire, text.encode(), name=name) for text in _HOLLOW[strike.wire.name])
    told_so = (*reply.events[:at], *events, *reply.events[at:])
    return strike.with_events(reply, *numbered(told_so, strike.wire, first_number(reply)))


def _hollow_first(reply: Reply, strike: Strike) -> Reply:
    """An event without choices is the first, as a filter's findings on the prompt are with Azure."""
    event = new_event(strike.wire, b'{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}')
    return strike.with_events(reply, event, *reply.events)


def _listed(reply: Reply, strike: Strike) -> Reply:
    """Text comes as a list of parts."""
    events = (
        told(event, strike, "content", lambda text: [{"type": "text", "text": text}])
        if event.kind == "text"
        else event
        for event in reply.events
    )
    return strike.with_events(reply, *events)


def _cumulative(reply: Reply, strike: Strike) -> Reply:
    """The second piece of text holds the first one too; nobody can tell that from text that says so."""
    texts = [event for event in reply.events if event.kind == "text"]
    if len(texts) < 2:
        return reply
    before = next(each.text for each in texts[0].gives if isinstance(each, Text))
    rest = replace(reply, events=tuple(event for event in reply.events if event is not texts[0]))
    escaped = msgspec.json.encode(before)[1:-1]
    told_so = iter(in_text(rest, strike, escaped, before).events)
    events = [texts[0] if event is texts[0] else next(told_so) for event in reply.events]
    return strike.with_events(reply, *events)


def _other_model(reply: Reply, strike: Strike) -> Reply:
    last = first_terminal(reply)
    events = [
        told(
            told(event, strike, "model", lambda _name: "other-2"),
            strike,
            "modelVersion",
            lambda _name: "other-2",
        )
        if 0 < place < last
        else event
        for place, event in enumerate(reply.events)
    ]
    return strike.with_events(reply, *events)


def _second_choice(reply: Reply, strike: Strike) -> Reply:
    """Another answer comes beside the one, of which nobody has asked."""
    payload = b'{"id":"c","choices":[{"index":1,"delta":{"content":"never shown"},"finish_reason":null}]}'
    ended = b'{"id":"c","choices":[{"index":1,"delta":{},"finish_reason":"length"}]}'
    if strike.wire.name.startswith("gemini"):
        payload = b'{"candidates":[{"index":1,"content":{"parts":[{"text":"never shown"}]}}]}'
        ended = b'{"candidates":[{"index":1,"finishReason":"MAX_TOKENS"}]}'
    at = max(1, min(strike.event(reply), first_terminal(reply)))
    other, end = new_event(strike.wire, payload), new_event(strike.wire, ended)
    return strike.with_events(reply, *reply.events[:at], other, end, *reply.events[at:])


def _without(reply: Reply, strike: Strike, put: object) -> Reply:
    """No count of tokens comes, or something else in its place."""
    dropped = strike.wire.name == "bedrock-converse" and put is None

    def event_without(event: WireEvent) -> WireEvent:
        for key in (
            "usage",
            "usageMetadata",
            "prompt_eval_count",
            "eval_count",
            "amazon-bedrock-invocationMetrics",
        ):
            event = told(event, strike, key, lambda _count: put)
        return replace(event, gives=tuple(each for each in event.gives if not isinstance(each, Usage)))

    events = tuple(map(event_without, reply.events))
    return strike.with_events(reply, *(events[:-1] if dropped else events))


def _usage(reply: Reply, strike: Strike) -> Reply:
    value = strike.fault.value or "missing"
    match value:
        case "missing" | "null":
            return _without(reply, strike, None)
        case "text":
            return _without(reply, strike, "many")
        case _:
            return _counted(reply, strike, value)


def _counted(reply: Reply, strike: Strike, value: str) -> Reply:
    """Counts come with every event, on `openai-chat`: each smaller than the last, each larger, or negative ones."""
    if strike.wire.name != "openai-chat":
        return reply
    steps = {"cumulative": 1, "decreasing": -1, "each_chunk": 0, "negative": 0}
    if value not in steps:
        raise ConfigError(f"the fault {strike.fault}: the values are missing, null, text, {', '.join(steps)}")
    final = next((each for event in reply.events for each in event.gives if isinstance(each, Usage)), Usage())
    last = first_terminal(reply)

    def count(place: int) -> dict[str, int]:
        if value == "negative":
            return {"prompt_tokens": -1, "completion_tokens": -1, "total_tokens": -2}
        made = max(0, final.output_tokens - (last - place) * steps[value]) if steps[value] >= 0 else 1
        return {"prompt_tokens": final.input_tokens, "completion_tokens": made, "total_tokens": 0}

    def add(event: WireEvent, place: int) -> WireEvent:
        counts = count(place)

        def put(payload: Any) -> Any:
            return {**payload, "usage": counts}

        known = () if value == "negative" else (Usage(counts["prompt_tokens"], counts["completion_tokens"]),)
        return replace(changed(event, strike.wire, put), gives=(*known, *event.gives))

    events = [add(event, place) if place < last else event for place, event in enumerate(reply.events)]
    return strike.with_events(reply, *events)


def _kind(
    name: str,
    summary: str,
    apply: _Apply,
    *,
    wires: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    values: tuple[str, ...] = (),
) -> FaultKind:
    return FaultKind(
        name=f"prov.{name}",
        summary=summary,
        phase="body",
        retry="-",
        expect=NOTHING,
        apply=apply,
        sweep=sweep,
        values=values,
        wires=wires,
    )


PARTS: tuple[FaultKind, ...] = (
    _kind(
        "hollow",
        "Events of the wire's own kinds come that are empty, null, or lack what they are for.",
        _hollow,
        sweep=("event:1", "event:50%", "kind:finish"),
    ),
    _kind("choices_empty_first", "The first event has no choices.", _hollow_first, wires=_CHAT),
    _kind("content_list", "Text comes as a list of parts.", _listed, wires=_CHAT),
    _kind(
        "cumulative_delta",
        "A piece of text repeats what came before it.",
        _cumulative,
        wires=tuple(wire for wire in _HOLLOW if wire != "openai-responses"),
    ),
    _kind(
        "model_id_changes",
        "The model's name changes in the middle.",
        _other_model,
        wires=("openai-chat", "gemini", "gemini-array", "ollama-chat"),
    ),
    _kind(
        "second_choice",
        "Another answer comes beside the one.",
        _second_choice,
        wires=("openai-chat", "gemini", "gemini-array"),
        sweep=("event:1", "kind:finish"),
    ),
    _kind(
        "usage", "The tokens are not counted, or in an odd way.", _usage, values=("missing", "null", "text")
    ),
    _kind(
        "usage_each_event",
        "The tokens are counted in every event: growing, shrinking, the same, or negative.",
        _usage,
        wires=_CHAT,
        values=("cumulative", "decreasing", "each_chunk", "negative"),
    ),
)
"""Those kinds of the layer `prov` that are of what events hold."""
