"""The visible text of a session, without the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self, final

from streamd.providers import Reset, Stop, Text

from .errors import StreamdError

if TYPE_CHECKING:
    from ._session import Session

__all__ = ["TextStream"]


@final
class TextStream:
    """The visible text of a session, piece by piece; reading it reads the session.

    Args:
        session: Whose text it is.
        voided: The errors of the turns that were taken back, by the number of the attempt that followed.
    """

    def __init__(self, session: Session, voided: Mapping[int, StreamdError]) -> None:
        self._session = session
        self._voided = voided
        self._given = False  # text of the turn under way

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            match await self._session.__anext__():
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
