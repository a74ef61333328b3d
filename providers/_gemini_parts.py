"""The parts of a message as Gemini takes them: https://ai.google.dev/api/caching#Part."""

from __future__ import annotations

import base64
import mimetypes
from typing import Any, assert_never
from urllib.parse import urlsplit

from ._conversation import sound_text
from ._gemini_calls import OWN_ID
from ._gemini_decoder import WIRE
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
from .messages import CachePoint, File, Image, Message, Part

__all__ = ["gemini_parts"]

_FILES = "https://generativelanguage.googleapis.com/v1beta/"


def gemini_parts(message: Message) -> list[dict[str, Any]]:
    """The message's parts, in order.

    A signature goes back with what it came on: with its thought, with its call, with the media it follows, and
    otherwise in a part with an empty text. What Gemini has no part for is left out.
    """
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, Thinking) and not part.text and parts and _is_unsigned_media(parts[-1]):
            parts[-1] |= _signed(part.signature)
        elif (written := _part(part)) is not None:
            parts.append(written)
    return parts


def _part(part: Part) -> dict[str, Any] | None:
    match part:
        case Text(text) | Refusal(text):
            return {"text": text} if text else None
        case Thinking(text, signature):
            thought = {"thought": True} if text else {}
            return {"text": text, **thought, **_signed(signature)} if signature else None
        case ToolCall(_, id_, name, arguments, signature):
            call = {"name": name, "args": arguments, **_named(id_)}
            return {"functionCall": call, **_signed(signature)}
        case ToolResult(id_, name, content, is_error):
            told = {"error" if is_error else "output": sound_text(content)}
            return {"functionResponse": {"name": name, "response": told, **_named(id_)}}
        case ServerToolCall() | ServerToolResult():
            return part.raw if part.wire == WIRE else None
        case Image() | Media():
            return _blob(part.media_type, part.data, part.url)
        case File(media_type, data, url, file_id):
            if file_id is not None and file_id.startswith("files/"):
                file_id = _FILES + file_id
            return _blob(media_type, data, url or file_id)
        case RedactedThinking() | CachePoint() | Citation():
            return None
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(part)


def _is_unsigned_media(part: dict[str, Any]) -> bool:
    return ("inlineData" in part or "fileData" in part) and "thoughtSignature" not in part


def _signed(signature: str | None) -> dict[str, Any]:
    return {"thoughtSignature": signature} if signature else {}


def _named(id_: str) -> dict[str, Any]:
    return {"id": id_} if id_ and not id_.startswith(OWN_ID) else {}


def _blob(media_type: str, data: bytes | None, url: str | None) -> dict[str, Any] | None:
    """Bytes, or the address of a file; its type is what its name says where that says one."""
    if data is None and url is not None and url.startswith("data:"):
        found = media(url, media_type)
        media_type, data = found.media_type, found.data
    if data is not None:
        return {"inlineData": {"mimeType": media_type, "data": base64.b64encode(data).decode("ascii")}}
    if url is None:
        return None
    named = mimetypes.guess_type(urlsplit(url).path)[0]
    return {"fileData": {"mimeType": named or media_type, "fileUri": url}}
