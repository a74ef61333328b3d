"""An output's shape, asked for in each wire's own words."""

from typing import Any

import msgspec
import pytest

from streamd.providers import (
    AnthropicQuirks,
    ChatQuirks,
    ConfigError,
    Context,
    Message,
    Options,
    OutputSpec,
    resolve,
)
from streamd.providers._anthropic_request import anthropic_body
from tests.support.conversations import TOOLS
from tests.support.services import openai_chat

SCHEMA: dict[str, Any] = {
    "title": "Town",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "people": {"description": "How many live there", "type": "integer", "minimum": 0},
        "twin": {"anyOf": [{"$ref": "#/$defs/Twin"}, {"type": "null"}], "default": None},
    },
    "required": ["name", "people"],
    "$defs": {"Twin": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}},
}
STRICT = {
    "title": "Town",
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "minLength: 1"},
        "people": {"type": "integer", "description": "How many live there; minimum: 0"},
        "twin": {"anyOf": [{"$ref": "#/$defs/Twin"}, {"type": "null"}]},
    },
    "required": ["name", "people", "twin"],
    "additionalProperties": False,
    "$defs": {
        "Twin": {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
    "required": ["kids"],
    "$defs": {
        "Tree": {
            "type": "object",
            "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
            "required": ["kids"],
        }
    },
}
NATIVE = AnthropicQuirks()
FREE: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "integer"}}
ASK = Context((Message.user("hi"),))
ASK_WITH_TOOLS = Context((Message.user("hi"),), tools=TOOLS[1:])
ANSWER = "Gives the final answer. Call it once, with the whole answer."
TOLD = "Answer with JSON alone, without a code fence, that fits this JSON schema:\n"
NOW = {"name": "now", "input_schema": {"type": "object", "properties": {}}}


def options(schema: dict[str, Any] = SCHEMA, **more: Any) -> Options:
    """Options that ask for an output."""
    return Options("m", output=OutputSpec("answer", schema), **more)


def chat(context: Context, asked: Options, **quirks: Any) -> dict[str, Any]:
    """What a request for a chat completion holds beside what every one does."""
    provider = openai_chat("here", "https://x.test/v1", quirks=ChatQuirks(**quirks))
    body = msgspec.json.decode(provider.request(context, asked).body)
    return {name: value for name, value in body.items() if name not in {"model", "stream", "stream_options"}}


def messages(context: Context, asked: Options, quirks: AnthropicQuirks = NATIVE) -> dict[str, Any]:
    """What a request for a message holds beside what every one does."""
    body = msgspec.json.decode(anthropic_body("here", context, asked, quirks))
    return {
        name: value
        for name, value in body.items()
        if name not in {"model", "stream", "max_tokens", "messages"}
    }


USER = {"role": "user", "content": "hi"}


def test_chat_strict() -> None:
    """A strict server is given the schema in its own form, and nothing in the prompt."""
    assert chat(ASK, options(), output="strict") == {
        "messages": [USER],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": STRICT, "strict": True},
        },
    }


@pytest.mark.parametrize("schema", [FREE, {"type": "object", "properties": {"a": {}}, "required": ["a"]}])
def test_chat_not_strict(schema: dict[str, Any]) -> None:
    """A schema that strict servers cannot express is given as it is, and not called strict."""
    format_ = chat(ASK, options(schema), output="strict")["response_format"]
    assert format_ == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def test_chat_json_schema() -> None:
    """A server whose grammar the model does not see is given the schema twice: as a bound, and in the prompt."""
    told = TOLD + msgspec.json.encode(SCHEMA).decode()
    assert chat(Context(ASK.messages, system="Be brief."), options(), output="json_schema") == {
        "messages": [{"role": "system", "content": f"Be brief.\n\n{told}"}, USER],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    }


def test_chat_json_object() -> None:
    """A server that knows only JSON at large is told the schema in the prompt."""
    told = TOLD + msgspec.json.encode(SCHEMA).decode()
    assert chat(ASK, options(), output="json_object") == {
        "messages": [{"role": "system", "content": told}, USER],
        "response_format": {"type": "json_object"},
    }


def test_chat_tool() -> None:
    """A server without output formats is offered a tool whose arguments are the output, and made to call it."""
    parameters = {"name": "answer", "description": ANSWER, "parameters": SCHEMA}
    assert chat(ASK, options(), output="tool") == {
        "messages": [USER],
        "tools": [{"type": "function", "function": parameters}],
        "tool_choice": {"type": "function", "function": {"name": "answer"}},
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (None, "required"),
        ("auto", "required"),
        ("required", "required"),
        ("none", {"type": "function", "function": {"name": "answer"}}),
        ("now", {"type": "function", "function": {"name": "now"}}),
    ],
)
def test_chat_tool_beside_tools(given: str | None, sent: Any) -> None:
    """Beside other tools some tool is called in every turn, except where the caller chose one, or none of his."""
    body = chat(ASK_WITH_TOOLS, options(tool_choice=given))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["now", "answer"]
    assert body["tool_choice"] == sent
    assert "response_format" not in body


def test_chat_format_beside_tools() -> None:
    """A server that takes tools and an output format together is given both."""
    body = chat(ASK_WITH_TOOLS, options(tool_choice="auto"), output="strict", output_beside_tools=True)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["now"]
    assert body["tool_choice"] == "auto"
    assert body["response_format"]["json_schema"]["strict"] is True


def test_anthropic_native() -> None:
    """Anthropic is given the schema in its own form, in which a property with a default may be left out."""
    schema = {**STRICT, "required": ["name", "people"]}
    assert messages(ASK, options()) == {
        "output_config": {"format": {"type": "json_schema", "schema": schema}}
    }


def test_anthropic_native_beside_tools() -> None:
    """It takes tools and an output format together, and the caller's own output settings stay."""
    body = messages(ASK_WITH_TOOLS, options(extra_body={"output_config": {"effort": "low"}}))
    assert body["tools"] == [NOW]
    assert body["output_config"].keys() == {"effort", "format"}
    assert "tool_choice" not in body


@pytest.mark.parametrize("schema", [TREE, FREE])
def test_anthropic_tool_where_the_schema_is_too_much(schema: dict[str, Any]) -> None:
    """A schema that contains itself, or has free keys, becomes a tool."""
    assert messages(ASK, options(schema)) == {
        "tools": [{"name": "answer", "description": ANSWER, "input_schema": schema}],
        "tool_choice": {"type": "tool", "name": "answer"},
    }


def test_anthropic_tool_by_quirk() -> None:
    """A server without output formats is offered the tool, and beside other tools made to call one of them."""
    quirks = AnthropicQuirks(output="tool")
    answer = {"name": "answer", "description": ANSWER, "input_schema": SCHEMA}
    assert messages(ASK, options(), quirks)["tool_choice"] == {"type": "tool", "name": "answer"}
    assert messages(ASK_WITH_TOOLS, options(), quirks) == {
        "tools": [NOW, answer],
        "tool_choice": {"type": "any"},
    }


def test_anthropic_forces_no_tool_on_a_thinking_model() -> None:
    """A model that is to think chooses by itself: the wire refuses a forced tool there."""
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    body = messages(ASK, options(extra_body=thinking), AnthropicQuirks(output="tool"))
    assert body["tool_choice"] == {"type": "auto"}


def test_quirks_are_an_option_of_a_provider() -> None:
    """A caller says how a server is asked that no row says it of; quirks of another wire are refused."""
    here = {"base_url": "https://x.test/v1"}
    quirks = ChatQuirks(output="tool")
    provider = resolve(("openai-compatible", {**here, "quirks": quirks}))
    assert msgspec.json.decode(provider.request(ASK, options()).body)["tools"]
    with pytest.raises(ConfigError, match="the option `quirks` is of AnthropicQuirks, not of ChatQuirks"):
        resolve(("anthropic", {"api_key": "k", "quirks": quirks}))


def test_a_schema_that_is_no_json_is_refused() -> None:
    """What cannot be written as JSON is the caller's error, before anything is sent."""
    with pytest.raises(ConfigError, match="cannot be written as JSON"):
        chat(ASK, options({"type": "object", "default": object()}))
