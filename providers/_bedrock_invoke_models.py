"""The events of models that Bedrock's InvokeModelWithResponseStream passes on, where no other wire has them.

docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Struct

from ._api_errors import in_stream_error
from ._bedrock_converse_decoder import ConverseMachine
from ._bedrock_converse_events import ConverseEvent
from ._excerpt import excerpt
from ._json import as_list, as_object, as_text, is_object, load, read
from ._openai_chat_decoder import OpenAIChatMachine
from .chunks import Chunk, Stop, StopReason, Text
from .errors import NotAStream

__all__ = ["NOVA_EVENTS", "PLAIN_MODELS", "ChoicesMachine", "NovaMachine", "PlainMachine"]


class _NovaEvent(Struct, gc=False, rename="camel"):
    """Converse's events, each under its name."""

    message_start: ConverseEvent | None = None
    content_block_start: ConverseEvent | None = None
    content_block_delta: ConverseEvent | None = None
    content_block_stop: ConverseEvent | None = None
    message_stop: ConverseEvent | None = None
    metadata: ConverseEvent | None = None


NOVA_EVENTS = frozenset(field.encode_name for field in msgspec.structs.fields(_NovaEvent))
_NAMES = [(field.name, field.encode_name.encode()) for field in msgspec.structs.fields(_NovaEvent)]
_DECODER = msgspec.json.Decoder(_NovaEvent)


class NovaMachine(ConverseMachine):
    """Amazon Nova: docs.aws.amazon.com/nova/latest/userguide/using-invoke-api.html."""

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event, whose name is a key in it."""
        found = read(_DECODER, data)
        for field, known in _NAMES:
            event: ConverseEvent | None = getattr(found, field)
            if event is not None:
                self.take(known, event, len(data), out)


class ChoicesMachine(OpenAIChatMachine):
    """OpenAI's and all that speak as they do, Mistral's and DeepSeek's older ways among them."""

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event; a choice may have a `message` or a `text` for a `delta`, and its reason as `stop_reason`."""
        if b'"delta"' not in data:
            found = load(data)
            if is_object(found):
                choices = [_as_delta(as_object(choice)) for choice in as_list(found.get("choices"))]
                data = json.dumps({**found, "choices": choices}).encode()
        super().event(b"", data, out)


def _as_delta(choice: dict[str, Any]) -> dict[str, Any]:
    index = choice.get("index")
    return {
        "index": index if index in (1, 2, 3) else 0,
        "delta": choice.get("message") or {"content": as_text(choice.get("text"))},
        "finish_reason": as_text(choice.get("finish_reason")) or as_text(choice.get("stop_reason")),
    }


PLAIN_MODELS: dict[str, tuple[str | None, str, str]] = {
    "completion": (None, "completion", "stop_reason"),  # Anthropic's text completions
    "event_type": (None, "text", "finish_reason"),  # Cohere Command R
    "generation": (None, "generation", "stop_reason"),  # Meta Llama
    "generations": ("generations", "text", "finish_reason"),  # Cohere Command
    "is_finished": (None, "text", "finish_reason"),  # Cohere Command, streamed
    "outputText": (None, "outputText", "completionReason"),  # Amazon Titan
    "outputs": ("outputs", "text", "stop_reason"),  # Mistral's text completions
}
"""Models that send text alone, by a field that tells their events: the list whose first item they are in, if any, the
field of the text, and that of the reason to stop."""

_REASONS: dict[str, StopReason] = {
    "complete": "stop",
    "content_filtered": "content_filter",
    "end_turn": "stop",
    "error_limit": "length",
    "error_toxic": "content_filter",
    "finish": "stop",
    "length": "length",
    "max_tokens": "length",
    "stop": "stop",
    "stop_criteria_met": "stop",
    "stop_sequence": "stop",
}


class PlainMachine:
    """Models that send text alone; see `PLAIN_MODELS`."""

    def __init__(self, model: str) -> None:
        self.done = False
        self._list, self._text, self._reason_field = PLAIN_MODELS[model]
        self._reason: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether a reason to stop was seen."""
        return self._reason is not None

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a piece of the text, and the reason to stop in the last."""
        whole = found = as_object(load(data))
        if self._list is not None:
            found = as_object(next(iter(as_list(found.get(self._list))), None))
        if text := as_text(found.get(self._text)):
            out.append(Text(text))
        self._reason = as_text(found.get(self._reason_field)) or self._reason
        if whole.get("error"):
            raise in_stream_error(data)

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """An answer that was not streamed: as if it were the only event."""
        self.event(b"", data, out)
        if not self.terminal:
            raise NotAStream(f"the body is JSON, but no answer of a model: {excerpt(data)}")
        self.finish(out)

    def finish(self, out: list[Chunk]) -> None:
        """Give `Stop`."""
        reason = _REASONS.get((self._reason or "").lower(), "unknown")
        out.append(Stop(reason, None, self._reason))
        self.done = True
