"""Images and documents as blocks of a message: https://docs.anthropic.com/en/docs/build-with-claude/files."""

from __future__ import annotations

import base64
from typing import Any

from .errors import ConfigError
from .messages import File, Image

__all__ = ["file_block", "image_block"]

_PDF = "application/pdf"


def image_block(provider: str, image: Image) -> dict[str, Any]:
    """An image, as its bytes or by its URL. Raises `ConfigError` for a URL that the provider cannot fetch."""
    if image.data:
        return {"type": "image", "source": _bytes(image.media_type, image.data)}
    return {"type": "image", "source": _fetched(provider, "an image", image.url)}


def file_block(provider: str, file: File) -> dict[str, Any]:
    """A PDF, a text or an image; what is kept under an id may be of any kind, which the provider's tools then read.

    Raises:
        ConfigError: For data of another kind, a text that is not UTF-8, and a URL of what is no PDF and no image.
    """
    kind = file.media_type.partition(";")[0].strip().lower()
    family = kind.partition("/")[0]
    if file.file_id:
        if family != "image" and family != "text" and kind != _PDF:
            return {"type": "container_upload", "file_id": file.file_id}
        source = {"type": "file", "file_id": file.file_id}
    elif file.url and (family == "image" or kind == _PDF):
        source = _fetched(provider, "a file", file.url)
    elif file.data and (family == "image" or kind == _PDF):
        source = _bytes(kind, file.data)
    elif file.data and family == "text":
        source = {"type": "text", "media_type": "text/plain", "data": _text(provider, file.data)}
    else:
        given = "its URL" if file.url else "`data`"
        raise ConfigError(
            f"{provider} takes no {kind} file by {given}: only images, PDF, and texts as `data`"
        )
    if family == "image":
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, **({"title": file.name} if file.name else {})}


def _bytes(media_type: str, data: bytes) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode("ascii")}


def _fetched(provider: str, what: str, url: str | None) -> dict[str, Any]:
    if url is None or not url.startswith(("https://", "http://")):
        raise ConfigError(
            f"{provider}: {what}'s URL is fetched by the provider, so it is an http one; give `data`"
        )
    return {"type": "url", "url": url}


def _text(provider: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        position = error.start  # the exception holds the whole file
    raise ConfigError(f"{provider}: a text file is UTF-8; this one is not, at byte {position}")
