"""Faults of tool calls as the model, or what stands before it, makes them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from streamd.errors import ConfigError
from streamd.providers import StopReason

from ._call_edits import (
    FRAGMENTED,
    OBJECTS,
    broken_arguments,
    call_of,
    place_of,
    renamed,
    struck_call,
    whole_text,
    with_arguments,
)
from ._faults_tool_body import BODIES
from ._faults_tool_index import INDEXES
from ._kind import FaultKind, Strike
from ._outcomes import TOO_LARGE, fails_with
from ._payload import first_terminal
from ._reasons import RAW_REASONS, settled, told, with_reason
from ._reply import Reply
from ._turn import cut_evenly

__all__ = ["TOOL"]

_Apply = Callable[[Reply, Strike], Reply]
_TEXTS = tuple(FRAGMENTED)
_WORDED = tuple(wire for wire, words in RAW_REASONS.items() if "tool_calls" in words)
_REASONS: dict[str, StopReason] = {"tool_calls": "tool_calls", "length": "length", "stop": "stop"}


def _arguments(make: Callable[[str], str], pieces: int = 3) -> _Apply:
    """Other arguments for the call, which must not be run."""

    def apply(reply: Reply, strike: Strike) -> Reply:
        call = struck_call(reply, strike)
        if call is None:
            return reply
        text = make(whole_text(reply, call.index))
        return with_arguments(reply, strike, call, cut_evenly(text, pieces), None)

    return apply


def _unclosed(reply: Reply, strike: Strike) -> Reply:
    value = strike.fault.value or "tool_calls"
    if value not in (*_REASONS, "eof"):
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_REASONS)}, eof")
    call = struck_call(reply, strike)
    if call is None:
        return reply
    text = whole_text(reply, call.index)
    cut = with_arguments(reply, strike, call, cut_evenly(text[: len(text) // 2 + 1][:-1], 2), None)
    if value == "eof":
        return strike.with_events(cut, *cut.events[: first_terminal(cut)])
    if value == "length":
        return with_reason(cut, strike, "length")
    return _said_otherwise(cut, strike, _REASONS[value])


def _said_otherwise(reply: Reply, strike: Strike, reason: StopReason) -> Reply:
    """The wire's word for another reason, while what it comes to is as it is."""
    said = with_reason(reply, strike, reason)
    kept = (event.gives for event in reply.events)
    events = tuple(replace(event, gives=gives) for event, gives in zip(said.events, kept, strict=True))
    return replace(said, events=events)


def _no_text(reply: Reply, strike: Strike) -> Reply:
    """No arguments at all, for a call that needs none."""
    for place in range(len(reply.events)):
        call = call_of(reply, place)
        if call is not None and call.arguments == {}:
            return with_arguments(reply, strike, call, (), call)
    return reply


def _name_then_eof(reply: Reply, strike: Strike) -> Reply:
    call = struck_call(reply, strike)
    if call is None:
        return reply
    at = next(place for place, event in enumerate(reply.events) if place_of(event) == call.index)
    return strike.with_events(reply, *reply.events[: at + (1 if strike.wire.name in FRAGMENTED else 0)])


def _whole_then_eof(reply: Reply, strike: Strike) -> Reply:
    if call_of(reply, 0) is None:
        return reply
    return strike.with_events(reply, *reply.events[: first_terminal(reply)])


_OTHERS = {"array": [1, 2], "text": "Oslo", "number": 7, "false": False, "raw": [1, 2]}


def _no_object(reply: Reply, strike: Strike) -> Reply:
    value = strike.fault.value or "array"
    if value not in _OTHERS:
        raise ConfigError(f"the fault {strike.fault}: the values are {', '.join(_OTHERS)}")
    call = struck_call(reply, strike)
    if call is None:
        return reply
    if strike.wire.name in FRAGMENTED:
        # `raw` is in the place of the text in which the arguments should be.
        other = _OTHERS[value] if value == "raw" else msgspec.json.encode(_OTHERS[value]).decode()
        return with_arguments(reply, strike, call, (other,), None)
    key = OBJECTS[strike.wire.name]
    events = (
        told(event, strike, key, lambda _args: _OTHERS[value]) if place_of(event) == call.index else event
        for event in reply.events
    )
    return settled(replace(reply, events=tuple(events)), {call.index: None})


def _surrogate(reply: Reply, strike: Strike) -> Reply:
    call = struck_call(reply, strike)
    key = next(
        (name for name, value in (call.arguments if call else {}).items() if isinstance(value, str)), None
    )
    if call is None or key is None:
        return reply
    text = msgspec.json.encode({**call.arguments, key: "?"}).decode().replace('"?"', '"a\\ud83d"')
    repaired = replace(call, arguments={**call.arguments, key: "a\ufffd"})
    return with_arguments(reply, strike, call, cut_evenly(text, 2), repaired)


def _no_utf8(reply: Reply, strike: Strike) -> Reply:
    call = struck_call(reply, strike)
    return reply if call is None else broken_arguments(reply, strike, call)


def _flood(reply: Reply, strike: Strike) -> Reply:
    call = struck_call(reply, strike)
    if call is None:
        return reply
    piece = "x" * 65536
    pieces = ('{"x":"', *[piece] * int(strike.number(2) * 16))
    flooded = with_arguments(reply, strike, call, pieces, None)
    places = [
        at
        for at, event in enumerate(flooded.events)
        if event.kind == "arguments" and place_of(event) == call.index
    ]
    events = [*flooded.events[: places[-1] + 1]]
    events[-1] = replace(events[-1], gives=(), fatal=True)
    return strike.with_events(flooded, *events, *flooded.events[len(events) :])


def _renamed(name: str, *, runs: bool) -> _Apply:
    def apply(reply: Reply, strike: Strike) -> Reply:
        call = struck_call(reply, strike)
        if call is None:
            return reply
        verdict = replace(call, name=name) if runs else None
        return settled(renamed(reply, strike, "name", call.name, name), {call.index: verdict})

    return apply


def _one_id(reply: Reply, strike: Strike) -> Reply:
    """Both calls have the id of the first; whatever the second is called by a client, it is another."""
    first, second = call_of(reply, 0), call_of(reply, 1)
    if first is None or second is None:
        return reply
    for field in ("id", "call_id", "toolUseId"):
        reply = renamed(reply, strike, field, second.id, first.id)
    return settled(reply, {1: replace(second, id="")})


def _calls_said(reply: Reply, strike: Strike) -> Reply:
    """The turn ends in calls, it is said, and has none."""
    if call_of(reply, 0) is not None:
        return reply
    return settled(with_reason(reply, strike, "tool_calls"), {})


def _kind(
    name: str,
    summary: str,
    apply: _Apply,
    *errors: str,
    sweep: tuple[str, ...] = ("tool:1", "tool:2"),
    values: tuple[str, ...] = (),
    wires: tuple[str, ...] = (),
) -> FaultKind:
    return FaultKind(
        name=f"tool.{name}",
        summary=summary,
        phase="body",
        retry="-" if not errors else "NO" if errors == TOO_LARGE else "R4",
        expect=fails_with(*errors, final=errors == TOO_LARGE, own=True),
        apply=apply,
        sweep=sweep,
        values=values,
        wires=wires,
    )


TOOL: tuple[FaultKind, ...] = (
    *INDEXES,
    *BODIES,
    _kind(
        "args_unclosed",
        "The JSON of a call's arguments does not end, and the turn does: it must not be run.",
        _unclosed,
        "Truncated",
        values=(*_REASONS, "eof"),
        wires=_TEXTS,
    ),
    _kind(
        "args_empty",
        "A call of a tool without arguments comes without any: it is to be run.",
        _no_text,
        sweep=(),
        wires=_TEXTS,
    ),
    _kind(
        "args_zero_bytes_then_eof",
        "The body ends after a call's name, as HTTP says a body ends.",
        _name_then_eof,
        "Truncated",
    ),
    _kind(
        "complete_call_then_eof",
        "The body ends after a whole call, without the provider's terminal evidence: it must not be run.",
        _whole_then_eof,
        "Truncated",
        sweep=(),
    ),
    _kind(
        "args_double_object",
        "A call's arguments come twice.",
        _arguments(lambda text: text * 2),
        wires=_TEXTS,
    ),
    _kind(
        "args_trailing_garbage",
        "Other text follows a call's arguments.",
        _arguments(lambda text: text + " and so on"),
        wires=_TEXTS,
    ),
    _kind(
        "args_single_quotes",
        "A call's arguments are not JSON but Python.",
        _arguments(lambda _text: "{'city': 'Oslo', 'days': None}"),
        wires=_TEXTS,
    ),
    _kind(
        "args_not_a_number",
        "A call's arguments hold a number that JSON has not.",
        _arguments(lambda _text: '{"city":"Oslo","days":NaN}'),
        wires=_TEXTS,
    ),
    _kind("args_non_object", "A call's arguments are no object.", _no_object, values=tuple(_OTHERS)),
    _kind(
        "args_lone_surrogate",
        "A text in a call's arguments has half a character, which becomes U+FFFD.",
        _surrogate,
        wires=_TEXTS,
    ),
    _kind("args_invalid_utf", "A byte of a call's arguments is no UTF-8.", _no_utf8, "MalformedEvent"),
    _kind(
        "args_flood",
        "A call's arguments go on for 2 MiB, or so many.",
        _flood,
        *TOO_LARGE,
        sweep=("tool:1",),
        wires=_TEXTS,
    ),
    _kind("name_unknown", "A call names a tool that was not offered.", _renamed("no_such_tool", runs=True)),
    _kind("name_empty", "A call has no name.", _renamed("", runs=False)),
    _kind("duplicate_call_id", "Two calls have one id.", _one_id, sweep=()),
    _kind(
        "finish_stop_with_calls",
        "A turn with calls ends, it is said, for having said all: they are run all the same.",
        lambda reply, strike: _said_otherwise(reply, strike, "stop") if call_of(reply, 0) else reply,
        sweep=(),
        wires=_WORDED,
    ),
    _kind(
        "finish_calls_without_calls",
        "A turn without calls ends, it is said, in calls.",
        _calls_said,
        sweep=(),
        wires=_WORDED,
    ),
)
"""The kinds of the layer `tool`."""
