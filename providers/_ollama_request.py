"""A conversation as the body of Ollama's chat: https://docs.ollama.com/api/chat."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ._answer_tool import answer_tool, schema_instruction
from ._conversation import check_conversation, encode_json, sound_text
from ._function_tool import function_tool
from ._json import as_object
from ._media import media
from ._ollama_decoder import OWN_ID
from .chunks import Media, Refusal, Text, ToolCall, ToolResult
from .errors import ConfigError
from .messages import Context, Image, Message, Options

__all__ = ["ollama_body"]

_ALSO: dict[Any, tuple[type, ...]] = {"assistant": (Media,)}
_MAX_LOGPROBS = 20


def ollama_body(provider: str, context: Context, options: Options, _quirks: None = None) -> bytes:
    """The JSON body that asks for one streamed turn.

    A message is one text here: its texts are joined by blank lines, and a refusal is text. Images are sent as data,
    as the server fetches none. Thinking goes back as text, whoever thought it; the server's template decides what the
    model sees of it. Citations, and what other providers encrypted or ran, are left out, and so is an assistant's turn
    that says nothing and calls nothing. The wire cannot force a call: a tool choice of `none` leaves the tools out. An
    output is asked for by its schema, which only bounds what the model may write, so that the model is told it too;
    beside tools, which it would make impossible, as one more tool.

    What the wire has besides goes into `extra_body`, which lies over what is written here, such as
    `{"think": True, "keep_alive": "10m"}`; its `options` do so one by one, such that `{"options": {"num_ctx": 8192}}`
    leaves the temperature in place.

    Raises:
        ConfigError: For a conversation this wire cannot carry; see `check_conversation`.
    """
    check_conversation(provider, context, options, also=_ALSO)
    _check(provider, context, options)
    tools = context.tools if options.tool_choice != "none" else ()
    spoken = [context.system] if context.system else []
    body: dict[str, Any] = {"model": options.model, "messages": [], "stream": True}
    if options.output is not None and tools:
        tools = (*tools, answer_tool(options.output))
    elif options.output is not None:
        spoken.append(schema_instruction(provider, options.output))
        body["format"] = options.output.schema
    if spoken:
        body["messages"].append({"role": "system", "content": "\n\n".join(spoken)})
    for number, message in enumerate(context.messages):
        body["messages"] += _messages(f"{provider}: message {number} ({message.role})", message)
    if tools:
        body["tools"] = [function_tool(tool) for tool in tools]
    if options.logprobs is not None:
        body["logprobs"] = True
        body |= {"top_logprobs": options.logprobs} if options.logprobs else {}
    given = {
        "num_predict": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "stop": list(options.stop) or None,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if chosen:
        body["options"] = chosen
    for name, value in options.extra_body.items():
        within = as_object(body.get(name)) if name == "options" else {}
        body[name] = {**within, **value} if isinstance(value, Mapping) else value
    return encode_json(provider, body)


def _check(provider: str, context: Context, options: Options) -> None:
    if options.tool_choice not in {None, "auto", "none"}:
        raise ConfigError(
            f"{provider}: the tool choice {options.tool_choice!r} cannot be asked for: this wire forces no call"
        )
    if context.server_tools:
        raise ConfigError(f"{provider}: this wire has no tools that the provider runs")
    if options.logprobs is not None and not 0 <= options.logprobs <= _MAX_LOGPROBS:
        raise ConfigError(f"{provider}: logprobs must be 0 to {_MAX_LOGPROBS}, not {options.logprobs}")


def _messages(where: str, message: Message) -> list[dict[str, Any]]:
    match message.role:
        case "system":
            return [{"role": "system", "content": message.text}]
        case "user":
            return [{"role": "user", "content": _text(message), **_images(where, message)}]
        case "assistant":
            return _assistant(where, message)
        case "tool":
            return [_tool_result(result) for result in message.tool_results]


def _assistant(where: str, message: Message) -> list[dict[str, Any]]:
    said = "".join(part.text for part in message.content if isinstance(part, Text | Refusal))
    turn: dict[str, Any] = {"role": "assistant", "content": said, **_images(where, message)}
    if message.tool_calls:
        turn["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if not said and len(turn) == 2:
        return []
    return [{**turn, "thinking": message.thinking} if message.thinking else turn]


def _text(message: Message) -> str:
    texts = [part.text for part in message.content if isinstance(part, Text)]
    return texts[0] if len(texts) == 1 else "\n\n".join(text for text in texts if text.strip())


def _images(where: str, message: Message) -> dict[str, Any]:
    images = [_image(where, part) for part in message.content if isinstance(part, Image | Media)]
    return {"images": images} if images else {}


def _image(where: str, image: Image | Media) -> str:
    data = image.data
    if not data and image.url:
        data = media(image.url).data
    if not data:
        raise ConfigError(f"{where}: an image is given as `data`: this provider fetches none by its URL")
    return base64.b64encode(data).decode("ascii")


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {**_named("id", call.id), "function": {"name": call.name, "arguments": call.arguments}}


def _tool_result(result: ToolResult) -> dict[str, Any]:
    content = sound_text(result.content)
    return {"role": "tool", "content": content, "tool_name": result.name, **_named("tool_call_id", result.id)}


def _named(field: str, id_: str) -> dict[str, Any]:
    return {field: id_} if id_ and not id_.startswith(OWN_ID) else {}
