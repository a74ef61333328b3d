"""What is read of an event of Gemini: a `GenerateContentResponse`.

https://ai.google.dev/api/generate-content#generatecontentresponse, and for Vertex AI
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse. Fields that are not
named here are not read.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from ._json import as_object, is_list, is_object, load, read

__all__ = [
    "GeminiBlob",
    "GeminiCall",
    "GeminiCandidate",
    "GeminiContent",
    "GeminiEvent",
    "GeminiGrounding",
    "GeminiPart",
    "read_event",
]


class GeminiCall(Struct, gc=False, rename="camel"):
    """A function call, whole or (with Vertex AI, where it was asked for) the next piece of one."""

    name: str | None = None
    args: Any = None
    id: str | None = None
    partial_args: list[Any] | None = None
    will_continue: bool | None = None


class GeminiBlob(Struct, gc=False, rename="camel"):
    """Bytes in base64."""

    mime_type: str | None = None
    data: str | None = None


class GeminiPart(Struct, gc=False, rename="camel"):
    """A part of the content: one of its kinds, and what goes with any of them."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: GeminiCall | None = None
    inline_data: GeminiBlob | None = None
    file_data: dict[str, Any] | None = None
    executable_code: dict[str, Any] | None = None
    code_execution_result: dict[str, Any] | None = None
    tool_call: dict[str, Any] | None = None
    tool_response: dict[str, Any] | None = None


class GeminiContent(Struct, gc=False):
    """What a candidate adds."""

    parts: list[GeminiPart] | None = None


class GeminiGrounding(Struct, gc=False, rename="camel"):
    """Where the answer comes from."""

    grounding_chunks: list[Any] | None = None


class GeminiCandidate(Struct, gc=False, rename="camel"):
    """One of the answers. An enum may come as its number."""

    content: GeminiContent | None = None
    finish_reason: str | int | None = None
    index: int | None = None
    grounding_metadata: GeminiGrounding | None = None
    citation_metadata: dict[str, Any] | None = None
    url_context_metadata: dict[str, Any] | None = None
    logprobs_result: dict[str, Any] | None = None


class GeminiEvent(Struct, gc=False, rename="camel"):
    """One event, or the whole document of an answer that is not streamed."""

    candidates: list[GeminiCandidate] | None = None
    usage_metadata: dict[str, Any] | None = None
    model_version: str | None = None
    response_id: str | None = None
    prompt_feedback: dict[str, Any] | None = None
    error: Any = None


_EVENTS = msgspec.json.Decoder(GeminiEvent)

_WORDS = """
    blockReason cachedContentTokenCount candidatesTokenCount chosenCandidates citationMetadata citationSources
    codeExecutionResult executableCode fileData fileUri finishReason functionCall groundingChunks groundingMetadata
    inlineData jsonPath boolValue logProbability logprobsResult mimeType modelVersion nullValue numberValue partialArgs
    promptFeedback promptTokenCount responseId retrievedContext retrievedUrl stringValue thoughtSignature
    thoughtsTokenCount toolCall toolResponse toolType toolUsePromptTokenCount topCandidates totalTokenCount
    urlContextMetadata urlMetadata urlRetrievalStatus usageMetadata willContinue
"""
_NAMES = {re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), name): name for name in _WORDS.split()}
_UNDERSCORE = ord("_")
_HINT = re.compile(rb'_(?:%s)"' % "|".join(sorted({name.rpartition("_")[2] for name in _NAMES})).encode())
_SNAKE = re.compile(rb'"(?:%s)"' % "|".join(sorted(_NAMES)).encode())
_THEIRS = frozenset(("args", "response"))  # what the model and its tools wrote


def read_event(data: bytes) -> GeminiEvent:
    """The event that `data` is.

    Google writes names as `finishReason`; some proxies, as Python does, `finish_reason`: both are read.

    Raises:
        ValueError: It is no JSON object (or one of `UNREADABLE`, for what nothing can read).
    """
    # Each of these is quicker than the next, and rarely finds what that does not.
    if _UNDERSCORE in data and _HINT.search(data) and _SNAKE.search(data):
        data = msgspec.json.encode(_in_camel_case(as_object(load(data))))
    return read(_EVENTS, data)


def _in_camel_case(value: Any) -> Any:
    if is_list(value):
        return [_in_camel_case(item) for item in value]
    if is_object(value):
        return {
            _NAMES.get(name, name): item if name in _THEIRS else _in_camel_case(item)
            for name, item in value.items()
        }
    return value
