"""A conversation as the input items of a response: platform.openai.com/docs/api-reference/responses/create."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, assert_never

from msgspec import Struct

from ._conversation import encode_json, sound_text
from ._openai_responses_calls import CUSTOM, FUNCTION
from ._openai_responses_files import input_file, input_image
from ._openai_responses_tools import WIRE
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
from .messages import CachePoint, File, Image, Message, Part

__all__ = ["InputStyle", "input_items"]

_Item = dict[str, Any]


class InputStyle(Struct, frozen=True):
    """What the items depend on besides the messages.

    Args:
        custom: The names of the tools whose input is any text.
        reasoning: The field in which reasoning goes back; see `ResponsesQuirks`.
        stored: Whether the provider keeps what it said, so that reasoning goes back without its encrypted content too.
    """

    custom: frozenset[str] = frozenset()
    reasoning: Literal["summary", "content", "either"] = "summary"
    stored: bool = False


def input_items(provider: str, messages: Sequence[Message], style: InputStyle) -> list[_Item]:
    """The items of these messages, in order.

    An assistant's texts that nothing stands between are one message. Reasoning goes back under its id, the blocks of
    one id together where the first of them stood. What another provider thought or ran itself is left out, as are
    citations and media, which the items of the tools that made them hold.

    Raises:
        ConfigError: For a file that the wire cannot carry, and for arguments that are no JSON.
    """
    items: list[_Item] = []
    for message in messages:
        match message.role:
            case "system":
                items.append(_message("system", message.text))
            case "user":
                items.append(_message("user", _user_content(provider, message)))
            case "tool":
                items += [_tool_result(result, style) for result in message.tool_results]
            case "assistant":
                items += _turn(provider, message, style)
    return items


def _message(role: str, content: str | list[_Item]) -> _Item:
    return {"type": "message", "role": role, "content": content}


def _user_content(provider: str, message: Message) -> str | list[_Item]:
    if len(message.content) == 1 and isinstance(message.content[0], Text):
        return message.text
    parts: list[_Item] = []
    for part in message.content:
        if isinstance(part, Text) and part.text.strip():
            parts.append({"type": "input_text", "text": part.text})
        elif isinstance(part, Image):
            parts.append(input_image(part))
        elif isinstance(part, File):
            parts.append(input_file(provider, part))
    return parts


def _turn(provider: str, message: Message, style: InputStyle) -> list[_Item]:
    """The items of an assistant's message; reasoning that nothing follows was cut off, and would be refused."""
    items: list[_Item] = []
    reasoning: dict[str, _Item] = {}
    for part in message.content:
        _add(provider, part, items, reasoning, style)
    for item in reasoning.values():
        if style.reasoning == "content" or (style.reasoning == "either" and "encrypted_content" not in item):
            thoughts = "".join(part["text"] for part in item["summary"])
            item |= {"summary": [], "content": [{"type": "reasoning_text", "text": thoughts}]}
    items = [item for item in items if item["type"] != "reasoning" or _is_known(item, style)]
    while items and items[-1]["type"] == "reasoning":
        items.pop()
    return items


def _is_known(item: _Item, style: InputStyle) -> bool:
    return style.stored or "encrypted_content" in item or "content" in item


def _add(
    provider: str, part: Part, items: list[_Item], reasoning: dict[str, _Item], style: InputStyle
) -> None:
    match part:
        case Text(text) | Refusal(text):
            if text:
                _say(text, isinstance(part, Refusal), items)
        case Thinking():
            _think(part, items, reasoning)
        case ToolCall():
            items.append(_tool_call(provider, part, style))
        case ServerToolCall(wire=wire, raw=raw) | ServerToolResult(wire=wire, raw=raw):
            if wire == WIRE and raw and not (items and items[-1] == raw):
                items.append(dict(raw))
        case RedactedThinking() | Citation() | Media() | CachePoint():
            pass
        case ToolResult() | Image() | File():  # refused by `check_conversation`
            pass
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(part)


def _say(text: str, is_refusal: bool, items: list[_Item]) -> None:  # noqa: FBT001 - a private two-way switch
    if not items or items[-1].get("role") != "assistant":
        items.append(_message("assistant", []))
    content: list[_Item] = items[-1]["content"]
    if is_refusal:
        content.append({"type": "refusal", "refusal": text})
    elif content and content[-1]["type"] == "output_text":
        content[-1]["text"] += text
    else:
        content.append({"type": "output_text", "text": text})


def _think(part: Thinking, items: list[_Item], reasoning: dict[str, _Item]) -> None:
    if not part.id:
        return
    item = reasoning.get(part.id)
    if item is None:
        item = reasoning[part.id] = {"type": "reasoning", "id": part.id, "summary": []}
        items.append(item)
    if part.text:
        item["summary"].append({"type": "summary_text", "text": part.text})
    if part.signature:
        item["encrypted_content"] = part.signature


def _tool_call(provider: str, call: ToolCall, style: InputStyle) -> _Item:
    if call.name in style.custom:
        return {
            "type": CUSTOM,
            "call_id": call.id,
            "name": call.name,
            "input": _input(provider, call.arguments),
        }
    arguments = encode_json(provider, call.arguments).decode()
    return {"type": FUNCTION, "call_id": call.id, "name": call.name, "arguments": arguments}


def _input(provider: str, arguments: Mapping[str, Any]) -> str:
    given = arguments.get("input")
    return given if isinstance(given, str) else encode_json(provider, arguments).decode()


def _tool_result(result: ToolResult, style: InputStyle) -> _Item:
    kind = CUSTOM if result.name in style.custom else FUNCTION
    return {"type": f"{kind}_output", "call_id": result.id, "output": sound_text(result.content)}
