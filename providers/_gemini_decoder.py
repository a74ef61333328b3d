"""Gemini's answers, from events to chunks."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from ._api_errors import in_stream_error, is_error_object
from ._excerpt import excerpt
from ._gemini_calls import GeminiCalls
from ._gemini_events import GeminiBlob, GeminiCandidate, GeminiEvent, GeminiPart, read_event
from ._gemini_sources import GeminiSources
from ._json import OBJECT, as_list, as_object, as_text, is_object, load
from ._logprobs import log_probability
from ._usage import gemini_usage, merge_counts, same_counts
from .chunks import (
    Chunk,
    LogProbs,
    Media,
    Metadata,
    ScoredToken,
    ServerToolCall,
    ServerToolResult,
    Stop,
    StopReason,
    Text,
    Thinking,
    TokenLogProb,
    Usage,
)
from .errors import NotAStream, Truncated

__all__ = ["MAX_EVENT_BYTES", "WIRE", "GeminiMachine"]

WIRE = "gemini"

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""The most one event may take: an image comes in one, and one of 4,096 pixels a side takes more than 8 MiB."""

_FILTERED = """
    SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT
    IMAGE_RECITATION 3 4 6 7 8 10 11
"""
_REASONS: dict[str, StopReason] = {
    "STOP": "stop",
    "1": "stop",
    "MAX_TOKENS": "length",
    "2": "length",
    "MALFORMED_FUNCTION_CALL": "incomplete",
    "9": "incomplete",
    "UNEXPECTED_TOOL_CALL": "incomplete",
    "TOO_MANY_TOOL_CALLS": "incomplete",
    **dict.fromkeys(_FILTERED.split(), "content_filter"),
}
"""The finish reasons by name, and by those of their numbers that mean the same to the Gemini API and to Vertex AI."""

_UNSPECIFIED = frozenset(
    ("", "0", "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")
)


class GeminiMachine:
    """The event machine of `gemini`: of the Gemini API, and of Gemini on Vertex AI.

    A turn is complete where the body ends after a finish reason, or after the prompt was blocked. Until then everything
    counts: text, usage and another finish reason (the last one stands) may follow, and an error fails the turn. So the
    closed calls and `Stop` come last, together. A turn that ends by itself with calls ends in calls.

    Only the first candidate is read. A signature on a thought closes that thought; one on a call is the call's own;
    one on any other part follows it as thinking without text.
    """

    def __init__(self) -> None:
        self.done = False
        self._finish: str | None = None
        self._blocked: str | None = None
        self._named = False
        self._calls = GeminiCalls()
        self._sources = GeminiSources()
        self._counts: dict[str, Any] = {}
        self._usage: Usage | None = None
        self._run = 0  # how many times the provider ran code
        self._run_id = ""

    @property
    def terminal(self) -> bool:
        """Whether a finish reason was seen, or that the prompt is blocked."""
        return self._finish is not None or self._blocked is not None

    def event(self, name: bytes, data: bytes, out: list[Chunk]) -> None:
        """One event: a `GenerateContentResponse`, or an error."""
        if not data or data[0] != OBJECT:
            data = data.strip()
            if data == b"[DONE]" and self.terminal:  # a gateway's own addition
                self.finish(out)
            if not data or data == b"[DONE]":
                return
        if name == b"error":
            raise in_stream_error(data)
        if data[:1] == b"[":
            for item in as_list(load(data)):
                if not is_object(item):
                    raise ValueError("a JSON object was expected")
                self.event(b"", msgspec.json.encode(item), out)
            return
        event = read_event(data)
        self._take(event, out)
        if event.error or (event.candidates is None and is_error_object(data)):
            raise in_stream_error(data)

    def document(self, data: bytes, out: list[Chunk]) -> None:
        """An answer that was not streamed: as if it were the only event."""
        event = read_event(data)
        if not event.candidates and not event.prompt_feedback:
            raise NotAStream(f"the body is JSON, but no answer of Gemini: {excerpt(data)}")
        self._take(event, out)
        if not self.terminal:
            raise Truncated("the answer has no finish reason: it is not whole")
        self.finish(out)

    def finish(self, out: list[Chunk]) -> None:
        """The closed calls, and `Stop` with the last usage."""
        calls = self._calls.closed()
        reason: StopReason = "content_filter"
        if self._finish is not None:
            reason = _REASONS.get(self._finish.upper(), "unknown")
        if reason == "stop" and len(self._calls):
            reason = "tool_calls" if calls else "incomplete"
        out += calls
        out.append(Stop(reason, self._usage, self._finish or self._blocked))
        self.done = True

    def _take(self, event: GeminiEvent, out: list[Chunk]) -> None:
        if not self._named and (event.response_id or event.model_version):
            self._named = True
            out.append(Metadata(event.response_id or None, event.model_version or None))
        for place, candidate in enumerate(event.candidates or ()):
            if not (place if candidate.index is None else candidate.index):
                self._candidate(candidate, out)
        if event.prompt_feedback is not None:
            self._blocked = _enum(event.prompt_feedback.get("blockReason")) or self._blocked
        if event.usage_metadata is not None:
            self._count(event.usage_metadata, out)

    def _candidate(self, candidate: GeminiCandidate, out: list[Chunk]) -> None:
        if candidate.content is not None:
            for part in candidate.content.parts or ():
                self._part(part, out)
        if candidate.logprobs_result is not None:
            _score(candidate.logprobs_result, out)
        self._sources.take(candidate, out)
        if candidate.finish_reason is not None:
            self._finish = _enum(candidate.finish_reason) or self._finish

    def _part(self, part: GeminiPart, out: list[Chunk]) -> None:
        signature = part.thought_signature or None
        if part.function_call is not None:
            out.append(self._calls.add(part.function_call, signature))
        elif part.thought:  # an image in a thought is a draft of the one that follows
            if part.text or signature:
                out.append(Thinking(part.text or "", signature))
        elif not self._server_tool(part, signature, out):
            if part.text:
                out.append(Text(part.text))
            if part.inline_data is not None:
                _media(part.inline_data, out)
            if part.file_data is not None and (url := as_text(part.file_data.get("fileUri"))):
                kind = as_text(part.file_data.get("mimeType"))
                out.append(Media(kind or "application/octet-stream", url=url))
            if signature:
                out.append(Thinking("", signature))

    def _server_tool(self, part: GeminiPart, signature: str | None, out: list[Chunk]) -> bool:
        """Tell of code that the provider runs, or of another tool of its own that it was asked to tell of.

        https://ai.google.dev/api/caching#Part
        """
        signed = {"thoughtSignature": signature} if signature else {}
        if (code := part.executable_code) is not None:
            self._run += 1
            self._run_id = as_text(code.get("id")) or f"gemini_run_{self._run}"
            told = {name: value for name, value in code.items() if name != "id"}
            raw = {"executableCode": code, **signed}
            out.append(ServerToolCall(self._run_id, "code_execution", told, WIRE, raw))
        elif (result := part.code_execution_result) is not None:
            told = {name: value for name, value in result.items() if name != "id"}
            raw = {"codeExecutionResult": result, **signed}
            id_ = as_text(result.get("id")) or self._run_id
            failed = result.get("outcome") not in (None, 1, "OUTCOME_OK")
            out.append(ServerToolResult(id_, "code_execution", told, WIRE, raw, failed))
        elif (call := part.tool_call) is not None:
            name, id_ = as_text(call.get("toolType")) or "", as_text(call.get("id")) or ""
            out.append(
                ServerToolCall(id_, name, as_object(call.get("args")), WIRE, {"toolCall": call, **signed})
            )
        elif (answer := part.tool_response) is not None:
            name, id_ = as_text(answer.get("toolType")) or "", as_text(answer.get("id")) or ""
            raw = {"toolResponse": answer, **signed}
            out.append(ServerToolResult(id_, name, answer.get("response"), WIRE, raw))
        else:
            return False
        return True

    def _count(self, counts: dict[str, Any], out: list[Chunk]) -> None:
        """Usage is cumulative, and what a later event does not count keeps its value."""
        self._counts = merge_counts(self._counts, counts)
        usage = gemini_usage(self._counts)
        if usage is not None and not same_counts(self._usage, usage):
            self._usage = usage
            out.append(usage)


def _enum(value: object) -> str | None:
    """The name or the number of an enum's value; None where it stands for nothing."""
    if not isinstance(value, str | int) or isinstance(value, bool) or str(value).upper() in _UNSPECIFIED:
        return None
    return str(value)


def _media(blob: GeminiBlob, out: list[Chunk]) -> None:
    if blob.data:
        text = blob.data.replace("-", "+").replace("_", "/")
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        out.append(Media(blob.mime_type or "application/octet-stream", data=data))


def _score(result: dict[str, Any], out: list[Chunk]) -> None:
    """https://ai.google.dev/api/generate-content#LogprobsResult."""
    tops = as_list(result.get("topCandidates"))
    tokens: list[ScoredToken] = []
    for place, chosen in enumerate(as_list(result.get("chosenCandidates"))):
        scored = _token(chosen)
        if scored is not None:
            rest = as_object(tops[place]).get("candidates") if place < len(tops) else None
            top = tuple(token for token in map(_token, as_list(rest)) if token is not None)
            tokens.append(ScoredToken(scored.token, scored.logprob, top))
    if tokens:
        out.append(LogProbs(tuple(tokens)))


def _token(value: object) -> TokenLogProb | None:
    found = as_object(value)
    token, logprob = found.get("token"), log_probability(found.get("logProbability"))
    return None if not isinstance(token, str) or logprob is None else TokenLogProb(token, logprob)
