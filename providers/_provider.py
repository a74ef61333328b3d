"""The two interfaces every provider fills: three methods to speak with it, two to read its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct

from ._secret import Secret
from .chunks import Chunk, Metadata
from .errors import APIError
from .messages import Context, Options

__all__ = ["Decoder", "HTTPRequest", "KeepsState", "Provider", "Resumable"]


class HTTPRequest(Struct, frozen=True):
    """A request ready to be sent.

    A header's value that must not be seen is a `Secret`; `secrets` is what else of it must not, such as a key that its
    body holds.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str | Secret], ...]
    body: bytes
    secrets: tuple[Secret, ...] = ()

    @property
    def hidden(self) -> list[Secret]:
        """All of it that must not be seen."""
        return [*(value for _, value in self.headers if isinstance(value, Secret)), *self.secrets]


class Decoder(Protocol):
    """One response body, from bytes to chunks. A decoder is used once.

    Any cut of the body into `feed` calls gives the same chunks. An error raised by either method carries in `.chunks`
    what that same call had decoded before it; after an error the decoder is spent.
    """

    @property
    def done(self) -> bool:
        """Whether the provider's terminal evidence was seen: nothing that follows can change the turn."""
        ...

    @property
    def terminal(self) -> bool:
        """Whether the turn is complete should the body break off here: more may follow, but need not."""
        ...

    def feed(self, data: bytes, /) -> list[Chunk]:
        """Decode the next bytes of the body. Raises `APIError` for an in-stream error, or a `StreamError`."""
        ...

    def close(self) -> list[Chunk]:
        """Say that the body has ended. Raises `Truncated` where the terminal evidence never came."""
        ...


@runtime_checkable
class Provider(Protocol):
    """A model API: how to ask it, how to read its answer, how to read its refusal."""

    @property
    def name(self) -> str:
        """The name it is known by, such as `anthropic`."""
        ...

    def request(self, context: Context, options: Options, /) -> HTTPRequest:
        """Build the request for one turn. Raises `ConfigError` for anything the provider cannot take."""
        ...

    def decoder(self) -> Decoder:
        """A fresh decoder for the body of one successful response."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes, /) -> APIError:
        """The typed error for a response whose status is not 200; `headers` has lower-case names."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A provider some of whose responses go on by themselves when the connection breaks, and can be read on."""

    def resume(self, request: HTTPRequest, decoder: Decoder, /) -> tuple[HTTPRequest, Decoder] | None:
        """How to read on after a body broke off; None where this response cannot be, or has nothing left to read.

        The new decoder continues the old one, which is not to be used any more: what both give, one after the other,
        is what an unbroken body would have given. Its body may break off again.

        Args:
            request: The request whose response broke off: the one that asked for the turn, or a resuming one.
            decoder: The decoder of the body that broke off, after its `close` or an error of the connection's.
        """
        ...


@runtime_checkable
class KeepsState(Protocol):
    """A provider that keeps something of a conversation on its own side."""

    def state(self, metadata: Metadata, /) -> Mapping[str, Any]:
        """What the next request's `Context.provider_state` is to hold, by what the provider said of the last turn."""
        ...
