"""Images, documents and sounds as parts of a response's input."""

from __future__ import annotations

import base64
from typing import Any

from .errors import ConfigError
from .messages import File, Image

__all__ = ["input_file", "input_image"]

_SOUNDS = {
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
}


def input_image(image: Image) -> dict[str, Any]:
    """An image, as the URL it has or as one that holds it."""
    return _image({"image_url": image.url or _data_url(image.media_type, image.data)})


def input_file(provider: str, file: File) -> dict[str, Any]:
    """A document or a sound. Raises `ConfigError` for a sound that cannot be sent."""
    kind = file.media_type.partition(";")[0].strip().lower()
    family, _, name = kind.partition("/")
    if family == "audio":
        if not file.data or kind not in _SOUNDS:
            kinds = ", ".join(_SOUNDS)
            raise ConfigError(f"{provider} takes a sound as `data` that is {kinds}: this one is {kind}")
        return {
            "type": "input_audio",
            "input_audio": {"data": base64.b64encode(file.data).decode("ascii"), "format": _SOUNDS[kind]},
        }
    if family == "image":
        held = {"file_id": file.file_id} if file.file_id else None
        return _image(held or {"image_url": file.url or _data_url(kind, file.data)})
    if file.file_id:
        return {"type": "input_file", "file_id": file.file_id}
    if file.url:
        return {"type": "input_file", "file_url": file.url}
    return {
        "type": "input_file",
        "filename": file.name or f"file.{name}",
        "file_data": _data_url(kind, file.data),
    }


def _image(held: dict[str, Any]) -> dict[str, Any]:
    return {"type": "input_image", "detail": "auto", **held}


def _data_url(media_type: str, data: bytes | None) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data or b'').decode('ascii')}"
