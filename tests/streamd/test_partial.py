"""An output while it arrives: what is shown of it, when, and at what cost."""

import itertools
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import jiter
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamd import (
    Chunk,
    ConfigError,
    Metadata,
    Reset,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)
from streamd._output import Output, output_of
from streamd._output_partial import NOTHING, GrowingOutput
from streamd._output_prefix import Unfit, visible
from tests.support.outputs import Circle, Item, Order, Square, text_of, values


def output(type_: Any) -> Output:
    """The output of a session that asks for this type."""
    made = output_of(type_, 0, ())
    assert made is not None
    return made


def looks(growing: GrowingOutput, chunks: Iterable[Chunk]) -> list[Any]:
    """What there is to see after each chunk, where there is anything new."""
    shown: list[Any] = []
    for chunk in chunks:
        growing.take(chunk)
        value = growing.look()
        if value is not NOTHING:
            shown.append(value)
    return shown


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    """The text in pieces of these lengths, and what is left."""
    parts: list[str] = []
    for cut in cuts:
        parts.append(text[:cut])
        text = text[cut:]
    return [*parts, text]


def begins(part: Any, whole: Any) -> bool:
    """Whether a value is another as far as it came."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and begins(value, whole[name]) for name, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(begins, part, whole))
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    return type(part) is type(whole) and part == whole


@settings(deadline=None, max_examples=300)
@given(values(), st.lists(st.integers(1, 9), max_size=60), st.booleans())
def test_every_value_grows_to_itself(case: tuple[Any, Any], cuts: list[int], called: bool) -> None:
    """However the text is cut, each partial value is the beginning of the next, and the last one is the whole."""
    type_, value = case
    asked = output(type_)
    text = text_of(value, wrapped=asked.schema.wrapped)
    whole = msgspec.json.decode(msgspec.json.encode(value))
    parts = pieces(text, cuts)
    chunks: list[Chunk] = [Text(part) for part in parts]
    if called:
        chunks = [
            ToolCallDelta(0, "call_1", "answer", ""),
            *(ToolCallDelta(0, None, None, part) for part in parts),
        ]
    shown = looks(GrowingOutput(asked), [*chunks, Stop("stop")])
    assert shown[-1] == whole
    assert all(begins(part, after) for part, after in zip(shown, [*shown[1:], whole], strict=True))
    assert all(part != after for part, after in itertools.pairwise(shown))


@settings(deadline=None, max_examples=200)
@given(values())
def test_no_beginning_of_a_value_is_unfit(case: tuple[Any, Any]) -> None:
    """Wherever a valid text breaks off, what is there can still become valid."""
    type_, value = case
    asked = output(type_)
    data = text_of(value, wrapped=asked.schema.wrapped).encode()
    for end in range(1, len(data) + 1):
        visible(jiter.from_json(data[:end], partial_mode="trailing-strings"), asked.schema.schema)


def test_what_is_shown_while_it_grows() -> None:
    """A text is shown as it grows; half a number, half a choice and an item of which nothing is sure are not."""
    growing = GrowingOutput(output(list[Item | int]))
    parts = [
        '{"value": [',
        "1",
        "2",
        ', {"na',
        'me": "pe',
        'n", "price": 3',
        '.5, "kind": "ne',
        'w"}, 7',
        "]}",
    ]
    assert looks(growing, [*map(Text, parts), Stop("stop")]) == [
        [],
        [12, {}],
        [12, {"name": "pe"}],
        [12, {"name": "pen"}],
        [12, {"name": "pen", "price": 3.5}],
        [12, {"name": "pen", "price": 3.5, "kind": "new"}],
        [12, {"name": "pen", "price": 3.5, "kind": "new"}, 7],
    ]


def test_what_was_shown_stays() -> None:
    """Half a number hides what stood before it from the parser, and takes nothing back."""
    growing = GrowingOutput(output(Circle | Square))
    parts = ['{"value": {"type": "Circle"', ', "radius": 0', ".", "5", "}}"]
    assert looks(growing, [*map(Text, parts), Stop("stop")]) == [
        {},
        {"type": "Circle"},
        {"type": "Circle", "radius": 0.5},
    ]


class Bounds(msgspec.Struct, forbid_unknown_fields=True):
    """One field for each rule."""

    short: Annotated[str, msgspec.Meta(min_length=2, max_length=3)] = "ab"
    zips: Annotated[str, msgspec.Meta(pattern="^[0-9]+$")] = "0"
    few: Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)] = []
    low: Annotated[int, msgspec.Meta(ge=1, lt=9)] = 1
    even: Annotated[int, msgspec.Meta(multiple_of=2)] = 2
    real: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    kind: Literal["red", "green"] = "red"
    sure: bool = True
    pair: tuple[int, str] = (1, "a")
    keys: Annotated[dict[str, int], msgspec.Meta(max_length=1)] = {}
    item: Item | None = None


GOOD = [
    {"short": "abc", "low": 0},
    {"short": "a"},
    {"low": 0},
    {"kind": "gr"},
    {"zips": "ab"},
    {"few": []},
    {"pair": [1]},
    {"item": {"name": ""}},
    {"item": None, "real": 1},
    {"keys": {}},
]
BAD: list[dict[str, Any]] = [
    {"other": 1},
    {"short": "abcd"},
    {"short": "a", "low": 1},
    {"short": 1},
    {"zips": "ab", "low": 1},
    {"few": [1, 2, 3]},
    {"few": [], "low": 1},
    {"few": {}},
    {"few": ["a"]},
    {"low": 0, "even": 2},
    {"low": 9, "even": 2},
    {"low": 1.5},
    {"low": True},
    {"even": 3, "low": 1},
    {"real": 0, "low": 1},
    {"kind": "blue"},
    {"kind": "gre", "low": 1},
    {"kind": 1},
    {"pair": [1, "a", 2]},
    {"pair": ["a"]},
    {"keys": {"a": 1, "b": 2}},
    {"keys": {"a": "b"}},
    {"item": {"name": ""}, "low": 1},
    {"item": {"name": "a"}, "low": 1},
    {"item": []},
    {"item": 1},
]


@pytest.mark.parametrize("data", GOOD, ids=str)
def test_what_can_still_become_valid(data: dict[str, Any]) -> None:
    """The last value on every level may be unfinished, and breaks no rule that its end could keep."""
    visible(data, output(Bounds).schema.schema)


@pytest.mark.parametrize("data", BAD, ids=str)
def test_what_can_no_longer_become_valid(data: dict[str, Any]) -> None:
    """What is whole is checked against every rule of the schema, and what is not against those it already breaks."""
    with pytest.raises(Unfit):
        visible(data, output(Bounds).schema.schema)


def test_nothing_more_comes_once_it_cannot_fit() -> None:
    """A value that no longer fits is not shown: the last good one stays the last."""
    growing = GrowingOutput(output(Order))
    parts = ['{"orderNumber": 5, "note', '": "a', 'b", "lineItems": 7', "}"]
    assert looks(growing, [*map(Text, parts), Stop("stop")]) == [
        {},
        {"orderNumber": 5, "note": "a"},
    ]


def test_prose_thinking_and_other_calls_show_nothing() -> None:
    """Only the answer is shown, whatever comes beside it; the answer's call goes before text."""
    growing = GrowingOutput(output(int))
    before: list[Chunk] = [
        Metadata("id", "m"),
        Thinking('{"value": 1}'),
        Text("I will look"),
        ToolCallDelta(0, "call_1", "weather", '{"value": 2}'),
        ToolCall(0, "call_1", "weather", {"value": 2}),
        ToolCallDelta(1, "call_2", "ans", ""),
        ToolCallDelta(1, None, "wer", '{"val'),
        Text('{"value": 3}'),
        ToolCallDelta(0, None, None, "x"),
    ]
    assert looks(growing, before) == []
    after: list[Chunk] = [
        ToolCallDelta(1, None, None, 'ue": 4}'),
        ToolCall(1, "call_2", "answer", {"value": 4}),
        Stop("tool_calls"),
        ToolResult("call_2", "answer", "ok"),
    ]
    assert looks(growing, after) == [4]


def test_a_call_without_fragments() -> None:
    """A call that comes whole is its arguments."""
    chunks: list[Chunk] = [ToolCall(0, "call_1", "answer", {"value": 4}), Stop("tool_calls")]
    assert looks(GrowingOutput(output(int)), chunks) == [4]


def test_the_next_turn_starts_anew() -> None:
    """An answer that is given again grows from nothing, and so does one that a restart voided."""
    growing = GrowingOutput(output(str))
    first: list[Chunk] = [Text('{"value": "a'), Text('b"'), Stop("stop")]
    again: list[Chunk] = [Metadata("id", "m"), Text('{"value": "a'), Text('c"}'), Stop("stop")]
    assert looks(growing, first) == ["a", "ab"]
    assert looks(growing, again) == ["a", "ac"]
    assert looks(GrowingOutput(output(str)), [*first[:2], Reset(1), *again]) == ["a", "ab", "a", "ac"]


def test_a_fence_is_no_part_of_it() -> None:
    """JSON in a fence is shown as without."""
    growing = GrowingOutput(output(list[str]))
    parts = ["```js", 'on\n{"value": ["a", "b', "`", '"]}\n', "```", "\n"]
    assert looks(growing, [*map(Text, parts), Stop("stop")]) == [["a", "b"], ["a", "b`"]]


def test_text_of_another_kind_is_nothing() -> None:
    """A list where an object was asked for, NaN, and half a surrogate pair end nothing."""
    assert looks(GrowingOutput(output(int)), [Text("[1, 2"), Stop("stop")]) == []
    assert looks(GrowingOutput(output(float)), [Text('{"value": NaN, '), Stop("stop")]) == []
    assert looks(GrowingOutput(output(str)), [Text('{"value": "a\ud83d"}'), Stop("stop")]) == ["a?"]


def test_text_nested_too_deeply_is_nothing() -> None:
    """Depth ends nothing either."""
    assert looks(GrowingOutput(output(Any)), [Text('{"value": ' + "[" * 5000), Stop("stop")]) == []


def test_the_cost_is_linear_in_the_text() -> None:
    """All parsing together stays within a constant number of times the text, in however many pieces it came."""
    ratios: list[float] = []
    for count in (500, 2_000, 8_000):
        growing = GrowingOutput(output(list[str]))
        parsed: list[int] = []
        parse = growing._parse
        growing._parse = lambda data, parse=parse, parsed=parsed: (parsed.append(len(data)), parse(data))[1]
        text = msgspec.json.encode({"value": ["four"] * count}).decode()
        looks(growing, [*(Text(text[at : at + 4]) for at in range(0, len(text), 4)), Stop("stop")])
        ratios.append(sum(parsed) / len(text))
    assert all(ratio < 66 for ratio in ratios)


def test_the_parser_is_imported_when_it_is_needed() -> None:
    """`import streamd` does not import it, and without it only `partial` is missing."""
    program = (
        "import sys, streamd; assert 'jiter' not in sys.modules; sys.modules['jiter'] = None\n"
        "from streamd._output_partial import GrowingOutput\nfrom streamd._output import output_of\n"
        "try: GrowingOutput(output_of(int, 0, ()))\nexcept streamd.ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'streamd-llm[output]'" in done.stdout
    assert issubclass(ConfigError, ValueError)
