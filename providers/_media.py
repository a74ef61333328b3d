"""Media that arrive as a URL."""

from __future__ import annotations

import base64
import binascii

from .chunks import Media

__all__ = ["media"]


def media(url: str, default_type: str = "image/png") -> Media:
    """The media that `url` stands for: its own bytes where it is a `data:` URL in base64 (RFC 2397), else the URL."""
    head, comma, text = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        try:
            data = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return Media(default_type, url=url)
        return Media(head[5:-7].partition(";")[0] or default_type, data=data)
    return Media(default_type, url=url)
