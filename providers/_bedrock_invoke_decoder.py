"""Bedrock's InvokeModelWithResponseStream, from the events of whatever model it passes on to chunks."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from ._anthropic_decoder import AnthropicMachine
from ._api_errors import in_stream_error
from ._bedrock_invoke_models import NOVA_EVENTS, PLAIN_MODELS, ChoicesMachine, NovaMachine, PlainMachine
from ._event_machine import EventMachine
from ._excerpt import excerpt
from ._json import as_object, is_object, load, read
from ._usage import bedrock_usage
from .chunks import Chunk, Stop, Text, ToolCall, ToolCallDelta, Usage
from .errors import NotAStream

__all__ = ["InvokeMachine"]

_OWN = b'"amazon-bedrock-'
_METRICS = "amazon-bedrock-invocationMetrics"
_GUARDRAIL = "amazon-bedrock-guardrailAction"


class _Chunk(Struct, gc=False):
    inner: bytes = field(default=b"", name="bytes")  # msgspec reads base64


class _AnyChunk(Struct, gc=False):
    bytes: str | None = None


_CHUNKS = msgspec.json.Decoder(_Chunk)
_ANY_CHUNKS = msgspec.json.Decoder(_AnyChunk)


class InvokeMachine:
    """The event machine of `bedrock-invoke`.

    Every event holds one of the model's own, in base64, and the first of them tells whose they are: Anthropic's,
    Nova's, those of OpenAI's chat completions, or one of the models that send text alone. Bedrock adds its metrics to
    the last: with them the turn is complete where the model had said why it stopped, and a turn that has calls only
    with them, or with the model's own last event. They are the usage where the model counts none itself. What a
    guardrail stopped ends with its reason, and without calls.
    """

    def __init__(self) -> None:
        self.done = False
        self._model: EventMachine | None = None
        self._usage: Usage | None = None
        self._blocked = False
        self._called = False

    @property
    def terminal(self) -> bool:
        """Whether the model has said why it stopped, and has made no calls that a guardrail may still void."""
        return self._model is not None and self._model.terminal and not self._called

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a chunk that holds one of the model's own, or one to ignore."""
        if name != b"chunk":
            return
        inner = _inner(data)
        if not inner:
            return
        model, metrics = self._model, None
        if model is None or inner.rfind(_OWN) >= 0:  # it stands near the end
            own = load(inner)
            if not is_object(own):
                raise ValueError("a JSON object was expected")
            metrics = as_object(own.get(_METRICS))
            self._blocked = self._blocked or own.get(_GUARDRAIL) == "INTERVENED"
            if model is None:
                model = self._model = _machine_for(own, inner)
        if model is None:
            return
        before = len(out)
        try:
            model.event(b"", inner, out)
            if metrics and (model.terminal or self._blocked) and not model.done:
                model.finish(out)
        finally:
            if metrics or len(out) != before + 1 or type(out[-1]) is not Text:  # as most are
                made = out[before:]
                del out[before:]
                self._settle(made, metrics or {}, out)
        self.done = model.done

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """An answer that was not streamed."""
        found = as_object(load(data))
        model = NovaMachine() if "output" in found else _machine_for(found, data)
        if model is None:
            raise NotAStream(f"the body is JSON, but no answer of a model that is known: {excerpt(data)}")
        self._blocked = found.get(_GUARDRAIL) == "INTERVENED"
        made: list[Chunk] = []
        try:
            model.document(data, made)
        finally:
            self._settle(made, {}, out)
        self.done = model.done

    def finish(self, out: list[Chunk]) -> None:
        """What the model's own wire gives at the end."""
        assert self._model is not None
        made: list[Chunk] = []
        self._model.finish(made)
        self._settle(made, {}, out)
        self.done = True

    def _settle(self, made: list[Chunk], metrics: dict[str, Any], out: list[Chunk]) -> None:
        """Give what the model's own wire made of an event, with the usage it lacks and without what was blocked."""
        for chunk in made:
            if isinstance(chunk, Usage):
                self._usage = chunk
            self._called = self._called or isinstance(chunk, ToolCallDelta)
        if metrics and self._usage is None:
            self._usage = bedrock_usage(metrics)
            made[:0] = [] if self._usage is None else [self._usage]
        for chunk in made:
            if isinstance(chunk, Stop):
                out.append(self._stopped(chunk))
            elif not (self._blocked and isinstance(chunk, ToolCall)):
                out.append(chunk)

    def _stopped(self, stop: Stop) -> Stop:
        stop = replace(stop, usage=stop.usage or self._usage)
        if not self._blocked:
            return stop
        return replace(stop, reason="content_filter", raw_reason="guardrail_intervened")


def _inner(data: bytes) -> bytes:
    try:
        return _CHUNKS.decode(data).inner
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # left before the next try, as in `read`
    return a2b_base64(read(_ANY_CHUNKS, data).bytes or "", strict_mode=True)


def _machine_for(found: dict[str, Any], data: bytes) -> EventMachine | None:
    """What reads the events of the model that sent this one; None where it does not tell."""
    if isinstance(found.get("type"), str):
        return AnthropicMachine()
    if NOVA_EVENTS & found.keys():
        return NovaMachine()
    if "choices" in found:
        return ChoicesMachine()
    if found.get("error"):
        raise in_stream_error(data)
    plain = next((model for model in PLAIN_MODELS if model in found), None)
    if plain is None and _METRICS in found:
        raise ValueError("these are the events of no model that is known")
    return None if plain is None else PlainMachine(plain)
