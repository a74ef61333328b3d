"""Chunks back to the message they were."""

from __future__ import annotations

from collections.abc import Iterable

from .chunks import (
    Chunk,
    Citation,
    LogProbs,
    Media,
    Metadata,
    RedactedThinking,
    Refusal,
    Reset,
    ServerToolCall,
    ServerToolResult,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from .messages import Message, Part

__all__ = ["Folding", "fold"]


_MANY = 256
"""So many pieces of a text are joined: apart each takes some fifty bytes beside its own."""


def fold(chunks: Iterable[Chunk]) -> Message:
    """The assistant's message that these chunks are, however far they go.

    Neighbouring texts are joined into one part. Thinking is joined into blocks: a signature closes a block, and so
    does any other part. A tool call stands where its first fragment stood, and only if it closed. `usage` is the last
    that was reported; `stop_reason` is None where no `Stop` came. A `Reset` voids all that came before it.
    """
    folding = Folding()
    folding.add(chunks)
    return folding.message()


class Folding:
    """A message in the making: `add` the chunks as they come, take the `message` at any time.

    All calls of `add` together take time linear in the chunks; `message` takes time linear in the message.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._parts: list[Part | None] = []  # None where a tool call has begun and is not closed
        self._places: dict[int, int] = {}
        # Of the part that is still growing.
        self._kind: type[Text] | type[Thinking] | type[Refusal] | None = None
        self._joined: list[str] = []  # its first pieces, many in one
        self._pieces: list[str] = []
        self._usage: Usage | None = None
        self._metadata: Metadata | None = None
        self._stop_reason: StopReason | None = None

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Take the next chunks."""
        pieces = self._pieces
        kind = self._kind
        for chunk in chunks:
            if type(chunk) is Text and kind is Text:
                pieces.append(chunk.text)
            else:
                self._take(chunk)
                pieces, kind = self._pieces, self._kind
        if len(pieces) > _MANY:
            self._joined.append("".join(pieces))
            pieces.clear()

    @property
    def usage(self) -> Usage | None:
        """The last usage that was reported."""
        return self._usage

    @property
    def metadata(self) -> Metadata | None:
        """The last the provider said of the response."""
        return self._metadata

    def message(self) -> Message:
        """The message so far."""
        parts = [part for part in self._parts if part is not None]
        parts += self._growing(None)
        return Message("assistant", tuple(parts), self._usage, self._stop_reason)

    def _take(self, chunk: Chunk) -> None:
        match chunk:
            case Text(text):
                self._grow(Text, text)
            case Thinking(text, signature, id_):
                self._grow(Thinking, text)
                if signature is not None or id_ is not None:
                    self._settle(signature, id_)
            case Refusal(text):
                self._grow(Refusal, text)
            case ToolCallDelta(index):
                if index not in self._places:
                    self._settle(None)
                    self._places[index] = len(self._parts)
                    self._parts.append(None)
            case ToolCall(index):
                if index in self._places:
                    self._parts[self._places[index]] = chunk
                else:
                    self._settle(None)
                    self._parts.append(chunk)
            case (
                RedactedThinking()
                | ToolResult()
                | ServerToolCall()
                | ServerToolResult()
                | Citation()
                | Media()
            ):
                self._settle(None)
                self._parts.append(chunk)
            case Usage():
                self._usage = chunk
            case Stop(reason, usage):
                self._settle(None)
                self._places.clear()
                self._usage = usage or self._usage
                self._stop_reason = reason
            case Reset():
                self._clear()
            case Metadata():
                self._metadata = chunk
            case LogProbs():
                pass  # they say something of the text, and are none of it

    def _grow(self, kind: type[Text] | type[Thinking] | type[Refusal], text: str) -> None:
        if kind is not self._kind:
            self._settle(None)
            self._kind = kind
        self._pieces.append(text)

    def _settle(self, signature: str | None, id_: str | None = None) -> None:
        self._parts += self._growing(signature, id_)
        self._kind = None
        self._joined, self._pieces = [], []

    def _growing(self, signature: str | None, id_: str | None = None) -> list[Part]:
        text = "".join((*self._joined, *self._pieces))
        if self._kind is Thinking and (text or signature or id_):
            return [Thinking(text, signature, id_)]
        if self._kind is None or self._kind is Thinking or not text:
            return []
        return [self._kind(text)]
