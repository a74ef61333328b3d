"""JSON schemas in the form that strict servers take."""

from typing import Any

import pytest

from streamd.providers._strict_schema import anthropic_schema, strict_schema


def test_a_reference_stands_alone() -> None:
    """Nothing stands beside a `$ref`, as strict servers refuse it there."""
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A", "description": "The A", "default": {}},
            "b": {"$ref": "#/$defs/A", "default": {}},
        },
        "$defs": {"A": {"type": "object", "properties": {}}},
    }
    converted = strict_schema(schema)
    assert converted is not None
    assert converted["properties"] == {
        "a": {"anyOf": [{"$ref": "#/$defs/A"}], "description": "The A"},
        "b": {"$ref": "#/$defs/A"},
    }


def test_what_cannot_be_said_is_described() -> None:
    """Bounds and formats become words in the description."""
    schema = {
        "type": "object",
        "properties": {
            "when": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
            "kind": {"enum": ["a", "b"], "default": "a"},
        },
    }
    converted = strict_schema(schema)
    assert converted is not None
    assert converted["properties"] == {
        "when": {"type": "string", "description": "format: date"},
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "description": "minItems: 1, uniqueItems: True",
        },
        "kind": {"type": "string", "enum": ["a", "b"]},
    }


def test_choices_have_their_type() -> None:
    """A choice without a type is given its own, and one of several types becomes a union."""
    schema = {
        "type": "object",
        "properties": {
            "some": {"enum": ["a", 1, 2, None], "description": "One of these"},
            "one": {"enum": [1]},
        },
    }
    converted = strict_schema(schema)
    assert converted is not None
    assert converted["properties"] == {
        "some": {
            "description": "One of these",
            "anyOf": [
                {"type": "string", "enum": ["a"]},
                {"type": "integer", "enum": [1, 2]},
                {"type": "null", "enum": [None]},
            ],
        },
        "one": {"type": "integer", "enum": [1]},
    }


INEXPRESSIBLE: list[dict[str, Any]] = [
    {},
    {"description": "anything"},
    {"type": "object"},
    {"type": "object", "properties": {}, "additionalProperties": True},
    {"type": "array"},
    {"type": "array", "items": {}},
    {"type": "array", "prefixItems": [{"type": "integer"}], "items": False},
    {"type": "array", "items": False},
    {"enum": [{"a": 1}]},
    {"type": "string", "x-own": 1},
    {"anyOf": [{"type": "string"}, {"type": "object"}]},
]


@pytest.mark.parametrize("inner", INEXPRESSIBLE, ids=str)
def test_what_cannot_be_expressed_is_none(inner: dict[str, Any]) -> None:
    """Free keys, values of any kind, tuples and unknown words cannot be expressed, wherever they stand."""
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": inner}}}
    assert strict_schema(schema) is None
    assert anthropic_schema(schema) is None


def test_a_schema_that_contains_itself() -> None:
    """OpenAI's strict mode takes a schema that contains itself, by whatever way; Anthropic's does not."""
    link = {"type": "object", "properties": {"next": {"$ref": "#/$defs/B"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": link, "B": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}},
    }
    assert strict_schema(schema) is not None
    assert anthropic_schema(schema) is None


def test_a_schema_is_not_changed() -> None:
    """The given schema stays as it is."""
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
    strict_schema(schema)
    assert schema == {"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}
