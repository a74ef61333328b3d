"""How a request says who asks: a closed set of ways, each a few header fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import assert_never, final

from msgspec import Struct

from ._ask import ask_for
from ._aws_credentials import AWSCredentialSource, credentials_fault
from ._headers import Header, key_fault, name_fault
from ._provider import HTTPRequest
from ._secret import Secret
from ._sigv4 import AWSCredentials, sign
from .errors import ConfigError

__all__ = [
    "Auth",
    "Bearer",
    "Key",
    "KeyHeader",
    "NoAuth",
    "SigV4",
    "TokenSource",
    "auth_fault",
    "auth_fields",
    "auth_secrets",
    "authorize",
]


@final
class TokenSource:
    """A key that is asked for whenever one is needed, as tokens of OAuth and Entra run out.

    Its `repr` shows nothing of the function: that of a partial one shows its arguments.

    Args:
        ask: Called without arguments for every request, in the thread of the event loop: it gives the token it holds
            at once, and renews it elsewhere or quickly. What it gives is a `str` or a `Secret`.
    """

    __slots__ = ("_ask", "_last")

    def __init__(self, ask: Callable[[], str | Secret]) -> None:
        self._ask = ask
        self._last: Secret | None = None

    @property
    def last(self) -> Secret | None:
        """What it gave last, so that it can be kept out of what a server says; None before it was asked."""
        return self._last

    def token(self, provider: str) -> Secret:
        """Ask for the token that `provider` is given.

        Raises:
            ConfigError: The function failed (its exception is the cause), or gave what cannot be sent.
        """
        where = f"{provider}: the function that gives the key"
        given = ask_for(self._ask, where)
        key = _wrapped(given)
        kind = type(given).__name__
        del given  # a traceback with locals shows no key
        if key is None:
            raise ConfigError(f"{where} gave a {kind}, not a text or a Secret")
        if fault := key_fault(key, "the function that gives the key"):
            raise ConfigError(f"{provider}: {fault}")
        self._last = key
        return key

    def __repr__(self) -> str:
        return "TokenSource(***)"


def _wrapped(given: object) -> Secret | None:
    return Secret(given) if isinstance(given, str) else given if isinstance(given, Secret) else None


Key = Secret | TokenSource
"""A key or token: one that stays what it is, or one that is asked for."""


class Bearer(Struct, frozen=True):
    """The key is sent as `authorization: Bearer ...` (RFC 6750)."""

    key: Key


class KeyHeader(Struct, frozen=True):
    """The key is sent as the value of a header of its own, such as `x-api-key`; the name is in lower case."""

    header: str
    key: Key


class NoAuth(Struct, frozen=True):
    """Nobody asks who it is."""


def _now() -> datetime:
    return datetime.now(UTC)


class SigV4(Struct, frozen=True):
    """The whole request is signed as AWS wants it (Signature Version 4); see `sign`.

    Args:
        credentials: Who asks, or what tells it anew for every request.
        region: The region that is asked.
        service: The service's name for signatures.
        clock: Gives the time, an aware one.
    """

    credentials: AWSCredentials | AWSCredentialSource
    region: str
    service: str = "bedrock"
    clock: Callable[[], datetime] = _now


Auth = Bearer | KeyHeader | SigV4 | NoAuth
"""Every way there is."""


def auth_fault(auth: Auth) -> str | None:
    """Why it cannot be sent, or None if it can; returned rather than raised, as in `key_fault`."""
    match auth:
        case Bearer(key):
            return _key_fault(key)
        case KeyHeader(header, key):
            return name_fault(header, "the name of the key's header") or _key_fault(key)
        case SigV4(credentials):
            return credentials_fault(credentials)
        case NoAuth():
            return None
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(auth)


def auth_fields(provider: str, auth: Auth) -> tuple[Header, ...]:
    """The header fields that say it; none where the whole request is needed for them, see `authorize`.

    Raises:
        ConfigError: A function gives no token; the message names the provider.
    """
    match auth:
        case Bearer(key):
            return (("authorization", Secret(f"Bearer {_current(provider, key).reveal()}")),)
        case KeyHeader(header, key):
            return ((header, _current(provider, key)),)
        case SigV4() | NoAuth():
            return ()
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(auth)


def authorize(provider: str, auth: Auth, request: HTTPRequest) -> HTTPRequest:
    """The request as it is sent: signed, where the way is to sign it.

    Raises:
        ConfigError: A function gives no credentials; the message names the provider.
    """
    if not isinstance(auth, SigV4):
        return request
    given = auth.credentials
    credentials = given.credentials(provider) if isinstance(given, AWSCredentialSource) else given
    return sign(request, credentials, auth.region, auth.service, auth.clock())


def auth_secrets(auth: Auth) -> tuple[Secret, ...]:
    """All of it that must not show."""
    match auth:
        case Bearer(key) | KeyHeader(_, key):
            secret = key.last if isinstance(key, TokenSource) else key
            return () if secret is None else (secret,)
        case SigV4(credentials):
            known = credentials.last if isinstance(credentials, AWSCredentialSource) else credentials
            return () if known is None else known.secrets
        case NoAuth():
            return ()
        case _:  # pragma: no cover - the type checkers prove it
            assert_never(auth)


def _key_fault(key: object) -> str | None:
    return None if isinstance(key, TokenSource) else key_fault(key, "`key`")


def _current(provider: str, key: Key) -> Secret:
    return key.token(provider) if isinstance(key, TokenSource) else key
