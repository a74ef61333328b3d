"""Where a provider is: its base URL and path, made of options, the environment and its row of the table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._redact import redact
from ._row import ProviderRow, Setting
from ._urls import path_fault, url_fault
from .errors import ConfigError

__all__ = ["place_of", "setting_of", "shown_base_url"]

_VALUE = re.compile(r"[\w.-]*\w[\w.-]*", re.ASCII)  # it may become a part of the host's name


def place_of(
    name: str, row: ProviderRow, options: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str, str | None]:
    """The base URL and the path, None for the wire's own, with every setting in its place.

    Raises:
        ConfigError: For an address or a setting that is missing or cannot be used; the message names the option and
            the variables that give it.
    """
    values = {setting.name: _value(name, setting, options, environ) for setting in row.settings}
    base_url, source = _base_url(name, row, options, environ, values)
    base_url = _filled(name, row, base_url, values)
    if fault := url_fault(base_url):
        raise ConfigError(f"{name}: {fault} (from {source})")
    path = options.get("path")
    if path is not None and not isinstance(path, str):
        raise ConfigError(f"{name}: the option `path` is text, not a {type(path).__name__}")
    path = row.path if path is None else path
    if fault := path_fault(path):
        raise ConfigError(f"{name}: {fault}")
    return base_url, None if path is None else _filled(name, row, path, values)


def setting_of(
    name: str, row: ProviderRow, wanted: str, options: Mapping[str, Any], environ: Mapping[str, str]
) -> str:
    """The setting of the row that is called `wanted`. Raises `ConfigError` where it is missing."""
    setting = next(setting for setting in row.settings if setting.name == wanted)
    value = _value(name, setting, options, environ)
    if value is None:
        raise _missing(name, setting)
    return value


def shown_base_url(row: ProviderRow, environ: Mapping[str, str]) -> str | None:
    """Where a row and the environment say a provider is, a missing setting shown as `{name}`; None if nowhere."""
    values: dict[str, str | None] = {}
    for setting in row.settings:
        given = next((environ[name] for name in setting.env if environ.get(name)), setting.default)
        values[setting.name] = given if given is None or _VALUE.fullmatch(given) else None
    url, _source = _known_url(row, environ, values)
    for name, value in values.items():
        url = url if url is None or value is None else url.replace(f"{{{name}}}", value)
    return url if url is not None and url_fault(url) is None else None


def _known_url(
    row: ProviderRow, environ: Mapping[str, str], values: Mapping[str, str | None]
) -> tuple[str | None, str]:
    """The base URL the environment or the row gives, and where it came from."""
    for variable in row.base_url_env:
        if environ.get(variable):
            url = environ[variable]
            return (_ollama_url(url) if variable == "OLLAMA_HOST" else url), variable
    special = row.base_urls.get(values.get(row.settings[0].name) or "") if row.settings else None
    return special or row.base_url, "the table of providers"


def _base_url(
    name: str,
    row: ProviderRow,
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    values: Mapping[str, str | None],
) -> tuple[str, str]:
    url, source = options.get("base_url"), "the option `base_url`"
    if url is None:
        url, source = _known_url(row, environ, values)
    if url is None and row.base_urls:
        first = row.settings[0].name
        known, given = ", ".join(row.base_urls), redact(str(values[first]))
        raise ConfigError(f"{name}: no {first} {given!r}; there are {known}, or give the option `base_url`")
    if url is None:
        variables = "".join(f" or set {variable}" for variable in row.base_url_env)
        raise ConfigError(f"{name}: no base URL: give the option `base_url`{variables}")
    if not isinstance(url, str):
        raise ConfigError(f"{name}: the option `base_url` is text, not a {type(url).__name__}")
    return url, source


def _value(name: str, setting: Setting, options: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    given, source = options.get(setting.name), f"the option `{setting.name}`"
    for variable in setting.env:
        if given is None and environ.get(variable):
            given, source = environ[variable], variable
    if given is None:
        return setting.default
    if not isinstance(given, str):
        raise ConfigError(f"{name}: {source} is text, not a {type(given).__name__}")
    if not _VALUE.fullmatch(given):
        raise ConfigError(f"{name}: {source} is letters, digits, '.', '_' and '-' only")
    return given


def _filled(name: str, row: ProviderRow, template: str, values: Mapping[str, str | None]) -> str:
    for setting in row.settings:
        value, mark = values[setting.name], f"{{{setting.name}}}"
        if mark in template and value is None:
            raise _missing(name, setting)
        template = template.replace(mark, value or "")
    return template


def _missing(name: str, setting: Setting) -> ConfigError:
    variables = "".join(f" or set {variable}" for variable in setting.env)
    return ConfigError(f"{name}: no {setting.name}: give the option `{setting.name}`{variables}")


def _ollama_url(host: str) -> str:
    """A base URL from Ollama's `[scheme://]host[:port]`; a server told to listen everywhere is asked at loopback."""
    scheme, mark, rest = host.rpartition("://")
    name, slash, path = rest.partition("/")
    bare, colon, port = name.rpartition(":")
    if not colon or (bare.count(":") and not bare.endswith("]")):
        bare, port = name, "" if mark else "11434"
    address = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "[::]": "[::1]"}.get(bare, bare)
    return f"{scheme or 'http'}://{address}{':' + port if port else ''}{slash}{path}"
