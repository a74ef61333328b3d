"""The messages of a conversation as Anthropic takes them: docs.anthropic.com/en/api/messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from ._anthropic_blocks import WIRE, call_caller
from ._anthropic_files import file_block, image_block
from ._conversation import sound_text
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
from .messages import CachePoint, Context, File, Image, Message, Part

__all__ = ["Block", "Turn", "system_blocks", "turns_of"]

Block = dict[str, Any]
"""A content block."""

Turn = tuple[str, list[Block | CachePoint]]
"""A role and what it says; a cache point stands behind the block it is for."""

_THINKING = frozenset(("thinking", "redacted_thinking"))


def system_blocks(context: Context) -> list[Block | CachePoint]:
    """The instruction over the conversation and all system messages, in order; blank ones are left out."""
    blocks: list[Block | CachePoint] = [*_texts([context.system or ""])]
    for message in context.messages:
        if message.role == "system":
            texts: list[str] = []
            for part in message.content:
                if isinstance(part, CachePoint):
                    blocks += [*_texts(texts), part]
                    texts = []
                elif isinstance(part, Text):
                    texts.append(part.text)
            blocks += _texts(texts)
    return blocks


def _texts(texts: Iterable[str]) -> list[Block]:
    text = "".join(texts)
    return [{"type": "text", "text": text}] if text.strip() else []


def turns_of(provider: str, messages: Sequence[Message]) -> list[Turn]:
    """The turns: neighbours of one role are one, and a tool's result is a user's.

    What the provider's own tools did goes back in its place, as do sources, on the text before them. What would be
    refused is left out: thinking without a signature (another provider's, or cut off), thinking that nothing follows
    (of a turn that was cut off), blank texts, a turn with nothing left; and so is what other providers' tools did.

    Raises:
        ConfigError: For an image or a file that the wire cannot carry.
    """
    turns: list[Turn] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        for part in message.content:
            _add(provider, part, turns[-1][1])
    for _, blocks in turns:
        end = len(blocks)
        while end and (isinstance(last := blocks[end - 1], CachePoint) or last["type"] in _THINKING):
            end -= 1
        blocks[end:] = [point for point in blocks[end:] if isinstance(point, CachePoint)]
    return _joined(turn for turn in turns if any(isinstance(block, dict) for block in turn[1]))


def _joined(turns: Iterable[Turn]) -> list[Turn]:
    """What stood around a turn with nothing left is of one role."""
    joined: list[Turn] = []
    for role, blocks in turns:
        if joined and joined[-1][0] == role:
            joined[-1][1].extend(blocks)
        else:
            joined.append((role, blocks))
    return joined


def _add(provider: str, part: Part, blocks: list[Block | CachePoint]) -> None:
    match part:
        case CachePoint():
            blocks.append(part)
        case Citation(wire=wire, raw=raw):
            last = blocks[-1] if blocks else None
            if wire == WIRE and raw and isinstance(last, dict) and last["type"] == "text":
                last.setdefault("citations", []).append(raw)
        case _:
            block = _block(provider, part)
            if block is not None:
                blocks.append(block)


def _block(provider: str, part: Part) -> Block | None:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text} if text.strip() else None
        case Thinking(text, signature):
            return {"type": "thinking", "thinking": text, "signature": signature} if signature else None
        case RedactedThinking(data):
            return {"type": "redacted_thinking", "data": data}
        case ToolCall(_, id_, name, arguments, signature):
            call = {"type": "tool_use", "id": id_, "name": name, "input": arguments}
            return {**call, **call_caller(signature)}
        case ToolResult():
            return _tool_result(part)
        case ServerToolCall(wire=wire, raw=raw) | ServerToolResult(wire=wire, raw=raw):
            return dict(raw) if wire == WIRE and raw.get("type") else None
        case Image():
            return image_block(provider, part)
        case File():
            return file_block(provider, part)
        case CachePoint() | Citation() | Media():  # seen to by `_add`, or refused by `check_conversation`
            return None
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(part)


def _tool_result(result: ToolResult) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": result.id}
    if result.content:
        block["content"] = sound_text(result.content)
    if result.is_error:
        block["is_error"] = True
    return block
