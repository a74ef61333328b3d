"""Types as JSON schemas of objects, and answers as values of them."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings

from streamd import ConfigError
from streamd._output_prefix import _Prefix
from streamd._output_schema import Mismatch, OutputSchema
from streamd.providers._strict_schema import anthropic_schema, strict_schema
from tests.support.outputs import SHAPES, Node, Order, Point, text_of, values


@settings(deadline=None, max_examples=300)
@given(values())
def test_every_value_comes_back(case: tuple[Any, Any]) -> None:
    """Whatever the type, each of its values written as JSON is read as itself."""
    type_, value = case
    schema = OutputSchema(type_)
    text = text_of(value, wrapped=schema.wrapped)
    assert schema.decode(text) == value
    assert schema.plain(text) == msgspec.json.decode(msgspec.json.encode(value))


@settings(deadline=None, max_examples=300)
@given(values())
def test_every_value_fits_the_schemas_that_are_sent(case: tuple[Any, Any]) -> None:
    """A value of the type fits its own schema and, where these can express it, those of the strict servers."""
    type_, value = case
    schema = OutputSchema(type_)
    data = msgspec.json.decode(text_of(value, wrapped=schema.wrapped))
    for sent in (schema.schema, strict_schema(schema.schema), anthropic_schema(schema.schema)):
        if sent is not None:
            assert _Prefix(sent.get("$defs", {})).shown(data, sent, growing=False) == data


def test_which_types_strict_servers_take() -> None:
    """Tuples, free keys and values of any kind are not expressed there; a tree only by OpenAI's strict mode."""
    strict = {name: strict_schema(OutputSchema(type_).schema) for name, (type_, _) in SHAPES.items()}
    assert {name for name in strict if strict[name] is None} == {"named tuple", "mapping", "anything"}
    native = {name: anthropic_schema(OutputSchema(type_).schema) for name, (type_, _) in SHAPES.items()}
    assert {name for name in native if native[name] is None} == {"named tuple", "mapping", "anything", "tree"}


def test_the_schema_of_an_object_stands_by_itself() -> None:
    """A struct is the object itself; the structs in it are its definitions, itself only where it contains itself."""
    order = OutputSchema(Order)
    assert not order.wrapped
    assert list(order.schema["properties"]) == ["orderNumber", "lineItems", "note"]
    assert order.schema["$defs"].keys() == {"Item"}
    assert OutputSchema(Node).schema["$defs"].keys() == {"Node"}


def test_what_is_no_object_is_put_into_one() -> None:
    """A list, a number or a choice is the only property of an object."""
    assert OutputSchema(list[int]).schema == {
        "type": "object",
        "properties": {"value": {"type": "array", "items": {"type": "integer"}}},
        "required": ["value"],
    }
    assert OutputSchema(Point).wrapped
    assert not OutputSchema(dict[str, int]).wrapped


class Plain:
    """A class of which nothing is known."""


@pytest.mark.parametrize("type_", [complex, Plain, "Order", Literal, int | Plain, list["Nowhere"], 7])  # type: ignore[name-defined]  # noqa: F821  (the name that is not there is the case)
def test_a_type_that_cannot_be_described(type_: Any) -> None:
    """It is the caller's error, and the message says which type it is."""
    with pytest.raises(ConfigError, match=r"output_type .* cannot be described by a JSON schema"):
        OutputSchema(type_)


class Checked(msgspec.Struct):
    """A struct with a rule of its own."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@pytest.mark.parametrize(
    ("type_", "text", "path", "reason"),
    [
        (
            Order,
            '{"orderNumber": 5, "lineItems": [{"name": "a", "price": "b"}]}',
            "$.lineItems[0].price",
            "str",
        ),
        (Order, '{"orderNumber": 5, "lineItems": [{"name": "a"}]}', "$.lineItems[0]", "`price`"),
        (Order, "{}", "$", "missing required field `orderNumber`"),
        (Order, '{"orderNumber": 4}', "$.orderNumber", "multiple of 5"),
        (list[int], '{"value": [1, "b"]}', "$[1]", "Expected `int`, got `str`"),
        (int, '{"value": "b"}', "$", "Expected `int`, got `str`"),
        (int, "{}", "$", "missing required field `value`"),
        (dict[str, dict[str, list[int]]], '{"a": {"b": ["c"]}}', "$[...][...][0]", "Expected `int`"),
        (dict[int, str], '{"a": "b"}', "$", "Expected `int`"),
        (Checked, '{"low": 2, "high": 1}', "$", "low is above high"),
        (Order, "", "$", "truncated"),
        (Order, '{"orderNumber": 5', "$", "truncated"),
        (Order, "Of course!", "$", "malformed"),
        (Order, '{"orderNumber": 5} So it is.', "$", "malformed"),
        (Any, '{"value": ' + "[" * 1_000_000, "$", "nested too deeply"),
    ],
)
def test_a_mismatch_says_what_and_where(type_: Any, text: str, path: str, reason: str) -> None:
    """What does not fit is named with its path, as the type has it, not as it was wrapped."""
    with pytest.raises(Mismatch) as caught:
        OutputSchema(type_).decode(text)
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_half_a_surrogate_pair_is_no_accident() -> None:
    """Text that UTF-8 cannot hold is read with a question mark in its place."""
    assert OutputSchema(str).decode('{"value": "a\ud83d"}') == "a?"


def test_meta_reaches_the_schema() -> None:
    """What `msgspec.Meta` says of a type is in its schema."""
    schema = OutputSchema(Annotated[int, msgspec.Meta(ge=1, le=5, description="Stars")]).schema
    assert schema["properties"]["value"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 5,
        "description": "Stars",
    }
