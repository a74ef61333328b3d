"""Ollama's chat, from lines to chunks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from ._api_errors import in_stream_error
from ._excerpt import excerpt
from ._json import OBJECT, UNREADABLE, is_finite, read
from ._logprobs import score
from ._ollama_events import EVENTS, OllamaCall, OllamaEvent, OllamaFunction, OllamaMessage, read_line
from ._tool_calls import ToolCallAssembly
from ._usage import most_counted, ollama_usage, same_counts
from .chunks import Chunk, Media, Metadata, Stop, StopReason, Text, Thinking, Usage
from .errors import NotAStream, Truncated

__all__ = ["OWN_ID", "OllamaMachine"]

OWN_ID = "ollama_call_"
"""How the ids begin that are given to calls that came without one: by the call's place in the turn."""

_REASONS: dict[str, StopReason] = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}
"""The last two answer a prompt without messages, which only loads the model or frees its memory."""


class OllamaMachine:
    """The event machine of `ollama-chat`.

    A turn is complete at the line that says `done`. A call comes whole, in one line, and all of them may come under
    the number 0: each entry is a call of its own. They are closed at the end, together. A turn that ends by itself
    with calls ends in calls, as the wire has no reason of its own for it.
    """

    def __init__(self) -> None:
        self.done = False
        self._named = False
        self._calls = ToolCallAssembly()
        self._finish: str | None = None
        self._usage: Usage | None = None

    @property
    def terminal(self) -> bool:
        """Whether the last line was seen."""
        return self.done

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One line: a part of the message, the last one, or an error."""
        if not data or data[0] != OBJECT:
            data = data.strip()
            if not data or data == b"[DONE]":  # a gateway's own addition
                return
        if name == b"error":
            raise in_stream_error(data)
        event = read(EVENTS, data)
        if not self._named:
            self._name(event, out)
        if event.message is not None:
            self._message(event.message, out)
        if event.logprobs:
            score(event.logprobs, out)
        if event.eval_count is not None or event.prompt_eval_count is not None:
            self._count(event, out)
        if event.error or event.object == "error" or event.type == "error":
            raise in_stream_error(data)
        if event.done:
            self._finish = event.done_reason or None
            self.finish(out)

    def lines(self, lines: Iterator[bytes], out: list[Chunk]) -> bytes | None:
        """Take the lines up to the first that does more than go on with the message, which is given back."""
        if not self._named:
            return next(lines, None)
        line: bytes | None = None
        try:
            for line in lines:
                told = read_line(line)
                if told.done:
                    return line
                message = told.message
                if message.thinking:
                    out.append(Thinking(message.thinking))
                if content := message.content:
                    out.append(Text(content))
        except UNREADABLE:
            return line
        return None

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """An answer that was not streamed, written over several lines: as if it were one."""
        event = read(EVENTS, data)
        if event.message is None and event.done is None:
            raise NotAStream(f"the body is JSON, but no answer of Ollama: {excerpt(data)}")
        self.event(b"", data, out)
        if not self.done:
            raise Truncated("the answer does not say that it is done: it is not whole")

    def finish(self, out: list[Chunk]) -> None:
        """The closed calls, and `Stop` with the usage."""
        raw = self._finish
        reason = _REASONS.get(raw.lower(), "unknown") if raw is not None else "unknown"
        calls = self._calls.closed(may_be_empty=False)
        if len(self._calls) and (reason == "stop" or raw is None):
            reason = "tool_calls" if calls else "incomplete"
        out += calls
        out.append(Stop(reason, self._usage, raw))
        self.done = True

    def _name(self, event: OllamaEvent, out: list[Chunk]) -> None:
        if event.model:
            self._named = True
            out.append(Metadata(None, event.model))

    def _message(self, message: OllamaMessage, out: list[Chunk]) -> None:
        if message.thinking:
            out.append(Thinking(message.thinking))
        if message.content:
            out.append(Text(message.content))
        for image in message.images or ():
            if image:
                out.append(Media("image/png", data=base64.b64decode(image, validate=True)))
        for call in message.tool_calls or ():
            place = len(self._calls)
            function = call.function or OllamaFunction()
            id_ = call.id or f"{OWN_ID}{place}"
            out.append(self._calls.add(place, id_, function.name, _arguments(call)))

    def _count(self, event: OllamaEvent, out: list[Chunk]) -> None:
        usage = ollama_usage(
            {
                "prompt_eval_count": event.prompt_eval_count,
                "eval_count": event.eval_count,
                "total_duration": event.total_duration,
                "load_duration": event.load_duration,
                "prompt_eval_duration": event.prompt_eval_duration,
                "eval_duration": event.eval_duration,
            }
        )
        if usage is not None and self._usage is not None:
            usage = most_counted(self._usage, usage)
        if usage is not None and not same_counts(self._usage, usage):
            self._usage = usage
            out.append(usage)


def _arguments(call: OllamaCall) -> object:
    """Arguments as they are taken; none at all are an empty object, as a call comes whole."""
    arguments = call.function.arguments if call.function is not None else None
    if arguments is None or arguments == "":
        return {}
    # A number that JSON has not is no value to run a tool with: as text it is refused.
    return arguments if is_finite(arguments) else json.dumps(arguments)
