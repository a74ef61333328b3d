"""OpenAI's chat completions, from events to chunks, with what the servers that copy it do differently."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ._api_errors import api_error, error_fields, in_stream_error
from ._excerpt import excerpt
from ._json import OBJECT, as_list, as_object, as_text, read
from ._logprobs import score
from ._openai_chat_events import (
    EVENTS,
    NAMED_EVENTS,
    ChatChoice,
    ChatDelta,
    ChatEvent,
    ChatFunction,
    NamedChatEvent,
)
from ._openai_chat_parts import chat_parts, image
from ._openai_chat_reasoning import ReasoningDetails, call_signature
from ._openai_chat_sound import Sound
from ._openai_chat_tools import ExecutedTools
from ._tool_calls import ToolCallAssembly
from ._usage import most_counted, openai_usage, same_counts
from .chunks import (
    Chunk,
    Citation,
    Metadata,
    Refusal,
    Stop,
    StopReason,
    Text,
    Thinking,
    Usage,
)
from .errors import APIError, NotAStream, Truncated

__all__ = ["OpenAIChatMachine"]

_REASONS: dict[str, StopReason] = {
    "stop": "stop",
    "complete": "stop",
    "completed": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}

_FAILURES = frozenset(
    (
        "abort",
        "error",
        "insufficient_system_resource",
        "internal_error",
        "network_error",
        "server_error",
        "upstream_error",
    )
)
"""Finish reasons that are failures: of vLLM and SGLang, OpenRouter, Z.ai, and DeepSeek
(https://api-docs.deepseek.com/api/create-chat-completion)."""


class OpenAIChatMachine:
    """The event machine of `openai-chat`.

    A turn is complete at `[DONE]`, or where the body ends after a finish reason. Until then everything counts: text
    after the finish reason is delivered, usage is taken, an error fails the turn. So the closed tool calls and `Stop`
    come last, together. `[DONE]` without a finish reason ends the turn with the reason `unknown`.

    Only the choice with the index 0 is read. A refusal has the reason `refusal`.
    """

    def __init__(self) -> None:
        self.done = False
        self._calls = ToolCallAssembly()
        self._signatures: dict[int, str] = {}  # by the call's place in the turn
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._named = False
        self._answered = False
        self._delivered = False
        self._refused = False
        self._failed: APIError | None = None
        self._cited: set[str] = set()
        self._reasoning = ReasoningDetails()
        self._executed = ExecutedTools()
        self._sound = Sound()

    @property
    def terminal(self) -> bool:
        """Whether a finish reason was seen."""
        return self._finish is not None

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a `chat.completion.chunk`, `[DONE]`, or an error in one of its many shapes."""
        if not data or data[0] != OBJECT:
            data = data.strip()
            if data == b"[DONE]":
                self._end(out)
                return
            if not data:
                return
        if name == b"error":
            raise in_stream_error(data)
        event = read(EVENTS, data) if self._named else read(NAMED_EVENTS, data)
        if event.choices:
            self._answered = True
            if isinstance(event, NamedChatEvent):
                self._name(event, out)
            for choice in event.choices:
                if not choice.index:
                    self._choice(choice, out)
        if event.usage is not None or event.x_groq is not None:
            self._count(event, out)
        if event.search_results:
            self._cite(event.search_results, out)
        if event.citations:
            self._cite(event.citations, out)
        if event.web_search:  # Z.AI: https://docs.z.ai/api-reference/llm/chat-completion
            self._cite(event.web_search, out)
        if event.error or event.object == "error" or event.type == "error":
            raise in_stream_error(data)
        if self._failed is not None:
            raise self._failed

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """A `chat.completion` that was not streamed: as if it were one event and `[DONE]`."""
        if not read(EVENTS, data).choices:
            raise NotAStream(f"the body is JSON, but no chat completion: {excerpt(data)}")
        self.event(b"", data, out)
        self._end(out)

    def finish(self, out: list[Chunk]) -> None:
        """The closed tool calls, and `Stop` with the last usage."""
        self._reasoning.close(out)
        raw = self._finish
        reason = _REASONS.get(raw.lower(), "unknown") if raw is not None else "unknown"
        calls = self._calls.closed(may_be_empty=reason in ("stop", "tool_calls"))
        if reason == "stop":
            reason = "tool_calls" if len(self._calls) else "refusal" if self._refused else reason
        if reason == "tool_calls" and not calls:
            reason = "incomplete"
        out += [replace(call, signature=self._signatures.get(call.index)) for call in calls]
        out.append(Stop(reason, self._usage, raw))
        self.done = True

    def _end(self, out: list[Chunk]) -> None:
        if not self._answered:
            raise Truncated("the stream ended with [DONE] before it held any answer")
        self.finish(out)

    def _name(self, event: NamedChatEvent, out: list[Chunk]) -> None:
        if event.id or event.model:
            self._named = True
            out.append(Metadata(event.id or None, event.model or None))

    def _choice(self, choice: ChatChoice, out: list[Chunk]) -> None:
        delta = choice.delta
        if delta is None and not self._delivered:
            delta = choice.message
        if delta is not None:
            before = 0 if self._delivered else len(out)
            self._delta(delta, out)
            self._delivered = self._delivered or len(out) > before
        if choice.logprobs:
            scores = as_object(choice.logprobs)
            score(as_list(scores.get("content")) or as_list(scores.get("refusal")), out)
        if choice.finish_reason:
            self._finish = self._finish or choice.finish_reason
            for reason in (choice.native_finish_reason, choice.finish_reason):
                if reason and reason.lower() in _FAILURES:
                    message = f"the provider ended the answer with the reason {excerpt(reason.encode())}"
                    self._failed = api_error(status=None, code=reason, message=message, in_stream=True)
        if choice.error:
            told, code, status = error_fields({"error": choice.error})
            self._failed = api_error(status=status, code=code, message=told or "", in_stream=True)

    def _delta(self, delta: ChatDelta, out: list[Chunk]) -> None:
        thought = delta.reasoning_content or delta.reasoning or delta.reasoning_text or ""
        if delta.reasoning_details:
            self._reasoning.add(delta.reasoning_details, thought, out)
        elif thought:
            out.append(Thinking(thought))
        if delta.reasoning_opaque:
            out.append(Thinking("", delta.reasoning_opaque))
        content = delta.content
        if self._reasoning.begun and (content or delta.tool_calls or delta.refusal):
            self._reasoning.close(out)
        if content:
            if isinstance(content, str):
                out.append(Text(content))
            else:
                chat_parts(content, out)
        if delta.refusal:
            self._refused = True
            out.append(Refusal(delta.refusal))
        if delta.tool_calls:
            self._calls.begin_event()
            for call in delta.tool_calls:
                function = call.function or ChatFunction()
                shown = self._calls.add(call.index, call.id, function.name, function.arguments)
                out.append(shown)
                if call.extra_content and (signature := call_signature(call.extra_content)):
                    self._signatures[shown.index] = signature
        if delta.function_call is not None:
            self._calls.begin_event()
            out.append(self._calls.add(0, None, delta.function_call.name, delta.function_call.arguments))
        if delta.annotations:
            self._cite(delta.annotations, out)
        if delta.audio:
            self._sound.add(delta.audio, out)
        if delta.executed_tools:
            self._executed.add(delta.executed_tools, out)
        if delta.images:  # OpenRouter: https://openrouter.ai/docs/features/multimodal/image-generation
            out += filter(None, map(image, map(as_object, delta.images)))

    def _count(self, event: ChatEvent, out: list[Chunk]) -> None:
        raw = event.usage or (event.x_groq.usage if event.x_groq is not None else None)
        usage = openai_usage(raw) if raw else None
        if usage is not None and self._usage is not None:
            usage = most_counted(self._usage, usage)
        if usage is None or same_counts(self._usage, usage):
            return
        self._usage = usage
        out.append(usage)

    def _cite(self, sources: list[Any], out: list[Chunk]) -> None:
        for source in sources:
            found = as_object(source)
            found = as_object(found.get("url_citation")) or found
            url = as_text(found.get("url")) or as_text(found.get("link")) or as_text(source)
            if url is not None and url not in self._cited:
                self._cited.add(url)
                out.append(Citation(url, as_text(found.get("title")), as_text(found.get("content"))))
