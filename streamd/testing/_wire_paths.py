"""Which wire a request speaks, by where it goes; and how a client is pointed at a server that speaks them all."""

from __future__ import annotations

import re

import msgspec
from msgspec import Struct

from ._render import WIRES
from ._wire import Wire

__all__ = ["base_url", "example", "is_streaming", "methods_of", "wire_of"]

_PATHS: dict[str, str] = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic-messages": "/v1/messages",
    "gemini": "/v1beta/models/tiny-1:streamGenerateContent?alt=sse",
    "gemini-array": "/v1beta/models/tiny-1:streamGenerateContent",
    "ollama-chat": "/api/chat",
    "cohere-v2": "/v2/chat",
    "bedrock-converse": "/model/tiny-1/converse-stream",
    "bedrock-invoke": "/model/tiny-1/invoke-with-response-stream",
}
"""Where a request of each wire goes, below a server's root."""

_KNOWN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), wire)
    for pattern, wire in (
        (r"/chat/completions(\?|$)", "openai-chat"),
        (r"/responses(\?|$)", "openai-responses"),
        (r"/messages(\?|$)", "anthropic-messages"),
        (r":streamGenerateContent\?(.*&)?alt=sse\b", "gemini"),
        (r":streamGenerateContent(\?|$)", "gemini-array"),
        (r"/api/chat(\?|$)", "ollama-chat"),
        (r"/v[12]/chat(\?|$)", "cohere-v2"),
        (r"/converse-stream(\?|$)", "bedrock-converse"),
        (r"/invoke-with-response-stream(\?|$)", "bedrock-invoke"),
    )
)
_SAYS_IT = ("openai-chat", "openai-responses", "anthropic-messages", "cohere-v2")
_BODIES: dict[str, str] = {
    "gemini": '{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}',
    "bedrock-converse": '{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}',
    "openai-responses": '{"stream":true,"model":"tiny-1","input":"Hi"}',
}
_BODY = '{"stream":true,"model":"tiny-1","messages":[{"role":"user","content":"Hi"}]}'


class _Streamed(Struct):
    stream: bool | None = None


def wire_of(target: str, method: str = "POST") -> Wire | None:
    """The wire of a request; None where no wire goes there, or not so.

    Args:
        target: Its path and query.
        method: Responses are asked for by POST; by GET a response is read on, on the wires that have it.
    """
    if method == "GET":
        asks = (wire for wire in WIRES.values() if wire.resuming is not None and wire.resuming.asked(target))
        return next(asks, None)
    if method != "POST":
        return None
    return next((WIRES[name] for pattern, name in _KNOWN if pattern.search(target)), None)


def methods_of(target: str) -> tuple[str, ...]:
    """The methods by which something is asked for at this path; none where nothing is."""
    return tuple(method for method in ("GET", "POST") if wire_of(target, method) is not None)


def is_streaming(wire: Wire, body: bytes) -> bool:
    """Whether a request asks for a stream, where that is in its body.

    Raises:
        msgspec.DecodeError: The body is not JSON.
    """
    asked = msgspec.json.decode(body, type=_Streamed).stream
    return bool(asked) if wire.name in _SAYS_IT else asked is not False


def base_url(url: str, wire: str) -> str:
    """What the clients of a wire take for the base URL of a server: its root, or its `/v1`."""
    return f"{url}/v1" if wire.startswith("openai-") else url


def example(url: str, wire: str) -> str:
    """A command that asks the server at this URL in this wire."""
    body = _BODIES.get(wire.removesuffix("-array"), _BODY)
    return f"curl -sN '{url}{_PATHS[wire]}' -H 'content-type: application/json' -d '{body}'"
