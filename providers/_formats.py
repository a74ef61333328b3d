"""How each wire is asked: one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from . import _bodies as bodies
from ._bedrock_error import bedrock_error
from ._headers import Header
from ._provider import Decoder, HTTPRequest
from ._quirks import (
    AnthropicQuirks,
    ChatQuirks,
    ConverseQuirks,
    GeminiQuirks,
    InvokeQuirks,
    Quirks,
    ResponsesQuirks,
)
from ._response_error import response_error
from ._secret import Secret
from ._wires import WIRES
from .chunks import Metadata
from .errors import APIError
from .messages import Context, Options

__all__ = ["FORMATS", "WireFormat"]

_SSE = "text/event-stream"
_AWS = "application/vnd.amazon.eventstream"


def _keeps_nothing(_metadata: Metadata) -> Mapping[str, Any]:
    return {}


def _goes_no_further(_request: HTTPRequest, _decoder: Decoder) -> None:
    return None


class WireFormat(Struct, frozen=True, kw_only=True):
    """All that servers of one wire have in common.

    Args:
        name: What it is called.
        path: Where a turn is asked for, below a base URL that has a path; `{model}` in it is the model's name.
        bare_path: The same below a base URL that is only a host; as `path` where None.
        body: Writes a turn down, given the provider's name, the conversation, the options and quirks of the kind of
            `quirks`; raises `ConfigError` for what the wire cannot carry.
        decoder: Makes a fresh decoder for one response's body.
        quirks: Those of a server that has none of its own; None where no server of this wire has any.
        accept: The media type of what is decoded.
        headers: Further fields that every request has.
        error: Reads a refusal: its status, headers with lower-case names and body, and what must not show.
        state: What the next request gives back, by what was said of the last response; see `KeepsState`.
        resume: How to read a response on whose body broke off; see `Resumable`.
    """

    name: str
    path: str
    bare_path: str | None = None
    body: Callable[[str, Context, Options, Any], bytes]
    decoder: Callable[[], Decoder]
    quirks: Quirks | None = None
    accept: str = _SSE
    headers: tuple[Header, ...] = ()
    error: Callable[[int, Mapping[str, str], bytes, Iterable[Secret]], APIError] = response_error
    state: Callable[[Metadata], Mapping[str, Any]] = _keeps_nothing
    resume: Callable[[HTTPRequest, Decoder], tuple[HTTPRequest, Decoder] | None] = _goes_no_further

    def __repr__(self) -> str:
        return f"WireFormat({self.name!r})"


def _anthropic_state(metadata: Metadata) -> Mapping[str, Any]:
    from ._anthropic_request import anthropic_state

    return anthropic_state(metadata)


def _responses_state(metadata: Metadata) -> Mapping[str, Any]:
    from ._openai_responses_request import responses_state

    return responses_state(metadata)


def _resume_response(request: HTTPRequest, decoder: Decoder) -> tuple[HTTPRequest, Decoder] | None:
    from ._openai_responses_resume import resume_response

    return resume_response(request, decoder)


FORMATS: dict[str, WireFormat] = {
    row.name: row
    for row in (
        WireFormat(
            name="openai-chat",
            path="/chat/completions",
            bare_path="/v1/chat/completions",
            body=bodies.openai_chat,
            decoder=WIRES["openai-chat"],
            quirks=ChatQuirks(),
        ),
        WireFormat(
            name="openai-responses",
            path="/responses",
            bare_path="/v1/responses",
            body=bodies.openai_responses,
            decoder=WIRES["openai-responses"],
            quirks=ResponsesQuirks(),
            state=_responses_state,
            resume=_resume_response,
        ),
        WireFormat(
            name="anthropic-messages",
            path="/v1/messages",
            body=bodies.anthropic_messages,
            decoder=WIRES["anthropic-messages"],
            quirks=AnthropicQuirks(),
            headers=(("anthropic-version", "2023-06-01"),),  # docs.anthropic.com/en/api/versioning
            state=_anthropic_state,
        ),
        # platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
        WireFormat(
            name="anthropic-vertex",
            path="/models/{model}:streamRawPredict",
            body=bodies.anthropic_vertex,
            decoder=WIRES["anthropic-messages"],
            quirks=AnthropicQuirks(),
        ),
        # docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
        WireFormat(
            name="bedrock-converse",
            path="/model/{model}/converse-stream",
            body=bodies.bedrock_converse,
            decoder=WIRES["bedrock-converse"],
            quirks=ConverseQuirks(),
            accept=_AWS,
            error=bedrock_error,
        ),
        WireFormat(
            name="bedrock-invoke",
            path="/model/{model}/invoke-with-response-stream",
            body=bodies.bedrock_invoke,
            decoder=WIRES["bedrock-invoke"],
            quirks=InvokeQuirks(),
            accept=_AWS,
            error=bedrock_error,
        ),
        WireFormat(
            name="gemini",
            path="/models/{model}:streamGenerateContent?alt=sse",
            bare_path="/v1beta/models/{model}:streamGenerateContent?alt=sse",
            body=bodies.gemini,
            decoder=WIRES["gemini"],
            quirks=GeminiQuirks(),
        ),
        WireFormat(
            name="cohere-v2",
            path="/v2/chat",
            body=bodies.cohere_v2,
            decoder=WIRES["cohere-v2"],
        ),
        WireFormat(
            name="ollama-chat",
            path="/api/chat",
            body=bodies.ollama_chat,
            decoder=WIRES["ollama-chat"],
            accept="application/x-ndjson",
        ),
    )
}
"""The wires that can be asked, by name. Some share a decoder of `WIRES`, and differ in where and how they are asked."""
