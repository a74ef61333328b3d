"""The visible text of a session, without the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, final

import trio

from streamd.providers import Chunk, Reset, Stop, Text

from .errors import StreamdError

__all__ = ["TextStream"]


@final
class TextStream:
    """The visible text of a session, piece by piece; reading it reads the session.

    Args:
        chunks: The session whose text it is.
        voided: The errors of the turns that were taken back, by the number of the attempt that followed.
    """

    def __init__(self, chunks: trio.abc.ReceiveChannel[Chunk], voided: Mapping[int, StreamdError]) -> None:
        self._chunks = chunks
        self._voided = voided
        self._given = False  # text of the turn under way

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            match await self._chunks.__anext__():
                case Text(text):
                    self._given = True
                    return text
                case Stop():
                    self._given = False
                case Reset(attempt) if self._given:
                    self._given = False
                    raise self._voided[attempt]
                case _:
                    pass
