"""A conversation as the body of Cohere's chat: https://docs.cohere.com/reference/chat-stream."""

from __future__ import annotations

from typing import Any

from ._answer_tool import answer_tool, schema_instruction
from ._cohere_decoder import PLAN
from ._conversation import check_conversation, encode_json, sound_text
from ._function_tool import function_tool
from ._openai_chat_files import image_part
from ._strict_schema import strict_schema
from .chunks import Refusal, Text, Thinking, ToolCall, ToolResult
from .errors import ConfigError
from .messages import Context, Image, Message, Options, Part

__all__ = ["cohere_body"]

_TOOL_CHOICES = {"none": "NONE", "required": "REQUIRED"}


def cohere_body(provider: str, context: Context, options: Options, _quirks: None = None) -> bytes:
    """The JSON body that asks for one streamed turn.

    A plan of tool calls goes back as such, beside its calls, and thinking in its place. What another provider signed
    or named is left out, and so are citations, blank texts, and a turn with nothing left. A tool's answer is a
    document with the one field `output`, or `error` where the tool failed, so that the model can cite it. `tool_choice`
    is sent only beside tools. An output is asked for by a schema in the form of `strict_schema`, which the model is
    told too; beside tools, which the wire takes no schema with, or where it cannot be expressed, as the call of a
    tool. `documents`, `strict_tools` and `thinking` go into `extra_body`, which lies over what is written here.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation`.
    """
    check_conversation(provider, context, options)
    _check(provider, context, options)
    tools, choice, output = context.tools, options.tool_choice, options.output
    body: dict[str, Any] = {"model": options.model, "messages": [], "stream": True}
    spoken = [context.system or ""]
    if output is not None:
        tools = () if choice == "none" else tools
        schema = None if tools else strict_schema(output.schema)
        if schema is None:
            tools, choice = (*tools, answer_tool(output)), "required"
        else:
            spoken.append(schema_instruction(provider, output))
            body["response_format"] = {"type": "json_object", "json_schema": schema}
    system = "\n\n".join(text for text in spoken if text.strip())
    body["messages"] += [{"role": "system", "content": system}] if system else []
    for message in context.messages:
        body["messages"] += _messages(provider, message)
    if tools:
        body["tools"] = [function_tool(tool) for tool in tools]
        if choice in _TOOL_CHOICES:
            body["tool_choice"] = _TOOL_CHOICES[choice]
    given = {
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "p": options.top_p,
        "stop_sequences": list(options.stop) or None,
        "logprobs": None if options.logprobs is None else True,
    }
    body.update((name, value) for name, value in given.items() if value is not None)
    return encode_json(provider, {**body, **options.extra_body})


def _check(provider: str, context: Context, options: Options) -> None:
    if options.tool_choice not in {None, "auto", *_TOOL_CHOICES}:
        raise ConfigError(
            f"{provider}: the tool choice {options.tool_choice!r} cannot be asked for: this wire forces no call by name"
        )
    if context.server_tools:
        raise ConfigError(f"{provider}: this wire has no tools that the provider runs")
    if options.logprobs:
        raise ConfigError(
            f"{provider}: logprobs must be 0, not {options.logprobs}: no other tokens are told of"
        )


def _messages(provider: str, message: Message) -> list[dict[str, Any]]:
    match message.role:
        case "system":
            return [{"role": "system", "content": message.text}] if message.text.strip() else []
        case "user":
            return [{"role": "user", "content": _content(message)}]
        case "assistant":
            return _assistant(provider, message)
        case "tool":
            return [_tool_result(result) for result in message.tool_results]


def _assistant(provider: str, message: Message) -> list[dict[str, Any]]:
    turn: dict[str, Any] = {"role": "assistant"}
    content = _content(message)
    if message.tool_calls:
        turn["tool_calls"] = [_tool_call(provider, call) for call in message.tool_calls]
        plan = "".join(
            part.text for part in message.content if isinstance(part, Thinking) and part.id == PLAN
        )
        turn |= {"tool_plan": plan} if plan else {}
    elif isinstance(content, list) and all(block["type"] == "thinking" for block in content):
        return []
    return [{**turn, "content": content} if content else turn]


def _content(message: Message) -> str | list[dict[str, Any]]:
    """A list of blocks, or the text alone where there is nothing else. What a model said in pieces is one text."""
    blocks: list[dict[str, Any]] = []
    for block in filter(None, map(_block, message.content)):
        if blocks and message.role == "assistant" and blocks[-1]["type"] == block["type"] == "text":
            blocks[-1]["text"] += block["text"]
        else:
            blocks.append(block)
    blocks = [block for block in blocks if block["type"] != "text" or block["text"].strip()]
    alone = len(blocks) == 1 and blocks[0]["type"] == "text"
    return str(blocks[0]["text"]) if alone else blocks


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text}
        case Thinking(text, None, None):
            return {"type": "thinking", "thinking": text} if text else None
        case Image():
            return image_part(part)
        case _:  # sent beside the content, or not at all
            return None


def _tool_call(provider: str, call: ToolCall) -> dict[str, Any]:
    arguments = encode_json(provider, call.arguments).decode()
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tool_result(result: ToolResult) -> dict[str, Any]:
    data = {"error" if result.is_error else "output": sound_text(result.content)}
    content = [{"type": "document", "document": {"data": data}}]
    return {"role": "tool", "tool_call_id": result.id, "content": content}
