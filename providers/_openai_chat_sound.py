"""Spoken answers: https://platform.openai.com/docs/guides/audio."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ._json import as_text
from .chunks import Chunk, Media, Text
from .messages import Message

__all__ = ["Sound", "sound_id"]

_TYPE = "audio/pcm"  # of the formats to be had the one that can be streamed; an event does not name it
_MAX_ID = 256


class Sound:
    """A spoken answer, while it arrives: its words are text, and its sound carries the id by which it goes back."""

    __slots__ = ("_id",)

    def __init__(self) -> None:
        self._id: str | None = None

    def add(self, audio: dict[str, Any], out: list[Chunk]) -> None:
        """Tell of the next piece."""
        id_ = as_text(audio.get("id"))
        if id_ is not None and len(id_) <= _MAX_ID:
            self._id = id_
        words, sound = as_text(audio.get("transcript")), as_text(audio.get("data"))
        if words is not None:
            out.append(Text(words))
        if sound is not None:
            try:
                data = base64.b64decode(sound, validate=True)
            except (ValueError, binascii.Error):
                return
            out.append(Media(_TYPE, data=data, id=self._id))


def sound_id(message: Message) -> str | None:
    """The id of what was spoken in this turn; None where nothing was."""
    spoken = (part for part in message.content if isinstance(part, Media))
    return next((part.id for part in spoken if part.id and part.media_type == _TYPE), None)
