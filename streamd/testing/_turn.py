"""One answer of the model, as a scenario writes it down."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from msgspec import Struct

from streamd.providers import StopReason, Usage

__all__ = ["CallPart", "Part", "TextPart", "ThinkingPart", "Turn", "cut_evenly"]


class TextPart(Struct, frozen=True, tag="text"):
    """Visible text, in the pieces in which the provider sends it."""

    pieces: tuple[str, ...]


class ThinkingPart(Struct, frozen=True, tag="thinking"):
    """A block of reasoning, in the provider's pieces; `signature` is its proof, on the wires that have one."""

    pieces: tuple[str, ...]
    signature: str | None = None


class CallPart(Struct, frozen=True, tag="call"):
    """A tool call, whose arguments' JSON text comes in so many `pieces`; `result` is what the tool will answer.

    The keys of `arguments` are identifiers, as they are the parameters of the tool that a world offers.
    """

    id: str
    name: str
    arguments: dict[str, Any]
    pieces: int = 1
    result: str = "done"

    @property
    def fragments(self) -> tuple[str, ...]:
        """The arguments' JSON text in its pieces."""
        return cut_evenly(msgspec.json.encode(self.arguments).decode(), self.pieces)


Part = TextPart | ThinkingPart | CallPart


class Turn(Struct, frozen=True):
    """One answer of the model: its parts in order, the tokens it counts, and why it ends."""

    parts: tuple[Part, ...] = ()
    usage: Usage = Usage(10, 5)
    reason: StopReason | None = None

    @property
    def text(self) -> str:
        """The visible text."""
        return "".join(piece for part in self.parts if isinstance(part, TextPart) for piece in part.pieces)

    @property
    def calls(self) -> tuple[CallPart, ...]:
        """The tool calls."""
        return tuple(part for part in self.parts if isinstance(part, CallPart))

    @property
    def stop_reason(self) -> StopReason:
        """Why it ends: what was said, or else `tool_calls` where it has any, or else `stop`."""
        return self.reason or ("tool_calls" if self.calls else "stop")


def cut_evenly(text: str, pieces: int) -> tuple[str, ...]:
    """A text in so many pieces of about one size; fewer where it has fewer characters."""
    count = max(1, min(pieces, len(text)))
    marks = [len(text) * place // count for place in range(count + 1)]
    return tuple(text[start:end] for start, end in itertools.pairwise(marks))
