"""A provider of the table, made with what its caller and the environment give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ._auth import Auth, Bearer, Key, KeyHeader, NoAuth, SigV4, TokenSource
from ._aws_credentials import CREDENTIALS_ENV, environment_credentials, given_credentials
from ._formats import FORMATS
from ._headers import Header, key_fault, merge_headers, secret_headers
from ._place import place_of, setting_of
from ._quirks import Quirks
from ._row import ProviderRow
from ._secret import Secret
from ._service import Service
from .errors import ConfigError

__all__ = ["build_service"]

_OPTIONS = ("base_url", "api_key", "auth_token", "path", "headers", "quirks")


def build_service(
    name: str, row: ProviderRow, options: Mapping[str, Any], environ: Mapping[str, str]
) -> Service:
    """The service a row describes. Raises `ConfigError` as `resolve` does."""
    own = ("credentials",) if row.signed_for is not None else ()
    known = (*_OPTIONS, *own, *(setting.name for setting in row.settings))
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ConfigError(f"{name}: no option {unknown[0]!r}; the options are {', '.join(known)}")
    base_url, path = place_of(name, row, options, environ)
    headers = _headers(name, row, options, environ)
    auth = _auth(name, row, options, environ)
    return Service(name, FORMATS[row.wire], base_url, auth, path, headers, _quirks(name, row, options))


def _quirks(name: str, row: ProviderRow, options: Mapping[str, Any]) -> Quirks | None:
    quirks = options.get("quirks", row.quirks)
    if quirks is not None and type(quirks) is not (wanted := type(FORMATS[row.wire].quirks)):
        raise ConfigError(
            f"{name}: the option `quirks` is of {wanted.__name__}, not of {type(quirks).__name__}"
        )
    return quirks


def _headers(
    name: str, row: ProviderRow, options: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[Header, ...]:
    fields = {header: environ[variable] for variable, header in row.header_env if environ.get(variable)}
    given: object = options.get("headers", {})
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name}: the option `headers` is a mapping, not a {type(given).__name__}")
    named = secret_headers({**fields, **cast("Mapping[str, str]", given)}, f"{name}: headers")
    return merge_headers(row.headers, named)


def _auth(name: str, row: ProviderRow, options: Mapping[str, Any], environ: Mapping[str, str]) -> Auth:
    """An option before the environment, a key before a token, a token before a signature."""
    ways = [option for option in ("api_key", "auth_token", "credentials") if options.get(option) is not None]
    if len(ways) > 1:
        raise ConfigError(f"{name}: give one of the options `{ways[0]}` and `{ways[1]}`, not both")
    key, token = (_given(name, options, option) for option in ("api_key", "auth_token"))
    credentials = given_credentials(name, options.get("credentials"))
    if key is None and token is None and credentials is None:
        key = _from_environment(row.key_env, environ)
    if key is None and token is None and credentials is None:
        token = _from_environment(row.token_env, environ)
    if token is not None:
        return Bearer(token)
    if key is not None:
        return Bearer(key) if row.key_header is None else KeyHeader(row.key_header, key)
    if row.signed_for is not None:
        credentials = environment_credentials(name, environ) if credentials is None else credentials
        if credentials is not None:
            return SigV4(credentials, setting_of(name, row, "region", options, environ), row.signed_for)
    if row.key_required:
        signed = (" and ".join(CREDENTIALS_ENV[:2]),) if row.signed_for is not None else ()
        variables = " or ".join(row.key_env + row.token_env + signed)
        option = "`api_key`" if row.key_env else "`auth_token`"
        raise ConfigError(f"{name}: no key: set {variables}, or give the option {option}")
    return NoAuth()


def _given(name: str, options: Mapping[str, Any], option: str) -> Key | None:
    given = options.get(option)
    if given is None or isinstance(given, TokenSource):
        return given
    if isinstance(given, Secret):
        return _sound(given, f"the option `{option}`")
    if callable(given):
        return TokenSource(cast("Callable[[], str | Secret]", given))
    raise ConfigError(
        f"{name}: the option `{option}` is text, a Secret or a function that gives one, not a {type(given).__name__}"
    )


def _from_environment(variables: tuple[str, ...], environ: Mapping[str, str]) -> Secret | None:
    return next(
        (_sound(Secret(environ[variable]), variable) for variable in variables if environ.get(variable)), None
    )


def _sound(key: Secret, source: str) -> Secret:
    if fault := key_fault(key, source):
        raise ConfigError(fault)
    return key
