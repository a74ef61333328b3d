"""A conversation as the body of a message: docs.anthropic.com/en/api/messages."""

from __future__ import annotations

import base64
from typing import Any, Literal, assert_never

from msgspec import Struct

from ._answer_tool import answer_choice, answer_tool
from ._conversation import check_conversation, encode_json, sound_text
from ._json import as_object
from ._strict_schema import anthropic_schema
from .chunks import (
    Citation,
    Media,
    RedactedThinking,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from .errors import ConfigError
from .messages import CachePoint, Context, File, Image, Message, Options, Part, ToolSpec

__all__ = ["DEFAULT_MAX_TOKENS", "AnthropicQuirks", "anthropic_body"]

DEFAULT_MAX_TOKENS = 8192
"""The bound on the output where the caller names none: the wire requires one, and current models take this one."""

_TOOL_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


class AnthropicQuirks(Struct, frozen=True):
    """Where a server differs from Anthropic's own.

    Args:
        output: How the server is asked for an output: by a schema that it holds the model to, or as the call of a
            tool, which models before Claude 4.5 and most compatible servers need.
        version: Sent as `anthropic_version`, in the place of the model's name, where clouds have that in their URL.
    """

    output: Literal["json_schema", "tool"] = "json_schema"
    version: str | None = None


_NO_QUIRKS = AnthropicQuirks()


def anthropic_body(
    provider: str, context: Context, options: Options, quirks: AnthropicQuirks = _NO_QUIRKS
) -> bytes:
    """The JSON body that asks for one streamed turn.

    Roles must alternate on this wire, so neighbours of one role become one message; tool results are a user's
    message. Signed and redacted thinking goes back unchanged and in its place. What would be refused is left out:
    thinking without a signature (another provider's, or cut off), thinking that nothing follows (of a turn that was
    cut off), blank texts, a turn with nothing left; and so are citations. System messages are all moved to the top,
    behind `context.system`. `max_tokens` is required; where the caller gives none it is `DEFAULT_MAX_TOKENS`.
    `tool_choice` is sent only beside tools. An output is asked for as `quirks` says, or as a tool where its schema
    cannot be expressed; a model that is to think chooses that tool by itself, as the wire forces none on it.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation`.
    """
    check_conversation(provider, context, options)
    body: dict[str, Any] = {
        **({"model": options.model} if quirks.version is None else {"anthropic_version": quirks.version}),
        "max_tokens": DEFAULT_MAX_TOKENS if options.max_tokens is None else options.max_tokens,
        "messages": _turns(provider, context),
        "stream": True,
    }
    spoken = [
        context.system or "",
        *(message.text for message in context.messages if message.role == "system"),
    ]
    system = "\n\n".join(text for text in spoken if text.strip())
    if system:
        body["system"] = system
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
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
        if choice is not None:
            body["tool_choice"] = _tool_choice(choice)
    given = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop_sequences": list(options.stop) or None,
    }
    body.update((name, value) for name, value in given.items() if value is not None)
    return encode_json(provider, {**body, **extra})


def _thinks(options: Options) -> bool:
    return as_object(options.extra_body.get("thinking")).get("type") in {"enabled", "adaptive"}


def _turns(provider: str, context: Context) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    for message in context.messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        content = _blocks(provider, message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": role, "content": content})
    return turns


def _blocks(provider: str, message: Message) -> list[dict[str, Any]]:
    blocks = [block for block in (_block(provider, part) for part in message.content) if block is not None]
    while blocks and blocks[-1]["type"] in {"thinking", "redacted_thinking"}:
        blocks.pop()
    return blocks


def _block(provider: str, part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text} if text.strip() else None
        case Thinking(text, signature):
            return {"type": "thinking", "thinking": text, "signature": signature} if signature else None
        case RedactedThinking(data):
            return {"type": "redacted_thinking", "data": data}
        case ToolCall(_, id_, name, arguments):
            return {"type": "tool_use", "id": id_, "name": name, "input": arguments}
        case ToolResult():
            return _tool_result(part)
        case Image():
            return {"type": "image", "source": _image_source(provider, part)}
        case ServerToolCall() | ServerToolResult() | CachePoint() | Citation():
            return None
        case Media() | File():  # refused by `check_conversation`
            return None
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(part)


def _tool_result(result: ToolResult) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.id}
    if result.content:
        block["content"] = sound_text(result.content)
    if result.is_error:
        block["is_error"] = True
    return block


def _image_source(provider: str, image: Image) -> dict[str, Any]:
    if image.data:
        data = base64.b64encode(image.data).decode("ascii")
        return {"type": "base64", "media_type": image.media_type, "data": data}
    url = image.url or ""
    if not url.startswith(("https://", "http://")):
        raise ConfigError(
            f"{provider}: an image's URL is fetched by the provider, so it is an http one; give `data`"
        )
    return {"type": "url", "url": url}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": tool.input_schema}


def _tool_choice(choice: str) -> dict[str, Any]:
    kind = _TOOL_CHOICES.get(choice)
    return {"type": "tool", "name": choice} if kind is None else {"type": kind}
