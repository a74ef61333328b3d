"""Images, documents and sounds as parts of a user's message: https://platform.openai.com/docs/guides/pdf-files."""

from __future__ import annotations

import base64
from typing import Any

from ._quirks import Dialect
from .errors import ConfigError
from .messages import File, Image

__all__ = ["file_part", "image_part"]

_SOUNDS = {
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
}


def image_part(image: Image) -> dict[str, Any]:
    """An image, by the URL it has or by one that holds it."""
    return _image(image.url or _data_url(image.media_type, image.data))


def file_part(provider: str, file: File, dialect: Dialect) -> dict[str, Any]:
    """A document, an image or a sound.

    OpenAI takes documents that are PDF, and none by a URL. OpenRouter takes any, and a URL in the place of the data;
    Mistral has a part of its own for both.

    Raises:
        ConfigError: For a file the server does not take, or not in this way.
    """
    kind = file.media_type.partition(";")[0].strip().lower()
    family, _, name = kind.partition("/")
    if family == "audio":
        return _sound(provider, file, kind, dialect)
    if file.file_id:
        if family == "image":
            raise ConfigError(f"{provider} takes no image by an id: give `data` or a `url`")
        return _by_id(file.file_id, dialect)
    if family == "image":
        return _image(file.url or _data_url(kind, file.data))
    if dialect == "mistral":
        named = {"document_name": file.name} if file.name else {}
        return {"type": "document_url", "document_url": file.url or _data_url(kind, file.data), **named}
    if dialect == "openai" and file.url:
        raise ConfigError(f"{provider} takes no file by a URL: give `data` or a `file_id`")
    if dialect == "openai" and kind != "application/pdf":
        raise ConfigError(f"{provider} takes no {kind} file, only PDF: give a text as a text")
    data = file.url or _data_url(kind, file.data)
    return {"type": "file", "file": {"filename": file.name or f"file.{name}", "file_data": data}}


def _by_id(file_id: str, dialect: Dialect) -> dict[str, Any]:
    return {
        "type": "file",
        **({"file_id": file_id} if dialect == "mistral" else {"file": {"file_id": file_id}}),
    }


def _sound(provider: str, file: File, kind: str, dialect: Dialect) -> dict[str, Any]:
    if not file.data or kind not in _SOUNDS:
        kinds = ", ".join(_SOUNDS)
        raise ConfigError(f"{provider} takes a sound as `data` that is {kinds}: this one is {kind}")
    data = base64.b64encode(file.data).decode("ascii")
    if dialect == "mistral":
        return {"type": "input_audio", "input_audio": data}
    return {"type": "input_audio", "input_audio": {"data": data, "format": _SOUNDS[kind]}}


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _data_url(media_type: str, data: bytes | None) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data or b'').decode('ascii')}"
