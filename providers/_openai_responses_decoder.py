"""OpenAI's Responses API, from events to chunks, with what the servers that copy it do differently."""

from __future__ import annotations

from typing import Any, NoReturn

from ._api_errors import api_error, error_fields, in_stream_error, is_error_object
from ._excerpt import excerpt
from ._json import OBJECT, read
from ._openai_responses_calls import CALL_EVENTS, CUSTOM, FUNCTION, ResponsesCalls
from ._openai_responses_events import EVENTS, RESPONSES, ResponseObject, ResponsesEvent
from ._openai_responses_items import OutputItem, OutputItems
from ._openai_responses_message import MESSAGE_EVENTS, complete_message
from ._openai_responses_numbers import EventNumbers
from ._openai_responses_reasoning import REASONING_EVENTS, ResponsesReasoning
from ._openai_responses_tools import server_tool
from ._usage import openai_usage, same_counts
from .chunks import Chunk, Metadata, Stop, StopReason, Usage
from .errors import NotAStream, Truncated

__all__ = ["OpenAIResponsesMachine"]

_ENDS = {
    "response.completed": "completed",
    "response.done": "completed",  # OpenRouter's: the response itself says how it ended
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}

_REASONS: dict[str, StopReason] = {
    "cancelled": "cancelled",
    "completed": "stop",
    "content_filter": "content_filter",
    "length": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
}


class OpenAIResponsesMachine:
    """The event machine of `openai-responses`.

    A turn is complete at its terminal event, and at nothing else: `[DONE]` is no evidence. The tool calls and `Stop`
    come then, together, and of the calls only those that the provider said were whole; a cancelled response has none.
    A response that failed, and an `error` event, raise what their status would have raised.

    What a server tells only with the end of a part, an item or the response is delivered then, and what it told before
    is not delivered twice; where a later telling differs from what was delivered, what was delivered stands. Left out
    are pictures that are still being drawn, and all events that are not known.
    """

    def __init__(self) -> None:
        self.done = False
        self.numbers = EventNumbers()
        self.response_id: str | None = None
        self.in_background = False
        self._items = OutputItems()
        self._reasoning = ResponsesReasoning()
        self._calls = ResponsesCalls()
        self._usage: Usage | None = None
        self._model: str | None = None
        self._custom: frozenset[str | None] | None = None  # the custom tools that the request declared

    @property
    def terminal(self) -> bool:
        """Whether the terminal event was seen."""
        return self.done

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a part of the response, its end, an error, or one to ignore."""
        if not data or data[0] != OBJECT:
            data = data.strip()
            if data == b"[DONE]":
                raise Truncated("the stream ended with [DONE] before the response's terminal event")
            if not data:
                return
        if name == b"error":
            self._fail(in_stream_error(data))
        event = read(EVENTS, data)
        kind = event.type or name.decode("utf-8", "replace")
        if _is_error(kind, event):
            self._fail(in_stream_error(data))
        if self.numbers.is_repeat(event.sequence_number, data):
            return
        if (take := MESSAGE_EVENTS.get(kind)) is not None:
            take(self._find("message", event, out), event, out)
        elif kind in REASONING_EVENTS:
            item = self._items.find("reasoning", event.item_id, event.output_index)
            field, whole = REASONING_EVENTS[kind]
            self._reasoning.take(item, field, event, out, whole=whole)
        elif kind in CALL_EVENTS:
            item_kind, whole = CALL_EVENTS[kind]
            item = self._find(item_kind, event, out)
            if not item.foreign:
                self._calls.take(item, event, out, whole=whole)
        elif kind == "response.output_item.added":
            self._begin(event, out)
        elif kind == "response.output_item.done":
            if event.item is not None:
                item = self._items.end(event.item, event.output_index)
                self._complete(item, event.item, out)
        elif event.response is not None or kind in _ENDS:
            response = event.response or ResponseObject(error=event.error)
            self._take(response, out)
            if kind in _ENDS:
                self._end(response, _ENDS[kind], out)
        elif is_error_object(data):
            self._fail(in_stream_error(data))

    def is_end(self, name: bytes, data: bytes) -> bool:
        """Whether an event ends the response, well or with an error. Raises what reading JSON raises."""
        if name == b"error":
            return True
        event = read(EVENTS, data)
        kind = event.type or name.decode("utf-8", "replace")
        return kind in _ENDS or _is_error(kind, event)

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """A response that was not streamed: as if all of it came with its terminal event."""
        response = read(RESPONSES, data)
        if response.object != "response" and response.output is None:
            raise NotAStream(f"the body is JSON, but no response: {excerpt(data)}")
        self._take(response, out)
        if response.status in {"queued", "in_progress"}:
            raise Truncated(f"the response is not complete: its status is {response.status}")
        self._end(response, "completed", out)

    def finish(self, out: list[Chunk]) -> None:
        """Nothing is held back beyond the terminal event."""

    def _find(self, kind: str, event: ResponsesEvent, out: list[Chunk]) -> OutputItem:
        if self._reasoning.open is not None:
            self._reasoning.pause(out)
        return self._items.find(kind, event.item_id, event.output_index)

    def _take(self, response: ResponseObject, out: list[Chunk]) -> None:
        self.in_background = self.in_background or bool(response.background)
        named = (self.response_id or response.id or None, self._model or response.model or None)
        if named != (self.response_id, self._model):  # llama.cpp names the model only at the end
            self.response_id, self._model = named
            out.append(Metadata(*named))
        if response.tools is not None:
            self._custom = frozenset(tool.name for tool in response.tools if tool.type == "custom")
        usage = openai_usage(response.usage) if response.usage else None
        if usage is not None and not same_counts(self._usage, usage):
            self._usage = usage
            out.append(usage)

    def _begin(self, event: ResponsesEvent, out: list[Chunk]) -> None:
        if event.item is None:
            return
        self._reasoning.pause(out)
        item = self._items.begin(event.item, event.output_index)
        item.foreign = self._is_foreign(item, event.item)
        if item.kind in {FUNCTION, CUSTOM} and not item.foreign:
            self._calls.begin(item, event.item, out)

    def _complete(self, item: OutputItem, told: dict[str, Any], out: list[Chunk]) -> None:
        if item.kind == "reasoning":
            self._reasoning.complete(item, told, out)
            return
        self._reasoning.pause(out)
        if item.kind == "message":
            complete_message(item, told, out)
        elif item.kind in {FUNCTION, CUSTOM} and not self._is_foreign(item, told):
            self._calls.complete(item, told, out)
        elif not item.told:
            item.told = True
            out += server_tool(told)

    def _is_foreign(self, item: OutputItem, told: dict[str, Any]) -> bool:
        """Whether it is a call of a tool that only the provider has: xAI's searches are custom tools of its own."""
        return item.kind == CUSTOM and self._custom is not None and told.get("name") not in self._custom

    def _end(self, response: ResponseObject, status: str, out: list[Chunk]) -> None:
        if response.status in {"cancelled", "failed", "incomplete"}:
            status = response.status
        if status == "failed":
            message, code, number = error_fields({"error": response.error})
            message = message or "the response failed, and the provider does not say why"
            self._fail(api_error(status=number, code=code, message=message, in_stream=True))
        for item, told in self._items.matched(response.output or ()):
            self._complete(item, told, out)
        self._reasoning.pause(out)
        details = response.incomplete_details
        raw = details.reason if details is not None and status == "incomplete" else None
        raw = raw or status
        reason = _REASONS.get(raw, "unknown")
        calls = [] if reason == "cancelled" else self._calls.closed(may_be_empty=reason == "stop")
        if reason == "stop" and len(self._calls):
            reason = "tool_calls" if calls else "incomplete"
        elif reason == "stop" and self._items.refused:
            reason = "refusal"
        out += calls
        out.append(Stop(reason, self._usage, raw))
        self.done = True

    def _fail(self, error: Exception) -> NoReturn:
        self.in_background = False  # nothing is left to be read on
        raise error


def _is_error(kind: str, event: ResponsesEvent) -> bool:
    return kind == "error" or (bool(event.error) and event.response is None)
