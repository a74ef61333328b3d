"""A conversation as the body of a message: docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from typing import Any

from ._answer_tool import answer_choice, answer_tool
from ._anthropic_cache import cached_prompt
from ._anthropic_turns import system_blocks, turns_of
from ._conversation import check_conversation, encode_json
from ._json import as_object, as_text
from ._quirks import AnthropicQuirks
from ._strict_schema import anthropic_schema
from .chunks import Metadata
from .errors import ConfigError
from .messages import Context, File, Options, ToolSpec

__all__ = ["DEFAULT_MAX_TOKENS", "anthropic_body", "anthropic_state"]

DEFAULT_MAX_TOKENS = 8192
"""The bound on the output where the caller names none: the wire requires one, and current models take this one."""

_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


_NO_QUIRKS = AnthropicQuirks()


def anthropic_body(
    provider: str, context: Context, options: Options, quirks: AnthropicQuirks = _NO_QUIRKS
) -> bytes:
    """The JSON body that asks for one streamed turn.

    Roles must alternate on this wire; see `turns_of` for what becomes of each message. System messages are all moved
    to the top, behind `context.system`. `max_tokens` is required; where the caller gives none it is
    `DEFAULT_MAX_TOKENS`. `tool_choice` is sent only beside tools. An output is asked for as `quirks` says, or as a tool
    where its schema cannot be expressed; a model that is to think chooses that tool by itself, as the wire forces none
    on it. What is cached is what cache points and `options.cache` say; see `cached_prompt`. The container of
    `context.provider_state` is gone on in, with the skills that `options.extra_body` names. What is in beta is asked
    for by the field `anthropic-beta` of `options.extra_headers`.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation`. For log probabilities, which
            it has not.
    """
    check_conversation(provider, context, options, also={"user": (File,)})
    if options.logprobs is not None:
        raise ConfigError(f"{provider}: this API has no log probabilities")
    tools, choice = context.tools, options.tool_choice
    extra = dict(options.extra_body)
    if options.output is not None:
        schema = anthropic_schema(options.output.schema) if quirks.output == "json_schema" else None
        if schema is not None:
            format_ = {"type": "json_schema", "schema": schema}
            extra["output_config"] = {"format": format_, **as_object(extra.get("output_config"))}
        else:
            tools = (*tools, answer_tool(options.output))
            choice = "auto" if _thinks(options) else answer_choice(context, options, options.output)
    offered = [*map(_tool, tools), *map(dict, context.server_tools)]
    system, messages = cached_prompt(
        offered, system_blocks(context), turns_of(provider, context.messages), options.cache
    )
    body: dict[str, Any] = {
        **({"model": options.model} if quirks.version is None else {"anthropic_version": quirks.version}),
        "max_tokens": DEFAULT_MAX_TOKENS if options.max_tokens is None else options.max_tokens,
        "messages": messages,
        **({"stream": True} if quirks.stream else {}),
    }
    if any("cache_control" in block for block in system):
        body["system"] = system
    elif system:
        body["system"] = "\n\n".join(block["text"] for block in system)
    if offered:
        body["tools"] = offered
        if choice is not None:
            body["tool_choice"] = _tool_choice(choice)
    given = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop_sequences": list(options.stop) or None,
    }
    body.update((name, value) for name, value in given.items() if value is not None)
    return encode_json(provider, {**body, **extra, **_container(context, extra.get("container"))})


def anthropic_state(metadata: Metadata) -> dict[str, Any]:
    """What the next request's `Context.provider_state` is to hold: where the provider's own tools go on."""
    return {"container": metadata.container} if metadata.container else {}


def _container(context: Context, asked: object) -> dict[str, Any]:
    """The container to go on in, together with what the caller asks of it; the caller's own comes before."""
    known = as_text(context.provider_state.get("container"))
    if known is None or isinstance(asked, str):
        return {}
    return {"container": {"id": known, **as_object(asked)} if asked else known}


def _thinks(options: Options) -> bool:
    return as_object(options.extra_body.get("thinking")).get("type") in {"enabled", "adaptive"}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": tool.input_schema}


def _tool_choice(choice: str) -> dict[str, Any]:
    kind = _TOOL_CHOICES.get(choice)
    return {"type": "tool", "name": choice} if kind is None else {"type": kind}
