"""The tools that run at the provider, or that only a caller of this API can run: their items as chunks.

https://platform.openai.com/docs/guides/tools
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ._json import as_object, as_text
from ._tool_calls import arguments_object
from .chunks import Chunk, Media, ServerToolCall, ServerToolResult

__all__ = ["WIRE", "decoded", "server_tool"]

WIRE = "openai-responses"

_ENVELOPE = frozenset(("call_id", "caller", "error", "id", "status", "type"))
_RESULTS = ("results", "outputs", "output", "result", "tools")
_ANSWERS = ("_output", "_response")
_IMAGE = "image_generation_call"


def decoded(text: object) -> bytes | None:
    """The bytes that `text` is the base64 of; None where it is not."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def server_tool(item: dict[str, Any]) -> list[Chunk]:
    """An item that is no message, no reasoning and no call of the caller's functions.

    Such an item holds a call, and mostly its result too: then both chunks have the same `raw`, which goes back once.
    An item whose type ends in `_output` or `_response` is a result alone. The arguments are those the item names so,
    else its `action`, else whatever it holds besides its result. A drawn image is a `Media`.
    """
    kind = as_text(item.get("type")) or ""
    id_ = as_text(item.get("call_id")) or as_text(item.get("id")) or ""
    name = as_text(item.get("name")) or kind.removesuffix("_call")
    found = next((item[key] for key in _RESULTS if item.get(key) is not None), None)
    failed = item.get("status") == "failed" or bool(item.get("error"))
    if kind.endswith(_ANSWERS):
        return [ServerToolResult(id_, name, found, WIRE, item, failed)]
    chunks: list[Chunk] = [ServerToolCall(id_, name, _arguments(item), WIRE, item)]
    if kind == _IMAGE and not failed:
        data = decoded(found)
        media_type = f"image/{as_text(item.get('output_format')) or 'png'}"
        return chunks if data is None else [*chunks, Media(media_type, data=data)]
    if found is not None or failed:
        content = item.get("error") if failed and found is None else found
        chunks.append(ServerToolResult(id_, name, content, WIRE, item, failed))
    return chunks


def _arguments(item: dict[str, Any]) -> dict[str, Any]:
    given = item.get("arguments")
    if isinstance(given, str):
        return arguments_object(given) or {}
    if found := as_object(given) or as_object(item.get("action")):
        return found
    return {
        key: value
        for key, value in item.items()
        if key not in _ENVELOPE
        and key not in _RESULTS
        and key not in {"arguments", "name"}
        and value is not None
    }
