"""The turns of a conversation as Converse takes them.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from typing import Any, assert_never

from ._bedrock_converse_blocks import WIRE
from ._conversation import sound_text
from ._media import media
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
from .messages import CachePoint, CacheTime, Context, File, Image, Message, Part

__all__ = ["cache_point", "converse_turns", "system_blocks"]

_IMAGES = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_OFFICE = "application/vnd.openxmlformats-officedocument."
_FILES = {
    "document": {
        "application/pdf": "pdf",
        "application/msword": "doc",
        "application/vnd.ms-excel": "xls",
        f"{_OFFICE}spreadsheetml.sheet": "xlsx",
        f"{_OFFICE}wordprocessingml.document": "docx",
        "text/csv": "csv",
        "text/html": "html",
        "text/markdown": "md",
        "text/plain": "txt",
    },
    "video": {
        "video/3gpp": "three_gp",
        "video/mp4": "mp4",
        "video/mpeg": "mpeg",
        "video/quicktime": "mov",
        "video/webm": "webm",
        "video/x-flv": "flv",
        "video/x-matroska": "mkv",
        "video/x-ms-wmv": "wmv",
    },
    "audio": {
        "audio/aac": "aac",
        "audio/flac": "flac",
        "audio/mp4": "mp4",
        "audio/mpeg": "mp3",
        "audio/ogg": "ogg",
        "audio/opus": "opus",
        "audio/wav": "wav",
        "audio/webm": "webm",
        "audio/x-wav": "wav",
    },
}
_NO_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_NO_NAME = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+", re.ASCII)
_MAX_ID = 64
_MAX_NAME = 190  # 200, less what tells two of one name apart


def cache_point(time: CacheTime) -> dict[str, Any]:
    """The block that says that what comes before it is cached; five minutes are what it stands for by itself."""
    return {"cachePoint": {"type": "default", **({"ttl": time} if time != "5m" else {})}}


def system_blocks(context: Context) -> list[dict[str, Any]]:
    """The instruction, and after it all system messages."""
    blocks: list[dict[str, Any]] = []
    if context.system and context.system.strip():
        blocks.append({"text": context.system})
    for message in context.messages:
        for part in message.content if message.role == "system" else ():
            if isinstance(part, Text) and part.text.strip():
                blocks.append({"text": part.text})
            elif isinstance(part, CachePoint) and blocks and "cachePoint" not in blocks[-1]:
                blocks.append(cache_point(part.time))
    return blocks


def converse_turns(provider: str, context: Context) -> list[dict[str, Any]]:
    """The other messages, in order.

    Roles must alternate, so neighbours of one role become one message; tool results are a user's. Signed and encrypted
    reasoning goes back unchanged and in its place. What would be refused is left out: reasoning without a signature
    (another provider's, or cut off), reasoning that nothing follows, blank texts, a turn with nothing left; and so are
    citations. Documents of one name are told apart by numbers.

    Raises:
        ConfigError: For an image or a file of a type, or at a place, that the API cannot take.
    """
    turns: list[dict[str, Any]] = []
    for message in context.messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        content = _blocks(provider, message)
        while content and "cachePoint" in content[0]:  # it stands for what is before the message
            point = content.pop(0)
            if turns and "cachePoint" not in turns[-1]["content"][-1]:
                turns[-1]["content"].append(point)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += content
        elif content:
            turns.append({"role": role, "content": content})
    _tell_apart([block["document"] for turn in turns for block in turn["content"] if "document" in block])
    return turns


def _blocks(provider: str, message: Message) -> list[dict[str, Any]]:
    blocks = [block for block in (_block(provider, part) for part in message.content) if block is not None]
    while blocks and "reasoningContent" in blocks[-1]:
        blocks.pop()
    return blocks


def _block(provider: str, part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text.strip() else None
        case Thinking(text, signature):
            told = {"text": text, "signature": signature}
            return {"reasoningContent": {"reasoningText": told}} if signature else None
        case RedactedThinking(data):
            return {"reasoningContent": {"redactedContent": data}}
        case ToolCall(_, id_, name, arguments):
            return {"toolUse": {"toolUseId": _id(id_), "name": name, "input": arguments}}
        case ToolResult():
            return {"toolResult": _result(part)}
        case ServerToolCall(wire=wire, raw=raw):
            return {"toolUse": raw} if wire == WIRE else None
        case ServerToolResult(wire=wire, raw=raw):
            return {"toolResult": raw} if wire == WIRE else None
        case Image():
            return {"image": _image(provider, part)}
        case File():
            return _file(provider, part)
        case CachePoint(time):
            return cache_point(time)
        case Citation() | Media():  # media are refused by `check_conversation`
            return None
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(part)


def _id(text: str) -> str:
    """The id of a call as the API takes it: another provider's may have other characters."""
    return _NO_ID.sub("_", text)[:_MAX_ID] or "call"


def _result(result: ToolResult) -> dict[str, Any]:
    text = sound_text(result.content)
    told = {"toolUseId": _id(result.id), "content": [{"text": text}] if text.strip() else []}
    return {**told, "status": "error"} if result.is_error else told


def _image(provider: str, image: Image) -> dict[str, Any]:
    kind, source = _source(provider, "image", image.media_type, image.data, image.url)
    format_ = _IMAGES.get(kind)
    if format_ is None:
        raise ConfigError(f"{provider}: an image is one of {', '.join(_IMAGES)}, not {kind!r}")
    return {"format": format_, "source": source}


def _file(provider: str, file: File) -> dict[str, Any]:
    if file.file_id is not None:
        raise ConfigError(
            f"{provider}: this API keeps no files: give a file's `data`, or its place in S3 as `url`"
        )
    media_type, source = _source(provider, "file", file.media_type, file.data, file.url)
    kind = next((kind for kind, formats in _FILES.items() if media_type in formats), None)
    if kind is None:
        known = ", ".join(known for formats in _FILES.values() for known in formats)
        raise ConfigError(f"{provider}: a file is one of {known}, not {media_type!r}")
    told = {"format": _FILES[kind][media_type], "source": source}
    return {kind: {**told, "name": _name(file.name)} if kind == "document" else told}


def _source(
    provider: str, what: str, media_type: str, data: bytes | None, url: str | None
) -> tuple[str, dict[str, Any]]:
    """The type of the data, and where they are."""
    if data is None and url is not None and url.startswith("data:"):
        found = media(url, media_type)
        media_type, data = found.media_type, found.data
    kind = media_type.partition(";")[0].strip().lower()
    if data is not None:
        return kind, {"bytes": base64.b64encode(data).decode("ascii")}
    if url is None or not url.startswith("s3://"):
        raise ConfigError(f"{provider}: the URL of this {what} is not one of S3 (s3://…): give its `data`")
    return kind, {"s3Location": {"uri": url}}


def _name(name: str | None) -> str:
    """A document's name with the characters the API takes; a dot, as before an extension, is none of them."""
    return " ".join(_NO_NAME.sub(" ", name or "").split())[:_MAX_NAME].rstrip() or "document"


def _tell_apart(documents: list[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for document in documents:
        name = document["name"]
        seen[name] += 1
        if seen[name] > 1:
            document["name"] = f"{name} ({seen[name]})"
