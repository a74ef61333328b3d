"""Calls of Gemini whose arguments arrive in pieces."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd.providers import Chunk, EventTooLarge, Stop, ToolCall, ToolCallDelta, fold
from streamd.providers._gemini_arguments import PartialArguments
from tests.support.decoding import decode, sse
from tests.support.gemini import array, candidate, one_part

END = candidate(finish="STOP")
VALUES = {
    str: "stringValue",
    bool: "boolValue",
    int: "numberValue",
    float: "numberValue",
    type(None): "nullValue",
}


def piece(path: str, value: Any, **more: Any) -> dict[str, Any]:
    """An entry of `partialArgs`."""
    return {"jsonPath": path, VALUES[type(value)]: value, **more}


def calls(*parts: dict[str, Any], end: dict[str, Any] = END) -> list[Chunk]:
    """The chunks of a turn with one part of a call in each event."""
    events = [one_part(functionCall=part) for part in parts]
    chunks, error = decode("gemini", sse(*events, end))
    assert error is None
    assert decode("gemini", array(*events, end)) == (chunks, None)
    return chunks


def test_a_call_in_pieces() -> None:
    """Its arguments are shown as they grow, and it closes with the piece after which no more is to come."""
    chunks = calls(
        {"name": "f", "id": "c1", "willContinue": True},
        {"partialArgs": [piece("$.town", "Ul", willContinue=True)], "willContinue": True},
        {"partialArgs": [piece("$.town", 'm "')], "willContinue": True},
        {"partialArgs": [piece("$.days[0].n", 2), piece("$.days[0].wet", True)], "willContinue": True},
        {"partialArgs": [piece("$.days[1]['a.b']", None), piece("$.note", "")], "willContinue": True},
        {},
        {"name": "g", "args": {"x": 1}},
    )
    whole = {"town": 'Ulm "', "days": [{"n": 2, "wet": True}, {"a.b": None}], "note": ""}
    shown = [chunk for chunk in chunks if isinstance(chunk, ToolCallDelta)]
    assert shown[:3] == [
        ToolCallDelta(0, "c1", "f", ""),
        ToolCallDelta(0, None, None, '{"town":"Ul'),
        ToolCallDelta(0, None, None, 'm \\"'),
    ]
    assert json.loads("".join(delta.fragment for delta in shown if delta.index == 0)) == whole
    assert chunks[-3:] == [
        ToolCall(0, "c1", "f", whole),
        ToolCall(1, "gemini_call_1", "g", {"x": 1}),
        Stop("tool_calls", None, "STOP"),
    ]


def test_a_signature_on_any_piece() -> None:
    """It is the call's."""
    first = one_part(functionCall={"name": "f", "willContinue": True}, thoughtSignature="cw==")
    last = one_part(functionCall={"partialArgs": [piece("$.x", 1)]})
    for events in (
        (first, last),
        (one_part(functionCall={"name": "f", "partialArgs": [piece("$.x", 1)]}, thoughtSignature="cw=="),),
    ):
        chunks, _ = decode("gemini", sse(*events, END))
        assert fold(chunks).tool_calls == (ToolCall(0, "gemini_call_0", "f", {"x": 1}, "cw=="),)


def test_a_call_without_arguments() -> None:
    """What is ended without a piece has none."""
    chunks = calls({"name": "f", "willContinue": True}, {"name": "f"})
    assert fold(chunks).tool_calls == (ToolCall(0, "gemini_call_0", "f", {}),)


@pytest.mark.parametrize(
    "parts",
    [
        [{"name": "f", "willContinue": True}],
        [{"name": "f", "willContinue": True}, {"partialArgs": [piece("$.x", 1)], "willContinue": True}],
        [{"name": "f", "willContinue": True}, {"name": "g", "willContinue": True}],
        [{"partialArgs": [piece("$.x", 1)]}],
        [{"name": "f", "partialArgs": [piece("$.x", 1), piece("$.x", 2)]}],
        [{"name": "f", "partialArgs": [piece("$.x", "a"), piece("$.y", 1), piece("$.x", "b")]}],
        [{"name": "f", "partialArgs": [piece("$.x.y", 1), piece("$.z", 1), piece("$.x.w", 2)]}],
        [{"name": "f", "partialArgs": [piece("$.x", 1), piece("$.x.y", 2)]}],
        [{"name": "f", "partialArgs": [piece("$.x[1]", 1)]}],
        [{"name": "f", "partialArgs": [piece("$.x[0]", 1), piece("$.x.y", 1)]}],
        [{"name": "f", "partialArgs": [piece("$[0]", 1)]}],
        [{"name": "f", "partialArgs": [piece("$", 1)]}],
        [{"name": "f", "partialArgs": [piece("x", 1)]}],
        [{"name": "f", "partialArgs": [piece("$.x[*]", 1)]}],
        [{"name": "f", "partialArgs": [piece("$..x", 1)]}],
        [{"name": "f", "partialArgs": [{"jsonPath": "$.x", "stringValue": 1}]}],
        [{"name": "f", "partialArgs": [{"jsonPath": "$.x", "boolValue": 1}]}],
        [{"name": "f", "partialArgs": [{"jsonPath": "$.x", "numberValue": True}]}],
        [{"name": "f", "partialArgs": [{"jsonPath": "$.x", "numberValue": float("inf")}]}],
        [{"name": "f", "partialArgs": [{"stringValue": "a"}]}],
    ],
)
def test_a_call_that_is_not_ended_or_makes_no_sense_never_closes(parts: list[dict[str, Any]]) -> None:
    """Nothing is guessed of what is to be run."""
    chunks = calls(*parts)
    assert chunks[-1] == Stop("incomplete", None, "STOP")
    assert fold(chunks).tool_calls == ()


def test_a_whole_call_after_one_that_was_not_ended() -> None:
    """It is a call of its own."""
    chunks = calls({"name": "f", "willContinue": True}, {"name": "f", "args": {"x": 1}})
    assert fold(chunks).tool_calls == (ToolCall(1, "gemini_call_1", "f", {"x": 1}),)


def test_entries_without_a_value_add_nothing() -> None:
    """Nor do entries that are none."""
    entries = [{"jsonPath": "$.x", "willContinue": True}, None, piece("$.x", "a")]
    chunks = calls({"name": "f", "partialArgs": entries})
    assert fold(chunks).tool_calls[0].arguments == {"x": "a"}


def test_arguments_have_a_limit() -> None:
    """They pass as text, and text has one."""
    events = [{"partialArgs": [piece("$.x", "a" * 1000)], "willContinue": True}] * 1100
    _, error = decode(
        "gemini", sse(*(one_part(functionCall=e) for e in [{"name": "f", "willContinue": True}, *events]))
    )
    assert type(error) is EventTooLarge


_KEYS = st.sampled_from(["a", "b c", "d.e", "]", "'", '"', "\\", "é"])
_LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=4)
_TREES = st.dictionaries(
    _KEYS,
    st.recursive(
        _LEAVES,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_KEYS, inner, min_size=1, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def _entries(path: str, value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        names = {name: name.replace("\\", "\\\\").replace("'", "\\'") for name in value}
        return [entry for name in value for entry in _entries(f"{path}['{names[name]}']", value[name])]
    if isinstance(value, list):
        return [entry for at, item in enumerate(value) for entry in _entries(f"{path}[{at}]", item)]
    if isinstance(value, str) and len(value) > 1:
        return [piece(path, value[:1]), piece(path, value[1:])]
    return [piece(path, value)]


@given(_TREES)
@settings(deadline=None, max_examples=150)
def test_any_arguments_in_pieces(arguments: dict[str, Any]) -> None:
    """Leaf by leaf, in order, they come out as they went in."""
    partial = PartialArguments()
    text = "".join([partial.take(entry) for entry in _entries("$", arguments)])
    assert json.loads(text + partial.finish()) == arguments
    assert not partial.broken
