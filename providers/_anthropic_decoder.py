"""Anthropic's messages, from events to chunks."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec.structs import replace

from ._anthropic_blocks import ServerBlock, caller_signature, is_server_block
from ._anthropic_events import EVENTS, MESSAGES, REASONS, AnthropicEvent, ContentBlock
from ._anthropic_sources import Sources
from ._api_errors import in_stream_error, is_error_object
from ._excerpt import excerpt
from ._json import OBJECT, as_list, as_object, is_object, load, read
from ._tool_calls import ToolCallAssembly
from ._usage import anthropic_usage, merge_counts, same_counts
from .chunks import Chunk, Metadata, RedactedThinking, Stop, Text, Thinking, Usage
from .errors import EventTooLarge, NotAStream, Truncated

__all__ = ["AnthropicMachine"]

_MAX_OPEN_BLOCKS = 128  # they come one after the other; a server that ends none has no more than calls
_MAX_SIGNATURE = 1024 * 1024

_T = TypeVar("_T")


class AnthropicMachine:
    """The event machine of `anthropic-messages`.

    A turn is complete at `message_stop`, or where the body ends after a stop reason. The tool calls and `Stop` come
    then, together, and of the calls only those whose block was closed: a turn that is cut or fails has none. The
    type in the data says what an event is, the event's own name only where there is no type. What is unknown is
    ignored: events, blocks and deltas of new types, and the blocks of tools that the provider runs by itself.
    """

    def __init__(self) -> None:
        self.done = False
        self._begun = False
        self._calls = ToolCallAssembly()
        self._open_calls: dict[int | None, int] = {}  # the block's index on the wire, and the call's place
        self._closed_calls: set[int] = set()
        self._callers: dict[int, str] = {}  # by the call's place
        self._told = Metadata()
        self._signatures: dict[int | None, str] = {}
        self._server_blocks: dict[int | None, ServerBlock] = {}
        self._server_tools: dict[str, str] = {}  # the provider's tools by the ids of their calls
        self._sources = Sources()
        self._stop_reason: str | None = None
        self._counts: dict[str, Any] = {}
        self._usage: Usage | None = None

    @property
    def terminal(self) -> bool:
        """Whether a stop reason was seen."""
        return self._stop_reason is not None

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a part of the message, an error, or one to ignore."""
        if not data or data[0] != OBJECT:
            data = data.strip()
            if data == b"[DONE]" and self.terminal:  # a gateway's own addition
                self.finish(out)
            if not data or data == b"[DONE]":
                return
        if name == b"error":
            raise in_stream_error(data)
        event = read(EVENTS, data)
        kind = event.type or name.decode("utf-8", "replace")
        if event.error:
            raise in_stream_error(data)
        match kind:
            case "content_block_delta":  # as most are
                if self._server_blocks and event.index in self._server_blocks:
                    self._server_blocks[event.index].add(as_object(as_object(load(data)).get("delta")))
                else:
                    self._block_delta(event, out)
            case "content_block_start":
                if event.content_block is not None and is_server_block(event.content_block.type):
                    self._server_block_start(event.index, as_object(load(data)).get("content_block"))
                else:
                    self._block_start(event, out)
            case "content_block_stop":
                self._block_stop(event, out)
            case "message_start":
                self._message_start(event, out)
            case "message_delta":
                self._message_delta(event, out)
            case "message_stop":
                self._message_stop(out)
            case _:
                if kind == "error" or is_error_object(data):
                    raise in_stream_error(data)

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """A message that was not streamed: as if each block came as one event."""
        message = read(MESSAGES, data)
        if message.type != "message":
            raise NotAStream(f"the body is JSON, but no message: {excerpt(data)}")
        self._message_start(AnthropicEvent(message=message), out)
        told = [*filter(is_object, as_list(as_object(load(data)).get("content")))]
        for index, block in enumerate(message.content or ()):
            if is_server_block(block.type):
                self._server_block_start(index, told[index])
            else:
                self._block_start(AnthropicEvent(index=index, content_block=block), out)
            self._block_stop(AnthropicEvent(index=index), out)
        self._stop_reason = message.stop_reason or None
        self.finish(out)

    def finish(self, out: list[Chunk]) -> None:
        """The closed tool calls, and `Stop` with the last usage."""
        self._end_blocks(out)
        raw = self._stop_reason
        reason = REASONS.get(raw, "unknown") if raw is not None else "unknown"
        calls = self._calls.closed(may_be_empty=reason in ("stop", "tool_calls"))
        calls = [call for call in calls if call.index in self._closed_calls]
        if reason == "stop" and len(self._calls):
            reason = "tool_calls"
        if reason == "tool_calls" and not calls:
            reason = "incomplete"
        out += [replace(call, signature=self._callers.get(call.index)) for call in calls]
        out.append(Stop(reason, self._usage, raw))
        self.done = True

    def _message_start(self, event: AnthropicEvent, out: list[Chunk]) -> None:
        if self._begun:
            return
        self._begun = True
        if event.message is not None:
            told = event.message
            container = told.container.id if told.container is not None else None
            self._tell(Metadata(told.id or None, told.model or None, container or None), out)
            self._count(event.message.usage, out)

    def _block_start(self, event: AnthropicEvent, out: list[Chunk]) -> None:
        self._begun = True
        block = event.content_block
        if block is None:
            return
        match block.type:
            case "text":
                if block.text:
                    out.append(Text(block.text))
                for citation in block.citations or ():
                    self._sources.add(event.index, as_object(citation), out)
            case "thinking":
                if block.thinking:
                    out.append(Thinking(block.thinking))
                if block.signature:
                    self._take_signature(event.index, block.signature)
            case "redacted_thinking":
                if block.data:
                    out.append(RedactedThinking(block.data))
            case "tool_use":
                self._open_call(event.index, block, out)
            case _:
                pass

    def _server_block_start(self, index: int | None, raw: Any) -> None:
        self._begun = True
        _remember(self._server_blocks, index, ServerBlock(as_object(raw)))

    def _tell(self, told: Metadata, out: list[Chunk]) -> None:
        if told != self._told:
            self._told = told
            out.append(told)

    def _open_call(self, index: int | None, block: ContentBlock, out: list[Chunk]) -> None:
        delta = self._calls.add(index, block.id, block.name, None if block.input == {} else block.input)
        _remember(self._open_calls, index, delta.index)
        self._closed_calls.discard(delta.index)
        if (signature := caller_signature(block.caller)) is not None:
            self._callers[delta.index] = signature
        out.append(delta)

    def _block_delta(self, event: AnthropicEvent, out: list[Chunk]) -> None:
        delta = event.delta
        if delta is None:
            return
        match delta.type:
            case "text_delta":
                if delta.text:
                    out.append(Text(delta.text))
            case "thinking_delta":
                if delta.thinking:
                    out.append(Thinking(delta.thinking))
            case "signature_delta":
                if delta.signature:
                    self._take_signature(event.index, delta.signature)
            case "input_json_delta":
                if event.index in self._open_calls and delta.partial_json not in (None, ""):
                    out.append(self._calls.add(event.index, None, None, delta.partial_json))
            case "citations_delta":
                self._sources.add(event.index, delta.citation or {}, out)
            case _:
                pass

    def _block_stop(self, event: AnthropicEvent, out: list[Chunk]) -> None:
        self._sources.end(event.index, out)
        self._sign(event.index, out)
        block = self._server_blocks.pop(event.index, None)
        if block is not None:
            out.append(block.chunk(self._server_tools))
        place = self._open_calls.pop(event.index, None)
        if place is not None:
            self._closed_calls.add(place)

    def _take_signature(self, index: int | None, signature: str) -> None:
        if len(signature) > _MAX_SIGNATURE:
            raise EventTooLarge(f"a signature is larger than {_MAX_SIGNATURE} characters")
        _remember(self._signatures, index, signature)

    def _sign(self, index: int | None, out: list[Chunk]) -> None:
        signature = self._signatures.pop(index, None)
        if signature is not None:
            out.append(Thinking("", signature))

    def _end_blocks(self, out: list[Chunk]) -> None:
        """Give what is held back of blocks whose end did not come."""
        self._sources.end_all(out)
        for index in list(self._signatures):
            self._sign(index, out)

    def _message_delta(self, event: AnthropicEvent, out: list[Chunk]) -> None:
        self._count(event.usage, out)
        if event.delta is not None:
            if event.delta.stop_reason:
                self._stop_reason = event.delta.stop_reason
                self._end_blocks(out)  # now, as the body may end here
            if event.delta.container is not None and event.delta.container.id:
                self._tell(replace(self._told, container=event.delta.container.id), out)

    def _message_stop(self, out: list[Chunk]) -> None:
        if not self._begun:
            raise Truncated("the stream ended with message_stop before it held any answer")
        self.finish(out)

    def _count(self, counts: dict[str, Any] | None, out: list[Chunk]) -> None:
        """Usage is cumulative, and what a later event does not count keeps its value."""
        if not counts:
            return
        self._counts = merge_counts(self._counts, counts)
        usage = anthropic_usage(self._counts)
        if usage is not None and not same_counts(self._usage, usage):
            self._usage = usage
            out.append(usage)


def _remember(blocks: dict[int | None, _T], index: int | None, value: _T) -> None:
    """Keep what is known of a block that has not ended."""
    if index not in blocks and len(blocks) >= _MAX_OPEN_BLOCKS:
        raise EventTooLarge(f"the turn has more than {_MAX_OPEN_BLOCKS} blocks open at once")
    blocks[index] = value
