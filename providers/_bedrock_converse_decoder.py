"""Bedrock's ConverseStream, from events to chunks."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from ._bedrock_converse_blocks import ConverseBlocks, citation_of
from ._bedrock_converse_events import (
    ANSWERS,
    EVENTS,
    ConverseBlock,
    ConverseDelta,
    ConverseEvent,
    ConverseReasoning,
    ConverseToolUse,
)
from ._excerpt import excerpt
from ._json import as_list, as_object, as_text, read
from ._tool_calls import ToolCallAssembly
from ._usage import bedrock_usage, merge_counts, same_counts
from .chunks import Chunk, Stop, StopReason, Text, Thinking, Usage
from .errors import EventTooLarge, NotAStream, Truncated

__all__ = ["ConverseMachine"]

_REASONS: dict[str, StopReason] = {
    "content_filtered": "content_filter",
    "end_turn": "stop",
    "guardrail_intervened": "content_filter",
    "malformed_model_output": "incomplete",
    "malformed_tool_use": "incomplete",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}
_EVENTS = frozenset(
    (
        *(b"messageStart", b"messageStop", b"metadata"),
        *(b"contentBlockStart", b"contentBlockDelta", b"contentBlockStop"),
    )
)
_VOID = frozenset(("content_filter", "incomplete"))  # what was blocked or is malformed is not run
_MAX_OPEN_CALLS = 128


class ConverseMachine:
    """The event machine of `bedrock-converse`, and of Nova's own events, which are the same.

    A turn is complete at `messageStop`. What it has cost comes after, in `metadata`: with that, or where the body ends
    before it, come the calls whose block was closed, and `Stop`, together. A turn that a guardrail stopped, or that the
    model left malformed, has no calls. What a guardrail found stands in the usage's `raw`, as `trace`.
    """

    def __init__(self) -> None:
        self.done = False
        self._stopped = False
        self._begun = False
        self._stop_reason: str | None = None
        self._calls = ToolCallAssembly()
        self._open_calls: dict[int | None, int] = {}  # the block's index on the wire, and the call's place
        self._closed_calls: set[int] = set()
        self._blocks = ConverseBlocks()
        self._counts: dict[str, Any] = {}
        self._usage: Usage | None = None

    @property
    def terminal(self) -> bool:
        """Whether the message was seen to stop."""
        return self._stopped

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event; one of an unknown name is ignored."""
        if name not in _EVENTS:
            return
        event = read(EVENTS, data)
        if name == b"contentBlockDelta" and event.delta is not None:  # as most are
            self._begun = True
            self._delta(event.content_block_index, event.delta, len(data), out)
        else:
            self.take(name, event, len(data), out)

    def take(self, name: bytes, event: ConverseEvent, size: int, out: list[Chunk]) -> None:
        """One event of these that was read, of so many bytes."""
        match name:
            case b"contentBlockDelta":
                self._begun = True
                if event.delta is not None:
                    self._delta(event.content_block_index, event.delta, size, out)
            case b"contentBlockStart":
                self._begun = True
                self._start(event, out)
            case b"contentBlockStop":
                self._end(event.content_block_index, out)
            case b"messageStart":
                self._begun = True
            case b"messageStop":
                self._stop(event, out)
            case b"metadata":
                self._count(event.usage, event.trace, out)
                if self._stopped:
                    self.finish(out)
            case _:
                pass

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """An answer that was not streamed: as if each block came as one event."""
        answer = read(ANSWERS, data)
        message = None if answer.output is None else answer.output.message
        if message is None:
            raise NotAStream(f"the body is JSON, but no answer of Converse: {excerpt(data)}")
        for index, block in enumerate(message.content or ()):
            self._whole(index, block, out)
            self._end(index, out)
        self._count(answer.usage, answer.trace, out)
        if not answer.stop_reason:
            raise Truncated("the answer has no stop reason: it is not whole")
        self._stop_reason = answer.stop_reason
        self.finish(out)

    def finish(self, out: list[Chunk]) -> None:
        """The closed calls, and `Stop` with the last usage."""
        raw = self._stop_reason
        reason = _REASONS.get(raw, "unknown") if raw is not None else "unknown"
        calls = self._calls.closed(may_be_empty=reason in ("stop", "tool_calls"))
        calls = [call for call in calls if call.index in self._closed_calls and reason not in _VOID]
        if reason == "stop" and len(self._calls):
            reason = "tool_calls"
        if reason == "tool_calls" and not calls:
            reason = "incomplete"
        out += calls
        out.append(Stop(reason, self._usage, raw))
        self.done = True

    def _start(self, event: ConverseEvent, out: list[Chunk]) -> None:
        index, start = event.content_block_index, event.start
        if start is None:
            return
        if start.tool_use is not None:
            self._open_call(index, start.tool_use, out)
        if start.tool_result is not None:
            self._blocks.answer(index, start.tool_result)
        if start.image is not None:
            self._blocks.draw(index, start.image)

    def _open_call(self, index: int | None, call: ConverseToolUse, out: list[Chunk]) -> None:
        if call.type == "server_tool_use":
            told = {name: value for name, value in to_builtins(call).items() if value is not None}
            self._blocks.call(index, call.tool_use_id or "", call.name or "", told)
            return
        if index not in self._open_calls and len(self._open_calls) >= _MAX_OPEN_CALLS:
            raise EventTooLarge(f"the turn has more than {_MAX_OPEN_CALLS} blocks open at once")
        given = None if call.input == {} else call.input
        delta = self._calls.add(index, call.tool_use_id, call.name, given)
        self._open_calls[index] = delta.index
        self._closed_calls.discard(delta.index)
        out.append(delta)

    def _delta(self, index: int | None, delta: ConverseDelta, size: int, out: list[Chunk]) -> None:
        if delta.text:
            out.append(Text(delta.text))
        if delta.tool_use is not None and (piece := delta.tool_use.input) not in (None, ""):
            if self._blocks.calls(index):
                self._blocks.ask(index, as_text(piece) or "")
            elif index in self._open_calls:
                out.append(self._calls.add(index, None, None, piece))
        if delta.reasoning_content is not None:
            self._reason(index, delta.reasoning_content, out)
        if delta.citation is not None:
            self._cite(delta.citation, out)
        if delta.tool_result:
            self._blocks.add(index, delta.tool_result, size)
        if delta.image is not None:
            self._blocks.draw(index, delta.image)

    def _reason(self, index: int | None, reasoning: ConverseReasoning, out: list[Chunk]) -> None:
        if reasoning.text:
            out.append(Thinking(reasoning.text))
        if reasoning.signature:
            self._blocks.sign(index, reasoning.signature)
        if reasoning.redacted_content:
            self._blocks.redact(index, reasoning.redacted_content)

    def _cite(self, given: dict[str, Any], out: list[Chunk]) -> None:
        citation = citation_of(given)
        if citation is not None:
            out.append(citation)

    def _end(self, index: int | None, out: list[Chunk]) -> None:
        self._blocks.end(index, out)
        place = self._open_calls.pop(index, None)
        if place is not None:
            self._closed_calls.add(place)

    def _stop(self, event: ConverseEvent, out: list[Chunk]) -> None:
        if not self._begun:
            raise Truncated("the stream ended with messageStop before it held any answer")
        self._blocks.end_all(out)
        self._stopped = True
        self._stop_reason = event.stop_reason or self._stop_reason

    def _whole(self, index: int, block: ConverseBlock, out: list[Chunk]) -> None:
        if block.text:
            out.append(Text(block.text))
        if block.tool_use is not None:
            self._open_call(index, block.tool_use, out)
        if block.tool_result is not None:
            self._blocks.answer(index, block.tool_result)
        if (reasoning := block.reasoning_content) is not None:
            told = as_object(reasoning.reasoning_text)
            reasoning.text, reasoning.signature = as_text(told.get("text")), as_text(told.get("signature"))
            self._reason(index, reasoning, out)
        for piece in as_list(as_object(block.citations_content).get("content")):
            if text := as_text(as_object(piece).get("text")):
                out.append(Text(text))
        for citation in as_list(as_object(block.citations_content).get("citations")):
            self._cite(as_object(citation), out)
        if block.image is not None:
            self._blocks.draw(index, block.image)

    def _count(self, counts: dict[str, Any] | None, trace: dict[str, Any] | None, out: list[Chunk]) -> None:
        if counts:
            self._counts = merge_counts(self._counts, counts)
        if trace:
            self._counts = {**self._counts, "trace": trace}
        usage = bedrock_usage(self._counts)
        if usage is not None and not same_counts(self._usage, usage):
            self._usage = usage
            out.append(usage)
