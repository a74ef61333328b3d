"""Where AWS's credentials come from: an option, a function that has fresh ones, or the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast, final

from ._ask import ask_for
from ._headers import key_fault
from ._secret import Secret
from ._sigv4 import AWSCredentials
from .errors import ConfigError

__all__ = [
    "CREDENTIALS_ENV",
    "AWSCredentialSource",
    "credentials_fault",
    "environment_credentials",
    "given_credentials",
]

CREDENTIALS_ENV = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""The variables of AWS's own tools."""


@final
class AWSCredentialSource:
    """Credentials that are asked for whenever a request is signed, as temporary ones run out.

    Its `repr` shows nothing of the function: that of a partial one shows its arguments.

    Args:
        ask: Called without arguments for every request, in the thread of the event loop: it gives what it holds at
            once, and renews it elsewhere or quickly. It gives `AWSCredentials`, or a sequence of the access key's id,
            the secret key and the session's token or None, such as botocore's `get_frozen_credentials` gives.
    """

    __slots__ = ("_ask", "_last")

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._last: AWSCredentials | None = None

    @property
    def last(self) -> AWSCredentials | None:
        """What it gave last, so that it can be kept out of what a server says; None before it was asked."""
        return self._last

    def credentials(self, provider: str) -> AWSCredentials:
        """Ask for the credentials that `provider` is given.

        Raises:
            ConfigError: The function failed (its exception is the cause), or gave what cannot be sent.
        """
        where = f"{provider}: the function that gives the credentials"
        given = ask_for(self._ask, where)
        found = _wrapped(given)
        kind = type(given).__name__
        del given  # a traceback with locals shows no key
        if found is None:
            raise ConfigError(f"{where} gave a {kind}, not AWSCredentials or a sequence of them")
        if fault := credentials_fault(found):
            raise ConfigError(f"{where}: {fault}")
        self._last = found
        return found

    def __repr__(self) -> str:
        return "AWSCredentialSource(***)"


def credentials_fault(credentials: AWSCredentials | AWSCredentialSource) -> str | None:
    """Why they cannot be sent, or None if they can; returned rather than raised, as in `key_fault`."""
    if isinstance(credentials, AWSCredentialSource):
        return None
    given = zip(CREDENTIALS_ENV, _parts(credentials), strict=True)
    faults = (key_fault(part, source) for source, part in given if part is not None)
    return next((fault for fault in faults if fault is not None), None)


def given_credentials(name: str, given: object) -> AWSCredentials | AWSCredentialSource | None:
    """What the option `credentials` is, or None where it is not given. Raises `ConfigError` for anything else."""
    if given is None or isinstance(given, AWSCredentialSource):
        return given
    found = _wrapped(given)
    if found is None and callable(given):
        return AWSCredentialSource(cast("Callable[[], object]", given))
    kind = type(given).__name__
    del given
    if found is None:
        raise ConfigError(
            f"{name}: the option `credentials` is AWSCredentials, a sequence of the access key's id, the secret key "
            f"and the session's token, or a function that gives one of the two, not a {kind}"
        )
    if fault := credentials_fault(found):
        raise ConfigError(f"{name}: the option `credentials`: {fault}")
    return found


def environment_credentials(name: str, environ: Mapping[str, str]) -> AWSCredentials | None:
    """What the environment has, or None where a part is missing. Raises `ConfigError` for what cannot be sent."""
    key, secret, token = (
        Secret(environ[variable]) if environ.get(variable) else None for variable in CREDENTIALS_ENV
    )
    if key is None or secret is None:
        return None
    found = AWSCredentials(key, secret, token)
    if fault := credentials_fault(found):
        raise ConfigError(f"{name}: {fault}")
    return found


def _parts(credentials: AWSCredentials) -> tuple[Secret | None, ...]:
    return credentials.access_key_id, credentials.secret_access_key, credentials.session_token


def _wrapped(given: object) -> AWSCredentials | None:
    if isinstance(given, AWSCredentials):
        return given
    if not isinstance(given, tuple | list):
        return None
    items = [Secret(item) if isinstance(item, str) else item for item in cast("tuple[Any, ...]", given)]
    key, secret, token = (*items, None, None, None)[:3]
    if not isinstance(key, Secret) or not isinstance(secret, Secret):
        return None
    return AWSCredentials(key, secret, token if isinstance(token, Secret) and token else None)
