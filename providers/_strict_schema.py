"""A JSON schema as providers take it that hold a model to it while it writes: they know only a part of JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._json import as_list, as_object, is_object

__all__ = ["anthropic_schema", "strict_schema"]

_KEPT = frozenset(("$ref", "type", "enum", "const", "title"))
_SAID = frozenset(
    (
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "pattern", "format", "contentEncoding"),
        *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "propertyNames"),
    )
)
_DROPPED = frozenset(("default", "discriminator", "examples", "deprecated"))

_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


class _Inexpressible(Exception):
    """The schema says something that the part of JSON schema has no words for."""


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema for OpenAI's strict mode and those that copy it, or None where it cannot be expressed there.

    No object takes a property that is not named, and every property is required: one with a default is asked for too.
    A bound, a pattern or a format becomes words in the description, as each server knows others of them: it guides the
    model, and what comes is checked anyway. Objects with free keys, tuples and values of any kind cannot be expressed.
    Source: platform.openai.com/docs/guides/structured-outputs and the pages of the servers in `PROVIDERS`.
    """
    try:
        return _converted(schema, all_required=True)
    except _Inexpressible:
        return None


def anthropic_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema for Anthropic's structured outputs, or None where it cannot be expressed there.

    As `strict_schema`, but a property with a default may be left out, and a schema cannot contain itself.
    Source: platform.claude.com/docs/en/build-with-claude/structured-outputs
    """
    if _is_recursive(schema):
        return None
    try:
        return _converted(schema, all_required=False)
    except _Inexpressible:
        return None


def _converted(schema: Mapping[str, Any], *, all_required: bool) -> dict[str, Any]:
    said = {name: value for name, value in schema.items() if name in _SAID}
    converted: dict[str, Any] = {name: value for name, value in schema.items() if name in _KEPT}
    described = [schema["description"]] if "description" in schema else []
    described += [", ".join(f"{name}: {value}" for name, value in said.items())] if said else []
    if described:
        converted["description"] = "; ".join(described)

    def inner(value: object) -> dict[str, Any]:
        if not is_object(value):
            raise _Inexpressible
        return _converted(value, all_required=all_required)

    for name, value in schema.items():
        match name:
            case "properties" | "$defs":
                converted[name] = {key: inner(each) for key, each in as_object(value).items()}
            case "items":
                converted[name] = inner(value)
            case "anyOf":
                converted[name] = [inner(each) for each in as_list(value)]
            case "required" | "additionalProperties" | "description":
                pass
            case _ if name not in _KEPT and name not in _SAID and name not in _DROPPED:
                raise _Inexpressible(name)
            case _:
                pass
    if schema.get("type") == "object":
        if schema.get("additionalProperties", False) is not False or "properties" not in schema:
            raise _Inexpressible("an object with free keys")
        required = list(schema["properties"]) if all_required else schema.get("required", [])
        converted |= {"required": required, "additionalProperties": False}
    if schema.get("type") == "array" and "items" not in schema:
        raise _Inexpressible("a list of anything")
    if not converted.keys() & {"$ref", "type", "enum", "const", "anyOf"}:
        raise _Inexpressible("a value of any kind")
    if "enum" in converted and "type" not in converted:
        converted |= _typed(converted.pop("enum"))
    if "$ref" in converted and len(converted) > 1:  # nothing may stand beside it
        converted["anyOf"] = [{"$ref": converted.pop("$ref")}]
    return converted


def _typed(choices: list[Any]) -> dict[str, Any]:
    """Choices with the type they are of, which the servers want, or as a union of those of each type."""
    by_type: dict[str, list[Any]] = {}
    for choice in choices:
        if type(choice) not in _TYPES:
            raise _Inexpressible("a choice of objects or lists")
        by_type.setdefault(_TYPES[type(choice)], []).append(choice)
    typed: list[dict[str, Any]] = [{"type": type_, "enum": of_it} for type_, of_it in by_type.items()]
    return typed[0] if len(typed) == 1 else {"anyOf": typed}


def _is_recursive(schema: Mapping[str, Any]) -> bool:
    definitions = as_object(schema.get("$defs"))
    leads = {name: _references(each) for name, each in definitions.items()}
    for start in leads:
        reached: set[str] = set()
        ahead = [start]
        while ahead:
            for name in leads.get(ahead.pop(), set()) - reached:
                reached.add(name)
                ahead.append(name)
        if start in reached:
            return True
    return False


def _references(schema: object) -> set[str]:
    if is_object(schema):
        own = {str(schema["$ref"]).rpartition("/")[2]} if "$ref" in schema else set[str]()
        return own.union(*map(_references, schema.values()))
    return set[str]().union(*map(_references, as_list(schema)))
