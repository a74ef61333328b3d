"""A good conversation, written down once and rendered in any wire."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streamd.providers import StopReason, Usage

__all__ = [
    "HELLO",
    "NAMED",
    "ONE_TOOL",
    "THINKING",
    "THREE_ROUNDS",
    "TWO_TOOLS",
    "CallPart",
    "Part",
    "Scenario",
    "TextPart",
    "ThinkingPart",
    "Turn",
    "cut_evenly",
]


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


class Scenario(Struct, frozen=True):
    """A conversation in which nothing goes wrong: the turns that a provider answers, one for each request.

    It is built by methods that each return a new one:
    `Scenario().text("Hel", "lo").call("weather", {"city": "Oslo"}, pieces=3).usage(10, 5).then().text("Rain.")`.
    """

    turns: tuple[Turn, ...] = (Turn(),)
    prompt: str = "Hi"

    def text(self, *pieces: str) -> Scenario:
        """Add visible text, in these pieces."""
        return self._add(TextPart(pieces))

    def thinking(self, *pieces: str, signature: str | None = None) -> Scenario:
        """Add a block of reasoning, in these pieces; `signature` (base64) signs it, where the wire can."""
        return self._add(ThinkingPart(pieces, signature))

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        pieces: int = 1,
        result: str = "done",
        id: str | None = None,  # noqa: A002 - the providers' own word
    ) -> Scenario:
        """Add a tool call.

        Args:
            name: The tool's.
            arguments: The keys are identifiers, the values JSON's; none if None.
            pieces: In how many pieces the arguments' JSON text comes, on the wires that send it in pieces.
            result: What the tool answers.
            id: The call's; one that tells its turn and its place if None.
        """
        own = f"call_{len(self.turns)}_{len(self.turns[-1].calls) + 1}"
        return self._add(CallPart(id or own, name, dict(arguments or {}), pieces, result))

    def usage(self, input_tokens: int, output_tokens: int) -> Scenario:
        """Say what the turn counts, in tokens."""
        return self._replace(replace(self.turns[-1], usage=Usage(input_tokens, output_tokens)))

    def stop(self, reason: StopReason) -> Scenario:
        """Say why the turn ends, where it is not for its calls or for having said all."""
        return self._replace(replace(self.turns[-1], reason=reason))

    def then(self) -> Scenario:
        """Begin the next turn, which answers the results of this one's calls."""
        return replace(self, turns=(*self.turns, Turn()))

    def ask(self, prompt: str) -> Scenario:
        """Say what the user asks first."""
        return replace(self, prompt=prompt)

    def _add(self, part: Part) -> Scenario:
        turn = self.turns[-1]
        return self._replace(replace(turn, parts=(*turn.parts, part)))

    def _replace(self, turn: Turn) -> Scenario:
        return replace(self, turns=(*self.turns[:-1], turn))


def cut_evenly(text: str, pieces: int) -> tuple[str, ...]:
    """A text in so many pieces of about one size; fewer where it has fewer characters."""
    count = max(1, min(pieces, len(text)))
    marks = [len(text) * place // count for place in range(count + 1)]
    return tuple(text[start:end] for start, end in itertools.pairwise(marks))


HELLO = Scenario().text("Hel", "lo, wörld", " \U0001f44b", "!").usage(10, 5)
"""A greeting in four pieces, with characters of one, two and four bytes."""

THINKING = (
    Scenario().thinking("Two and two", " is four.", signature="c2lnbmVk").text("It is ", "4.").usage(12, 9)
)
"""Signed reasoning, and then the answer."""

ONE_TOOL = (
    Scenario()
    .text("Let me look.")
    .call("weather", {"city": "Oslo", "days": 2}, pieces=3, result="rain, 8 °C")
    .usage(20, 12)
    .then()
    .text("It rains", " in Oslo.")
    .usage(40, 6)
)
"""One tool call with its arguments in three pieces, and the answer to its result."""

TWO_TOOLS = (
    Scenario()
    .call("weather", {"city": "Oslo", "days": 1}, pieces=2, result="rain")
    .call("clock", {}, result="12:30")
    .usage(25, 20)
    .then()
    .text("Rain, and", " half past twelve.")
    .usage(60, 8)
)
"""Two calls in one turn, one of them without arguments."""

THREE_ROUNDS = (
    Scenario()
    .call("search", {"query": "fjords"}, pieces=4, result="three found")
    .usage(15, 10)
    .then()
    .text("One more. ")
    .call("search", {"query": "ferries"}, pieces=2, result="none")
    .usage(35, 12)
    .then()
    .text("No ferry ", "goes there.")
    .usage(55, 7)
)
"""A call, another after its result, and the answer."""

NAMED: dict[str, Scenario] = {
    "hello": HELLO,
    "thinking": THINKING,
    "one_tool": ONE_TOOL,
    "two_tools": TWO_TOOLS,
    "three_rounds": THREE_ROUNDS,
}
"""The scenarios that come with the harness, by name."""
