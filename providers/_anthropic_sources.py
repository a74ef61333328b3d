"""The sources of a text: https://docs.anthropic.com/en/docs/build-with-claude/citations."""

from __future__ import annotations

from typing import Any

from ._anthropic_blocks import WIRE
from ._json import as_text
from .chunks import Chunk, Citation

__all__ = ["Sources"]

_MAX_WAITING = 128


class Sources:
    """Sources that wait for the end of the text they stand for: on the wire they come before it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[int | None, list[Citation]] = {}  # by the block's index on the wire

    def add(self, index: int | None, told: dict[str, Any], out: list[Chunk]) -> None:
        """Keep a source, of whatever kind its place is; of very many some do not wait."""
        url = as_text(told.get("url")) or as_text(told.get("source"))
        title = as_text(told.get("title")) or as_text(told.get("document_title"))
        text = as_text(told.get("cited_text"))
        if url or title or text:
            self._waiting.setdefault(index, []).append(Citation(url, title, text, WIRE, told))
            if sum(map(len, self._waiting.values())) >= _MAX_WAITING:
                self.end(index, out)

    def end(self, index: int | None, out: list[Chunk]) -> None:
        """The block has ended: tell its sources."""
        out += self._waiting.pop(index, ())

    def end_all(self, out: list[Chunk]) -> None:
        """The turn is over."""
        for index in list(self._waiting):
            self.end(index, out)
