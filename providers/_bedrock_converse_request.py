"""A conversation as the body of Bedrock's ConverseStream.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import re
from typing import Any

from ._answer_tool import answer_choice, answer_tool
from ._bedrock_converse_parts import cache_point, converse_turns, system_blocks
from ._conversation import check_conversation, encode_json
from ._json import as_object
from ._quirks import ConverseQuirks
from ._strict_schema import anthropic_schema
from .errors import ConfigError
from .messages import CacheTime, Context, File, Options, ToolSpec

__all__ = ["converse_body", "converse_fields"]

_TOOL_CHOICES = {"auto": "auto", "required": "any"}
_NO_SCHEMA = re.compile(r"amazon\.|claude-3|claude-(?:opus|sonnet)-4-(?:1|20)")
_MERGED = ("inferenceConfig", "outputConfig", "toolConfig")
_MOST_POINTS = 4
_ANY_OBJECT: dict[str, Any] = {"type": "object", "properties": {}}


_NO_QUIRKS = ConverseQuirks()


def converse_body(
    provider: str, context: Context, options: Options, quirks: ConverseQuirks = _NO_QUIRKS
) -> bytes:
    """The JSON body that asks for one streamed turn.

    See `converse_turns` for what becomes of the messages; those of the system are all moved to the top. Where calls
    have been made tools must be offered, so those are named that were called where none are given. The API has no
    words for "no tool": with that choice none are offered, unless calls have been made. An output is asked for as
    `quirks` says, or as a tool where its schema cannot be expressed; a model that is to think chooses that tool by
    itself, as none may be forced on it. `options.cache` puts a cache point behind the instruction and one behind the
    conversation. What `extra_body` has for `inferenceConfig`, `outputConfig` or `toolConfig` is laid over what is in
    them; a model's own parameters go into its `additionalModelRequestFields`.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation` and `converse_turns`. For log
            probabilities, which it has not.
    """
    return encode_json(provider, converse_fields(provider, context, options, quirks))


def converse_fields(
    provider: str, context: Context, options: Options, quirks: ConverseQuirks
) -> dict[str, Any]:
    """The fields of that body."""
    check_conversation(provider, context, options, also={"user": (File,)})
    if options.logprobs is not None:
        raise ConfigError(f"{provider}: this API has no log probabilities")
    body: dict[str, Any] = {"messages": converse_turns(provider, context)}
    if system := system_blocks(context):
        body["system"] = system
    _set_cache_points([system, *(turn["content"] for turn in body["messages"])], options.cache)
    given = {
        "maxTokens": options.max_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "stopSequences": list(options.stop) or None,
    }
    if inference := {name: value for name, value in given.items() if value is not None}:
        body["inferenceConfig"] = inference
    _add_tools(body, context, options, quirks)
    extra = options.extra_body
    merged = {
        name: {**as_object(body.get(name)), **as_object(extra[name])} for name in _MERGED if name in extra
    }
    return {**body, **extra, **merged}


def _set_cache_points(places: list[list[dict[str, Any]]], cache: CacheTime | None) -> None:
    """Set those that `cache` asks for, and leave out the first of more than the API takes."""
    if cache is not None:
        for blocks in (places[0], places[-1]):
            if blocks:
                del blocks[len(blocks) - ("cachePoint" in blocks[-1]) :]
                blocks.append(cache_point(cache))
    points = [(blocks, block) for blocks in places for block in blocks if "cachePoint" in block]
    for blocks, point in points[:-_MOST_POINTS]:
        blocks[:] = [block for block in blocks if block is not point]


def _add_tools(body: dict[str, Any], context: Context, options: Options, quirks: ConverseQuirks) -> None:
    """Offer the tools, and ask for the output."""
    tools, choice, output = context.tools, options.tool_choice, options.output
    called = dict.fromkeys(call.name for message in context.messages for call in message.tool_calls)
    if choice == "none":
        tools, choice = tools if called else (), None
    if output is not None:
        schema = None if _wants_tool(options, quirks) else anthropic_schema(output.schema)
        if schema is not None:
            text = encode_json("the output's schema", schema).decode()
            described = {"jsonSchema": {"name": output.name, "schema": text}}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": described}}
        else:
            tools = (*tools, answer_tool(output))
            choice = "auto" if _thinks(options) else answer_choice(context, options, output)
    if called and not tools:
        tools = tuple(ToolSpec(name, "", _ANY_OBJECT) for name in called)
    offered: list[dict[str, Any]] = [*map(_tool, tools), *map(dict, context.server_tools)]
    if offered:
        chosen = {"toolChoice": _tool_choice(choice)} if choice is not None else {}
        body["toolConfig"] = {"tools": offered, **chosen}


def _tool_choice(choice: str) -> dict[str, Any]:
    kind = _TOOL_CHOICES.get(choice)
    return {"tool": {"name": choice}} if kind is None else {kind: {}}


def _wants_tool(options: Options, quirks: ConverseQuirks) -> bool:
    if quirks.output is None:
        return _NO_SCHEMA.search(options.model) is not None
    return quirks.output == "tool"


def _thinks(options: Options) -> bool:
    own = as_object(options.extra_body.get("additionalModelRequestFields"))
    return as_object(own.get("thinking")).get("type") in {"enabled", "adaptive"}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"toolSpec": {"name": tool.name, **described, "inputSchema": {"json": tool.input_schema}}}
