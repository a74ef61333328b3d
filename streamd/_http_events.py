"""What one HTTP response consists of, as events: the one language in which a parser is fed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import trio
from msgspec import Struct

from .errors import ConfigError

__all__ = [
    "Call",
    "HTTPData",
    "HTTPDone",
    "HTTPEvent",
    "HTTPFailure",
    "HTTPHeaders",
    "HTTPStatus",
    "ParserInput",
    "sound_event",
]


class HTTPStatus(Struct, frozen=True):
    """The response's status came."""

    code: int


class HTTPHeaders(Struct, frozen=True):
    """The response's header fields came: a mapping, or pairs of name and value in any case."""

    fields: Mapping[str, str] | Iterable[tuple[str, str]]

    def by_name(self) -> dict[str, str]:
        """The fields by lower-case name; those of one name joined by commas (RFC 9110 section 5.3)."""
        named: dict[str, str] = {}
        for each, value in _pairs(self.fields):
            name = each.lower()
            named[name] = f"{named[name]}, {value}" if name in named else value
        return named


def _pairs(fields: Any) -> Iterable[tuple[str, str]]:
    return cast("Mapping[str, str]", fields).items() if isinstance(fields, Mapping) else fields


class HTTPData(Struct, frozen=True, gc=False):
    """Bytes of the body came: as many as one read of the network gave."""

    data: bytes


class HTTPDone(Struct, frozen=True):
    """The body ended as HTTP says a body ends."""


class HTTPFailure(Struct, frozen=True):
    """There is no response, or its body broke off."""

    error: Exception


HTTPEvent = HTTPStatus | HTTPHeaders | HTTPData | HTTPDone | HTTPFailure
"""A response comes as a status, headers, any number of data, and then done; a failure can come at any point."""


def sound_event(event: object) -> HTTPEvent:
    """The event that somebody else's code gave, as the parser can take it.

    Raises:
        ConfigError: This is no event, or it holds something else than it says.
    """
    match event:
        case HTTPData(data):
            return event if type(data) is bytes else HTTPData(_bytes(data))
        case HTTPHeaders(fields):
            try:
                return HTTPHeaders([(str.lower(name), _text(value)) for name, value in _pairs(fields)])
            except (TypeError, ValueError) as exc:
                raise ConfigError(f"HTTPHeaders holds no header fields: {exc}") from exc
        case HTTPStatus(int()) | HTTPFailure(Exception()) | HTTPDone():
            return event
        case HTTPStatus() | HTTPFailure():
            raise ConfigError(f"{type(event).__name__} holds something else: {event!r}")
        case _:
            raise ConfigError(f"an event is one of streamd's HTTP events, not {type(event).__name__}")


def _bytes(data: object) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ConfigError(f"HTTPData holds bytes, not {type(data).__name__}")
    return bytes(cast("bytes", data))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a value is a {type(value).__name__}")
    return value


class Call:
    """An event whose sender waits for a reply: that it was taken in, and there is room for the next (OTP: a call)."""

    __slots__ = ("event", "replied")

    def __init__(self, event: HTTPEvent) -> None:
        self.event: HTTPEvent = event
        self.replied: trio.Event = trio.Event()


ParserInput = HTTPEvent | Call
"""What the channel into the parser carries."""
