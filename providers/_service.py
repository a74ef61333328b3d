"""A server of models that speaks one of the wires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ._auth import Auth, NoAuth, auth_fault, auth_fields, auth_secrets, authorize
from ._body_secrets import body_secrets
from ._formats import WireFormat
from ._headers import Header, merge_headers, secret_headers, secrets_of
from ._provider import Decoder, HTTPRequest
from ._quirks import Quirks
from ._urls import has_path, join_url, path_fault, url_fault
from .chunks import Metadata
from .errors import APIError, ConfigError
from .messages import Context, Options

__all__ = ["Service"]


class Service(Struct, frozen=True):
    """A provider made of a wire, an address and a key. Every provider of the table is one.

    Args:
        name: What it is called in messages, and by `resolve`.
        wire: How it is asked and read: a row of `FORMATS`, or one of your own.
        base_url: The URL under which its methods are. One with a path, `https://example.com/v1`, is taken as
            complete, as OpenAI's own library takes it, and the wire's path goes below it; below a bare
            `https://example.com` goes the wire's path with its version, `/v1/chat/completions`. No segment is
            written twice.
        auth: How a request says who asks.
        path: A path for a server that has another one, `{model}` in it being the model's name.
        headers: Further fields to send, with lower-case names; see `secret_headers`.
        quirks: Where the server differs from others of its wire.

    Raises:
        ConfigError: For a base URL, a path or a key that cannot be sent.
    """

    name: str
    wire: WireFormat
    base_url: str
    auth: Auth = NoAuth()
    path: str | None = None
    headers: tuple[Header, ...] = ()
    quirks: Quirks | None = None

    def __post_init__(self) -> None:
        fault = url_fault(self.base_url) or path_fault(self.path) or auth_fault(self.auth)
        if fault is None and self.quirks is not None and type(self.quirks) is not type(self.wire.quirks):
            fault = f"the wire {self.wire.name} has no quirks of kind {type(self.quirks).__name__}"
        if fault is not None:
            name = self.name
            del self  # a traceback with locals does not show what was refused
            raise ConfigError(f"{name}: {fault}")

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        """Build the request for one turn.

        A key that a function gives is asked for here, so that every request has a fresh one.

        Raises:
            ConfigError: For anything the provider cannot take, or a function that gives no key.
        """
        wire = self.wire
        body = wire.body(self.name, context, options, self.quirks or wire.quirks)
        path = wire.path if has_path(self.base_url) else wire.bare_path or wire.path
        own: tuple[Header, ...] = (
            ("content-type", "application/json"),
            ("accept", wire.accept),
            ("accept-encoding", "identity"),
            *wire.headers,
        )
        request = HTTPRequest(
            "POST",
            join_url(self.base_url, self.path or path, options.model),
            merge_headers(
                own,
                auth_fields(self.name, self.auth),
                self.headers,
                secret_headers(options.extra_headers, "extra_headers"),
            ),
            body,
            body_secrets(options.extra_body),
        )
        return authorize(self.name, self.auth, request)

    def decoder(self) -> Decoder:
        """A fresh decoder for the body of one successful response."""
        return self.wire.decoder()

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        """The typed error for a response whose status is not 200; `headers` has lower-case names."""
        return self.wire.error(status, headers, body, (*auth_secrets(self.auth), *secrets_of(self.headers)))

    def state(self, metadata: Metadata, /) -> Mapping[str, Any]:
        """What the next request's `Context.provider_state` is to hold; nothing where the wire keeps no state."""
        return self.wire.state(metadata)

    def resume(self, request: HTTPRequest, decoder: Decoder, /) -> tuple[HTTPRequest, Decoder] | None:
        """How to read on after a body broke off; None where this response cannot be, or has nothing left to read."""
        return self.wire.resume(request, decoder)
