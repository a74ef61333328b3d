"""A good conversation, written down once and rendered in any wire."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from streamd.providers import StopReason, Usage

from ._recorded import recorded_turns
from ._turn import CallPart, Part, TextPart, ThinkingPart, Turn

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
]


class Scenario(Struct, frozen=True):
    """A conversation in which nothing goes wrong: the turns that a provider answers, one for each request.

    It is built by methods that each return a new one:
    `Scenario().text("Hel", "lo").call("weather", {"city": "Oslo"}, pieces=3).usage(10, 5).then().text("Rain.")`.
    """

    turns: tuple[Turn, ...] = (Turn(),)
    prompt: str = "Hi"

    @classmethod
    def from_recording(cls, path: str | os.PathLike[str]) -> Scenario:
        """The conversation that a session recorded, in the provider's own pieces; its prompt is not `prompt`.

        Args:
            path: What `streamd.open_session(record=...)` wrote. Of several attempts at one turn the last counts.

        Raises:
            ConfigError: The file is no recording, or one of its answers was not whole.
        """
        return cls(recorded_turns(path))

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
