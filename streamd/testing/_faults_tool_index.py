"""Faults of the ids, indexes and names of tool calls, as the many servers send them that copy OpenAI's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from ._call_edits import call_of, place_of, struck_call, whole_text, with_entries
from ._kind import FaultKind, Strike
from ._outcomes import TOO_LARGE, fails_with
from ._payload import changed, payload_of, with_payload
from ._reasons import settled
from ._reply import Reply
from ._wire_event import WireEvent

__all__ = ["INDEXES"]

_Apply = Callable[[Reply, Strike], Reply]
_Entry = dict[str, Any]


def _entries(change: Callable[[_Entry, int, int], None]) -> _Apply:
    return lambda reply, strike: with_entries(reply, strike, change)


def _same_index(entry: _Entry, _place: int, _number: int) -> None:
    entry["index"] = 0


def _no_index(entry: _Entry, _place: int, _number: int) -> None:
    del entry["index"]


def _gap(entry: _Entry, place: int, _number: int) -> None:
    entry["index"] = place * 5 + 2


def _text_index(entry: _Entry, place: int, _number: int) -> None:
    entry["index"] = str(place)


def _late_id(reply: Reply, strike: Strike) -> Reply:
    ids = {place: call.id for place in range(128) if (call := call_of(reply, place)) is not None}
    late = dict(ids)

    def change(entry: _Entry, place: int, number: int) -> None:
        entry.pop("id", None)
        if number and place in late:
            entry["id"] = late.pop(place)

    return with_entries(reply, strike, change)


def _no_id(reply: Reply, strike: Strike) -> Reply:
    def change(entry: _Entry, _place: int, _number: int) -> None:
        entry.pop("id", None)

    calls = [call for place in range(128) if (call := call_of(reply, place)) is not None]
    return settled(with_entries(reply, strike, change), {call.index: replace(call, id="") for call in calls})


def _other_id(reply: Reply, strike: Strike) -> Reply:
    struck = struck_call(reply, strike)
    if struck is None:
        return reply

    def change(entry: _Entry, place: int, number: int) -> None:
        if place == struck.index and number:
            entry["id"] = f"other_{place}"

    return settled(with_entries(reply, strike, change), {struck.index: None})


def _everything_again(reply: Reply, strike: Strike) -> Reply:
    def change(entry: _Entry, place: int, _number: int) -> None:
        call = call_of(reply, place)
        if call is not None:
            entry["id"], entry["type"] = call.id, "function"
            entry["function"]["name"] = call.name

    return with_entries(reply, strike, change)


def _name_again(reply: Reply, strike: Strike) -> Reply:
    def change(entry: _Entry, place: int, _number: int) -> None:
        call = call_of(reply, place)
        if call is not None:
            entry["function"]["name"] = call.name

    return with_entries(reply, strike, change)


def _no_name(reply: Reply, strike: Strike) -> Reply:
    def change(entry: _Entry, _place: int, number: int) -> None:
        if number:
            entry["function"]["name"] = "" if strike.fault.value == "empty" else None

    return with_entries(reply, strike, change)


def _name_in_pieces(reply: Reply, strike: Strike) -> Reply:
    """A name in two pieces, both before the first piece of the arguments."""
    events: list[WireEvent] = []
    for event in reply.events:
        call = call_of(reply, -1 if (place := place_of(event)) is None else place)
        if event.kind != "call" or call is None:
            events.append(event)
            continue

        def head(payload: Any, name: str = call.name) -> Any:
            payload["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] = name[:3]
            return payload

        def rest(payload: Any, name: str = call.name, index: int = call.index) -> Any:
            entry = {"index": index, "function": {"name": name[3:]}}
            payload["choices"][0]["delta"]["tool_calls"] = [entry]
            return payload

        events.append(changed(event, strike.wire, head))
        events.append(replace(changed(event, strike.wire, rest), gives=()))
    return replace(reply, events=tuple(events))


def _as_object(reply: Reply, strike: Strike) -> Reply:
    def change(entry: _Entry, place: int, number: int) -> None:
        call = call_of(reply, place)
        if not number and call is not None:
            entry["function"]["arguments"] = call.arguments

    made = with_entries(reply, strike, change)
    return replace(made, events=tuple(event for event in made.events if event.kind != "arguments"))


def _interleaved(reply: Reply, _strike: Strike) -> Reply:
    """The heads of all calls first, and then a piece of each in turn."""
    places = [at for at, event in enumerate(reply.events) if place_of(event) is not None]
    if not places:
        return reply
    heads = [reply.events[at] for at in places if reply.events[at].kind == "call"]
    pieces: dict[int | None, list[WireEvent]] = {}
    for at in places:
        if reply.events[at].kind == "arguments":
            pieces.setdefault(place_of(reply.events[at]), []).append(reply.events[at])
    longest = max(map(len, pieces.values()), default=0)
    mixed = [each[turn] for turn in range(longest) for each in pieces.values() if turn < len(each)]
    return replace(
        reply, events=(*reply.events[: places[0]], *heads, *mixed, *reply.events[places[-1] + 1 :])
    )


def _ambiguous(reply: Reply, strike: Strike) -> Reply:
    """The same, and all of them at one index: whose a piece is nobody can tell."""
    if call_of(reply, 1) is None:
        return reply
    mixed = with_entries(_interleaved(reply, strike), strike, _same_index)
    calls = [place for place in range(128) if call_of(reply, place) is not None]
    return settled(mixed, dict.fromkeys(calls))


def _again(reply: Reply, strike: Strike) -> Reply:
    """The first call comes again, whole, at the end of the calls; it is one call."""
    call = call_of(reply, 0)
    if call is None:
        return reply
    places = [at for at, event in enumerate(reply.events) if place_of(event) is not None]
    head = next(reply.events[at] for at in places if place_of(reply.events[at]) == 0)
    if strike.wire.name == "openai-chat":
        text = whole_text(reply, 0)

        def whole(payload: Any) -> Any:
            entry = payload["choices"][0]["delta"]["tool_calls"][0]
            entry["index"], entry["function"]["arguments"] = 99, text
            return payload

        head = changed(head, strike.wire, whole)
    at = places[-1] + 1
    again = replace(head, gives=())
    return strike.with_events(reply, *reply.events[:at], again, *reply.events[at:])


def _call_flood(reply: Reply, strike: Strike) -> Reply:
    call = call_of(reply, 0)
    at = next((place for place, event in enumerate(reply.events) if event.kind == "call"), 0)
    if call is None:
        return reply
    count = int(strike.number(200))
    events: list[WireEvent] = []
    for number in range(1, count + 1):
        event = reply.events[at]
        payload = payload_of(event, strike.wire) or b""
        payload = payload.replace(call.id.encode(), f"{call.id}_{number}".encode())
        if strike.wire.name == "openai-chat":
            payload = payload.replace(
                b'"tool_calls":[{"index":0', b'"tool_calls":[{"index":%d' % (number + 9)
            )
        elif strike.wire.name == "anthropic-messages":
            index = msgspec.json.decode(payload, type=_Indexed).index
            payload = payload.replace(b'"index":%d' % index, b'"index":%d' % (number + 99))
        events.append(replace(with_payload(event, strike.wire, payload), gives=(), fatal=number == count))
    return strike.with_events(reply, *reply.events[:at], *events, *reply.events[at:])


def _unclosed_block(reply: Reply, strike: Strike) -> Reply:
    call = struck_call(reply, strike)
    if call is None:
        return reply
    last = max(at for at, event in enumerate(reply.events) if place_of(event) == call.index)
    events = [*reply.events[: last + 1], *reply.events[last + 2 :]]
    return settled(strike.with_events(reply, *events), {call.index: None})


class _Indexed(msgspec.Struct):
    index: int = 0


def _kind(
    name: str,
    summary: str,
    apply: _Apply,
    *errors: str,
    values: tuple[str, ...] = (),
    wires: str = "openai-chat",
) -> FaultKind:
    return FaultKind(
        name=f"tool.{name}",
        summary=summary,
        phase="body",
        retry="-" if not errors else "NO" if errors == TOO_LARGE else "R4",
        expect=fails_with(*errors, final=errors == TOO_LARGE, own=True),
        apply=apply,
        values=values,
        wires=tuple(wires.split()),
    )


INDEXES: tuple[FaultKind, ...] = (
    _kind("same_index_two_ids", "All calls have the index 0, and each its own id.", _entries(_same_index)),
    _kind("id_late", "A call's id comes with the first piece of its arguments.", _late_id),
    _kind("id_missing", "No call has an id: a client gives each its own.", _no_id),
    _kind("id_changes", "A call's id changes under its arguments: it must not be run.", _other_id),
    _kind("id_repeated", "Every piece of a call repeats its id, its type and its name.", _everything_again),
    _kind("index_missing", "No call has an index.", _entries(_no_index)),
    _kind(
        "index_gap", "The indexes of calls do not begin at 0, and are not next to each other.", _entries(_gap)
    ),
    _kind("index_string", "The indexes of calls are texts.", _entries(_text_index)),
    _kind("name_repeated", "Every piece of a call repeats its name.", _name_again),
    _kind("name_fragmented", "A call's name comes in two pieces.", _name_in_pieces),
    _kind(
        "name_null",
        "The pieces of a call have a name that is null or empty.",
        _no_name,
        values=("null", "empty"),
    ),
    _kind("args_as_object", "A call's arguments come as an object, not as text.", _as_object),
    _kind("interleaved_parallel", "The pieces of two calls come in turn.", _interleaved),
    _kind(
        "ambiguous_pieces",
        "The pieces of two calls come in turn, all at one index and without an id: neither must be run.",
        _ambiguous,
    ),
    _kind(
        "call_again",
        "A call comes twice, whole: it is run once.",
        _again,
        wires="openai-chat gemini gemini-array ollama-chat",
    ),
    _kind(
        "block_unclosed",
        "A call's block does not end, and the turn does: it must not be run.",
        _unclosed_block,
        wires="anthropic-messages bedrock-invoke",
    ),
    _kind(
        "call_flood",
        "A turn has 200 calls more, or so many.",
        _call_flood,
        *TOO_LARGE,
        wires="openai-chat anthropic-messages gemini gemini-array ollama-chat",
    ),
)
"""Those kinds of the layer `tool` that are of ids, indexes and names."""
