"""The official SDKs, fed from memory: each reads a response whose body comes in the pieces it is given.

A public client of the SDK is asked for a stream, over a transport of httpx that answers from memory; only boto3 has
none, so that its event stream and its parser are given the pieces themselves. Each function adds the pieces of
the answer's text to a list, in a loop over the SDK's own events as a user writes it. The clients are the synchronous
ones: they are quicker than the asynchronous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["SDKS"]

Pieces = list[bytes]
_ASK: list[Any] = [{"role": "user", "content": "Hi"}]
_HOST = "http://bench.test"


class _Body:
    """Bytes in pieces, as a response's body."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def stream(self) -> Iterator[bytes]:
        """As botocore asks for them."""
        return iter(self._pieces)


def _client(httpx: Any, pieces: Pieces, kind: str = "text/event-stream") -> Any:
    def answer(_request: Any) -> Any:
        return httpx.Response(200, headers={"content-type": kind}, content=_Body(pieces))

    return httpx.Client(transport=httpx.MockTransport(answer), base_url=_HOST)


def _openai_chat(pieces: Pieces, texts: list[str]) -> None:
    import httpx2
    import openai

    client = openai.OpenAI(api_key="bench", base_url=_HOST, http_client=_client(httpx2, pieces))
    for event in client.chat.completions.create(model="m", messages=_ASK, stream=True):
        if event.choices and event.choices[0].delta.content:
            texts.append(event.choices[0].delta.content)


def _openai_responses(pieces: Pieces, texts: list[str]) -> None:
    import httpx2
    import openai

    client = openai.OpenAI(api_key="bench", base_url=_HOST, http_client=_client(httpx2, pieces))
    for event in client.responses.create(model="m", input="Hi", stream=True):
        if event.type == "response.output_text.delta":
            texts.append(event.delta)


def _anthropic(pieces: Pieces, texts: list[str]) -> None:
    import anthropic
    import httpx2

    client = anthropic.Anthropic(api_key="bench", base_url=_HOST, http_client=_client(httpx2, pieces))
    _anthropic_texts(client, texts)


def _anthropic_bedrock(pieces: Pieces, texts: list[str]) -> None:
    import anthropic
    import httpx2

    kind = "application/vnd.amazon.eventstream"
    client = anthropic.AnthropicBedrock(
        aws_access_key="bench",
        aws_secret_key="bench",
        aws_region="us-east-1",
        base_url=_HOST,
        http_client=_client(httpx2, pieces, kind),
    )
    _anthropic_texts(client, texts)


def _anthropic_texts(client: Any, texts: list[str]) -> None:
    for event in client.messages.create(model="m", max_tokens=9, messages=_ASK, stream=True):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            texts.append(event.delta.text)


def _gemini(pieces: Pieces, texts: list[str]) -> None:
    import httpx
    from google import genai

    options = genai.types.HttpOptions(base_url=_HOST, httpx_client=_client(httpx, pieces))
    client = genai.Client(api_key="bench", http_options=options)
    for event in client.models.generate_content_stream(model="m", contents="Hi"):
        for part in event.candidates[0].content.parts:
            if part.text:
                texts.append(part.text)


def _ollama(pieces: Pieces, texts: list[str]) -> None:
    import httpx
    import ollama

    def answer(_request: Any) -> Any:
        return httpx.Response(200, headers={"content-type": "application/x-ndjson"}, content=_Body(pieces))

    client = ollama.Client(_HOST, transport=httpx.MockTransport(answer))
    for event in client.chat("m", messages=_ASK, stream=True):
        if event.message.content:
            texts.append(event.message.content)


def _cohere(pieces: Pieces, texts: list[str]) -> None:
    import cohere
    import httpx

    client = cohere.ClientV2("bench", base_url=_HOST, httpx_client=_client(httpx, pieces))
    for event in client.chat_stream(model="m", messages=_ASK):
        if event.type == "content-delta":
            texts.append(event.delta.message.content.text)


def _boto3(pieces: Pieces, texts: list[str]) -> None:
    import botocore.session
    from botocore.eventstream import EventStream
    from botocore.parsers import EventStreamJSONParser

    operation = (
        botocore.session.Session().get_service_model("bedrock-runtime").operation_model("ConverseStream")
    )
    shape = operation.output_shape.members["stream"]
    for event in EventStream(_Body(pieces), shape, EventStreamJSONParser(), "ConverseStream"):
        text = event.get("contentBlockDelta", {}).get("delta", {}).get("text")
        if text:
            texts.append(text)


SDKS: dict[str, tuple[str, Callable[[Pieces, list[str]], None]]] = {
    "anthropic-messages": ("anthropic", _anthropic),
    "bedrock-converse": ("boto3", _boto3),
    "bedrock-invoke": ("anthropic", _anthropic_bedrock),
    "cohere-v2": ("cohere", _cohere),
    "gemini": ("google-genai", _gemini),
    "ollama-chat": ("ollama", _ollama),
    "openai-chat": ("openai", _openai_chat),
    "openai-responses": ("openai", _openai_responses),
}
"""The official SDK of each wire, and how its stream is read."""
