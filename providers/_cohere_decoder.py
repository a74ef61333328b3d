"""Cohere's chat, from events to chunks."""

from __future__ import annotations

from typing import Any

from ._api_errors import api_error, in_stream_error
from ._cohere_events import (
    ANSWERS,
    EVENTS,
    CohereCall,
    CohereEvent,
    CohereFunction,
    CohereMessage,
    CohereScores,
)
from ._excerpt import excerpt
from ._json import OBJECT, as_list, as_object, as_text, read
from ._logprobs import log_probability
from ._tool_calls import ToolCallAssembly
from ._usage import cohere_usage, most_counted, same_counts
from .chunks import Chunk, Citation, LogProbs, Metadata, ScoredToken, Stop, StopReason, Text, Thinking, Usage
from .errors import EventTooLarge, NotAStream, Truncated

__all__ = ["PLAN", "CohereMachine"]

PLAN = "tool_plan"
"""The id of the thinking that is a plan of the calls to come: it goes back in a field of its own."""

_REASONS: dict[str, StopReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
    "USER_CANCEL": "incomplete",
}
"""Those of the older API too, which some servers still give. https://docs.cohere.com/reference/chat"""

_FAILURES = {"ERROR": "error", "TIMEOUT": "timeout"}
_MAX_OPEN_CALLS = 128


class CohereMachine:
    """The event machine of `cohere-v2`.

    A turn is complete at `message-end`. The tool calls and `Stop` come then, together, and of the calls only those
    that were ended: a turn that is cut or fails has none. An end by `ERROR` or `TIMEOUT` is a failure. The type in the
    data says what an event is, the event's own name only where there is no type; events of new types are ignored.
    """

    def __init__(self) -> None:
        self.done = False
        self._begun = False
        self._calls = ToolCallAssembly()
        self._open_calls: dict[int | None, int] = {}  # the call's index on the wire, and its place
        self._ended_calls: set[int] = set()
        self._planning = False
        self._finish: str | None = None
        self._usage: Usage | None = None

    @property
    def terminal(self) -> bool:
        """Whether the end of the message was seen."""
        return self.done

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a part of the message, its end, an error, or one to ignore."""
        if not data or data[0] != OBJECT:
            data = data.strip()
            if not data or data == b"[DONE]":
                return
        if name == b"error":
            raise in_stream_error(data)
        event = read(EVENTS, data)
        kind = event.type or name.decode("utf-8", "replace")
        if kind == "error" or event.error or isinstance(event.message, str):
            raise in_stream_error(data)
        message = event.delta.message if event.delta is not None else None
        if kind == "message-start":
            self._start(event.id, out)
        if message is not None:
            self._message(kind, event.index, message, out)
        if event.logprobs is not None:
            _score([event.logprobs], out)
        if event.delta is not None and event.delta.usage:
            self._count(event.delta.usage, out)
        if kind == "tool-call-end" and event.index in self._open_calls:
            self._ended_calls.add(self._open_calls.pop(event.index))
        elif kind == "message-end":
            self._end(event, data, out)

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """An answer that was not streamed: as if each of its parts came as one event."""
        answer = read(ANSWERS, data)
        message = answer.message
        if message is None and isinstance(read(EVENTS, data).message, str):
            raise in_stream_error(data)
        if message is None or answer.finish_reason is None:
            raise NotAStream(f"the body is JSON, but no answer of Cohere: {excerpt(data)}")
        self._start(answer.id, out)
        self._message("", None, message, out)
        self._ended_calls.update(range(len(self._calls)))
        _score(answer.logprobs or [], out)
        if answer.usage:
            self._count(answer.usage, out)
        self._conclude(answer.finish_reason, None, out)

    def finish(self, out: list[Chunk]) -> None:
        """The closed tool calls, and `Stop` with the usage."""
        raw = self._finish
        reason = _REASONS.get(raw.upper(), "unknown") if raw is not None else "unknown"
        calls = self._calls.closed(may_be_empty=reason in ("stop", "tool_calls"))
        calls = [call for call in calls if call.index in self._ended_calls]
        if reason == "stop" and len(self._calls):
            reason = "tool_calls"
        if reason == "tool_calls" and not calls:
            reason = "incomplete"
        out += calls
        out.append(Stop(reason, self._usage, raw))
        self.done = True

    def _start(self, id_: str | None, out: list[Chunk]) -> None:
        if not self._begun:
            self._begun = True
            if id_:
                out.append(Metadata(id_, None))

    def _message(self, kind: str, index: int | None, message: CohereMessage, out: list[Chunk]) -> None:
        self._begun = True
        if message.tool_plan:
            self._planning = True
            out.append(Thinking(message.tool_plan))
        content, calls, citations = message.content, message.tool_calls, message.citations
        if content is not None or calls is not None:
            self._close_plan(out)
        for block in content if isinstance(content, list) else [content] if content is not None else ():
            if block.thinking:
                out.append(Thinking(block.thinking))
            if block.text:
                out.append(Text(block.text))
        for call in calls if isinstance(calls, list) else [calls] if calls is not None else ():
            self._call(kind, index, call, out)
        for citation in citations if isinstance(citations, list) else [citations] if citations else ():
            _cite(as_object(citation), out)

    def _close_plan(self, out: list[Chunk]) -> None:
        if self._planning:
            self._planning = False
            out.append(Thinking("", None, PLAN))

    def _call(self, kind: str, index: int | None, call: CohereCall, out: list[Chunk]) -> None:
        function = call.function or CohereFunction()
        if kind == "tool-call-delta":
            if index in self._open_calls and function.arguments not in (None, ""):
                out.append(self._calls.add(index, None, None, function.arguments))
            return
        self._calls.begin_event()
        place = index if kind else len(self._calls)
        delta = self._calls.add(place, call.id, function.name, function.arguments)
        out.append(delta)
        if kind == "tool-call-start":
            if index not in self._open_calls and len(self._open_calls) >= _MAX_OPEN_CALLS:
                raise EventTooLarge(f"the turn has more than {_MAX_OPEN_CALLS} calls open at once")
            self._open_calls[index] = delta.index
            self._ended_calls.discard(delta.index)

    def _count(self, counts: dict[str, Any], out: list[Chunk]) -> None:
        usage = cohere_usage(counts)
        if usage is not None and self._usage is not None:
            usage = most_counted(self._usage, usage)
        if usage is not None and not same_counts(self._usage, usage):
            self._usage = usage
            out.append(usage)

    def _end(self, event: CohereEvent, data: bytes, out: list[Chunk]) -> None:
        delta = event.delta
        told = as_text(delta.error) if delta is not None else None
        reason = delta.finish_reason if delta is not None else None
        if not self._begun and not told and (reason or "").upper() not in _FAILURES:
            raise Truncated("the stream ended with message-end before it held any answer")
        self._conclude(reason, told, out)

    def _conclude(self, reason: str | None, told: str | None, out: list[Chunk]) -> None:
        self._close_plan(out)
        self._finish = reason or None
        code = _FAILURES.get(reason.upper()) if reason else "error" if told else None
        if code is not None:
            message = excerpt(told.encode("utf-8", "replace"), 1000) if told else "the generation failed"
            raise api_error(status=None, code=code, message=message, in_stream=True)
        self.finish(out)


def _cite(citation: dict[str, Any], out: list[Chunk]) -> None:
    """One citation for each source: a document of the request, or what a tool answered.

    https://docs.cohere.com/docs/rag-citations
    """
    sources = [as_object(source) for source in as_list(citation.get("sources"))]
    for source in sources or [{}]:
        told = as_object(source.get("document")) or as_object(source.get("tool_output"))
        url = as_text(told.get("url"))
        title = as_text(told.get("title")) or as_text(source.get("id"))
        text = next(
            (found for name in ("text", "snippet", "content") if (found := as_text(told.get(name)))), None
        )
        text = text or as_text(citation.get("text"))
        if url or title or text:
            out.append(Citation(url, title, text))


def _score(pieces: list[CohereScores], out: list[Chunk]) -> None:
    """A piece of several tokens, whose texts are not told apart, is given as one: its probability is their product."""
    told = [(piece.text or "", log_probability(sum(piece.logprobs))) for piece in pieces if piece.logprobs]
    tokens = tuple(ScoredToken(text, logprob) for text, logprob in told if logprob is not None)
    if tokens:
        out.append(LogProbs(tokens))
