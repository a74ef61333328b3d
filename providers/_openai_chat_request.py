"""A conversation as the body of a chat completion: platform.openai.com/docs/api-reference/chat/create."""

from __future__ import annotations

from typing import Any

from ._answer_tool import answer_choice, answer_tool, schema_instruction
from ._conversation import check_conversation, encode_json, sound_text
from ._function_tool import function_tool
from ._mistral_messages import mistral_content, mistral_id
from ._openai_chat_files import file_part, image_part
from ._openai_chat_reasoning import call_extra, reasoning_details
from ._openai_chat_sound import sound_id
from ._quirks import ChatQuirks
from ._strict_schema import strict_schema
from .chunks import Media, Text, Thinking, ToolCall, ToolResult
from .errors import ConfigError
from .messages import CachePoint, CacheTime, Context, File, Image, Message, Options, OutputSpec

__all__ = ["openai_chat_body"]

_MAX_LOGPROBS = 20


def openai_chat_body(provider: str, context: Context, options: Options, quirks: ChatQuirks) -> bytes:
    """The JSON body that asks for one streamed turn.

    Reasoning is left out of earlier turns, except where the quirks name a field for it, and so are citations and what
    the server's own tools did. What was spoken goes back by its id, in the place of its words. An assistant's turn that
    holds nothing else is left out whole. `tool_choice` is sent only beside tools. A tool's error is sent as its text:
    the wire has no flag for it. `options.output` is asked for as `quirks.output` says. Prompts are cached without being
    asked for, except by OpenRouter, which hands on what is asked: https://openrouter.ai/docs/features/prompt-caching.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation` and `file_part`.
    """
    check_conversation(provider, context, options, also={"user": (File,), "assistant": (Media,)})
    _check_logprobs(provider, options, quirks)
    asked = options.output
    tool_asked = asked is not None and (
        quirks.output == "tool" or bool(context.tools and not quirks.output_beside_tools)
    )
    spoken = [context.system] if context.system else []
    if asked is not None and not tool_asked and quirks.output in {"json_schema", "json_object"}:
        spoken.append(schema_instruction(provider, asked))
    messages: list[dict[str, Any]] = []
    if spoken:
        messages.append({"role": "system", "content": "\n\n".join(spoken)})
    for message in context.messages:
        messages += _messages(provider, message, quirks)
    last = messages[-1]
    if quirks.dialect == "mistral" and last["role"] == "assistant" and "tool_calls" not in last:
        last["prefix"] = True
    body: dict[str, Any] = {"model": options.model, "messages": messages, "stream": True}
    if quirks.stream_options:
        body["stream_options"] = {"include_usage": True}
    tools, choice = context.tools, options.tool_choice
    if asked is not None and tool_asked:
        tools, choice = (*tools, answer_tool(asked)), answer_choice(context, options, asked)
    elif asked is not None:
        body["response_format"] = _response_format(asked, quirks)
    if tools or context.server_tools:
        body["tools"] = [*map(function_tool, tools), *map(dict, context.server_tools)]
        if choice is not None:
            body["tool_choice"] = _tool_choice(choice, quirks)
    given = {
        quirks.max_tokens: options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": list(options.stop) or None,
        "logprobs": None if options.logprobs is None else True,
        "top_logprobs": options.logprobs or None,
        "cache_control": _cached(options.cache) if options.cache and quirks.dialect == "openrouter" else None,
    }
    body.update((name, value) for name, value in given.items() if value is not None)
    return encode_json(provider, {**body, **options.extra_body})


def _messages(provider: str, message: Message, quirks: ChatQuirks) -> list[dict[str, Any]]:
    match message.role:
        case "system":
            return [{"role": "system", "content": message.text}]
        case "user":
            return [{"role": "user", "content": _user_content(provider, message, quirks)}]
        case "assistant":
            return _assistant(provider, message, quirks)
        case "tool":
            return [_tool_result(result, quirks) for result in message.tool_results]


def _user_content(provider: str, message: Message, quirks: ChatQuirks) -> str | list[dict[str, Any]]:
    if len(message.content) == 1 and isinstance(message.content[0], Text):
        return message.text  # every compatible server takes a plain text; not all take a list
    blocks: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Image):
            blocks.append(image_part(part))
        elif isinstance(part, File):
            blocks.append(file_part(provider, part, quirks.dialect))
        elif isinstance(part, Text) and part.text.strip():
            blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, CachePoint) and blocks and quirks.dialect == "openrouter":
            blocks[-1]["cache_control"] = _cached(part.time)
    return blocks


def _cached(time: CacheTime) -> dict[str, Any]:
    return {"type": "ephemeral", **({"ttl": time} if time != "5m" else {})}


def _assistant(provider: str, message: Message, quirks: ChatQuirks) -> list[dict[str, Any]]:
    said: str | list[dict[str, Any]] | None = message.text or None
    if quirks.dialect == "mistral":
        said = mistral_content(message)
    spoken = sound_id(message)
    drawn = [image_part(Image(part.media_type, part.data, part.url)) for part in _drawn(message, quirks)]
    given = {
        "audio": {"id": spoken} if spoken else None,
        "images": drawn or None,
        "refusal": message.refusal or None if quirks.dialect != "mistral" else None,
        "tool_calls": [_tool_call(provider, call, quirks) for call in message.tool_calls] or None,
    }
    turn = {name: value for name, value in given.items() if value is not None}
    if not turn and not message.text and not (quirks.dialect == "mistral" and message.refusal):
        return []
    if quirks.thinking and any(isinstance(part, Thinking) for part in message.content):
        turn[quirks.thinking] = message.thinking
    if quirks.dialect == "openrouter" and (details := reasoning_details(message)):
        turn["reasoning_details"] = details
    return [{"role": "assistant", **({} if spoken else {"content": said}), **turn}]


def _drawn(message: Message, quirks: ChatQuirks) -> list[Media]:
    """The images of a turn, where the server takes them back."""
    if quirks.dialect != "openrouter":
        return []
    return [p for p in message.content if isinstance(p, Media) and p.media_type.startswith("image/")]


def _tool_call(provider: str, call: ToolCall, quirks: ChatQuirks) -> dict[str, Any]:
    arguments = encode_json(provider, call.arguments).decode()
    return {
        "id": _call_id(call.id, quirks),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
        **call_extra(call.signature),
    }


def _tool_result(result: ToolResult, quirks: ChatQuirks) -> dict[str, Any]:
    id_ = _call_id(result.id, quirks)
    return {"role": "tool", "tool_call_id": id_, "content": sound_text(result.content)}


def _call_id(id_: str, quirks: ChatQuirks) -> str:
    return mistral_id(id_) if quirks.dialect == "mistral" else id_


def _response_format(output: OutputSpec, quirks: ChatQuirks) -> dict[str, Any]:
    if quirks.output == "json_object":
        return {"type": "json_object"}
    strict = strict_schema(output.schema) if quirks.output == "strict" else None
    format_: dict[str, Any] = {"name": output.name, "schema": output.schema}
    if strict is not None:
        format_ |= {"schema": strict, "strict": True}
    return {"type": "json_schema", "json_schema": format_}


def _tool_choice(choice: str, quirks: ChatQuirks) -> str | dict[str, Any]:
    if choice == "required" and quirks.dialect == "mistral":
        return "any"
    if choice in {"auto", "none", "required"}:
        return choice
    return {"type": "function", "function": {"name": choice}}


def _check_logprobs(provider: str, options: Options, quirks: ChatQuirks) -> None:
    if options.logprobs is None:
        return
    if quirks.dialect == "mistral":
        raise ConfigError(f"{provider}: this server gives no logprobs")
    if not 0 <= options.logprobs <= _MAX_LOGPROBS:
        raise ConfigError(f"{provider}: logprobs must be 0 to {_MAX_LOGPROBS}, not {options.logprobs}")
