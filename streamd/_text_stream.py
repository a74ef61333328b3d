"""The visible text of a session, without the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

from streamd.providers import Text

if TYPE_CHECKING:
    from ._session import Session

__all__ = ["TextStream"]


@final
class TextStream:
    """The visible text of a session, piece by piece; reading it reads the session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            chunk = await self._session.__anext__()
            if isinstance(chunk, Text):
                return chunk.text
