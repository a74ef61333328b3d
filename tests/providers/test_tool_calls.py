"""Tool calls from fragments: every way of numbering them, and what must never close."""

from typing import Any

import pytest

from streamd.providers import EventTooLarge, ToolCall, ToolCallDelta
from streamd.providers._tool_calls import ToolCallAssembly, arguments_object

Fragment = tuple[int | None, str | None, str | None, str | dict[str, Any] | None]

_X = '{"x":1}'
_Y = '{"y":2}'


def _assemble(*events: list[Fragment], may_be_empty: bool = True) -> list[tuple[str, str, dict[str, Any]]]:
    calls = ToolCallAssembly()
    for event in events:
        calls.begin_event()
        for fragment in event:
            calls.add(*fragment)
    return [(call.id, call.name, call.arguments) for call in calls.closed(may_be_empty=may_be_empty)]


@pytest.mark.parametrize(
    ("events", "calls"),
    [
        pytest.param(
            [[(0, "a", "f", "")], [(0, None, None, '{"x"')], [(0, None, None, ":1}")]],
            [("a", "f", {"x": 1})],
            id="standard",
        ),
        pytest.param(
            [
                [(0, "a", "f", "")],
                [(1, "b", "g", "")],
                [(1, None, None, '{"y"')],
                [(0, None, None, _X)],
                [(1, None, None, ":2}")],
            ],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
            id="interleaved",
        ),
        pytest.param(
            [[(0, "a", "f", _X)], [(0, "b", "g", _Y)]],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
            id="same_index_two_ids",
        ),
        pytest.param(
            [[(0, "a", "f", _X)], [(0, "b", "g", "")], [(0, None, None, _Y)]],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
            id="same_index_one_after_the_other",
        ),
        pytest.param(
            [[(0, "a", "f", '{"x"'), (0, "b", "g", '{"y"')], [(0, "a", None, ":1}"), (0, "b", None, ":2}")]],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
            id="same_index_told_apart_by_id",
        ),
        pytest.param([[(0, None, "f", "")], [(0, "a", None, _X)]], [("a", "f", {"x": 1})], id="id_late"),
        pytest.param(
            [[(0, None, "f", "")], [(0, "a", "f", _X)]], [("a", "f", {"x": 1})], id="id_late_name_repeated"
        ),
        pytest.param(
            [[(0, None, "f", _X)], [(1, "", "g", _Y)]],
            [("call_0", "f", {"x": 1}), ("call_1", "g", {"y": 2})],
            id="id_missing",
        ),
        pytest.param([[(0, "a", "f", "")], [(0, "", None, _X)]], [("a", "f", {"x": 1})], id="id_empty_later"),
        pytest.param([[(0, "a", "f", "")], [(1, "a", None, _X)]], [("a", "f", {"x": 1})], id="index_changes"),
        pytest.param(
            [[(None, "a", "f", "{")], [(None, None, None, "}")], [(None, "b", "g", _Y)]],
            [("a", "f", {}), ("b", "g", {"y": 2})],
            id="index_missing",
        ),
        pytest.param(
            [
                [(None, "a", "f", '{"x"')],
                [(None, "b", "g", '{"y"')],
                [(None, "a", None, ":1}")],
                [(None, "b", None, ":2}")],
            ],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
            id="index_missing_told_apart_by_id",
        ),
        pytest.param(
            [[(None, None, "f", _X), (None, None, "f", _Y)]],
            [("call_0", "f", {"x": 1}), ("call_1", "f", {"y": 2})],
            id="index_and_id_missing_in_one_event",
        ),
        pytest.param(
            [[(None, None, "f", _X)], [(None, None, "g", _Y)]],
            [("call_0", "f", {"x": 1}), ("call_1", "g", {"y": 2})],
            id="index_and_id_missing_whole_calls",
        ),
        pytest.param(
            [[(0, None, "f", _X)], [(0, None, "g", _Y)]],
            [("call_0", "f", {"x": 1}), ("call_1", "g", {"y": 2})],
            id="same_index_no_ids_whole_calls",
        ),
        pytest.param(
            [[(3, "a", "f", _X)], [(7, "b", "g", _Y)]],
            [("a", "f", {"x": 1}), ("b", "g", {"y": 2})],
            id="index_gap",
        ),
        pytest.param(
            [[(0, "a", "f", "{")], [(0, "a", "f", "}")], [(0, None, "f", None)]],
            [("a", "f", {})],
            id="name_repeated",
        ),
        pytest.param(
            [[(0, "a", "get_", "")], [(0, None, "time", "")], [(0, None, None, _X)]],
            [("a", "get_time", {"x": 1})],
            id="name_fragmented",
        ),
        pytest.param([[(0, "a", None, "")], [(0, None, "f", _X)]], [("a", "f", {"x": 1})], id="name_late"),
        pytest.param([[(0, "a", "f", "")], [(0, None, None, None)]], [("a", "f", {})], id="args_empty"),
        pytest.param(
            [[(0, "a", "f", "")], [(0, "b", "g", "")]],
            [("a", "f", {}), ("b", "g", {})],
            id="args_empty_same_index",
        ),
        pytest.param([[(0, "a", "f", "  ")]], [("a", "f", {})], id="args_blank"),
        pytest.param([[(0, "a", "f", {"x": 1})]], [("a", "f", {"x": 1})], id="args_as_object"),
        pytest.param([[(0, "a", "f", {})]], [("a", "f", {})], id="args_as_empty_object"),
        pytest.param(
            [[(0, "a", "f", {"x": 1})], [(0, "a", None, _X)]],
            [("a", "f", {"x": 1})],
            id="args_as_object_and_text",
        ),
        pytest.param([[(0, "a", "f", _X)], [(1, "a", "f", _X)]], [("a", "f", {"x": 1})], id="call_repeated"),
        pytest.param(
            [[(0, "f", "f", _X)], [(1, "f", "f", _Y)]],
            [("f", "f", {"x": 1}), ("f_1", "f", {"y": 2})],
            id="duplicate_call_id",
        ),
        pytest.param(
            [[(0, "a", "f", '{"x":"\\ud83d"}')]],
            [("a", "f", {"x": "\ufffd"})],
            id="args_with_a_lone_surrogate",
        ),
    ],
)
def test_calls_are_told_apart(events: list[list[Fragment]], calls: list[tuple[str, str, dict[str, Any]]]):
    """Each shape in which servers number the fragments gives the calls the model made, in their order."""
    assert _assemble(*events) == calls


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([[(0, "a", "f", '{"x": "rm -rf /tm')]], id="args_unclosed"),
        pytest.param([[(0, "a", "f", "{}{}")]], id="args_double_object"),
        pytest.param([[(0, "a", "f", _X)], [(0, "a", "f", _X)]], id="args_repeated"),
        pytest.param([[(0, "a", "f", "[1]")]], id="args_array"),
        pytest.param([[(0, "a", "f", "null")]], id="args_null"),
        pytest.param([[(0, "a", "f", '"{}"')]], id="args_text"),
        pytest.param([[(0, "a", "f", '{"x":NaN,"y":"\\ud800"}')]], id="args_nan"),
        pytest.param([[(0, "a", "f", '{"x":"\\ud800"')]], id="args_cut_after_a_surrogate"),
        pytest.param([[(0, "a", "f", '{"x":' * 5000)]], id="args_deep"),
        pytest.param([[(0, "a", "f", {"x": 1})], [(0, "a", None, _Y)]], id="args_as_object_and_other_text"),
        pytest.param([[(0, "a", "f", {"x": 1})], [(0, "a", None, {"x": 2})]], id="args_as_two_objects"),
        pytest.param([[(0, "a", None, _X)]], id="name_missing"),
        pytest.param([[(0, "a", "f", "{")], [(0, "a", "g", "}")]], id="name_changes_under_the_arguments"),
        pytest.param(
            [[(0, "a", "f", "")], [(0, "b", "g", "")], [(0, None, None, _X)]], id="continuation_ambiguous"
        ),
        pytest.param([[(0, "a", "f", "")], [(0, "b", None, _X)]], id="id_changes"),
        pytest.param(
            [[(0, "a", "f", "")], *([(0, f"b{n}", None, "x")] for n in range(200))], id="id_changes_always"
        ),
        pytest.param(
            [[(0, "a", "f", "")], [(0, "b", "f", '{"x"')], [(0, "c", "f", ":1}")]],
            id="id_changes_name_repeated",
        ),
        pytest.param([[(None, "a", "f", "")], [(None, "b", "f", '{"x"')]], id="id_changes_index_missing"),
        pytest.param([[(0, None, None, _X)], [(0, "b", None, "")]], id="name_never_comes"),
        pytest.param([[(0, None, "f", "")], [(0, "b", "g", '{"x"')]], id="id_late_and_another_name"),
    ],
)
def test_a_doubtful_call_never_closes(events: list[list[Fragment]]):
    """Cut, doubled, foreign or ambiguous arguments make no call: nothing is guessed."""
    assert _assemble(*events) == []


def test_one_bad_call_leaves_the_others():
    """A call that cannot close takes no other with it."""
    assert _assemble([(0, "a", "f", "{"), (1, "b", "g", _Y)]) == [("b", "g", {"y": 2})]


def test_no_arguments_are_an_empty_object_only_where_the_turn_was_not_cut():
    """A turn cut by its token limit may have been cut before the first byte of the arguments."""
    assert _assemble([(0, "a", "f", ""), (1, "b", "g", "{}")], may_be_empty=False) == [("b", "g", {})]


def test_a_fragment_is_shown_once():
    """The first delta of a call has its id and name, the later ones only what is new."""
    calls = ToolCallAssembly()
    shown = [
        calls.add(4, "a", "f", ""),
        calls.add(4, "a", "f", "{"),
        calls.add(5, None, "g", {"x": 1}),
        calls.add(5, "b", None, None),
    ]
    assert shown == [
        ToolCallDelta(0, "a", "f", ""),
        ToolCallDelta(0, None, None, "{"),
        ToolCallDelta(1, None, "g", '{"x":1}'),
        ToolCallDelta(1, "b", None, ""),
    ]
    assert calls.closed(may_be_empty=True) == [ToolCall(1, "b", "g", {"x": 1})]


def test_too_many_calls_are_refused():
    """A flood of calls is an error, not memory."""
    calls = ToolCallAssembly()
    for index in range(128):
        calls.add(index, f"c{index}", "f", "{}")
    with pytest.raises(EventTooLarge, match="128 tool calls"):
        calls.add(128, "more", "f", "{}")


def test_endless_arguments_are_refused():
    """A flood of arguments is an error, not memory."""
    calls = ToolCallAssembly()
    calls.add(0, "a", "f", "x" * 1024 * 1024)
    with pytest.raises(EventTooLarge, match="arguments"):
        calls.add(0, None, None, "x")


@pytest.mark.parametrize(
    ("text", "value"), [('{"a":[1,{"b":null}]}', {"a": [1, {"b": None}]}), ("", None), ("{} x", None)]
)
def test_arguments_are_one_whole_object(text: str, value: dict[str, Any] | None):
    """Anything but one complete JSON object is None."""
    assert arguments_object(text) == value
