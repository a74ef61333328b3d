"""What a model thought before it answered: summaries of it, or the thoughts themselves, and what proves them.

https://platform.openai.com/docs/guides/reasoning
"""

from __future__ import annotations

from typing import Any, Literal

from ._json import as_list, as_object, as_text
from ._openai_responses_events import ResponsesEvent
from ._openai_responses_items import OutputItem
from .chunks import Chunk, Thinking

__all__ = ["REASONING_EVENTS", "ResponsesReasoning"]

_Field = Literal["summary", "content"]

REASONING_EVENTS: dict[str, tuple[_Field, bool]] = {
    "response.reasoning_summary_text.delta": ("summary", False),
    "response.reasoning_summary_text.done": ("summary", True),
    "response.reasoning_summary.delta": ("summary", False),
    "response.reasoning_summary.done": ("summary", True),
    "response.reasoning_text.delta": ("content", False),
    "response.reasoning_text.done": ("content", True),
    "response.reasoning.delta": ("content", False),
    "response.reasoning.done": ("content", True),
}
"""Of which field of a reasoning item an event tells, and whether it tells that part whole."""


class ResponsesReasoning:
    """The reasoning items of one response.

    Each part of a summary is a block of its own: a `Thinking` without text that names the item closes it, and the last
    one carries the item's encrypted content as its signature. A block is closed too where another item is told before
    it ends, so that its text never mingles with that.
    """

    def __init__(self) -> None:
        self.open: OutputItem | None = None  # thoughts of it were delivered, and no chunk named it since

    def take(
        self, item: OutputItem, field: _Field, event: ResponsesEvent, out: list[Chunk], *, whole: bool
    ) -> None:
        """An event that tells a piece of a part, or a whole one."""
        index = event.summary_index if field == "summary" else event.content_index
        if whole:
            self._think(item, index or 0, item.text(field).rest_of_part(index, event.text or ""), out)
        elif event.delta:
            item.text(field).add(event.delta)
            self._think(item, index or 0, event.delta, out)

    def complete(self, item: OutputItem, told: dict[str, Any], out: list[Chunk]) -> None:
        """Deliver what the whole item has beyond the events before it, and close it.

        Of an item of which nothing was told before, and which has both a summary and the thoughts, it is the summary.
        """
        if self.open is not item:
            self.pause(out)
        fields: tuple[_Field, ...] = ("summary", "content")
        for field in fields:
            texts = [as_text(as_object(part).get("text")) or "" for part in as_list(told.get(field))]
            if any(texts) and (not item.said or field in item.said):
                self._think_rest(item, texts, len(item.text(field).rest("".join(texts))), out)
        item.id = as_text(told.get("id")) or item.id  # what was encrypted goes back under the id it came with
        proof = as_text(told.get("encrypted_content"))
        if proof is not None and not item.told:
            item.told = True
            self._close(item, proof, out)
        elif self.open is item:
            self.pause(out)

    def pause(self, out: list[Chunk]) -> None:
        """Another item is told now: close the block that is open."""
        if self.open is not None:
            self._close(self.open, None, out)

    def _think_rest(self, item: OutputItem, texts: list[str], rest: int, out: list[Chunk]) -> None:
        """Of these parts, the last so many characters."""
        known = sum(map(len, texts)) - rest
        for index, text in enumerate(texts):
            self._think(item, index, text[known:] if known > 0 else text, out)
            known -= len(text)

    def _think(self, item: OutputItem, index: int, text: str, out: list[Chunk]) -> None:
        if not text:
            return
        if self.open is not None and (self.open is not item or item.part != index):
            self.pause(out)
        self.open = item
        item.part = index
        out.append(Thinking(text))

    def _close(self, item: OutputItem, proof: str | None, out: list[Chunk]) -> None:
        self.open = None
        if proof is not None or item.id:
            out.append(Thinking("", proof, item.id or None))
