"""Providers that speak chat completions: OpenAI, and the many servers compatible with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from ._headers import Header, key_fault, merge_headers, secret_headers, secrets_of
from ._openai_chat_request import ChatQuirks, openai_chat_body
from ._provider import Decoder, HTTPRequest
from ._response_error import response_error
from ._secret import Secret
from ._urls import has_path, join_url, path_fault, url_fault
from ._wires import WIRES
from .errors import APIError, ConfigError
from .messages import Context, Options

__all__ = ["OpenAIChat"]


class OpenAIChat(Struct, frozen=True):
    """A server of chat completions.

    Args:
        name: What it is called in messages, and by `resolve`.
        base_url: The URL under which its methods are. One with a path, `https://example.com/v1`, is taken as
            complete, as OpenAI's own library takes it, and `/chat/completions` goes below it; below a bare
            `https://example.com` goes `/v1/chat/completions`.
        api_key: Sent as a bearer token; None where the server asks for no key.
        path: A path for a server that has another one, `{model}` in it being the model's name.
        headers: Further fields to send, with lower-case names; see `secret_headers`.
        quirks: Where the server differs from the others.

    Raises:
        ConfigError: For a base URL, a path or a key that cannot be sent.
    """

    wire: ClassVar[str] = "openai-chat"

    name: str
    base_url: str
    api_key: Secret | None = None
    path: str | None = None
    headers: tuple[Header, ...] = ()
    quirks: ChatQuirks = ChatQuirks()

    def __post_init__(self) -> None:
        fault = url_fault(self.base_url) or path_fault(self.path)
        if fault is None and self.api_key is not None:
            fault = key_fault(self.api_key, "`api_key`")
        if fault is not None:
            name = self.name
            del self  # a traceback with locals does not show what was refused
            raise ConfigError(f"{name}: {fault}")

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        """Build the request for one turn. Raises `ConfigError` for anything the provider cannot take."""
        body = openai_chat_body(self.name, context, options, self.quirks)
        path = self.path or ("/chat/completions" if has_path(self.base_url) else "/v1/chat/completions")
        own: list[Header] = [
            ("content-type", "application/json"),
            ("accept", "text/event-stream"),
            ("accept-encoding", "identity"),
        ]
        if self.api_key is not None:
            own.append(("authorization", Secret(f"Bearer {self.api_key.reveal()}")))
        return HTTPRequest(
            "POST",
            join_url(self.base_url, path, options.model),
            merge_headers(own, self.headers, secret_headers(options.extra_headers, "extra_headers")),
            body,
        )

    def decoder(self) -> Decoder:
        """A fresh decoder for the body of one successful response."""
        return WIRES[self.wire]()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        """The typed error for a response whose status is not 200; `headers` has lower-case names."""
        return response_error(status, headers, body, secrets_of(self.api_key, self.headers))
