"""Anthropic, and servers compatible with its Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct

from ._anthropic_request import anthropic_body
from ._headers import Header, key_fault, merge_headers, secret_headers, secrets_of
from ._provider import Decoder, HTTPRequest
from ._response_error import response_error
from ._secret import Secret
from ._urls import join_url, path_fault, url_fault
from ._wires import WIRES
from .errors import APIError, ConfigError
from .messages import Context, Options

__all__ = ["Anthropic"]

_VERSION = "2023-06-01"  # docs.anthropic.com/en/api/versioning


class Anthropic(Struct, frozen=True):
    """A server of messages.

    Args:
        name: What it is called in messages, and by `resolve`.
        base_url: The URL under which its methods are, with or without `/v1`.
        api_key: The key or token; None where the server asks for none.
        scheme: Whether the key is sent as `x-api-key`, or as a bearer token as gateways and logins want it.
        path: A path for a server that has another one, `{model}` in it being the model's name.
        headers: Further fields to send, with lower-case names; see `secret_headers`.

    Raises:
        ConfigError: For a base URL, a path or a key that cannot be sent.
    """

    wire: ClassVar[str] = "anthropic-messages"

    name: str = "anthropic"
    base_url: str = "https://api.anthropic.com"
    api_key: Secret | None = None
    scheme: Literal["x-api-key", "bearer"] = "x-api-key"
    path: str | None = None
    headers: tuple[Header, ...] = ()

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
        body = anthropic_body(self.name, context, options)
        own: list[Header] = [
            ("content-type", "application/json"),
            ("accept", "text/event-stream"),
            ("accept-encoding", "identity"),
            ("anthropic-version", _VERSION),
        ]
        if self.api_key is not None:
            bearer = ("authorization", Secret(f"Bearer {self.api_key.reveal()}"))
            own.append(bearer if self.scheme == "bearer" else ("x-api-key", self.api_key))
        return HTTPRequest(
            "POST",
            join_url(self.base_url, self.path or "/v1/messages", options.model),
            merge_headers(own, self.headers, secret_headers(options.extra_headers, "extra_headers")),
            body,
        )

    def decoder(self) -> Decoder:
        """A fresh decoder for the body of one successful response."""
        return WIRES[self.wire]()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        """The typed error for a response whose status is not 200; `headers` has lower-case names."""
        return response_error(status, headers, body, secrets_of(self.api_key, self.headers))
