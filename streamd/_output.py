"""An answer as a value of the type that was asked for, and what the model is told where it is none."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from msgspec import Struct

from streamd.providers import Message, OutputSpec, StopReason, ToolCall, ToolResult

from ._arguments import is_whole
from ._output_schema import Mismatch, OutputSchema
from .errors import ConfigError, OutputError

__all__ = ["Output", "arguments_text", "output_of", "unfenced"]

_FENCE = re.compile(r"\s*```json[ \t]*\r?\n(?P<inner>.*?)\s*```\s*", re.DOTALL)
_REFUSED: dict[StopReason, str] = {
    "refusal": "the model refused to answer",
    "content_filter": "the provider's filter took the answer away",
    "pause": "the provider paused the turn before the answer",
}
_TOO_EARLY = "Error: give the answer alone, once you have seen the results of the other tools."


class Output(Struct, frozen=True):
    """What a session's answer is to be: its schema, the name it has on the wire, and how often it is asked for again.

    Nothing here knows how a provider asks for it: the answer is the call of the tool of that name, where the model
    made one, and the text of its turn else.
    """

    schema: OutputSchema
    name: str
    retries: int

    @property
    def spec(self) -> OutputSpec:
        """What the provider is asked for."""
        return OutputSpec(self.name, self.schema.schema)

    def calls(self, message: Message) -> tuple[ToolCall, ...]:
        """The calls of a turn that are the answer, not a tool's."""
        return tuple(call for call in message.tool_calls if call.name == self.name)

    def text(self, message: Message) -> str:
        """The JSON text that a turn's answer is; the first, where the model called for several."""
        for call in self.calls(message):
            return arguments_text(call)
        return unfenced(message.text)

    def read(self, message: Message) -> Any:
        """The value that a turn's answer is.

        Raises:
            OutputError: It is none.
        """
        reason = message.stop_reason
        if message.refusal:
            reason = "refusal"
        text = self.text(message)
        told = _REFUSED.get(reason) if reason is not None else None
        if told is not None:
            error = OutputError(f"there is no output: {told}", text=text, stop_reason=reason)
            error.partial = message
            raise error
        try:
            return self.schema.decode(text)
        except Mismatch as exc:
            told = str(exc) if text.strip() else "the answer is empty"
            cut = "the answer was cut at its length limit: " if reason == "length" else ""
            error = OutputError(
                f"the answer is not of the output type: {cut}{told}",
                path=exc.path,
                text=text,
                stop_reason=reason,
            )
            error.partial = message
            error.retryable = reason != "length"
            raise error from exc.__cause__

    def received(self, message: Message, error: OutputError | None = None) -> list[ToolResult]:
        """What the calls of an answer are answered: a conversation with an open call could not go on."""
        told = "The answer was received." if error is None else f"Error: {_again(error)}"
        return [
            ToolResult(call.id, call.name, told, is_error=error is not None) for call in self.calls(message)
        ]

    def refused_early(self, calls: Iterable[ToolCall]) -> dict[int, ToolResult]:
        """The results, by index, of answers given in one turn with other calls, whose results they could not know."""
        return {
            call.index: ToolResult(call.id, call.name, _TOO_EARLY, is_error=True)
            for call in calls
            if call.name == self.name
        }

    def never_given(self, message: Message, max_rounds: int) -> OutputError:
        """The error of a session whose rounds were used up by its tools."""
        told = f"there is no output: the tools used up all rounds (max_rounds={max_rounds})"
        error = OutputError(told, text=message.text, stop_reason="max_rounds")
        error.partial = message
        return error

    def asked_again(self, message: Message, error: OutputError) -> list[Message]:
        """What is said after an answer that is none, so that the model gives another."""
        results = self.received(message, error)
        return [Message.tool(result) for result in results] or [Message.user(_again(error))]


def output_of(output_type: Any, retries: object, tools: Collection[str]) -> Output | None:
    """The output that is asked for, by a name that none of the tools has; None where none is.

    Raises:
        ConfigError: The type cannot be described, or the retries cannot be made.
    """
    if not is_whole(retries, 0):
        raise ConfigError(f"retries must be a whole number of at least 0, not {retries!r}")
    if output_type is None:
        if retries:
            raise ConfigError(
                "retries asks again for an output that does not fit: give an output_type with it"
            )
        return None
    name = "answer"
    while name in tools:
        name = f"final_{name}"
    return Output(OutputSchema(output_type), name, retries)


def arguments_text(call: ToolCall) -> str:
    """The arguments of a call as JSON text; empty where they are nested too deeply to be written."""
    try:
        return msgspec.json.encode(call.arguments).decode()
    except RecursionError:
        return ""


def unfenced(text: str) -> str:
    """The text without a fence ```` ```json ```` around all of it: models write one even where they are told not to."""
    fence = _FENCE.fullmatch(text)
    return text if fence is None else fence["inner"]


def _again(error: OutputError) -> str:
    return f"{error}. Give the whole answer again, as JSON that fits the schema."
